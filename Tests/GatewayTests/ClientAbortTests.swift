import Accounts
import Engines
import Identity
import Metering
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(10))) struct ClientAbortTests {
    @Test(arguments: Array(0..<6))
    func `a client that leaves after any chunk leaves one record of what was received`(after: Int) async throws {
        let events = Answers.streamEvents()
        let engine = try ScriptedEngine { socket, _ in
            socket.send(Answers.streamHead)
            for (index, event) in events.enumerated() {
                socket.send(Answers.chunk(event))
                // The client leaves here; a finished stream goes on, an unfinished one is cut.
                if index == after, index < 4 {
                    _ = socket.isClosedByPeer(within: 5000)
                    return
                }
                if index == after { pause(milliseconds: 100) }
            }
            socket.send("0\r\n\r\n")
        }
        let gateway = try await TestGateway(engine: engine)
        let socket = try gateway.connect()
        socket.send(TestGateway.request(TestGateway.streamed))
        var text = ""
        let expected = events[...after].filter { $0 != Answers.usageEvent }.joined()
        _ = socket.readHead()
        while text.utf8.count < expected.utf8.count, !text.contains("[DONE]"), let chunk = socket.readChunk() {
            text += String(decoding: chunk, as: UTF8.self)
        }
        socket.close()
        let entry = try gateway.record()
        let attempt = entry.attempts[0]
        #expect(entry.attempts.count == 1)
        if after < 4 {
            #expect(attempt.termination == .clientAbort)
            #expect(entry.request.outcome == .clientAbort)
            #expect(entry.request.httpStatus == 499)
            #expect(attempt.usageSource == .estimated)
            #expect(!attempt.usageComplete)
            #expect(attempt.contentEvents == Int64(after))
            #expect(attempt.buckets.outputVisible == Int64(after))
            // A quarter of `{"role":"user","content":"SECRET-PROMPT hello"}`, rounded up.
            #expect(attempt.buckets.inputUncached == 12)
        } else {
            #expect(attempt.termination == .complete)
            #expect(entry.request.outcome == .success)
            #expect(attempt.usageSource == .engine)
            #expect(attempt.buckets.outputTotal == 3)
        }
        #expect(try gateway.records(2, seconds: 0).count == 1)
        await gateway.stop()
    }

    @Test func `an engine is cut within a moment of its client leaving`() async throws {
        let closed = TestGateway.LogLines()
        let engine = try ScriptedEngine { socket, _ in
            socket.send(Answers.streamHead + Answers.chunk(Answers.streamEvents()[1]))
            let start = now()
            if socket.isClosedByPeer(within: 5000) { closed.append(Array("\(now() - start)".utf8)) }
        }
        let gateway = try await TestGateway(engine: engine)
        let socket = try gateway.connect()
        socket.send(TestGateway.request(TestGateway.streamed))
        _ = socket.readHead()
        _ = socket.readChunk()
        socket.close()
        _ = try gateway.record()
        for _ in 0..<100 where closed.text.isEmpty { pause(milliseconds: 10) }
        #expect((Int64(closed.text) ?? 9999) < 1000)
        await gateway.stop()
    }

    @Test func `a half-close is a client that left`() async throws {
        let engine = try ScriptedEngine { socket, _ in
            socket.send(Answers.streamHead + Answers.chunk(Answers.streamEvents()[1]))
            _ = socket.isClosedByPeer(within: 5000)
        }
        let gateway = try await TestGateway(engine: engine)
        let socket = try gateway.connect()
        socket.send(TestGateway.request(TestGateway.streamed))
        _ = socket.readHead()
        _ = socket.readChunk()
        socket.closeOutput()
        #expect(try gateway.record().attempts[0].termination == .clientAbort)
        await gateway.stop()
    }

    @Test func `a plain answer whose client left is read on and billed whole when the plan drains`() async throws {
        let engine = try ScriptedEngine { socket, _ in
            pause(milliseconds: 200)
            socket.send(Answers.plain())
        }
        let gateway = try await TestGateway(engine: engine, onClientAbort: .drain)
        let socket = try gateway.connect()
        socket.send(TestGateway.request(TestGateway.chat()))
        while engine.requests.isEmpty { pause(milliseconds: 5) }
        socket.close()
        let entry = try gateway.record()
        #expect(entry.request.outcome == .clientAbort)
        #expect(entry.request.httpStatus == 499)
        #expect(entry.attempts[0].termination == .complete)
        #expect(entry.attempts[0].buckets.outputTotal == 3)
        #expect(entry.attempts[0].usageSource == .engine)
        #expect(entry.attempts[0].isDelivered)
        await gateway.stop()
    }

    @Test func `a plain answer is cut when the plan cuts, and costs the prompt that the engine read`() async throws {
        let engine = try ScriptedEngine { socket, _ in _ = socket.isClosedByPeer(within: 5000) }
        let gateway = try await TestGateway(engine: engine, onClientAbort: .cut)
        let socket = try gateway.connect()
        socket.send(TestGateway.request(TestGateway.chat()))
        while engine.requests.isEmpty { pause(milliseconds: 5) }
        socket.close()
        let entry = try gateway.record()
        #expect(entry.attempts[0].termination == .clientAbort && entry.attempts[0].isDelivered)
        // A quarter of `{"role":"user","content":"SECRET-PROMPT hello"}`, rounded up.
        #expect(entry.attempts[0].buckets == TokenBuckets(inputUncached: 12))
        #expect(entry.attempts[0].usageSource == .estimated && !entry.attempts[0].usageComplete)
        await gateway.stop()
    }

    @Test(arguments: ["HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{\"id\":\"x\"", ""])
    func `so does one that was left before its head was whole, and one whose time to be read on is over`(
        beginning: String
    ) async throws {
        for (body, policy) in [
            (TestGateway.chat(), ClientAbortPolicy.cut), (TestGateway.chat(), .drain), (TestGateway.streamed, .drain),
        ] {
            let engine = try ScriptedEngine { socket, _ in
                socket.send(beginning)
                _ = socket.isClosedByPeer(within: 5000)
            }
            let gateway = try await TestGateway(
                engine: engine, onClientAbort: policy, configure: { $0.times.plainDrainMilliseconds = 200 })
            let socket = try gateway.connect()
            socket.send(TestGateway.request(body))
            while engine.requests.isEmpty { pause(milliseconds: 5) }
            pause(milliseconds: 50)
            socket.close()
            let attempt = try gateway.record().attempts[0]
            #expect(attempt.termination == .clientAbort && attempt.buckets.inputTotal == 12, "\(attempt.buckets)")
            #expect(attempt.buckets.outputTotal == 0 && attempt.isDelivered)
            await gateway.stop()
        }
    }

    @Test(arguments: ["", "HTTP/1.1 500 Oh\r\ncontent-length: 2\r\n\r\nno", "nonsense\r\n\r\n"])
    func `an engine that fails is paid nothing, whether anybody waits for it or not`(answer: String) async throws {
        let engine = try ScriptedEngine { socket, _ in
            pause(milliseconds: 200)
            socket.send(answer)
            socket.close()
        }
        let gateway = try await TestGateway(engine: engine, onClientAbort: .drain)
        let socket = try gateway.connect()
        socket.send(TestGateway.request(TestGateway.chat()))
        while engine.requests.isEmpty { pause(milliseconds: 5) }
        socket.close()
        let attempt = try gateway.record().attempts[0]
        #expect(attempt.buckets == TokenBuckets() && attempt.usageSource == .nothing)
        await gateway.stop()
    }

    @Test(arguments: [
        #","web_search_options":{}"#, #","include_reasoning":false"#, #","context_management":{"edits":[]}"#,
    ])
    func `a plain answer whose end alone tells its cost is read on whatever the plan says`(
        members: String
    ) async throws {
        let engine = try ScriptedEngine { socket, _ in
            pause(milliseconds: 200)
            socket.send(Answers.plain())
        }
        let gateway = try await TestGateway(engine: engine, onClientAbort: .cut)
        let socket = try gateway.connect()
        socket.send(TestGateway.request(TestGateway.chat(members)))
        while engine.requests.isEmpty { pause(milliseconds: 5) }
        socket.close()
        let attempt = try gateway.record().attempts[0]
        #expect(attempt.termination == .complete && attempt.buckets.outputTotal == 3)
        await gateway.stop()
    }

    @Test(arguments: [EngineKind.openAI, .azure, .openAICompatible])
    func `pictures that were asked for are read to their end`(kind: EngineKind) async throws {
        let end =
            #"data: {"type":"image_generation.completed","b64_json":"iVBORw0KGgo","usage":{"input_tokens":10,"#
            + #""output_tokens":4000,"total_tokens":4010}}"# + "\n\n"
        let engine = try ScriptedEngine { socket, _ in
            socket.send(Answers.streamHead)
            pause(milliseconds: 300)
            socket.send(Answers.chunk(end) + "0\r\n\r\n")
        }
        let gateway = try await TestGateway(engine: engine, kind: kind)
        let socket = try gateway.connect()
        let body = #"{"model":"small","prompt":"a cat","stream":true}"#
        socket.send(TestGateway.request(body, path: "/v1/images/generations"))
        _ = socket.readHead()
        socket.close()
        let attempt = try gateway.record().attempts[0]
        #expect(attempt.buckets.outputTotal == 4000 && attempt.units.images == 1)
        await gateway.stop()
    }

    @Test func `a picture whose end never came is one that was asked for`() async throws {
        let engine = try ScriptedEngine { socket, _ in
            socket.send(Answers.streamHead)
            _ = socket.isClosedByPeer(within: 5000)
        }
        let gateway = try await TestGateway(engine: engine, configure: { $0.times.plainDrainMilliseconds = 200 })
        let socket = try gateway.connect()
        let body = #"{"model":"small","prompt":"a cat","n":3,"stream":true}"#
        socket.send(TestGateway.request(body, path: "/v1/images/generations"))
        _ = socket.readHead()
        socket.close()
        let attempt = try gateway.record().attempts[0]
        #expect(attempt.units.images == 1 && attempt.usageSource == .counted)
        await gateway.stop()
    }

    @Test func `draining a plain answer ends after its time`() async throws {
        let engine = try ScriptedEngine { socket, _ in _ = socket.isClosedByPeer(within: 5000) }
        let gateway = try await TestGateway(engine: engine, configure: { $0.times.plainDrainMilliseconds = 200 })
        let socket = try gateway.connect()
        socket.send(TestGateway.request(TestGateway.chat()))
        while engine.requests.isEmpty { pause(milliseconds: 5) }
        socket.close()
        #expect(try gateway.record().attempts[0].termination == .clientAbort)
        await gateway.stop()
    }

    @Test func `a finished stream whose engine never ends is cut after its time`() async throws {
        let engine = try ScriptedEngine { socket, _ in
            socket.send(Answers.streamHead + Answers.streamEvents()[...4].map(Answers.chunk).joined())
            _ = socket.isClosedByPeer(within: 5000)
        }
        let gateway = try await TestGateway(engine: engine, configure: { $0.times.finishedDrainMilliseconds = 200 })
        let socket = try gateway.connect()
        socket.send(TestGateway.request(TestGateway.streamed))
        _ = socket.readHead()
        var text = ""
        while !text.contains("stop"), let chunk = socket.readChunk() { text += String(decoding: chunk, as: UTF8.self) }
        socket.close()
        let attempt = try gateway.record().attempts[0]
        #expect(attempt.termination == .clientAbort)
        #expect(attempt.contentEvents == 3)
        await gateway.stop()
    }

    @Test func `a left stream of a model that hides its reasoning is read to its usage`() async throws {
        let usage = #""usage":{"prompt_tokens":9,"completion_tokens":900,"total_tokens":909}"#
        let events = Answers.streamEvents(usage: "data: {\"choices\":[],\(usage)}\n\n")
        let engine = try ScriptedEngine { socket, _ in
            socket.send(Answers.streamHead + events[..<3].map(Answers.chunk).joined())
            pause(milliseconds: 300)
            socket.send(events[3...].map(Answers.chunk).joined() + "0\r\n\r\n")
        }
        let gateway = try await TestGateway(engine: engine)
        func leave() throws {
            let socket = try gateway.connect()
            socket.send(TestGateway.request(TestGateway.streamed))
            _ = socket.readHead()
            _ = socket.readChunk()
            socket.close()
        }
        try leave()
        _ = try gateway.record()
        #expect(try gateway.ask(TestGateway.request(TestGateway.streamed)).status == 200)
        _ = try gateway.records(2)
        try leave()
        let outputs = try gateway.records(3).map { $0.attempts[0].buckets.outputTotal }
        #expect(outputs[0] < 10 && outputs[1] == 900 && outputs[2] == 900)
        let last = try #require(try gateway.records(3).last)
        #expect(last.request.outcome == .clientAbort && last.attempts[0].termination == .complete)
        await gateway.stop()
    }

    @Test(arguments: [EngineKind.openAI, .azure, .xai])
    func `a left stream of a service that hides reasoning is read on, whatever an easy answer showed`(
        kind: EngineKind
    ) async throws {
        let usage =
            #""usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12,"completion_tokens_details":{"#
            + #""reasoning_tokens":0}}"#
        let events = Answers.streamEvents(usage: "data: {\"choices\":[],\(usage)}\n\n")
        let engine = try ScriptedEngine { socket, _ in
            socket.send(Answers.streamHead + events[..<2].map(Answers.chunk).joined())
            pause(milliseconds: 300)
            socket.send(events[2...].map(Answers.chunk).joined() + "0\r\n\r\n")
        }
        let gateway = try await TestGateway(engine: engine, kind: kind)
        for number in 1...2 {
            let socket = try gateway.connect()
            socket.send(TestGateway.request(TestGateway.streamed))
            _ = socket.readHead()
            socket.close()
            _ = try gateway.records(number)
        }
        let attempts = try gateway.records(2).map { $0.attempts[0] }
        #expect(attempts.map(\.termination) == [.complete, .complete])
        #expect(attempts.allSatisfy { $0.buckets.outputTotal == 3 && $0.usageSource == .engine })
        await gateway.stop()
    }

    @Test(arguments: ["gpt-4o-2024-08-06", "claude-3-5-haiku-latest", "gpt-4.1-mini"])
    func `a left stream of a model that never reasons is cut`(model: String) async throws {
        let events = Answers.streamEvents().map { $0.replacing("engine-model", with: model) }
        let engine = try ScriptedEngine { socket, _ in
            socket.send(Answers.streamHead + events[..<2].map(Answers.chunk).joined())
            _ = socket.isClosedByPeer(within: 5000)
        }
        let gateway = try await TestGateway(engine: engine, kind: .openAI)
        let socket = try gateway.connect()
        socket.send(TestGateway.request(TestGateway.streamed))
        _ = socket.readHead()
        _ = socket.readChunk()
        socket.close()
        #expect(try gateway.record().attempts[0].termination == .clientAbort)
        await gateway.stop()
    }

    @Test(arguments: [
        #","image_url":"https://slow.mine.com/x.png""#,
        #","messages2":[],"tools":[{"type":"mcp","server_label":"a","server_url":"https://mine.com/sse"}]"#,
        #","images":["https://mine.com/x.png"]"#,
    ])
    func `the time to a first token that waits for the client's own servers is noted as the client's`(
        members: String
    ) async throws {
        let engine = try ScriptedEngine { socket, _ in socket.send(Answers.stream()) }
        let gateway = try await TestGateway(engine: engine)
        let isTool = members.contains("tools")
        let body =
            isTool
            ? #"{"model":"small","input":"hi","stream":true\#(members)}"#
            : TestGateway.chat(#","stream":true"# + members)
        _ = try gateway.ask(
            TestGateway.request(body, path: isTool ? "/v1/responses" : "/v1/chat/completions"))
        #expect(try gateway.record().request.notes.contains(.clientTime))
        _ = try gateway.ask(TestGateway.request(TestGateway.streamed))
        #expect(try gateway.records(2).filter { $0.request.notes.contains(.clientTime) }.count == 1)
        await gateway.stop()
    }

    @Test(arguments: [
        #","web_search_options":{}"#, #","include_reasoning":false"#, #","context_management":{"edits":[]}"#,
        #","images":["https://a.io/c"]"#,
        #","image":"https://a.io/c.png""#,
    ])
    func `a left stream whose end alone tells its cost is read to its usage`(members: String) async throws {
        let usage = #""usage":{"prompt_tokens":30000,"completion_tokens":12,"total_tokens":30012}"#
        let events = Answers.streamEvents(usage: "data: {\"choices\":[],\(usage)}\n\n")
        let engine = try ScriptedEngine { socket, _ in
            socket.send(Answers.streamHead + events[..<3].map(Answers.chunk).joined())
            pause(milliseconds: 300)
            socket.send(events[3...].map(Answers.chunk).joined() + "0\r\n\r\n")
        }
        let gateway = try await TestGateway(engine: engine)
        let socket = try gateway.connect()
        socket.send(TestGateway.request(TestGateway.chat(#","stream":true"# + members)))
        _ = socket.readHead()
        _ = socket.readChunk()
        socket.close()
        let attempt = try gateway.record().attempts[0]
        #expect(attempt.buckets.inputTotal == 30_000 && attempt.buckets.outputTotal == 12)
        await gateway.stop()
    }
}
