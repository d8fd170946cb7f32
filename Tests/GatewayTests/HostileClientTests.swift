import Identity
import Metering
import Testing
import UsageJournal

@testable import Gateway

/// What clients and engines must not be able to do by being slow, quick or odd at the wrong moment.
@Suite(.timeLimit(.minutes(10))) struct HostileClientTests {
    @Test func `a key revoked while a body arrives refuses the request`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        let socket = try gateway.connect()
        let request = TestGateway.request(TestGateway.chat())
        socket.send(String(request.dropLast(5)))
        pause(milliseconds: 100)
        gateway.server.update(TestGateway.snapshot(change: 2, port: gateway.engine.port, key: "sk-other"))
        socket.send(String(request.suffix(5)))
        #expect(socket.readMessage()?.status == 401)
        #expect(gateway.engine.requests.isEmpty)
        await gateway.stop()
    }

    @Test func `a clock moved while a body arrives stamps the request`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        let socket = try gateway.connect()
        let request = TestGateway.request(TestGateway.chat())
        socket.send(String(request.dropLast(5)))
        pause(milliseconds: 100)
        let month: Int64 = 31 * 86_400_000
        gateway.server.update(TestGateway.snapshot(change: 2, port: gateway.engine.port, clockOffset: month))
        socket.send(String(request.suffix(5)))
        #expect(socket.readMessage()?.status == 200)
        let entry = try gateway.record()
        #expect(entry.request.clockOffsetMilliseconds == month)
        #expect(entry.request.acceptedAt.milliseconds - now() > month - 60_000)
        await gateway.stop()
    }

    @Test func `thousands of requests sent ahead are answered one after the other`() async throws {
        let engine = try ScriptedEngine { socket, _ in
            pause(milliseconds: 300)
            socket.send(Answers.plain())
        }
        let gateway = try await TestGateway(
            engine: engine, configure: { $0.limits.pipelinedBytes = 64 * 1024 * 1024 })
        let socket = try gateway.connect()
        socket.send(TestGateway.request(TestGateway.chat()))
        let count = 20_000
        let ahead = String(repeating: "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n", count: count)
        onThread { socket.send(ahead) }
        #expect(socket.readMessage()?.status == 200)
        let answer = Array(#"{"status":"ok"}"#.utf8)
        var bytes = 0
        while socket.receive(milliseconds: 5000) {
            bytes += socket.received.count
            if bytes >= count * 80 { break }
            socket.received = socket.received.suffix(answer.count)
        }
        #expect(bytes > count * answer.count)
        #expect(try gateway.ask("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").status == 200)
        await gateway.stop()
    }

    @Test func `an engine that goes on after an error and the terminator is cut`() async throws {
        let cut = TestGateway.LogLines()
        let engine = try ScriptedEngine { socket, _ in
            socket.send(Answers.streamHead + Answers.chunk(Answers.streamEvents()[1]))
            socket.send(Answers.chunk("data: {\"error\":{\"message\":\"out of memory\"}}\n\n"))
            socket.send(Answers.chunk("data: [DONE]\n\n"))
            if socket.isClosedByPeer(within: 5000) { cut.append(Array("cut".utf8)) }
        }
        let gateway = try await TestGateway(engine: engine)
        let answer = try gateway.ask(TestGateway.request(TestGateway.streamed))
        #expect(!answer.isComplete)
        #expect(try gateway.record().request.reason == "stream_error")
        for _ in 0..<300 where cut.text.isEmpty { pause(milliseconds: 10) }
        #expect(cut.text == "cut")
        await gateway.stop()
    }

    @Test func `an error under a status of success is told as the failure that it is, and not billed`() async throws {
        let body = #"{"error":{"message":"the model is overloaded","code":502},"user_id":"u"}"#
        let engine = try ScriptedEngine { socket, _ in socket.send(Answers.plain(body: body)) }
        let gateway = try await TestGateway(engine: engine)
        let answer = try gateway.ask(TestGateway.request(TestGateway.chat()))
        #expect(answer.status == 503 && answer.text.contains("upstream_overloaded") && !answer.text.contains("user_id"))
        let entry = try gateway.record()
        #expect(entry.request.outcome == .providerError)
        #expect(entry.request.reason == "upstream_overloaded")
        #expect(entry.attempts[0].termination == .upstreamError)
        #expect(entry.attempts[0].usageSource == .nothing)
        #expect(entry.attempts[0].buckets == TokenBuckets())
        await gateway.stop()
    }

    @Test(arguments: [#"{"id":"\u"}"#, #"{"id":"\ud8","usage":{"prompt_tokens_details":"#, "{\"\\u", "[[]]]]]", "}{"])
    func `an answer that is no JSON harms nobody`(body: String) async throws {
        let huge = #""prompt_tokens_details":{"cached_tokens":9223372036854775807,"cache_write_tokens":9}}}"#
        let engine = try ScriptedEngine { socket, _ in
            socket.send(Answers.plain(body: body.hasSuffix(":") ? "\(body.dropLast(24)){\(huge)" : body))
        }
        let gateway = try await TestGateway(engine: engine)
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 200)
        #expect(try gateway.record().attempts[0].termination == .complete)
        await gateway.stop()
    }

    @Test func `a gateway without room in its journal says that it is not ready and still tries who comes`()
        async throws
    {
        let gateway = try await TestGateway(engine: ScriptedEngine(), wrap: { JournalWithoutRoom(base: $0) })
        #expect(try gateway.ask("GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n").status == 503)
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 200)
        await gateway.stop()
    }

    @Test func `an escaped NUL or half a character in a request is recorded as text`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        let extra = #","user":"a\u0000\ud800b","metadata":{"n\u0000\udc00":"\ud83d"},"service_tier":"auto""#
        let answer = try gateway.ask(TestGateway.request(TestGateway.chat(extra)))
        #expect(answer.status == 200, "\(answer.text)")
        let tags = try gateway.record().request.tags
        #expect(tags.map(\.value) == ["a\u{0}\u{FFFD}b", "\u{FFFD}"])
        #expect(tags.map(\.name) == ["user", "n\u{0}\u{FFFD}"])
        #expect(try gateway.ask(TestGateway.request(#"{"model":"small\u0000"}"#)).status == 404)
        await gateway.stop()
    }
}

private struct JournalWithoutRoom: RequestJournal {
    let base: Journal
    var isAccepting: Bool { base.isAccepting }
    var hasRoom: Bool { false }
    func open(_ entry: UsageEntry) throws -> any OpenRequest { try base.open(entry) }
    func append(_ refusals: [RefusalCount]) throws { try base.append(refusals) }
    func append(
        _ entry: UsageEntry, moreFollow: Bool, whenDurable: @escaping @Sendable (Bool) -> Void
    ) throws {
        try base.append(entry, moreFollow: moreFollow, whenDurable: whenDurable)
    }
}
