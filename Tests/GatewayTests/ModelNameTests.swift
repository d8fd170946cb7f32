import Engines
import Metering
import NIOCore
import TestSupport
import Testing

@testable import Gateway

/// Answers name the model as the client asked.
@Suite(.timeLimit(.minutes(10))) struct ModelNameTests {
    private func withGateway(
        kind: EngineKind = .openAICompatible, settings: BackendSettings = BackendSettings(), answer: String,
        _ body: (TestGateway) throws -> Void
    ) async throws {
        let engine = try ScriptedEngine { socket, _ in
            socket.send(answer)
            socket.close()
        }
        let snapshot = TestGateway.snapshot(port: engine.port, kind: kind, settings: settings)
        let gateway = try await TestGateway(engine: engine, snapshot: snapshot)
        try body(gateway)
        await gateway.stop()
    }

    @Test(arguments: ["small", "small-latest"])
    func `a plain answer and every event of a stream name the model as the client did`(name: String) async throws {
        try await withGateway(answer: Answers.plain()) { (gateway: TestGateway) throws in
            let answer = try gateway.ask(TestGateway.request(#"{"model":"\#(name)","messages":[]}"#))
            #expect(answer.text == Answers.plainBody().replacing("engine-model", with: name))
            let record = try gateway.record()
            #expect(record.request.modelRequested == name && record.request.model == "small")
            #expect(record.attempts[0].modelServed == "engine-model")
        }
        try await withGateway(answer: Answers.stream()) { (gateway: TestGateway) throws in
            let body = #"{"model":"\#(name)","messages":[],"stream":true,"stream_options":{"include_usage":true}}"#
            let answer = try gateway.ask(TestGateway.request(body))
            #expect(answer.text == Answers.streamEvents().joined().replacing("engine-model", with: name))
        }
    }

    @Test func `a backend may keep the engine's names`() async throws {
        try await withGateway(settings: TestGateway.keepingNames, answer: Answers.plain()) {
            (gateway: TestGateway) throws in
            #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).text == Answers.plainBody())
        }
    }

    @Test func `events of responses and messages name it inside`() async throws {
        let responses = [
            #"data: {"type":"response.created","response":{"id":"r","model":"engine-model","output":[]}}"#,
            #"data: {"type":"response.output_text.delta","delta":"engine-model"}"#,
            #"data: {"type":"response.completed","response":{"id":"r","status":"completed","model":"engine-model","#
                + #""usage":{"input_tokens":5,"output_tokens":1,"total_tokens":6}}}"#,
        ]
        let messages = [
            "event: message_start\n"
                + #"data: {"type":"message_start","message":{"id":"m","model":"engine-model","#
                + #""usage":{"input_tokens":5}}}"#,
            "event: content_block_delta\n"
                + #"data: {"type":"content_block_delta","index":0,"#
                + #""delta":{"type":"text_delta","text":"engine-model"}}"#,
            "event: message_delta\n"
                + #"data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1}}"#,
            "event: message_stop\ndata: {\"type\":\"message_stop\"}",
        ]
        for (path, events, kind, body) in [
            ("/v1/responses", responses, EngineKind.openAI, #"{"model":"small","input":"x","stream":true}"#),
            ("/v1/messages", messages, .anthropic, #"{"model":"small","max_tokens":9,"messages":[],"stream":true}"#),
        ] {
            let text = events.map { $0 + "\n\n" }.joined()
            let answer = Answers.streamHead + Answers.chunk(text) + "0\r\n\r\n"
            try await withGateway(kind: kind, answer: answer) { (gateway: TestGateway) throws in
                let got = try gateway.ask(TestGateway.request(body, path: path))
                let expected = text.replacing(#""model":"engine-model""#, with: #""model":"small""#)
                #expect(got.text == expected, "\(path)")
            }
        }
    }

    @Test(arguments: [true, false])
    func `a large answer is named right wherever its name stands`(isNameFirst: Bool) async throws {
        let vector = "[" + repeatElement("0.123456789", count: 120_000).joined(separator: ",") + "]"
        let name = #""model":"engine-model""#
        let rest = #""data":[{"embedding":\#(vector)}],"usage":{"prompt_tokens":3,"total_tokens":3}"#
        let text = isNameFirst ? "{\(name),\(rest)}" : "{\(rest),\(name)}"
        try await withGateway(answer: Answers.plain(body: text)) { (gateway: TestGateway) throws in
            let answer = try gateway.ask(
                TestGateway.request(#"{"model":"small","input":"a"}"#, path: "/v1/embeddings"))
            #expect(answer.text == text.replacing("engine-model", with: "small"))
            #expect((answer.header("content-length") != nil) == isNameFirst)
            #expect(try gateway.record().request.outcome == .success)
        }
    }

    // MARK: Any cut of a stream

    private static func relay(heldEventBytes: Int, readEventBytes: Int) throws -> StreamRelay {
        let body = Array(TestGateway.streamed.utf8)
        let request = try body.withUnsafeBytes { try InferenceRequest(reading: $0, surface: .chatCompletions) }
        let backend = Backend(name: "test", isTLS: false, host: "127.0.0.1", port: 1, basePath: "", apiKey: nil)
        struct Head: HeaderLookup {
            func first(_ name: String) -> String? { name == "content-type" ? "text/event-stream" : nil }
        }
        return StreamRelay(
            meter: AnswerMeter(request: request, backend: backend, status: 200, headers: Head()),
            keepsUsageChunk: true, heldEventBytes: heldEventBytes, readEventBytes: readEventBytes,
            modelName: AnswerModelName(of: request, backend: backend)
        ) { _ in Array(#","cost":"1""#.utf8) }
    }

    @Test func `every event of a stream is named right for any cut, also those too long to be held or kept`() throws {
        func long(_ count: Int) -> String {
            let text = String(repeating: "ü", count: count)
            return #"data: {"choices":[{"delta":{"content":"\#(text)"}}],"model":"engine-model","id":"x"}"# + "\n\n"
        }
        let usageFirst =
            #"data: {\#(Answers.usage),"choices":[],"model":"engine-model","id":"x"}"# + "\n\n"
        let events = Answers.streamEvents(usage: usageFirst)
        let text = (events.dropLast(2) + [long(40), long(700), long(7000)] + events.suffix(2)).joined()
        let expected = text.replacing("engine-model", with: "small").replacing(
            Answers.usage, with: Answers.usage.dropLast() + #","cost":"1"}"#)
        for seed in propertySeeds {
            var generator = SeededGenerator(seed: seed)
            let relay = try Self.relay(heldEventBytes: 600, readEventBytes: 4000)
            var output = ByteBuffer()
            var held = ByteBuffer()
            var rest = Array(text.utf8)[...]
            while !rest.isEmpty {
                let most = [2, 30, 2000].randomElement(using: &generator) ?? 1
                let count = min(rest.count, Int.random(in: 1...most, using: &generator))
                _ = relay.take(ByteBuffer(bytes: rest.prefix(count)), output: &output, held: &held)
                rest = rest.dropFirst(count)
            }
            _ = relay.finish(output: &output, held: &held)
            #expect(String(buffer: output) + String(buffer: held) == expected, "seed \(seed)")
        }
    }
}
