import Engines
import Identity
import Metering
import Synchronization
import Testing
import UsageJournal

@testable import Gateway

/// Work that ends later costs at least what was seen of it, whoever saw it and whatever its last document leaves out.
@Suite(.timeLimit(.minutes(10))) struct WorkSeenTests {
    /// An engine that keeps one piece of work: what it shows, streams, and becomes when it is cancelled.
    private struct Kept: Sendable {
        var document: String?
        var events: [String] = []
        var cancelled: String?
    }

    private static let text = String(repeating: "word", count: 50)
    private static let usage = #"{"input_tokens":100,"output_tokens":50,"total_tokens":150}"#

    private static func response(_ status: String, text: String = "", rest: String = #""usage":null"#) -> String {
        let output =
            text.isEmpty ? "" : #"{"type":"message","content":[{"type":"output_text","text":"\#(text)"}]}"#
        let answer = #"{"id":"resp_7","object":"response","status":"\#(status)","background":true"#
        return answer + #","output":[\#(output)],\#(rest)}"#
    }

    private func gateway(_ kept: Shared<Kept>, kind: EngineKind, created: String) async throws -> TestGateway {
        let engine = try ScriptedEngine { socket, request in
            let isCancel = request.startLine.contains("/cancel")
            if isCancel { kept.change { $0.document = $0.cancelled } }
            let now = kept.value
            if request.startLine.hasPrefix("POST"), !isCancel {
                socket.send(Answers.plain(body: created))
            } else if request.startLine.contains("stream=true") {
                socket.send(Answers.streamHead + now.events.map(Answers.chunk).joined() + "0\r\n\r\n")
            } else if let document = now.document {
                socket.send(Answers.plain(body: document))
            } else {
                socket.send(Answers.plain(status: "404 Not Found", body: #"{"error":{"message":"not found"}}"#))
            }
        }
        return try await TestGateway(
            engine: engine, snapshot: TestGateway.snapshot(port: engine.port, kind: kind, sealingSecret: [4, 5, 6]),
            configure: { $0.times.workGoneMilliseconds = 0 })
    }

    private func create(_ gateway: TestGateway, _ path: String, _ body: String) throws -> String {
        let answer = try gateway.ask(TestGateway.request(body, path: path))
        #expect((200..<300).contains(answer.status))
        return path + "/" + (try #require(try JSONObjectText(reading: answer.body).text("id")))
    }

    private func createResponse(_ gateway: TestGateway) throws -> String {
        try create(gateway, "/v1/responses", #"{"model":"small","background":true,"input":"hi"}"#)
    }

    private func send(_ method: String, _ path: String, _ gateway: TestGateway) throws -> HTTPMessage {
        let headers = "host: g\r\nauthorization: Bearer \(TestGateway.key)\r\ncontent-length: 0"
        return try gateway.ask("\(method) \(path) HTTP/1.1\r\n\(headers)\r\n\r\n")
    }

    // MARK: Responses

    @Test(arguments: [EngineKind.openAI, .vllm, .openAICompatible], [response("cancelled"), nil])
    func `a cancelled response costs the text that its client had seen`(
        kind: EngineKind, cancelled: String?
    ) async throws {
        let kept = Shared<Kept>(
            Kept(document: Self.response("in_progress", text: Self.text), cancelled: cancelled))
        let gateway = try await gateway(kept, kind: kind, created: Self.response("queued"))
        let path = try createResponse(gateway)
        #expect(try send("GET", path, gateway).text.contains("word"))
        _ = try send("POST", path + "/cancel", gateway)
        #expect(try gateway.record().attempts[0].buckets.outputTotal == 50)
        await gateway.stop()
    }

    private static func delta(_ text: String) -> String {
        "event: response.output_text.delta\ndata: "
            + #"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"\#(text)"}"# + "\n\n"
    }

    private static func ended(_ document: String) -> String {
        "event: response.completed\ndata: " + #"{"type":"response.completed","response":\#(document)}"# + "\n\n"
    }

    @Test(arguments: [EngineKind.openAI, .azure, .vllm])
    func `a cancelled response costs what a stream of it had shown`(kind: EngineKind) async throws {
        let kept = Shared<Kept>(
            Kept(
                document: Self.response("in_progress"), events: Array(repeating: Self.delta("four"), count: 60),
                cancelled: Self.response("cancelled")))
        let gateway = try await gateway(kept, kind: kind, created: Self.response("queued"))
        let path = try createResponse(gateway)
        #expect(try send("GET", path + "?stream=true", gateway).text.contains("four"))
        _ = try send("POST", path + "/cancel", gateway)
        #expect(try gateway.record().attempts[0].buckets.outputTotal == 60)
        await gateway.stop()
    }

    @Test func `a response whose end was streamed is whole, though its engine forgets it`() async throws {
        let whole = Self.response("completed", text: Self.text, rest: #""usage":"# + Self.usage)
        let kept = Shared<Kept>(
            Kept(document: Self.response("in_progress"), events: [Self.delta("four"), Self.ended(whole)]))
        let gateway = try await gateway(kept, kind: .vllm, created: Self.response("queued"))
        let path = try createResponse(gateway)
        #expect(try send("GET", path + "?stream=true", gateway).text.contains("response.completed"))
        kept.change { $0.document = nil }
        let entry = try gateway.record()
        #expect(entry.request.outcome == .success && entry.request.reason.isEmpty)
        #expect(entry.attempts.map(\.buckets) == [TokenBuckets(inputUncached: 100, outputVisible: 50)])
        await gateway.stop()
    }

    @Test func `the most that was seen is kept, in whatever order it comes`() throws {
        let place = ObjectSeal.Place(backend: "b", id: "resp_7")
        let backend = try #require(TestGateway.snapshot(port: 1, kind: .vllm).catalogue.backends.first)
        let documents = [
            Self.response("in_progress", text: Self.text), Self.response("in_progress", text: "word"),
            Self.response("cancelled"), Self.response("in_progress", rest: #""usage":{"output_tokens":70}"#),
        ]
        for first in documents.indices {
            for step in [1, 3] {
                let registry = SettlementRegistry()
                registry.began(place)
                for turn in documents.indices {
                    let document = documents[(first + turn * step) % documents.count]
                    registry.saw(
                        AnswerFacts(
                            ofWork: Array(document.utf8), in: InferenceRequest(of: .responses, model: ""), by: backend),
                        of: place)
                }
                let seen = try #require(registry.seen(of: place))
                #expect(seen.textBytesSeen == 200 && seen.usage?.completionTokens == 70)
                #expect(seen.finishReason == "cancelled")
            }
        }
    }

    // MARK: Predictions

    private static func prediction(_ status: String, output: String = "null", rest: String = "") -> String {
        #"{"id":"p7","model":"small","status":"\#(status)","output":\#(output),"metrics":{}\#(rest)}"#
    }

    private static let started = #","started_at":"2026-01-01T00:00:00Z""#

    @Test(
        arguments: [
            #"["\#(text)"]"#, #""\#(text)""#, #"["\#(text.prefix(100))","\#(text.prefix(100))"]"#,
        ], ["", #","started_at":null"#, #","started_at":null,"completed_at":"2026-01-01T00:00:09Z""#])
    func `a cancelled prediction costs the text that its client had seen`(
        output: String, end: String
    ) async throws {
        let kept = Shared<Kept>(
            Kept(
                document: Self.prediction("processing", output: output, rest: Self.started),
                cancelled: Self.prediction("canceled", rest: end)))
        let gateway = try await gateway(kept, kind: .replicate, created: Self.prediction("starting"))
        let path = try create(
            gateway, "/engines/scripted/v1/predictions", #"{"version":"small","input":{"prompt":"hi"}}"#)
        #expect(try send("GET", path, gateway).text.contains("word"))
        #expect(try send("POST", path + "/cancel", gateway).status == 200)
        let entries = try gateway.records(3)
        let attempt = try #require(entries.flatMap(\.attempts).first { $0.usageSource == .estimated })
        #expect(attempt.buckets.outputTotal == 50 && attempt.contradiction == nil)
        await gateway.stop()
    }

    @Test(arguments: [
        (prediction("processing"), true), (prediction("starting", rest: started), true),
        (prediction("processing", output: #"{"text":"\#(text)"}"#), false), (prediction("starting"), false),
    ])
    func `a cancelled prediction that was seen to run is no free one`(seen: String, isHeld: Bool) async throws {
        let kept = Shared<Kept>(Kept(document: seen, cancelled: Self.prediction("canceled")))
        let gateway = try await gateway(kept, kind: .replicate, created: Self.prediction("starting"))
        let path = try create(
            gateway, "/engines/scripted/v1/predictions", #"{"version":"small","input":{"prompt":"hi"}}"#)
        _ = try send("GET", path, gateway)
        _ = try send("POST", path + "/cancel", gateway)
        let attempts = try gateway.records(3).flatMap(\.attempts).filter { $0.usageSource != .nothing }
        #expect(attempts.count == 1)
        #expect((attempts.first?.contradiction != nil) == isHeld)
        #expect((attempts.first?.buckets.outputTotal ?? 0 > 40) == seen.contains("word"))
        await gateway.stop()
    }

    // MARK: Whose failure it is

    @Test(arguments: [
        ("failed_to_download_image", true), ("invalid_prompt", true), ("image_content_policy_violation", true),
        ("context_length_exceeded", true), ("bio_policy", true), ("unsupported_file", true),
        ("data_inspection_failed", true),
        ("server_error", false), ("rate_limit_exceeded", false), ("invalid_api_key", false), ("", false),
    ])
    func `a response that fails by its client's own doing breaks no promise`(
        code: String, isClients: Bool
    ) async throws {
        let error = code.isEmpty ? "null" : #"{"code":"\#(code)","message":"It did not work."}"#
        let kept = Shared<Kept>(
            Kept(document: Self.response("failed", rest: #""usage":null,"error":"# + error)))
        let gateway = try await gateway(kept, kind: .openAI, created: Self.response("queued"))
        _ = try createResponse(gateway)
        let entry = try gateway.record()
        #expect(entry.request.outcome == (isClients ? .clientError : .providerError))
        #expect(entry.request.reason == (isClients ? "engine_rejected" : "engine_error"))
        #expect(entry.attempts[0].usageSource == .nothing)
        await gateway.stop()
    }

    @Test(arguments: [
        ("NSFW content detected. Try running it again, or try a different prompt.", true),
        ("The input or output was flagged as sensitive. Please try again with different inputs. (E005)", true),
        ("Failed to download input https://mine.example.com/x", true), ("list index out of range", true),
        ("cannot identify image file <_io.BytesIO>", true), ("Prediction interrupted; please retry (code: PA)", false),
        ("Service is temporarily unavailable. Please try again later. (E004)", false), ("", false),
    ])
    func `a prediction that fails breaks a promise only where its platform says so of itself`(
        error: String, isExcluded: Bool
    ) async throws {
        let kept = Shared<Kept>(
            Kept(document: Self.prediction("failed", rest: #","error":"\#(error)""#)))
        let gateway = try await gateway(kept, kind: .replicate, created: Self.prediction("starting"))
        _ = try create(gateway, "/engines/scripted/v1/predictions", #"{"version":"small","input":{"prompt":"hi"}}"#)
        #expect(try gateway.record().request.outcome == (isExcluded ? .clientError : .providerError))
        await gateway.stop()
    }

    // MARK: Forms that nobody was seen to serve

    @Test(
        arguments: [
            ("404 Not Found", #"{"detail":"Not Found"}"#), ("405 Method Not Allowed", "{}"),
            ("404 Not Found", #"{"error":{"message":"This is not a chat model","code":"model_not_found"}}"#),
            ("403 Forbidden", "<html>Sorry, you have been blocked</html>"), ("403 Forbidden", "Forbidden"),
            ("501 Not Implemented", "{}"),
        ], ["/v1/completions", "/v1/responses", "/v1/chat/completions"])
    func `what a model was never seen to do breaks no promise, and is told in neutral words`(
        refusal: (status: String, body: String), path: String
    ) async throws {
        let engine = try ScriptedEngine { socket, _ in
            socket.send(Answers.plain(status: refusal.status, body: refusal.body))
        }
        let gateway = try await TestGateway(engine: engine)
        let request = TestGateway.request(#"{"model":"small","input":"x","prompt":"x","messages":[]}"#, path: path)
        let answer = try gateway.ask(request)
        #expect(answer.status >= 500 && answer.text.contains("upstream_"))
        #expect(try gateway.record().request.outcome == .clientError)
        // Once it was seen, its failures count again, but for a 403 that says nothing.
        engine.setScript { socket, _ in socket.send(Answers.plain()) }
        #expect(try gateway.ask(request).status == 200)
        engine.setScript { socket, _ in socket.send(Answers.plain(status: refusal.status, body: refusal.body)) }
        _ = try gateway.ask(request)
        let isBare = refusal.status.hasPrefix("403")
        #expect(try gateway.records(3).last?.request.outcome == (isBare ? .clientError : .providerError))
        await gateway.stop()
    }

    @Test(arguments: [
        ("404 Not Found", #"{"error":{"message":"The model `engine-small` does not exist","code":"model_not_found"}}"#),
        ("401 Unauthorized", "{}"),
        ("403 Forbidden", #"{"error":{"message":"Invalid API key","code":"invalid_api_key"}}"#),
        ("500 Oops", "{}"), ("503 Service Unavailable", "{}"),
    ])
    func `what says whose it is counts from the first request on`(status: String, body: String) async throws {
        let engine = try ScriptedEngine { socket, _ in socket.send(Answers.plain(status: status, body: body)) }
        let gateway = try await TestGateway(engine: engine)
        _ = try gateway.ask(TestGateway.request(TestGateway.chat()))
        #expect(try gateway.record().request.outcome == .providerError)
        await gateway.stop()
    }
}

/// One value that a test and its engine share.
private final class Shared<Value: Sendable>: Sendable {
    private let state: Mutex<Value>
    init(_ value: Value) { state = Mutex(value) }
    var value: Value { state.withLock { $0 } }
    func change(_ body: (inout Value) -> Void) { state.withLock { body(&$0) } }
}
