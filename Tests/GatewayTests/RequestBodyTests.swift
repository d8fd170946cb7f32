import Accounts
import Engines
import Identity
import Limits
import Metering
import Synchronization
import Testing

@testable import Gateway

/// Whose bodies are taken, how much of them, and how they are packed.
@Suite(.timeLimit(.minutes(10))) struct RequestBodyTests {
    private static func post(
        _ line: String, bytes: Int, key: Bool = false, headers: String = "", chunked: Bool = false
    ) -> String {
        let authorization = key ? "authorization: Bearer \(TestGateway.key)\r\n" : ""
        let framing = chunked ? "transfer-encoding: chunked\r\n" : "content-length: \(bytes)\r\n"
        return "\(line) HTTP/1.1\r\nhost: x\r\n\(authorization)\(headers)\(framing)\r\n"
    }

    @Test(
        arguments: [
            "OPTIONS /v1/chat/completions", "OPTIONS /healthz", "GET /healthz", "GET /readyz", "GET /v1/models",
            "GET /v1/models/small", "GET /v1/files", "HEAD /healthz",
        ])
    func `whoever asks for nothing of an engine sends no large body`(line: String) async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        let socket = try gateway.connect()
        socket.send(Self.post(line, bytes: 1 << 20, key: true))
        let refused = try #require(socket.readHead())
        #expect(refused.status == 413 && refused.header("connection") == "close")
        let chunked = try gateway.connect()
        chunked.send(Self.post(line, bytes: 0, key: true, chunked: true))
        let piece = Answers.chunk(String(repeating: "x", count: 16_000))
        for _ in 0..<6 { chunked.send(piece) }
        #expect(chunked.readHead()?.status == 413)
        #expect(gateway.metricsText.contains("tollgate_request_body_bytes 0"))
        await gateway.stop()
    }

    @Test func `a short body that nobody reads is let pass, and the connection goes on`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        let socket = try gateway.connect()
        for _ in 0..<3 {
            socket.send(Self.post("GET /healthz", bytes: 60_000) + String(repeating: "x", count: 60_000))
            #expect(socket.readMessage()?.text == #"{"status":"ok"}"#)
        }
        await gateway.stop()
    }

    @Test func `the body of a look at a prediction reaches nobody`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine(), kind: .tgi)
        let answer = try gateway.ask(Self.post("GET /engines/scripted/generate", bytes: 2, key: true) + "{}")
        #expect(answer.status == 404)
        #expect(gateway.engine.requests.isEmpty)
        await gateway.stop()
    }

    @Test func `bodies of all connections together keep to the budget`() async throws {
        let gateway = try await TestGateway(
            engine: ScriptedEngine(),
            configure: {
                $0.limits.memoryBytes = 1 << 20
                $0.limits.bodyBytes = 1 << 20
            })
        let pad = String(repeating: "x", count: 400_000)
        let body = TestGateway.chat(#","pad":"\#(pad)""#)
        let request = TestGateway.request(body)
        var slow: [Socket] = []
        for _ in 0..<2 {
            let socket = try gateway.connect()
            socket.send(String(request.dropLast(5)))
            slow.append(socket)
        }
        for _ in 0..<500 where !gateway.metricsText.contains("tollgate_request_body_bytes 8") {
            pause(milliseconds: 10)
        }
        let refused = try gateway.ask(request)
        #expect(refused.status == 503)
        #expect(refused.header("retry-after") == "1")
        #expect(refused.text.contains("memory_exhausted"))
        let chunked =
            Self.post("POST /v1/chat/completions", bytes: 0, key: true, chunked: true) + Answers.chunk(body)
            + "0\r\n\r\n"
        #expect(try gateway.ask(chunked).status == 503)
        #expect(gateway.metricsText.contains(#"tollgate_refusals_total{reason="memory_exhausted"} 2"#))
        // Small requests go on, and what leaves makes room.
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 200)
        slow[0].close()
        slow[1].send(String(request.suffix(5)))
        #expect(slow[1].readMessage()?.status == 200)
        for _ in 0..<500 where !gateway.metricsText.contains("tollgate_request_body_bytes 0") {
            pause(milliseconds: 10)
        }
        #expect(gateway.metricsText.contains("tollgate_request_body_bytes 0\n"))
        #expect(try gateway.ask(request).status == 200)
        await gateway.stop()
    }

    // MARK: Packed

    private func packed(_ body: [UInt8], coding: String, path: String = "/v1/chat/completions") -> [UInt8] {
        let head = Self.post(
            "POST \(path)", bytes: body.count, key: true,
            headers: "content-encoding: \(coding)\r\ncontent-type: application/json\r\n")
        return Array(head.utf8) + body
    }

    @Test(arguments: ["gzip", "GZIP", "x-gzip", "identity, gzip", "deflate"])
    func `a packed body is unpacked, read and sent on plain`(coding: String) async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        let pad = (0..<20_000).map { "word\($0)" }.joined(separator: " ")
        let body = TestGateway.chat(#","pad":"\#(pad)""#)
        // zlib tells its own header from gzip's, whatever the name.
        let packed = try #require(Compressed.gzip(Array(body.utf8)))
        let socket = try gateway.connect()
        let bytes = self.packed(packed, coding: coding)
        socket.send(bytes[..<(bytes.count / 2)])
        pause(milliseconds: 20)
        socket.send(bytes[(bytes.count / 2)...] + bytes)
        for _ in 0..<2 { #expect(socket.readMessage()?.status == 200) }
        let seen = gateway.engine.requests[0]
        #expect(seen.text == body.replacing(#""small""#, with: #""engine-small""#))
        #expect(seen.header("content-encoding") == nil)
        #expect(seen.header("content-length") == String(seen.body.count))
        await gateway.stop()
    }

    @Test(arguments: ["br", "zstd", "gzip, gzip", "compress", "gzip, br", "aes128gcm"])
    func `another coding is refused and told what is taken`(coding: String) async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        let answer = try gateway.ask(String(decoding: packed(Array("xx".utf8), coding: coding), as: UTF8.self))
        #expect(answer.status == 415)
        #expect(answer.header("accept-encoding") == "gzip, deflate")
        #expect(gateway.engine.requests.isEmpty)
        await gateway.stop()
    }

    @Test func `a bomb, a broken body and one that unpacks to too much are refused`() async throws {
        let gateway = try await TestGateway(
            engine: ScriptedEngine(), configure: { $0.limits.bodyBytes = 3 << 20 })
        let bomb = try #require(Compressed.gzip([UInt8](repeating: 0x20, count: 40 << 20)))
        let whole = try #require(Compressed.gzip(Array(TestGateway.chat().utf8)))
        let noise = (0..<(4 << 20)).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 13 & 15) }
        let large = try #require(Compressed.gzip(noise))
        for (body, status) in [
            (bomb, 400), (Array(whole.dropLast(9)), 400), (whole + [1, 2, 3], 400), (Array("no gzip".utf8), 400),
            (large, 413),
        ] {
            let socket = try gateway.connect()
            onThread { [bytes = packed(body, coding: "gzip")] in socket.send(bytes) }
            #expect(socket.readMessage()?.status == status, "\(body.count) bytes")
        }
        #expect(gateway.engine.requests.isEmpty)
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 200)
        await gateway.stop()
    }

    @Test func `an engine's bomb is cut, and large packed answers come slice by slice`() async throws {
        let bomb = try #require(Compressed.gzip([UInt8](repeating: 0x20, count: 60 << 20)))
        let engine = try ScriptedEngine { socket, request in
            let text = "{\"pad\":\"" + (0..<100_000).map { "w\($0) " }.joined() + "\"," + Answers.usage + "}"
            let packed =
                request.text.contains("bomb") ? bomb : Compressed.gzip(Array(text.utf8)) ?? []
            socket.send(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\n"
                    + "content-length: \(packed.count)\r\n\r\n")
            socket.send(packed)
        }
        let gateway = try await TestGateway(engine: engine)
        let large = try gateway.ask(TestGateway.request(TestGateway.chat()))
        #expect(large.status == 200 && large.body.count > 600_000)
        #expect(large.text.hasSuffix(Answers.usage + "}"))
        #expect(try gateway.record().attempts[0].buckets.inputTotal == 11)
        let cut = try gateway.ask(TestGateway.request(TestGateway.chat(#","x":"bomb""#)))
        #expect(cut.status == 502 || !cut.isComplete)
        #expect(try gateway.records(2)[1].request.outcome == .providerError)
        await gateway.stop()
    }

    // MARK: Metrics

    @Test func `metrics need their own key or their own address`() async throws {
        let shut = try await TestGateway(engine: ScriptedEngine())
        func get(_ path: String, _ token: String? = nil) -> String {
            "GET \(path) HTTP/1.1\r\nhost: x\r\n" + (token.map { "authorization: Bearer \($0)\r\n" } ?? "") + "\r\n"
        }
        #expect(try shut.ask(get("/metrics")).status == 401)
        #expect(try shut.ask(get("/metrics", TestGateway.key)).status == 401)
        #expect(shut.server.metricsPort == nil)
        await shut.stop()
        let open = try await TestGateway(
            engine: ScriptedEngine(),
            configure: {
                $0.metricsKey = "watch"
                $0.metricsAddress = GatewayConfiguration.Address(host: "127.0.0.1", port: 0)
            })
        #expect(try open.ask(get("/metrics")).status == 401)
        #expect(try open.ask(get("/metrics", TestGateway.key)).status == 401)
        #expect(try open.ask(get("/metrics", "watch")).text.contains("tollgate_open_requests"))
        let port = try #require(open.server.metricsPort)
        func monitor(_ request: String) throws -> HTTPMessage? {
            let socket = try Socket.connect(port: port)
            socket.send(request)
            return socket.readMessage()
        }
        #expect(try monitor(get("/metrics"))?.status == 200)
        #expect(try monitor(get("/readyz"))?.status == 200)
        #expect(try monitor(TestGateway.request(TestGateway.chat()))?.status == 404)
        #expect(try monitor(get("/v1/models", TestGateway.key))?.status == 404)
        await open.stop()
    }

    // MARK: Waiting for limits

    @Test(arguments: [(true, 401), (false, 200)])
    func `a request that waits for its limits is judged by what is known when it goes on`(
        isRevoked: Bool, status: Int
    ) async throws {
        let rule = LimitRule(
            id: TestGateway.id(7), accountID: TestGateway.id(101), scope: .tenant(TestGateway.id(201)), model: nil,
            kind: .requestsPerMinute, value: 600, isShadow: false)
        let source = HeldSource(SharedLimits([rule]).source(1))
        let gateway = try await TestGateway(
            engine: ScriptedEngine(), limits: [rule], sliceSource: source,
            configure: { $0.times.limitWaitMilliseconds = 5000 })
        let socket = try gateway.connect()
        socket.send(TestGateway.request(TestGateway.chat()))
        for _ in 0..<500 where source.heldCount == 0 { pause(milliseconds: 10) }
        let month: Int64 = 31 * 86_400_000
        gateway.server.update(
            TestGateway.snapshot(
                change: 2, port: gateway.engine.port, clockOffset: month, key: isRevoked ? "sk-new" : TestGateway.key,
                limits: [rule]))
        source.letGo()
        #expect(socket.readMessage()?.status == status)
        if !isRevoked { #expect(try gateway.record().request.clockOffsetMilliseconds == month) }
        #expect(gateway.engine.requests.count == (isRevoked ? 0 : 1))
        for _ in 0..<500 where gateway.server.openRequestCount > 0 { pause(milliseconds: 10) }
        #expect(gateway.server.openRequestCount == 0)
        await gateway.stop()
    }
}

/// A source of slices that answers when it is told to.
private final class HeldSource: SliceSource {
    private let base: any SliceSource
    private let held = Mutex<[@Sendable () -> Void]?>([])

    init(_ base: any SliceSource) { self.base = base }

    var heldCount: Int { held.withLock { $0?.count ?? 0 } }

    func request(_ batch: [SliceRequest], reply: @escaping @Sendable (SliceReply) -> Void) {
        let base = base
        let isHeld = held.withLock { held -> Bool in
            guard held != nil else { return false }
            held?.append { base.request(batch, reply: reply) }
            return true
        }
        if !isHeld { base.request(batch, reply: reply) }
    }

    func letGo() {
        let all = held.withLock { held in
            defer { held = nil }
            return held ?? []
        }
        for request in all { request() }
    }
}
