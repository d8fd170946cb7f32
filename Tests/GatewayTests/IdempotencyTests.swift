import Identity
import Metering
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(10))) struct IdempotencyTests {
    private func request(_ key: String) -> String {
        TestGateway.request(TestGateway.chat(), headers: "Idempotency-Key: \(key)\r\n")
    }

    @Test func `a second run with the same key is refused and told the first one's record`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        #expect(try gateway.ask(request("order-1")).status == 200)
        let first = try gateway.record().request
        #expect(first.idempotencyDigest.count == 32)
        let second = try gateway.ask(request("order-1"))
        #expect(second.status == 409)
        #expect(second.text.contains(first.id.description))
        #expect(second.header("x-tollgate-first-request-id") == first.id.description)
        #expect(try gateway.ask(request("order-2")).status == 200)
        #expect(gateway.engine.requests.count == 2)
        #expect(!gateway.engine.requests.contains { $0.header("idempotency-key") != nil })
        await gateway.stop()
    }

    @Test func `without a key a retry is a new request`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        for _ in 0..<2 { #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 200) }
        #expect(try gateway.records(2).map(\.request.idempotencyDigest) == [[], []])
        await gateway.stop()
    }

    @Test func `a key of no length or too much is refused`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        #expect(try gateway.ask(request(String(repeating: "k", count: 256))).status == 400)
        #expect(gateway.engine.requests.isEmpty)
        await gateway.stop()
    }

    /// The engine's answers, and whether the key is spent by each.
    private static let endings: [(name: String, answer: String, isSpent: Bool)] = [
        ("503", Answers.plain(status: "503 Service Unavailable", body: #"{"error":{"message":"overloaded"}}"#), false),
        ("500 without a body", "HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n", false),
        ("429", Answers.plain(status: "429 Too Many Requests", body: #"{"error":{"message":"slow down"}}"#), false),
        ("401", Answers.plain(status: "401 Unauthorized", body: #"{"error":{"message":"key"}}"#), false),
        ("400", Answers.plain(status: "400 Bad Request", body: #"{"error":{"message":"no such field"}}"#), false),
        ("an error under 200", Answers.plain(body: #"{"error":{"message":"out of memory","code":500}}"#), false),
        ("half an answer", "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"id\":", false),
        ("no HTTP at all", "\u{1}\u{2}\r\n\r\n", false),
        ("an answer", Answers.plain(), true),
        ("an answer without usage", Answers.plain(body: Answers.plainBody(usage: "")), true),
        ("a stream", Answers.stream(), true),
        (
            "a stream that breaks after content",
            Answers.streamHead + Answers.chunk(Answers.event(delta: #"{"content":"SECRET-ANSWER"}"#)), true
        ),
        (
            "a stream that fails after content",
            Answers.stream(Array(Answers.streamEvents().prefix(3)) + [#"data: {"error":{"message":"x"}}"# + "\n\n"]),
            true
        ),
    ]

    @Test(arguments: IdempotencyTests.endings.indices)
    func `a key is spent by what was delivered or billed, and free after everything else`(index: Int) async throws {
        let ending = Self.endings[index]
        let engine = try ScriptedEngine { socket, _ in
            socket.send(ending.answer)
            socket.close()
        }
        let gateway = try await TestGateway(engine: engine)
        let isStream = ending.name.contains("stream")
        let body = isStream ? TestGateway.streamed : TestGateway.chat()
        let bytes = TestGateway.request(body, headers: "Idempotency-Key: order\r\n")
        let socket = try gateway.connect()
        socket.send(bytes)
        _ = socket.readMessage()
        let first = try gateway.record()
        #expect(first.spendsIdempotencyKey == ending.isSpent, "\(ending.name)")
        engine.setScript { socket, _ in socket.send(Answers.plain()) }
        let retry = try gateway.ask(TestGateway.request(body, headers: "Idempotency-Key: order\r\n"))
        #expect(retry.status == (ending.isSpent ? 409 : 200), "\(ending.name)")
        #expect(!ending.isSpent || retry.text.contains(first.request.id.description), "\(ending.name)")
        await gateway.stop()
    }

    @Test func `while the first request runs a retry is told to wait`() async throws {
        let engine = try ScriptedEngine { socket, _ in
            pause(milliseconds: 400)
            socket.send(Answers.plain())
        }
        let gateway = try await TestGateway(engine: engine)
        let first = try gateway.connect()
        first.send(request("order"))
        while engine.requests.isEmpty { pause(milliseconds: 5) }
        let second = try gateway.ask(request("order"))
        #expect(second.status == 409 && second.text.contains(#""code":"in_progress""#))
        #expect(second.header("retry-after") == "1")
        #expect(first.readMessage()?.status == 200)
        let third = try gateway.ask(request("order"))
        #expect(third.status == 409 && third.text.contains(#""code":"idempotency_key_used""#))
        #expect(third.header("x-should-retry") == "false")
        #expect(engine.requests.count == 1)
        await gateway.stop()
    }

    @Test func `another body, model or API under a used key is 422`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        #expect(try gateway.ask(request("order")).status == 200)
        let others = [
            TestGateway.request(TestGateway.chat(#","temperature":0"#), headers: "Idempotency-Key: order\r\n"),
            TestGateway.request(
                TestGateway.chat().replacing("small", with: "small-latest"), headers: "Idempotency-Key: order\r\n"),
            TestGateway.request(
                #"{"model":"small","input":"x"}"#, path: "/v1/embeddings", headers: "Idempotency-Key: order\r\n"),
        ]
        for other in others {
            let answer = try gateway.ask(other)
            #expect(answer.status == 422 && answer.text.contains(#""code":"idempotency_key_reused""#))
        }
        #expect(try gateway.ask(request("order")).status == 409)
        #expect(gateway.engine.requests.count == 1)
        await gateway.stop()
    }

    @Test func `a request refused before it ran leaves its key free`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        for body in [#"{"model":"none","messages":[]}"#, "{", TestGateway.chat(#","service_tier":"flex""#)] {
            let bytes = TestGateway.request(body, headers: "Idempotency-Key: order\r\n")
            #expect((400..<500).contains(try gateway.ask(bytes).status))
        }
        #expect(try gateway.ask(request("order")).status == 200)
        await gateway.stop()
    }

    @Test func `a stopped gateway's request that delivered nothing may be tried again`() {
        var entry = UsageEntry(
            request: RequestRecord(
                id: TestGateway.id(1), accountID: TestGateway.id(2), tenantID: TestGateway.id(3),
                projectID: TestGateway.id(4), keyID: TestGateway.id(5), subscriptionID: TestGateway.id(6),
                surface: .chatCompletions, modelRequested: "small", outcome: .gatewayLost),
            attempts: [AttemptRecord(id: TestGateway.id(7), backend: "b", upstreamModel: "m", priceKey: "m")])
        #expect(entry.spendsIdempotencyKey, "closed by recovery")
        entry.request.marks.end = 5
        #expect(!entry.spendsIdempotencyKey, "closed by its own gateway")
        entry.attempts[0].contentEvents = 1
        #expect(entry.spendsIdempotencyKey)
        entry.attempts[0].isDelivered = false
        #expect(!entry.spendsIdempotencyKey)
    }
}
