import Engines
import Metering
import Testing
import Tokenizers
import UsageJournal

@testable import Gateway

/// What engines leave out, counted by the model's tokenizer.
@Suite(.timeLimit(.minutes(10))) struct CountingTests {
    private let tokenizer: Tokenizer

    init() throws { tokenizer = try SmallTokenizer.make() }

    private func gateway(
        kind: EngineKind = .openAICompatible, configure: (inout GatewayConfiguration) -> Void = { _ in },
        audits: Bool = false, script: @escaping ScriptedEngine.Script
    ) async throws -> TestGateway {
        let engine = try ScriptedEngine(script)
        var settings = BackendSettings()
        settings.tokenizerPath = SmallTokenizer.path
        settings.auditsUsage = audits
        let snapshot = TestGateway.snapshot(
            port: engine.port, kind: kind, settings: settings, tokenizers: [SmallTokenizer.path: tokenizer])
        return try await TestGateway(engine: engine, snapshot: snapshot, configure: configure)
    }

    private func count(_ texts: String...) -> Int64 { texts.reduce(0) { $0 + Int64(tokenizer.count($1)) } }

    private static func plainBody(_ text: String, usage: String = "") -> String {
        #"{"id":"c","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"\#(text)"},"#
            + #""finish_reason":"stop"}]\#(usage)}"#
    }

    private static func events(_ texts: [String]) -> [String] {
        texts.map { Answers.event(delta: #"{"content":"\#($0)"}"#) }
    }

    // MARK: Whole answers

    @Test func `a plain answer without usage is counted`() async throws {
        let gateway = try await gateway { socket, _ in
            socket.send(Answers.plain(body: Self.plainBody("one two two one")))
        }
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 200)
        let attempt = try gateway.record().attempts[0]
        #expect(attempt.buckets.outputVisible == 4)
        #expect(attempt.buckets.inputUncached == count("SECRET-PROMPT hello"))
        // What the template puts around the messages is not known.
        #expect(attempt.usageSource == .estimated && !attempt.usageComplete)
        await gateway.stop()
    }

    @Test(arguments: [AnswerCounting.shortPromptBytesMax - 100, AnswerCounting.shortPromptBytesMax * 8])
    func `a prompt is counted whatever its length`(length: Int) async throws {
        let gateway = try await gateway { socket, _ in
            socket.send(Answers.plain(body: #"{"choices":[{"index":0,"text":"one","finish_reason":"stop"}]}"#))
        }
        let prompt = String(repeating: "one two ", count: length / 8)
        let body = #"{"model":"small","prompt":"\#(prompt)"}"#
        #expect(try gateway.ask(TestGateway.request(body, path: "/v1/completions")).status == 200)
        let attempt = try gateway.record().attempts[0]
        #expect(attempt.buckets.inputUncached == count(prompt))
        #expect(attempt.usageSource == .counted && attempt.usageComplete)
        await gateway.stop()
    }

    @Test(arguments: [true, false])
    func `a completion without usage is counted on both sides`(isStream: Bool) async throws {
        let gateway = try await gateway { socket, _ in
            guard isStream else {
                socket.send(Answers.plain(body: #"{"choices":[{"index":0,"text":"one two","finish_reason":"stop"}]}"#))
                return
            }
            socket.send(
                Answers.stream([
                    "data: {\"choices\":[{\"index\":0,\"text\":\"one tw\",\"finish_reason\":null}]}\n\n",
                    "data: {\"choices\":[{\"index\":0,\"text\":\"o\",\"finish_reason\":\"stop\"}]}\n\n",
                    "data: [DONE]\n\n",
                ]))
        }
        let body = #"{"model":"small","prompt":"one one one"\#(isStream ? #","stream":true"# : "")}"#
        #expect(try gateway.ask(TestGateway.request(body, path: "/v1/completions")).status == 200)
        let attempt = try gateway.record().attempts[0]
        #expect(attempt.usageSource == .counted && attempt.usageComplete)
        #expect(attempt.buckets == TokenBuckets(inputUncached: 3, outputVisible: 2))
        await gateway.stop()
    }

    @Test func `choices, reasoning and calls are counted apart`() async throws {
        let gateway = try await gateway { socket, _ in
            func event(_ index: Int, _ delta: String) -> String {
                "data: {\"choices\":[{\"index\":\(index),\"delta\":\(delta),\"finish_reason\":null}]}\n\n"
            }
            let call = #"{"tool_calls":[{"index":0,"function":{"name":"two","arguments":"{\"one\""}}]}"#
            socket.send(
                Answers.stream([
                    event(0, #"{"reasoning_content":"on"}"#), event(1, #"{"content":"t"}"#),
                    event(0, #"{"reasoning_content":"e"}"#), event(1, #"{"content":"wo"}"#),
                    event(0, #"{"content":"one"}"#), event(0, call),
                    event(0, #"{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}"#),
                    #"data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"},"#
                        + #"{"index":1,"delta":{},"finish_reason":"stop"}]}"# + "\n\n",
                    "data: [DONE]\n\n",
                ]))
        }
        _ = try gateway.ask(TestGateway.request(TestGateway.chat(#","stream":true,"n":2"#)))
        let attempt = try gateway.record().attempts[0]
        #expect(attempt.buckets.outputReasoning == 1)
        #expect(attempt.buckets.outputVisible == 1 + 1 + 1 + count(#"{"one":1}"#))
        await gateway.stop()
    }

    @Test func `the engine's own usage goes before any count`() async throws {
        let gateway = try await gateway { socket, _ in socket.send(Answers.plain()) }
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 200)
        let attempt = try gateway.record().attempts[0]
        #expect(attempt.usageSource == .engine && attempt.buckets.outputTotal == 3)
        #expect(!gateway.metricsText.contains("tollgate_audit"))
        await gateway.stop()
    }

    @Test func `embeddings without usage are counted by their input`() async throws {
        let gateway = try await gateway { socket, _ in
            socket.send(Answers.plain(body: #"{"data":[{"embedding":[0.1]},{"embedding":[0.2]}]}"#))
        }
        let body = #"{"model":"small","input":["one two","one"]}"#
        #expect(try gateway.ask(TestGateway.request(body, path: "/v1/embeddings")).status == 200)
        let attempt = try gateway.record().attempts[0]
        #expect(attempt.usageSource == .counted && attempt.buckets == TokenBuckets(inputUncached: 3))
        await gateway.stop()
    }

    // MARK: Answers cut short

    private static let words = ["one", " two one", " two", "x"]

    @Test(arguments: [0, 1, 2, 3, 4])
    func `a stream that its client leaves costs what its text counts`(after: Int) async throws {
        let events = Self.events(Array(Self.words.prefix(after)))
        let gateway = try await gateway { socket, _ in
            socket.send(Answers.streamHead + Answers.chunk(": ping\n\n"))
            for event in events { socket.send(Answers.chunk(event)) }
            _ = socket.isClosedByPeer(within: 5000)
        }
        let socket = try gateway.connect()
        socket.send(TestGateway.request(#"{"model":"small","prompt":"one","stream":true}"#, path: "/v1/completions"))
        _ = socket.readHead()
        var text = ""
        let expected = ": ping\n\n" + events.joined()
        while text.utf8.count < expected.utf8.count, let chunk = socket.readChunk() {
            text += String(decoding: chunk, as: UTF8.self)
        }
        socket.close()
        let attempt = try gateway.record().attempts[0]
        #expect(attempt.termination == .clientAbort)
        #expect(attempt.buckets.outputVisible == count(Self.words.prefix(after).joined()))
        #expect(attempt.buckets.inputUncached == 1)
        #expect(attempt.usageSource == .counted && !attempt.usageComplete)
        await gateway.stop()
    }

    @Test(arguments: [true, false])
    func `a stream that breaks off or stalls costs what its text counts`(stalls: Bool) async throws {
        let gateway = try await gateway(configure: { $0.times.answerIdleMilliseconds = 1000 }) { socket, _ in
            socket.send(Answers.streamHead)
            for event in Self.events(Self.words) { socket.send(Answers.chunk(event)) }
            if stalls { _ = socket.isClosedByPeer(within: 5000) } else { socket.close() }
        }
        _ = try gateway.ask(TestGateway.request(TestGateway.streamed))
        let attempt = try gateway.record().attempts[0]
        #expect(attempt.termination == (stalls ? .timeout : .upstreamError))
        #expect(attempt.buckets.outputVisible == count(Self.words.joined()))
        #expect(attempt.contentEvents == Int64(Self.words.count))
        await gateway.stop()
    }

    @Test func `a running stream's count goes into the journal`() async throws {
        let gateway = try await gateway(configure: { $0.times.progressMilliseconds = 50 }) { socket, _ in
            socket.send(Answers.streamHead)
            for event in Self.events(Self.words) { socket.send(Answers.chunk(event)) }
            _ = socket.isClosedByPeer(within: 5000)
        }
        let socket = try gateway.connect()
        socket.send(TestGateway.request(TestGateway.streamed))
        for _ in 0..<500 where try gateway.progress.isEmpty { pause(milliseconds: 10) }
        let expected = count(Self.words.joined())
        #expect(try gateway.progress.last?.buckets.outputVisible == expected)
        socket.close()
        _ = try gateway.record()
        await gateway.stop()
    }

    @Test func `an event that cannot be read leaves an estimate`() async throws {
        let gateway = try await gateway { socket, _ in
            socket.send(
                Answers.stream(
                    Self.events(["one two"]) + ["data: {\"choices\":\n\n"]
                        + [Answers.event(delta: "{}", finish: "stop"), "data: [DONE]\n\n"]))
        }
        _ = try gateway.ask(TestGateway.request(TestGateway.streamed))
        let attempt = try gateway.record().attempts[0]
        #expect(attempt.usageSource == .estimated && attempt.buckets.outputVisible == 1)
        await gateway.stop()
    }

    @Test func `each native dialect is counted`() async throws {
        for sample in DialectSample.all where sample.name == "tgi" || sample.name == "triton" {
            let gateway = try await gateway(kind: sample.kind) { socket, _ in
                socket.send(sample.head)
                for event in sample.events.prefix(1) { socket.send(DialectSample.chunk(event)) }
                pause(milliseconds: 30)
                socket.close()
            }
            _ = try gateway.ask(TestGateway.request(sample.body, path: sample.path))
            let attempt = try gateway.record().attempts[0]
            #expect(attempt.contentEvents == 1, "\(sample.name)")
            #expect(attempt.usageSource == .counted, "\(sample.name)")
            await gateway.stop()
        }
    }

    // MARK: The audit

    @Test func `the engine's usage is compared with the own count, by backend`() async throws {
        let usage = #","usage":{"prompt_tokens":3,"completion_tokens":5,"total_tokens":8}"#
        let gateway = try await gateway(audits: true) { socket, request in
            let isChat = request.startLine.contains("chat")
            socket.send(
                Answers.plain(
                    body: isChat
                        ? Self.plainBody("one two two one", usage: usage)
                        : #"{"choices":[{"index":0,"text":"one","finish_reason":"stop"}]\#(usage)}"#))
        }
        _ = try gateway.ask(TestGateway.request(TestGateway.chat()))
        let body = #"{"model":"small","prompt":"one one one"}"#
        _ = try gateway.ask(TestGateway.request(body, path: "/v1/completions"))
        #expect(try gateway.records(2).allSatisfy { $0.attempts[0].usageSource == .engine })
        let text = gateway.metricsText
        for (name, value) in [
            ("answers", 2), ("differing_answers", 1), ("reported_output_tokens", 10), ("counted_output_tokens", 5),
            ("reported_input_tokens", 3), ("counted_input_tokens", 3),
        ] {
            #expect(text.contains("tollgate_audit_\(name)_total{backend=\"scripted\"} \(value)\n"), "\(name)")
        }
        await gateway.stop()
    }
}
