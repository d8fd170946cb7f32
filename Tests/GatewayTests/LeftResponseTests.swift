import Engines
import Identity
import Metering
import Synchronization
import Testing
import UsageJournal

@testable import Gateway

/// Responses whose streams were left, and which their engine finishes and keeps all the same.
@Suite(.timeLimit(.minutes(2))) struct LeftResponseTests {
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
        _ later: SharedAnswer, kind: EngineKind = .openAICompatible
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
            engine: engine, snapshot: TestGateway.snapshot(port: engine.port, kind: kind, sealingSecret: [1, 2, 3]),
            configure: { $0.times.workGoneMilliseconds = 300 })
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
        ("200 OK", document("cancelled", text: "word ")),
    ])
    func `where the engine keeps nothing or stopped, what came is billed`(status: String, body: String) async throws {
        let gateway = try await gateway(SharedAnswer(status, body))
        _ = try leave(gateway)
        let entry = try gateway.record()
        #expect(entry.request.outcome == .clientAbort && entry.request.httpStatus == 499)
        #expect(entry.attempts.count == 1)
        #expect(entry.attempts[0].termination == .clientAbort && entry.attempts[0].isDelivered)
        #expect((2...3).contains(entry.attempts[0].buckets.outputTotal))
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
        #expect((2...3).contains(entry.attempts[0].buckets.outputTotal))
        #expect(gateway.engine.requests.allSatisfy { $0.startLine.hasPrefix("POST") })
        await gateway.stop()
    }

    @Test func `a gateway that dies meanwhile leaves it to the next process`() async throws {
        let gateway = try await gateway(
            SharedAnswer("200 OK", Self.document("in_progress")))
        _ = try leave(gateway)
        for _ in 0..<50 where try gateway.progress.last?.attempts.isEmpty != false { pause(milliseconds: 20) }
        #expect(try gateway.lostIfKilledNow().isEmpty)
        let left = try #require(try gateway.progress.last?.attempts.last)
        #expect(left.upstreamID == Self.id && left.termination == .clientAbort)
        await gateway.stop()
    }
}
