import Engines
import Identity
import Metering
import Synchronization
import Testing
import UsageJournal

@testable import Gateway

/// Responses in the background: a receipt now, the record when they have ended.
@Suite(.timeLimit(.minutes(10))) struct BackgroundTests {
    private static let receipt = document("queued", "null")

    private static func document(_ status: String, _ usage: String, text: String = "") -> String {
        #"{"id":"resp_0123456789abcdef","object":"response","created_at":1700000000,"status":"\#(status)","#
            + #""background":true,"model":"engine-small","output":[{"type":"message","content":[{"type":"output_text","#
            + #""text":"\#(text)"}]}],"usage":\#(usage)}"#
    }

    private static let usage = #"{"input_tokens":100,"output_tokens":4619,"total_tokens":4719}"#

    /// A gateway whose engine answers a creation with a receipt, and looks with what `later` is at the time.
    private func gateway(_ later: SharedText) async throws -> TestGateway {
        let engine = try ScriptedEngine { socket, request in
            if request.startLine.hasPrefix("DELETE") {
                socket.send(Answers.plain(body: #"{"id":"resp_0123456789abcdef","deleted":true}"#))
                return
            }
            let isCreation = request.startLine.hasPrefix("POST") && !request.startLine.contains("/cancel")
            socket.send(Answers.plain(body: isCreation ? Self.receipt : later.text))
        }
        return try await TestGateway(
            engine: engine, snapshot: TestGateway.snapshot(port: engine.port, kind: .openAI, sealingSecret: [1, 2, 3]))
    }

    private final class SharedText: Sendable {
        private let value: Mutex<String>
        init(_ text: String) { value = Mutex(text) }
        var text: String {
            get { value.withLock { $0 } }
            set { value.withLock { $0 = newValue } }
        }
    }

    private func create(_ gateway: TestGateway) throws -> (id: String, request: String?) {
        let body = #"{"model":"small","background":true,"input":"\#(String(repeating: "word ", count: 80))"}"#
        let answer = try gateway.ask(TestGateway.request(body, path: "/v1/responses"))
        #expect(answer.status == 200)
        return (try #require(try JSONObjectText(reading: answer.body).text("id")), answer.header("x-request-id"))
    }

    private func send(_ method: String, _ path: String, _ gateway: TestGateway) throws -> HTTPMessage {
        let headers = "host: g\r\nauthorization: Bearer \(TestGateway.key)\r\ncontent-length: 0"
        return try gateway.ask("\(method) \(path) HTTP/1.1\r\n\(headers)\r\n\r\n")
    }

    @Test(arguments: ["resp_a/b3", "resp%2f1", ".."])
    func `work whose id cannot be asked after is not free`(id: String) async throws {
        let receipt = Self.receipt.replacing("resp_0123456789abcdef", with: id)
        let engine = try ScriptedEngine { socket, _ in socket.send(Answers.plain(body: receipt)) }
        let gateway = try await TestGateway(
            engine: engine, snapshot: TestGateway.snapshot(port: engine.port, kind: .openAI, sealingSecret: [1, 2, 3]))
        let body = #"{"model":"small","background":true,"input":"hi"}"#
        #expect(try gateway.ask(TestGateway.request(body, path: "/v1/responses")).status == 200)
        #expect(try gateway.record().attempts[0].contradiction?.contains("cannot be asked after") == true)
        await gateway.stop()
    }

    @Test func `a response in the background that is not kept is refused`() async throws {
        let gateway = try await gateway(SharedText(""))
        let body = #"{"model":"small","background":true,"store":false,"input":"hi"}"#
        let answer = try gateway.ask(TestGateway.request(body, path: "/v1/responses"))
        #expect(answer.status == 400 && answer.text.contains("background_not_kept"))
        #expect(gateway.engine.requests.isEmpty)
        await gateway.stop()
    }

    @Test func `a receipt that comes as a stream which breaks off is one all the same`() async throws {
        let created = #"{"type":"response.created","response":\#(Self.receipt)}"#
        let later = SharedText(Self.document("completed", Self.usage))
        let engine = try ScriptedEngine { socket, request in
            guard request.startLine.hasPrefix("POST") else {
                socket.send(Answers.plain(body: later.text))
                return
            }
            socket.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
            socket.send(Answers.chunk("event: response.created\ndata: \(created)\n\n") + "0\r\n\r\n")
        }
        let gateway = try await TestGateway(
            engine: engine, snapshot: TestGateway.snapshot(port: engine.port, kind: .openAI, sealingSecret: [1, 2, 3]))
        let answer = try gateway.ask(
            TestGateway.request(#"{"model":"small","background":true,"input":"hi"}"#, path: "/v1/responses"))
        #expect(answer.status == 200 && answer.text.contains("response.created"))
        let record = try gateway.record()
        #expect(record.attempts.last?.usageSource == .engine && record.attempts.last?.buckets.outputTotal == 4619)
        await gateway.stop()
    }

    @Test func `a response in the background is billed what it came to, once, whoever looks`() async throws {
        let later = SharedText(Self.document("in_progress", "null"))
        let gateway = try await gateway(later)
        let (id, request) = try create(gateway)
        for _ in 0..<3 { #expect(try send("GET", "/v1/responses/\(id)", gateway).text.contains("in_progress")) }
        #expect(try gateway.closes.isEmpty)
        later.text = Self.document("completed", Self.usage)
        let shown = try send("GET", "/v1/responses/\(id)", gateway)
        #expect(shown.text.contains(#""status":"completed""#))
        // The end is shown when it is on record.
        let entry = try #require(try gateway.closes.first)
        #expect(entry.request.id.description == request)
        #expect(entry.attempts.map(\.buckets) == [TokenBuckets(inputUncached: 100, outputVisible: 4619)])
        #expect(entry.attempts[0].usageSource == .engine)
        for _ in 0..<3 { _ = try send("GET", "/v1/responses/\(id)", gateway) }
        pause(milliseconds: 300)
        #expect(try gateway.closes.count == 1)
        #expect(try send("DELETE", "/v1/responses/\(id)", gateway).status == 200)
        await gateway.stop()
    }

    @Test func `it is not deleted before it is on record`() async throws {
        let later = SharedText(Self.document("in_progress", "null"))
        let gateway = try await gateway(later)
        let (id, _) = try create(gateway)
        // The age of its document says nothing while this gateway asks after it.
        let refused = try send("DELETE", "/v1/responses/\(id)", gateway)
        #expect(refused.status == 409)
        #expect(refused.text.contains("response_not_recorded"))
        later.text = Self.document("completed", Self.usage)
        #expect(try send("DELETE", "/v1/responses/\(id)", gateway).status == 200)
        #expect(try gateway.closes.count == 1)
        await gateway.stop()
    }

    @Test(arguments: [
        ("completed", "null", Int64(100), Int64(25), UsageSource.estimated),
        ("cancelled", "null", 100, 25, .estimated),
        ("incomplete", Self.usage, 100, 4619, .engine),
        ("failed", "null", 0, 0, .nothing),
    ]) func `whatever it ends as is on record`(
        status: String, usage: String, input: Int64, output: Int64, source: UsageSource
    ) async throws {
        let later = SharedText(Self.document(status, usage, text: String(repeating: "four", count: 25)))
        let gateway = try await gateway(later)
        _ = try create(gateway)
        let attempt = try #require(try gateway.record().attempts.first)
        #expect(attempt.buckets.inputTotal == input)
        #expect(attempt.buckets.outputTotal == output)
        #expect(attempt.usageSource == source)
        #expect(attempt.isDelivered == (status != "failed"))
        await gateway.stop()
    }

    @Test func `killed between creation and end it is left to the next process, and nothing of it is lost`()
        async throws
    {
        let later = SharedText(Self.document("in_progress", "null"))
        let gateway = try await gateway(later)
        _ = try create(gateway)
        #expect(try gateway.lostIfKilledNow().isEmpty)
        #expect(try gateway.progress.last?.attempts.last?.upstreamID == "resp_0123456789abcdef")
        await gateway.stop()
    }

    @Test func `a stream of it from its creation on is refused`() async throws {
        let gateway = try await gateway(SharedText(""))
        let answer = try gateway.ask(
            TestGateway.request(
                #"{"model":"small","input":"a","background":true,"stream":true}"#, path: "/v1/responses"))
        #expect(answer.status == 400)
        #expect(answer.text.contains("background_stream_not_available"))
        await gateway.stop()
    }
}
