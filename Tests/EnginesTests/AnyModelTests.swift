import Metering
import TestSupport
import Testing

@testable import Engines

/// Forms behind which any model may stand: texts under names that nobody knows, and rankings.
@Suite struct AnyModelTests {
    private func attempts(
        _ answer: String, _ surface: Surface, request body: String = "{}", headers: [String: String] = [:]
    ) throws -> [AttemptRecord] {
        let call = NativeCall(surface: surface, model: "m", prefix: "/")
        let request = try Array(body.utf8).withUnsafeBytes { try InferenceRequest(reading: $0, native: call) }
        let facts = NativeFixture.read([Array(answer.utf8)], NativeFixture.Answer(surface: surface, headers: headers))
        let base = AttemptRecord.example
        return facts.facts.attempts(
            completing: base, request: request, isCut: false, priceKey: { $0 }, newID: { base.id })
    }

    // 40 letters: 10 tokens.
    private static let words = "forty letters are ten tokens, as we say."

    @Test(arguments: [
        #"{"predictions":["\#(words)"]}"#, #"{"predictions":[{"generated_text":"\#(words)"}]}"#,
        #"{"predictions":[[{"role":"a","text":"\#(words)"}]]}"#, #"{"generated_texts":["\#(words)"]}"#,
        #"[["\#(words)"]]"#, #"{"outputs":{"anything":"\#(words)"}}"#,
    ])
    func `a text is output under any name`(answer: String) throws {
        for surface in [Surface.sageMakerInvocations, .bedrockInvoke] {
            let attempt = try attempts(answer, surface)[0]
            #expect((10...12).contains(attempt.buckets.outputTotal), "\(surface) \(attempt.buckets)")
            #expect(attempt.usageSource == .estimated)
        }
    }

    @Test func `a long text without a word is taken for a picture`() throws {
        let picture = String(repeating: "iVBORw0KGgo", count: 4000)
        let attempt = try attempts(#"{"generated_images":["\#(picture)"]}"#, .sageMakerInvocations)[0]
        // 44,000 bytes of Base64 are 33,000 of a picture.
        #expect(attempt.buckets.outputTotal == 330)
    }

    @Test(arguments: [
        #"{"embedding":[0.5,0.25]}"#, #"{"predictions":[[0.5,0.25]]}"#, #"{"scores":[1,2],"ok":true}"#,
    ])
    func `numbers are no words`(answer: String) throws {
        #expect(try attempts(answer, .sageMakerInvocations)[0].buckets.outputTotal == 0)
    }

    @Test func `what has a known name, or counts, is not counted again`() throws {
        let known = #"{"id":"\#(Self.words)","choices":[{"message":{"content":"\#(Self.words)"}}]}"#
        #expect(try attempts(known, .sageMakerInvocations)[0].buckets.outputTotal == 10)
        let counted = #"{"predictions":["\#(Self.words)"],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#
        #expect(try attempts(counted, .sageMakerInvocations)[0].buckets.outputTotal == 2)
    }

    @Test(arguments: [(1, 1), (100, 1), (101, 2), (250, 3)] as [(Int, Int64)])
    func `a ranking by any model costs searches`(documents: Int, searches: Int64) throws {
        let list = Array(repeating: #""d""#, count: documents).joined(separator: ",")
        let answer = #"{"results":[{"index":0,"relevance_score":0.9},{"index":1,"relevance_score":0.1}]}"#
        for headers in [[:], ["x-amzn-bedrock-input-token-count": "17"]] {
            let attempt = try attempts(
                answer, .bedrockInvoke, request: #"{"query":"q","documents":[\#(list)],"api_version":2}"#,
                headers: headers)[0]
            #expect(attempt.units == UsageUnits(searches: searches))
            #expect(attempt.buckets == TokenBuckets())
            #expect(attempt.usageSource == .counted && attempt.contradiction == nil)
        }
    }

    @Test(arguments: [
        #"{"results":[{"outputText":"a","tokenCount":3}],"inputTextTokenCount":4}"#,
        #"{"text":"a","generations":[{"text":"abc"}]}"#, #"{"content":[{"type":"text","text":"abc"}]}"#,
    ])
    func `documents beside a question are none to rank`(answer: String) throws {
        let attempt = try attempts(answer, .bedrockInvoke, request: #"{"message":"q","documents":[{"title":"d"}]}"#)[0]
        #expect(attempt.units.searches == 0 && attempt.buckets.outputTotal > 0)
    }

    @Test(
        arguments: [
            ("/v2/models/m/generate", "m"), ("/v2/models/m/versions/3/generate", "m/versions/3"),
            ("/v2/models/m/versions/3/generate_stream", "m/versions/3"), ("/v2/models/a%20b/generate", "a b"),
        ] as [(String, String)])
    func `a version at Triton is a model of its own`(path: String, model: String) {
        let call = Triton().nativeCall(method: "POST", path: path[...])
        #expect(call?.model == model)
        let action = path.hasSuffix("stream") ? "generate_stream" : "generate"
        #expect(call?.path(upstreamModel: "up/versions/7") == "/v2/models/up/versions/7/\(action)")
    }
}
