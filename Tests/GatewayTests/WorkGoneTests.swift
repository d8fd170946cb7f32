import Engines
import Identity
import Metering
import Synchronization
import Testing
import UsageJournal

@testable import Gateway

/// Work in the background that its client would have gone, or that its engine forgets: it ends on record all the same.
@Suite(.timeLimit(.minutes(10))) struct WorkGoneTests {
    /// An engine that keeps one response, as `document` says; nil once it has forgotten it.
    private final class Kept: Sendable {
        private let value: Mutex<String?>
        init(_ text: String?) { value = Mutex(text) }
        var document: String? {
            get { value.withLock { $0 } }
            set { value.withLock { $0 = newValue } }
        }
    }

    /// Documents without `background`, as some systems write them.
    private static func document(_ status: String, text: String = "", usage: String = "null") -> String {
        #"{"id":"resp_7","object":"response","status":"\#(status)","output":[{"type":"message","content":["#
            + #"{"type":"output_text","text":"\#(text)"}]}],"usage":\#(usage)}"#
    }

    private func gateway(_ kept: Kept, goneStatus: String = "404 Not Found", cancelForgets: Bool = false)
        async throws -> TestGateway
    {
        let engine = try ScriptedEngine { socket, request in
            if request.startLine.hasPrefix("DELETE") {
                kept.document = nil
                socket.send(Answers.plain(body: #"{"id":"resp_7","deleted":true}"#))
                return
            }
            let isCancel = request.startLine.contains("/cancel")
            if request.startLine.hasPrefix("POST"), !isCancel {
                socket.send(Answers.plain(body: Self.document("queued")))
            } else if isCancel, cancelForgets {
                kept.document = nil
                socket.send(Answers.plain(body: #"{"id":"resp_7","object":"response.cancelled"}"#))
            } else if let document = kept.document {
                socket.send(Answers.plain(body: document))
            } else {
                socket.send(Answers.plain(status: goneStatus, body: #"{"error":{"message":"not found"}}"#))
            }
        }
        return try await TestGateway(
            engine: engine, snapshot: TestGateway.snapshot(port: engine.port, kind: .vllm, sealingSecret: [4, 5, 6]),
            configure: { $0.times.workGoneMilliseconds = 0 })
    }

    private func create(_ gateway: TestGateway) throws -> String {
        let body = #"{"model":"small","background":true,"input":"\#(String(repeating: "word ", count: 80))"}"#
        let answer = try gateway.ask(TestGateway.request(body, path: "/v1/responses"))
        #expect(answer.status == 200)
        return try #require(try JSONObjectText(reading: answer.body).text("id"))
    }

    private func send(_ method: String, _ path: String, _ gateway: TestGateway) throws -> HTTPMessage {
        let headers = "host: g\r\nauthorization: Bearer \(TestGateway.key)\r\ncontent-length: 0"
        return try gateway.ask("\(method) \(path) HTTP/1.1\r\n\(headers)\r\n\r\n")
    }

    @Test(arguments: ["in_progress", "queued"])
    func `what runs is not deleted, though its document does not say that it is in the background`(
        status: String
    ) async throws {
        let kept = Kept(Self.document(status, text: "some words"))
        let gateway = try await gateway(kept)
        let id = try create(gateway)
        let refused = try send("DELETE", "/v1/responses/\(id)", gateway)
        #expect(refused.status == 409 && refused.text.contains("response_not_recorded"))
        #expect(!gateway.engine.requests.contains { $0.startLine.hasPrefix("DELETE") })
        kept.document = Self.document(
            "completed", text: "some words", usage: #"{"input_tokens":9,"output_tokens":2,"total_tokens":11}"#)
        #expect(try send("DELETE", "/v1/responses/\(id)", gateway).status == 200)
        #expect(try gateway.record().attempts[0].buckets.outputTotal == 2)
        await gateway.stop()
    }

    @Test(arguments: ["404 Not Found", "410 Gone"])
    func `work that the engine forgets ends with what was last seen of it`(goneStatus: String) async throws {
        let kept = Kept(Self.document("in_progress", text: String(repeating: "four", count: 25)))
        let gateway = try await gateway(kept, goneStatus: goneStatus)
        let id = try create(gateway)
        #expect(try send("GET", "/v1/responses/\(id)", gateway).status == 200)
        kept.document = nil
        let entry = try gateway.record()
        #expect(entry.request.outcome == .providerError && entry.request.reason == "work_gone")
        #expect(entry.attempts[0].buckets.inputTotal == 100 && entry.attempts[0].buckets.outputTotal == 25)
        #expect(entry.attempts[0].usageSource == .estimated && !entry.attempts[0].usageComplete)
        #expect(entry.attempts[0].contradiction == nil)
        await gateway.stop()
    }

    @Test func `work of which nothing was ever seen costs nothing`() async throws {
        let gateway = try await gateway(Kept(nil))
        _ = try create(gateway)
        let entry = try gateway.record()
        #expect(entry.request.reason == "work_gone" && entry.attempts[0].usageSource == .nothing)
        #expect(entry.attempts[0].buckets == TokenBuckets() && !entry.attempts[0].isDelivered)
        await gateway.stop()
    }

    @Test func `what an engine forgets when it is cancelled was looked at before`() async throws {
        let kept = Kept(Self.document("in_progress", text: String(repeating: "word", count: 50)))
        let gateway = try await gateway(kept, cancelForgets: true)
        let id = try create(gateway)
        _ = try send("POST", "/v1/responses/\(id)/cancel", gateway)
        let entry = try gateway.record()
        #expect(entry.request.reason == "work_gone")
        #expect(entry.attempts[0].buckets.outputTotal == 50)
        await gateway.stop()
    }

    @Test(arguments: ["null", #"{"input_tokens":9,"output_tokens":77,"total_tokens":86}"#])
    func `what a cancelled response had made is owed, though its last document is empty`(usage: String) async throws {
        let kept = Kept(Self.document("in_progress", text: String(repeating: "word", count: 50), usage: usage))
        let gateway = try await gateway(kept)
        let id = try create(gateway)
        #expect(try send("GET", "/v1/responses/\(id)", gateway).status == 200)
        kept.document = #"{"id":"resp_7","object":"response","status":"cancelled","output":[],"usage":null}"#
        let entry = try gateway.record()
        #expect(entry.attempts[0].buckets.outputTotal == (usage == "null" ? 50 : 77))
        await gateway.stop()
    }

    @Test func `a response in the foreground that has ended goes at once`() async throws {
        let kept = Kept(Self.document("completed", text: "words"))
        let gateway = try await gateway(kept)
        let seal = try #require(ObjectSeal(secret: [4, 5, 6]))
        let id = seal.sealed(
            ObjectSeal.Place(backend: "scripted", id: "resp_7"), .response, for: TestGateway.id(301))
        #expect(try send("DELETE", "/v1/responses/\(id)", gateway).status == 200)
        // One that runs may be another gateway's to record.
        kept.document = Self.document("in_progress")
        #expect(try send("DELETE", "/v1/responses/\(id)", gateway).status == 409)
        await gateway.stop()
    }

    @Test func `a prediction that its engine forgets while it runs is flagged`() async throws {
        let looks = Mutex(0)
        let engine = try ScriptedEngine { socket, request in
            if request.startLine.hasPrefix("POST") {
                let body = #"{"id":"p9","model":"small","status":"starting"}"#
                socket.send(Answers.plain(status: "201 Created", body: body))
                return
            }
            let isFirst = looks.withLock { looks in
                looks += 1
                return looks == 1
            }
            socket.send(
                isFirst
                    ? Answers.plain(body: #"{"id":"p9","model":"small","status":"processing"}"#)
                    : Answers.plain(status: "404 Not Found", body: #"{"detail":"gone"}"#))
        }
        let gateway = try await TestGateway(
            engine: engine,
            snapshot: TestGateway.snapshot(port: engine.port, kind: .replicate, sealingSecret: [1, 2, 3]),
            configure: { $0.times.workGoneMilliseconds = 0 })
        let body = #"{"version":"small","input":{"prompt":"p"}}"#
        #expect(try gateway.ask(TestGateway.request(body, path: "/engines/scripted/v1/predictions")).status == 201)
        let entry = try gateway.record()
        #expect(entry.request.reason == "work_gone")
        #expect(entry.attempts[0].contradiction != nil)
        await gateway.stop()
    }
}
