import Engines
import Metering
import Testing

@testable import Gateway

/// Streams whose engine calls them something else, through the whole gateway.
@Suite(.timeLimit(.minutes(10))) struct UnnamedStreamTests {
    private func head(_ type: String) -> String {
        "HTTP/1.1 200 OK\r\n" + (type.isEmpty ? "" : "content-type: \(type)\r\n") + "transfer-encoding: chunked\r\n\r\n"
    }

    @Test(arguments: ["application/json", "text/html", "", "text/plain", "application/octet-stream"])
    func `events are metered and relayed as they come, whatever their type`(type: String) async throws {
        let events = Answers.streamEvents()
        let engine = try ScriptedEngine { socket, _ in
            socket.send(self.head(type) + Answers.chunk(String(events[0].prefix(3))))
            socket.send(Answers.chunk(String(events[0].dropFirst(3)) + events[1]))
            pause(milliseconds: 200)
            socket.send(events[2...].map(Answers.chunk).joined() + "0\r\n\r\n")
        }
        let gateway = try await TestGateway(engine: engine)
        let socket = try gateway.connect()
        socket.send(TestGateway.request(TestGateway.streamed))
        _ = socket.readHead()
        var text = ""
        while let chunk = socket.readChunk(), !chunk.isEmpty { text += String(decoding: chunk, as: UTF8.self) }
        #expect(text == events.filter { $0 != Answers.usageEvent }.joined())
        let attempt = try gateway.record().attempts[0]
        #expect(attempt.usageSource == .engine && attempt.buckets.outputTotal == 3 && attempt.contentEvents == 3)
        await gateway.stop()
    }

    @Test(arguments: ["application/json", "application/x-ndjson", "text/event-stream", "application/stream+json"])
    func `so are lines of JSON`(type: String) async throws {
        let lines = Answers.streamEvents().dropLast().map {
            $0.replacing("data: ", with: "").replacing("\n\n", with: "\n")
        }
        let engine = try ScriptedEngine { socket, _ in
            socket.send(self.head(type) + lines.map(Answers.chunk).joined() + "0\r\n\r\n")
        }
        let gateway = try await TestGateway(engine: engine)
        let answer = try gateway.ask(TestGateway.request(TestGateway.streamed))
        #expect(answer.status == 200)
        let attempt = try gateway.record().attempts[0]
        #expect(attempt.usageSource == .engine && attempt.buckets.outputTotal == 3)
        await gateway.stop()
    }

    /// Brackets, commas and new lines between documents hold none of the places that were found in the one before.
    @Test(arguments: ["lines", "list", "document"])
    func `documents in a stream's place name the model as the client does, and nothing else changes`(
        form: String
    ) async throws {
        let documents = Answers.streamEvents().dropLast().map {
            $0.replacing("data: ", with: "").replacing("\n\n", with: "")
        }
        let body =
            switch form {
            case "lines": documents.map { $0 + "\n" }.joined() + "\n"
            case "list": "[" + documents.joined(separator: ",\n") + "]\n"
            default: Answers.plainBody() + "\n"
            }
        let engine = try ScriptedEngine { socket, _ in
            socket.send(self.head("text/event-stream"))
            socket.send(Answers.chunk(body) + "0\r\n\r\n")
        }
        let gateway = try await TestGateway(
            engine: engine, snapshot: TestGateway.snapshot(port: engine.port, settings: BackendSettings()))
        let wish = #""stream":true,"stream_options":{"include_usage":true}"#
        let answer = try gateway.ask(TestGateway.request(#"{"model":"small","messages":[],\#(wish)}"#))
        #expect(answer.text == body.replacing("engine-model", with: "small"))
        #expect(try gateway.record().attempts[0].buckets.outputTotal == 3)
        await gateway.stop()
    }

    @Test(arguments: ["application/json", "", "text/plain"])
    func `a document in a stream's place is a plain answer`(type: String) async throws {
        let engine = try ScriptedEngine { socket, _ in
            socket.send(self.head(type) + Answers.chunk(Answers.plainBody()) + "0\r\n\r\n")
        }
        let gateway = try await TestGateway(engine: engine)
        let answer = try gateway.ask(TestGateway.request(TestGateway.streamed))
        #expect(answer.text == Answers.plainBody())
        let entry = try gateway.record()
        #expect(entry.request.outcome == .success && entry.attempts[0].usageSource == .engine)
        #expect(entry.attempts[0].buckets.outputTotal == 3)
        await gateway.stop()
    }

    @Test(arguments: ["", "   ", "\r\n\r\n"])
    func `nothing at all is no stream`(body: String) async throws {
        let engine = try ScriptedEngine { socket, _ in
            socket.send(self.head("application/json") + (body.isEmpty ? "" : Answers.chunk(body)) + "0\r\n\r\n")
        }
        let gateway = try await TestGateway(engine: engine)
        #expect(try gateway.ask(TestGateway.request(TestGateway.streamed)).status == 502)
        #expect(try gateway.record().request.outcome == .providerError)
        await gateway.stop()
    }

    // MARK: Left streams

    private static let usage =
        #""usage":{"prompt_tokens":30000,"completion_tokens":900,"total_tokens":30900}"#

    @Test(arguments: [
        #","stream_reasoning":false"#, #","reasoning_effort":"high""#, #","reasoning":{"exclude":true}"#,
        #","extra_body":{"google":{"thinking_config":{"include_thoughts":false}}}"#,
        #","google":{"thinking_config":{"thinking_budget":5000}}"#, #","show_reasoning":false"#,
    ])
    func `a stream that hides its reasoning, or has not shown any, is read to its usage`(members: String) async throws {
        let events = Answers.streamEvents(usage: "data: {\"choices\":[],\(Self.usage)}\n\n")
        let engine = try ScriptedEngine { socket, _ in
            socket.send(Answers.streamHead + Answers.chunk(events[0]))
            pause(milliseconds: 300)
            socket.send(events[1...].map(Answers.chunk).joined() + "0\r\n\r\n")
        }
        let gateway = try await TestGateway(engine: engine)
        let socket = try gateway.connect()
        socket.send(TestGateway.request(TestGateway.chat(#","stream":true"# + members)))
        _ = socket.readHead()
        _ = socket.readChunk()
        socket.close()
        #expect(try gateway.record().attempts[0].buckets.outputTotal == 900)
        await gateway.stop()
    }

    @Test func `reasoning that is shown is billed as far as it came`() async throws {
        let events = [
            Answers.event(delta: #"{"role":"assistant","content":""}"#),
            Answers.event(delta: #"{"reasoning_content":"one two"}"#),
        ]
        let engine = try ScriptedEngine { socket, _ in
            socket.send(Answers.streamHead + events.map(Answers.chunk).joined())
            _ = socket.isClosedByPeer(within: 5000)
        }
        let gateway = try await TestGateway(engine: engine)
        let socket = try gateway.connect()
        socket.send(TestGateway.request(TestGateway.chat(#","stream":true,"reasoning_effort":"high""#)))
        _ = socket.readHead()
        var text = ""
        while !text.contains("two"), let chunk = socket.readChunk() { text += String(decoding: chunk, as: UTF8.self) }
        socket.close()
        let attempt = try gateway.record().attempts[0]
        #expect(attempt.termination == .clientAbort && attempt.buckets.outputTotal < 5)
        await gateway.stop()
    }

    @Test(arguments: ["reasoning", "compaction"])
    func `an item of hidden work that has begun is read to its end at any engine`(type: String) async throws {
        let start = #"data: {"type":"response.created","response":{"id":"resp_1"}}"# + "\n\n"
        let item = #"data: {"type":"response.output_item.added","item":{"type":"\#(type)","summary":[]}}"# + "\n\n"
        let end =
            #"data: {"type":"response.completed","response":{"id":"resp_1","status":"completed","output":[],"#
            + #""usage":{"input_tokens":9,"output_tokens":3200,"total_tokens":3209}}}"# + "\n\n"
        let engine = try ScriptedEngine { socket, _ in
            socket.send(Answers.streamHead + Answers.chunk(start) + Answers.chunk(item))
            pause(milliseconds: 300)
            socket.send(Answers.chunk(end) + "0\r\n\r\n")
        }
        let gateway = try await TestGateway(engine: engine)
        let socket = try gateway.connect()
        let body = #"{"model":"small","input":"hi","stream":true,"store":false}"#
        socket.send(TestGateway.request(body, path: "/v1/responses"))
        _ = socket.readHead()
        var text = ""
        while !text.contains(type), let chunk = socket.readChunk() { text += String(decoding: chunk, as: UTF8.self) }
        socket.close()
        #expect(try gateway.record().attempts[0].buckets.outputTotal == 3200)
        await gateway.stop()
    }
}
