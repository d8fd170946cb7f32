import Metering
import Testing

@testable import Engines

/// Google's embeddings: what is read of requests and answers.
struct GeminiEmbedTests {
    private static let surface = Surface.geminiEmbed

    private func attempt(_ text: String, status: Int = 200) throws -> AttemptRecord {
        let facts = NativeFixture.read(text, .init(surface: Self.surface, status: status))
        return try #require(NativeFixture.attempts(facts, Self.surface).first)
    }

    @Test(arguments: [
        (#"{"embedding":{"values":[0.1,-2]},"usageMetadata":{"promptTokenCount":7}}"#, 7),
        (
            #"{"embeddings":[{"values":[1]},{"values":[2]}],"usageMetadata":{"promptTokenCount":9,"#
                + #""promptTokenDetails":[{"modality":"TEXT","tokenCount":9}]}}"#, 9
        ),
        (#"{"usageMetadata":{"totalTokenCount":5},"embedding":{"values":[]}}"#, 5),
        (#"{"predictions":[{"embeddings":{"statistics":{"truncated":false,"token_count":6},"values":[0.5]}}]}"#, 6),
        (
            #"{"predictions":[{"embeddings":{"values":[0.5],"statistics":{"token_count":6.0}}},{"embeddings":"#
                + #"{"statistics":{"token_count":4}}}],"metadata":{"billableCharacterCount":33}}"#, 10
        ),
    ])
    func `the engine's count of input is what is billed`(answer: String, tokens: Int64) throws {
        let attempt = try attempt(answer)
        #expect(attempt.usageSource == .engine && attempt.usageComplete)
        #expect(attempt.buckets == TokenBuckets(inputUncached: tokens, outputVisible: 0))
        #expect(attempt.rawUsage != nil)
    }

    /// The request of the fixture has 40 bytes of text.
    @Test(arguments: [
        #"{"embedding":{"values":[0.1,-2]}}"#, #"{"embedding":{"values":[0.1]},"usageMetadata":{}}"#,
        #"{"predictions":[{"embeddings":{"values":[0.5]}}],"metadata":{"billableCharacterCount":33}}"#,
        #"{"predictions":[{"embeddings":{"statistics":{"token_count":-6}}}]}"#,
        #"{"predictions":[{"embeddings":{"statistics":{"token_count":"6"}}}]}"#,
        #"{"embedding":{"values":[0.1]},"usageMetadata":{"promptTokenCount":0}}"#,
    ])
    func `what the engine does not count, or cannot have counted, is estimated and says so`(answer: String) throws {
        let attempt = try attempt(answer)
        #expect(attempt.usageSource == .estimated && !attempt.usageComplete)
        #expect(attempt.buckets == TokenBuckets(inputUncached: 10, outputVisible: 0))
    }

    @Test(arguments: [
        #"{"predictions":[{"embeddings":{"statistics":{"token_count":1}}},{"embeddings":{"values":[0.5]}}]}"#,
        #"{"predictions":[{"embeddings":{"statistics":{"token_count":"9"}}},"#
            + #"{"embeddings":{"statistics":{"token_count":1}}}]}"#,
        #"{"predictions":[{"embeddings":{"statistics":{"token_count":1}}}]}"#,
    ])
    func `counts of some of the texts are no count of all`(answer: String) throws {
        let text = String(repeating: "word ", count: 100)
        let request = try request(
            #"{"instances":[{"content":"a"},{"content":"\#(text)"}]}"#, path: "/v1/publishers/google/models/emb:predict"
        )
        let meter = AnswerMeter(
            request: request, backend: NativeFixture.backend, status: 200,
            headers: NativeFixture.Headers(fields: ["content-type": "application/json"]))
        Array(answer.utf8).withUnsafeBytes { meter.read(piece: $0) }
        meter.finish()
        let base = AttemptRecord.example
        let attempt = try #require(
            meter.facts.attempts(
                completing: base, request: request, isCut: false, priceKey: { $0 }, newID: { base.id }
            ).first)
        #expect(attempt.usageSource == .estimated && !attempt.usageComplete)
        #expect(attempt.buckets.inputUncached > 100)
    }

    @Test func `pictures that a model makes by predict are never free`() throws {
        let answer = #"{"predictions":[{"mimeType":"image/png","bytesBase64Encoded":"AA"},{"mimeType":"image/png"}]}"#
        #expect(try attempt(answer).units.images == 2)
    }

    @Test func `an error is one`() {
        let facts = NativeFixture.read(
            #"{"error":{"code":400,"message":"no","status":"INVALID_ARGUMENT"}}"#,
            .init(surface: Self.surface, status: 400))
        #expect(facts.hasError && facts.error?.code != nil)
    }

    private func request(_ body: String, path: String = "/v1beta/models/emb:batchEmbedContents") throws
        -> InferenceRequest
    {
        let call = try #require(
            (path.contains("publishers") ? EngineKind.vertex : .gemini).dialect.nativeCall(
                method: "POST", path: path[...]))
        return try Array(body.utf8).withUnsafeBytes { try InferenceRequest(reading: $0, native: call) }
    }

    @Test(arguments: [
        (
            #"{"requests":[{"model":"models/emb","content":{"parts":[{"text":"a"}]}},{"model": "emb"}]}"#,
            #"{"requests":[{"model":"models/up","content":{"parts":[{"text":"a"}]}},{"model": "up"}]}"#
        ),
        (#"{"model":"models/emb","content":{}}"#, #"{"model":"models/up","content":{}}"#),
        (#"{"model":"tunedModels/models/emb","content":{}}"#, #"{"model":"tunedModels/models/up","content":{}}"#),
        (
            #"{"content":{"parts":[{"text":"\"model\":\"x\""}]}}"#,
            #"{"content":{"parts":[{"text":"\"model\":\"x\""}]}}"#
        ),
    ])
    func `each place that names the model gets the engine's name`(body: String, expected: String) throws {
        let request = try request(body)
        #expect(request.model == "emb" && request.operation == .embeddings && !request.isStream)
        let backend = Backend(
            name: "b", isTLS: false, host: "h", port: 80, basePath: "", apiKey: nil, kind: .gemini)
        var bytes = Array(body.utf8)
        for edit in backend.dialect.edits(for: request, upstreamModel: "up", backend: backend).reversed() {
            bytes.replaceSubrange(edit.range, with: edit.replacement)
        }
        #expect(String(decoding: bytes, as: UTF8.self) == expected)
        #expect(backend.dialect.edits(for: request, upstreamModel: "emb", backend: backend).isEmpty)
    }

    @Test(arguments: [
        #"{"requests":[{"model":"models/emb"},{"model":"models/dear"}]}"#, #"{"model":"models/other"}"#,
        #"{"model":5}"#, #"{"requests":[{"model":null}]}"#, #"{"model":"xemb"}"#, #"{"model":"models/emb2"}"#,
        #"{"requests":[{"model":"publishers/emb"}]}"#,
    ])
    func `a body that names another model than the path is refused`(body: String) {
        let error = #expect(throws: RequestError.self) { try request(body) }
        #expect(error?.parameter == "model")
    }

    @Test(arguments: [
        #"{"instances":[{"prompt":"a cat"}],"parameters":{"sampleCount":4}}"#,
        #"{"instances":[{"content":"a"},{"image":{"bytesBase64Encoded":"AA"}}]}"#,
        #"{"instances":[{"content":"a","video":{"gcsUri":"gs://b/o"}}]}"#, #"{"instances":[{"text":"a"}]}"#,
    ])
    func `predict is for embeddings of texts`(body: String) {
        let error = #expect(throws: RequestError.self) {
            try request(body, path: "/v1/publishers/google/models/emb:predict")
        }
        #expect(error?.parameter == "instances")
    }

    @Test func `texts of all kinds of bodies are input`() throws {
        let text = String(repeating: "word ", count: 100)
        for (body, path) in [
            (#"{"content":{"parts":[{"text":"\#(text)"}]}}"#, "/v1/models/emb:embedContent"),
            (
                #"{"requests":[{"content":{"parts":[{"text":"\#(text)"}]}},"#
                    + #"{"content":{"parts":[{"text":"\#(text)"}]}}]}"#,
                "/v1beta/models/emb:batchEmbedContents"
            ),
            (
                #"{"instances":[{"content":"\#(text)","task_type":"RETRIEVAL_QUERY"},{"content":"\#(text)"}]}"#,
                "/v1/projects/p/locations/l/publishers/google/models/emb:predict"
            ),
        ] {
            let count = body.components(of: text)
            #expect(try request(body, path: path).input.estimatedTokens >= Int64(count * 125), "\(path)")
            #expect(try request(body, path: path).input.estimatedTokens <= Int64(count * 150), "\(path)")
        }
    }

    @Test(arguments: [
        "/v1/models/emb:predict", "/v1/publishers/acme/models/emb:predict", "/v1/models/emb:asyncBatchEmbedContent",
        "/v1/models/../emb:embedContent",
    ])
    func `other paths are not there`(path: String) {
        #expect(EngineKind.gemini.dialect.nativeCall(method: "POST", path: path[...]) == nil)
        #expect(EngineKind.vertex.dialect.nativeCall(method: "POST", path: path[...]) == nil)
    }
}

extension String {
    /// How often a text stands in it.
    fileprivate func components(of text: String) -> Int { ranges(of: text).count }
}
