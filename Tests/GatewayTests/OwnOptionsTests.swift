import Engines
import Metering
import Testing

@testable import Gateway

/// What the gateway adds to a request for its own needs breaks no request.
@Suite(.timeLimit(.minutes(10))) struct OwnOptionsTests {
    private static let refusals: [(status: String, body: String)] = [
        ("422 Unprocessable", #"{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"],"msg":"no"}]}"#),
        ("400 Bad Request", #"{"error":{"message":"Unknown field: stream_options","type":"invalid_request_error"}}"#),
        ("400 Bad Request", #"{"error":"unrecognized request argument supplied"}"#),
        ("422 Unprocessable", #"{"message":"Extra inputs are not permitted"}"#),
        ("400 Bad Request", "Json deserialize error: unknown field `include_usage`, expected one of `a`"),
    ]

    /// An engine that refuses streams with `stream_options`.
    private func engine(_ refusal: (status: String, body: String)) throws -> ScriptedEngine {
        try ScriptedEngine { socket, request in
            let isRefused = request.text.contains("stream_options")
            socket.send(
                isRefused
                    ? Answers.plain(status: refusal.status, body: refusal.body) : Answers.stream())
        }
    }

    @Test(arguments: refusals.indices)
    func `an engine that refuses the option is asked again without it, and that is remembered`(
        index: Int
    ) async throws {
        let engine = try engine(Self.refusals[index])
        let gateway = try await TestGateway(engine: engine)
        for _ in 0..<3 {
            let answer = try gateway.ask(TestGateway.request(TestGateway.streamed))
            #expect(answer.status == 200 && answer.isComplete)
        }
        #expect(engine.requests.map { $0.text.contains("stream_options") } == [true, false, false, false])
        let entries = try gateway.records(3)
        #expect(entries.allSatisfy { $0.attempts.count == 1 && $0.attempts[0].upstreamStatus == 200 })
        #expect(entries.allSatisfy { $0.request.outcome == .success && $0.attempts[0].termination == .complete })
        await gateway.stop()
    }

    @Test func `what the client asked for itself is refused in the engine's words`() async throws {
        let engine = try engine(Self.refusals[0])
        let gateway = try await TestGateway(engine: engine)
        let body = TestGateway.chat(#","stream":true,"stream_options":{"include_usage":true}"#)
        #expect(try gateway.ask(TestGateway.request(body)).status == 422)
        #expect(engine.requests.count == 1)
        // Nor is that remembered for others.
        #expect(try gateway.ask(TestGateway.request(TestGateway.streamed)).status == 200)
        #expect(engine.requests.count == 3)
        await gateway.stop()
    }

    /// Shapes of requests that an engine may refuse the option in, and takes it beside in all others.
    @Test(arguments: [
        #""logprobs":true"#, #""response_format":{"type":"json_object"}"#,
        #""tools":[{"type":"function","function":{"name":"f","parameters":{}}}]"#, #""seed":1"#,
    ]) func `one odd request does not cost the others their usage`(odd: String) async throws {
        let name = odd.prefix { $0 != ":" }
        let engine = try ScriptedEngine { socket, request in
            let isOdd = request.text.contains("stream_options") && request.text.contains(name)
            socket.send(
                isOdd
                    ? Answers.plain(
                        status: "400 Bad Request",
                        body: #"{"error":{"message":"not with that","param":"stream_options"}}"#) : Answers.stream())
        }
        let gateway = try await TestGateway(engine: engine)
        #expect(try gateway.ask(TestGateway.request(TestGateway.streamed)).status == 200)
        _ = try gateway.records(1)
        for _ in 0..<2 {
            let body = TestGateway.chat(#","stream":true,\#(odd)"#)
            #expect(try gateway.ask(TestGateway.request(body)).status == 200)
            #expect(try gateway.ask(TestGateway.request(TestGateway.streamed, key: TestGateway.otherKey)).status == 200)
        }
        // Each odd one is asked twice, and all others once, with the option.
        let asked = engine.requests.map { $0.text.contains("stream_options") }
        #expect(asked == [true, true, false, true, true, false, true])
        await gateway.stop()
    }

    @Test func `any other mistake is told at once`() async throws {
        let engine = try engine(("400 Bad Request", #"{"error":{"message":"temperature must be at most 2"}}"#))
        let gateway = try await TestGateway(engine: engine)
        let answer = try gateway.ask(TestGateway.request(TestGateway.streamed))
        #expect(answer.status == 400 && answer.text.contains("temperature"))
        #expect(engine.requests.count == 1)
        await gateway.stop()
    }

    @Test func `an engine that refuses without the option too is not asked a third time`() async throws {
        let engine = try ScriptedEngine { socket, _ in
            socket.send(Answers.plain(status: "400 Bad", body: #"{"error":{"message":"unknown field `x`"}}"#))
        }
        let gateway = try await TestGateway(engine: engine)
        for count in [2, 4] {
            #expect(try gateway.ask(TestGateway.request(TestGateway.streamed)).status == 400)
            #expect(engine.requests.count == count)
        }
        #expect(try gateway.records(2).allSatisfy { $0.request.outcome == .clientError })
        await gateway.stop()
    }

    @Test func `a backend that is never to be asked never is`() async throws {
        let engine = try engine(Self.refusals[0])
        var settings = BackendSettings()
        settings.includeUsage = .never
        let gateway = try await TestGateway(
            engine: engine, snapshot: TestGateway.snapshot(port: engine.port, settings: settings))
        #expect(try gateway.ask(TestGateway.request(TestGateway.streamed)).status == 200)
        #expect(engine.requests.count == 1)
        await gateway.stop()
    }

    @Test(arguments: [(12, 10), (16, 512), (40, 4), (3, 4000)])
    func `metadata beyond what a record keeps passes, with a note on the record`(
        pairs: Int, bytes: Int
    ) async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        let members = (0..<pairs).map { #""key\#($0)":"\#(String(repeating: "v", count: bytes))""# }
        let body = TestGateway.chat(#","metadata":{\#(members.joined(separator: ","))}"#)
        #expect(try gateway.ask(TestGateway.request(body)).status == 200)
        let record = try gateway.record().request
        let isKept = pairs <= Tag.countMax && bytes <= Tag.valueBytesMax
        #expect(record.notes.contains(.tagsDropped) == !isKept)
        #expect(record.tags.count == (bytes <= Tag.valueBytesMax ? min(pairs, Tag.countMax) : 0))
        #expect(gateway.engine.requests[0].text.contains("\"key\(pairs - 1)\""))
        await gateway.stop()
    }
}
