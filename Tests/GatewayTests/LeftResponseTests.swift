import Engines
import Identity
import Limits
import Metering
import Synchronization
import Testing
import UsageJournal

@testable import Gateway

/// Responses whose streams were left, and which their engine finishes and keeps all the same.
@Suite(.timeLimit(.minutes(10))) struct LeftResponseTests {
    private static let id = "resp_0123456789abcdef"
    private static let created =
        "event: response.created\ndata: "
        + #"{"type":"response.created","response":{"id":"\#(id)","status":"in_progress","model":"engine-small"}}"#
        + "\n\n"
    private static let delta =
        "event: response.output_text.delta\ndata: "
        + #"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"word "}"# + "\n\n"

    private static func document(_ status: String, usage: String = "null", text: String = "") -> String {
        #"{"id":"\#(id)","object":"response","status":"\#(status)","model":"engine-small","output":[{"type":"message","#
            + #""content":[{"type":"output_text","text":"\#(text)"}]}],"usage":\#(usage)}"#
    }

    private static let usage = #"{"input_tokens":100,"output_tokens":4619,"total_tokens":4719}"#

    /// What the engine shows of what it keeps: one value that a test and its engine share.
    private final class SharedAnswer: Sendable {
        private let state: Mutex<(status: String, body: String)>
        init(_ status: String, _ body: String) { state = Mutex((status, body)) }
        var value: (status: String, body: String) {
            get { state.withLock { $0 } }
            set { state.withLock { $0 = newValue } }
        }
    }

    /// An engine that begins to answer each stream and never ends it, and shows what it keeps as `later` says.
    private func gateway(
        _ later: SharedAnswer, kind: EngineKind = .openAICompatible, limits: [LimitRule] = [],
        configure: (inout GatewayConfiguration) -> Void = { _ in }
    ) async throws -> TestGateway {
        let engine = try ScriptedEngine { socket, request in
            guard request.startLine.hasPrefix("POST") else {
                let answer = later.value
                socket.send(Answers.plain(status: answer.status, body: answer.body))
                return
            }
            socket.send(
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
                    + Answers.chunk(Self.created) + Answers.chunk(Self.delta) + Answers.chunk(Self.delta))
        }
        return try await TestGateway(
            engine: engine,
            snapshot: TestGateway.snapshot(
                port: engine.port, kind: kind, limits: limits, sealingSecret: [1, 2, 3],
                tiers: ["standard", "priority", "flex"]),
            configure: { configuration in
                configuration.times.workGoneMilliseconds = 300
                configure(&configuration)
            })
    }

    /// Begins a stream and leaves it after its second word. Returns the id that the client saw.
    private func leave(_ gateway: TestGateway, _ members: String = "") throws -> String {
        let socket = try gateway.connect()
        socket.send(
            TestGateway.request(#"{"model":"small","stream":true,"input":"a"\#(members)}"#, path: "/v1/responses"))
        var text = ""
        while text.ranges(of: "word ").count < 2, socket.receive() {
            text = String(decoding: socket.received, as: UTF8.self)
        }
        socket.close()
        let start = try #require(text.firstRange(of: Self.id))
        return String(text[start.lowerBound...].prefix { $0 != "\"" })
    }

    private func get(_ id: String, _ gateway: TestGateway) throws -> HTTPMessage {
        try gateway.ask(
            "GET /v1/responses/\(id) HTTP/1.1\r\nhost: g\r\nauthorization: Bearer \(TestGateway.key)\r\n\r\n")
    }

    @Test func `what its engine finishes all the same is billed before it is shown`() async throws {
        let later = SharedAnswer("200 OK", Self.document("in_progress"))
        let gateway = try await gateway(later)
        let id = try leave(gateway)
        for _ in 0..<50 where try gateway.progress.isEmpty { pause(milliseconds: 20) }
        #expect(try gateway.closes.isEmpty)
        later.value = ("200 OK", Self.document("completed", usage: Self.usage, text: "all of it"))
        let shown = try get(id, gateway)
        #expect(shown.text.contains("all of it"))
        let entry = try #require(try gateway.closes.first)
        #expect(entry.request.outcome == .clientAbort)
        #expect(entry.attempts.map(\.buckets) == [TokenBuckets(inputUncached: 100, outputVisible: 4619)])
        #expect(entry.attempts[0].usageSource == .engine && entry.attempts[0].termination == .complete)
        await gateway.stop()
    }

    @Test(arguments: [
        ("404 Not Found", "{}"), ("405 Method Not Allowed", "{}"), ("400 Bad Request", "{}"),
        ("200 OK", document("failed")), ("200 OK", document("cancelled")),
        ("200 OK", document("cancelled", text: "word ")), ("501 Not Implemented", "{}"),
        ("200 OK", document("cancelled", usage: #"{"input_tokens":100,"output_tokens":1,"total_tokens":101}"#)),
        ("200 OK", document("cancelled", usage: #"{"input_tokens":9,"output_tokens":0}"#, text: "word")),
    ])
    func `where the engine keeps nothing or stopped, what came is billed`(status: String, body: String) async throws {
        let gateway = try await gateway(SharedAnswer(status, body))
        _ = try leave(gateway)
        let entry = try gateway.record()
        #expect(entry.request.outcome == .clientAbort && entry.request.httpStatus == 499)
        #expect(entry.attempts.count == 1)
        #expect(entry.attempts[0].termination == .clientAbort && entry.attempts[0].isDelivered)
        #expect(entry.attempts[0].buckets.outputTotal == 2, "two events of one word each")
        await gateway.stop()
    }

    private static let oneAtOnce = LimitRule(
        id: TestGateway.id(501), accountID: TestGateway.id(101), scope: .key(TestGateway.id(1)), model: nil,
        kind: .concurrentRequests, value: 1, isShadow: false)

    @Test(arguments: ["501 Not Implemented", "500 Internal Server Error", "503 Service Unavailable", "404 Not Found"])
    func `who stops a stream may ask again at once, whatever the engine keeps`(status: String) async throws {
        let gateway = try await gateway(SharedAnswer(status, "{}"), limits: [Self.oneAtOnce]) {
            $0.times.workGoneMilliseconds = 60_000
        }
        for count in 1...3 {
            _ = try leave(gateway)
            for _ in 0..<200 where try gateway.progress.count < count { pause(milliseconds: 10) }
        }
        #expect(try gateway.opens.count == 3 && gateway.refusals.isEmpty)
        await gateway.stop()
    }

    @Test func `what a left stream comes to in the end is charged to its limits`() async throws {
        let perMinute = LimitRule(
            id: TestGateway.id(502), accountID: TestGateway.id(101), scope: .key(TestGateway.id(1)), model: nil,
            kind: .outputTokensPerMinute, value: 4000, isShadow: false)
        let gateway = try await gateway(
            SharedAnswer("200 OK", Self.document("completed", usage: Self.usage)), limits: [perMinute])
        _ = try leave(gateway)
        _ = try gateway.record()
        let socket = try gateway.connect()
        socket.send(TestGateway.request(#"{"model":"small","input":"a"}"#, path: "/v1/responses"))
        #expect(try #require(socket.readMessage()).status == 429)
        await gateway.stop()
    }

    @Test(arguments: [EngineKind.llamaCpp, .groq, .sambaNova])
    func `a system that keeps no responses is not asked for one`(kind: EngineKind) async throws {
        let gateway = try await gateway(SharedAnswer("404 Not Found", "{}"), kind: kind) {
            $0.times.workGoneMilliseconds = 60_000
        }
        _ = try leave(gateway)
        #expect(try gateway.record().attempts[0].buckets.outputTotal == 2)
        #expect(gateway.engine.requests.allSatisfy { $0.startLine.hasPrefix("POST") })
        await gateway.stop()
    }

    @Test(arguments: ["all", "account"])
    func `beyond so many left streams, others are read on and hold their limits`(bound: String) async throws {
        let gateway = try await gateway(
            SharedAnswer("200 OK", Self.document("in_progress")), limits: [Self.oneAtOnce]
        ) {
            if bound == "all" { $0.limits.leftStreams = 2 } else { $0.limits.leftStreamsOfAccount = 2 }
            $0.times.plainDrainMilliseconds = 200
        }
        for count in 1...2 {
            _ = try leave(gateway)
            for _ in 0..<200 where try gateway.progress.count < count { pause(milliseconds: 10) }
        }
        _ = try leave(gateway)
        pause(milliseconds: 600)
        let another = try gateway.ask(TestGateway.request(#"{"model":"small","input":"a"}"#, path: "/v1/responses"))
        #expect(another.status == 429, "the third is still read, beyond what others are read on for")
        #expect(try gateway.closes.isEmpty)
        await gateway.stop()
    }

    @Test(arguments: ["503 Service Unavailable", "401 Unauthorized", "403 Forbidden"])
    func `an engine that is away for a while, or has another key, still knows what it kept`(
        status: String
    ) async throws {
        let later = SharedAnswer(status, "{}")
        let gateway = try await gateway(later) { $0.times.workGoneMilliseconds = 100 }
        let id = try leave(gateway)
        for _ in 0..<200 where gateway.engine.requests.count < 3 { pause(milliseconds: 20) }
        #expect(try gateway.closes.isEmpty)
        later.value = ("200 OK", Self.document("completed", usage: Self.usage, text: "all of it"))
        _ = try get(id, gateway)
        #expect(try gateway.record().attempts[0].buckets.outputTotal == 4619)
        await gateway.stop()
    }

    /// vLLM has one tier: what was asked for as cheaper was served as ever, in the foreground and when it was left.
    @Test(arguments: [(EngineKind.vllm, "standard"), (.openAICompatible, nil)] as [(EngineKind, String?)])
    func `the tier of a left stream is told as that of others`(kind: EngineKind, served: String?) async throws {
        let gateway = try await gateway(
            SharedAnswer("200 OK", Self.document("completed", usage: Self.usage)), kind: kind)
        _ = try leave(gateway, #","service_tier":"flex""#)
        let entry = try gateway.record()
        #expect(entry.request.tierRequested == "flex" && entry.attempts[0].tierServed == served)
        await gateway.stop()
    }

    @Test func `pictures of a left stream are priced by the model that was to make them`() async throws {
        let usage =
            #"{"input_tokens":100,"output_tokens":50,"total_tokens":150},"tool_usage":{"image_gen":"#
            + #"{"input_tokens":10,"output_tokens":1056,"total_tokens":1066}}"#
        let gateway = try await gateway(SharedAnswer("200 OK", Self.document("completed", usage: usage)))
        _ = try leave(gateway, #","tools":[{"type":"image_generation","model":"pictures-1"}]"#)
        let attempts = try gateway.record().attempts
        #expect(attempts.map(\.priceKey) == ["price-small", "pictures-1"])
        #expect(attempts.last?.buckets.outputTotal == 1056)
        await gateway.stop()
    }

    @Test func `an answer without usage costs the text that it came to`() async throws {
        let text = String(repeating: "four", count: 500)
        let gateway = try await gateway(
            SharedAnswer("200 OK", Self.document("completed", text: text)))
        _ = try leave(gateway)
        let attempt = try #require(try gateway.record().attempts.first)
        #expect(attempt.buckets.outputTotal == 500 && attempt.usageSource == .estimated)
        await gateway.stop()
    }

    @Test func `one that is not kept is cut and billed at once`() async throws {
        let gateway = try await gateway(
            SharedAnswer("200 OK", Self.document("completed", usage: Self.usage)))
        _ = try leave(gateway, #","store":false"#)
        let entry = try gateway.record()
        #expect(entry.attempts[0].buckets.outputTotal == 2)
        #expect(gateway.engine.requests.allSatisfy { $0.startLine.hasPrefix("POST") })
        await gateway.stop()
    }

    /// The second process is this one, told of the first one's open record.
    private func resumed(_ gateway: TestGateway, _ members: String = "") async throws -> UsageEntry {
        _ = try leave(gateway, members)
        for _ in 0..<50 where try gateway.progress.last?.attempts.isEmpty != false { pause(milliseconds: 20) }
        let work = try gateway.workIfKilledNow()
        #expect(work.count == 1)
        await gateway.stop()
        return try #require(work.first)
    }

    @Test(arguments: [
        (document("completed", usage: usage), 100, 4619), (document("cancelled", text: "word "), 1, 2),
        (document("cancelled", usage: #"{"input_tokens":100,"output_tokens":1}"#), 1, 2),
        (document("failed"), 1, 2),
    ])
    func `a gateway that dies meanwhile leaves it to the next process`(
        document: String, input: Int64, output: Int64
    ) async throws {
        let left = try await resumed(try await gateway(SharedAnswer("200 OK", Self.document("in_progress"))))
        #expect(left.attempts.last?.upstreamID == Self.id && left.attempts.last?.termination == .clientAbort)
        let next = try await gateway(SharedAnswer("200 OK", document))
        await next.resume(left)
        let entry = try next.record()
        #expect(entry.request.outcome == .clientAbort && entry.attempts.count == 1)
        #expect(entry.attempts[0].buckets.outputTotal == output && entry.attempts[0].buckets.inputTotal == input)
        await next.stop()
    }

    @Test func `the next process knows the tier and the model of its pictures`() async throws {
        let members = #","service_tier":"flex","tools":[{"type":"image_generation","model":"pictures-1"}]"#
        let first = try await gateway(SharedAnswer("200 OK", Self.document("in_progress")), kind: .vllm)
        let left = try await resumed(first, members)
        let usage =
            #"{"input_tokens":100,"output_tokens":50,"total_tokens":150},"tool_usage":{"image_gen":"#
            + #"{"input_tokens":10,"output_tokens":1056,"total_tokens":1066}}"#
        let next = try await gateway(
            SharedAnswer("200 OK", Self.document("completed", usage: usage)), kind: .vllm)
        await next.resume(left)
        let attempts = try next.record().attempts
        #expect(attempts.map(\.priceKey) == ["price-small", "pictures-1"])
        #expect(attempts.map(\.tierServed) == ["standard", "standard"])
        await next.stop()
    }
}
