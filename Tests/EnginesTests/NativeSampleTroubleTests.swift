import Engines
import Metering
import TestSupport
import Testing

/// Samples of native dialects that say nothing of usage, say it elsewhere, or break off: what they come to, reckoned by
/// hand before the readers ran. The prompt of each request has 40 bytes of text, estimated as 10 tokens.
@Suite(.enabled(if: WireSampleTests.folder != nil)) struct NativeSampleTroubleTests {
    private static func read(_ file: String, _ answer: NativeFixture.Answer) throws -> AnswerFacts {
        NativeFixture.read([WireSampleTests.body(try #require(WireSampleTests.bytes(file)))], answer).facts
    }

    private static func attempt(_ facts: AnswerFacts, _ surface: Surface, isCut: Bool = false) throws -> AttemptRecord {
        let attempts = NativeFixture.attempts(facts, surface, isCut: isCut)
        #expect(attempts.count == 1)
        return try #require(attempts.first)
    }

    private static func streamed(_ surface: Surface, amazon: Bool = false) -> NativeFixture.Answer {
        NativeFixture.Answer(
            surface: surface, isStream: true,
            contentType: amazon ? NativeFixture.amazonEventStream : NativeFixture.eventStream)
    }

    @Test func `a stream that was throttled costs the event that came`() throws {
        let facts = try Self.read(
            "aws-bedrock/converse-stream.throttled-midstream.eventstream.bin",
            Self.streamed(.bedrockConverse, amazon: true))
        #expect(facts.hasError)
        #expect(facts.error?.type == "throttlingException")
        #expect(EngineRefusal(kind: .bedrock, insideAnswer: facts).meaning == .upstreamQuota)
        // One delta came.
        let attempt = try Self.attempt(facts, .bedrockConverse, isCut: true)
        #expect(attempt.buckets == TokenBuckets(inputUncached: 10, outputVisible: 1))
        #expect(!attempt.usageComplete)
    }

    @Test func `an invocation is counted by its headers`() throws {
        var headers: [String: String] = [:]
        let text = String(
            decoding: try #require(WireSampleTests.bytes("aws-bedrock/invoke.response-headers.json")), as: UTF8.self)
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: "\"")
            if parts.count >= 4 { headers[String(parts[1])] = String(parts[3]) }
        }
        let facts = NativeFixture.read(
            #"{"completion":"x"}"#, NativeFixture.Answer(surface: .bedrockInvoke, headers: headers))
        // input 92, output 42, 2,392 ms.
        let attempt = try Self.attempt(facts, .bedrockInvoke)
        #expect(attempt.buckets == TokenBuckets(inputUncached: 92, outputVisible: 42))
        #expect(attempt.tierServed == "priority")
        #expect(attempt.timings.total == 2_392_000)
        #expect(attempt.usageSource == .engine)
    }

    @Test func `Triton says no usage, so its text is estimated`() throws {
        let facts = try Self.read("triton/generate.json", NativeFixture.Answer(surface: .tritonGenerate))
        // "model output" has 12 bytes: 3 tokens.
        let attempt = try Self.attempt(facts, .tritonGenerate)
        #expect(attempt.buckets == TokenBuckets(inputUncached: 10, outputVisible: 3))
        #expect(attempt.usageSource == .estimated)
        #expect(attempt.modelServed == "mymodel")
    }

    @Test func `Triton's stream that ends with an error costs its two events`() throws {
        let facts = try Self.read("triton/generate_stream.sse", Self.streamed(.tritonGenerate))
        #expect(facts.hasError)
        #expect(!facts.isTerminated)
        let attempt = try Self.attempt(facts, .tritonGenerate, isCut: true)
        #expect(attempt.buckets == TokenBuckets(inputUncached: 10, outputVisible: 2))
        let refused = try Self.read(
            "triton/error.400.json", NativeFixture.Answer(surface: .tritonGenerate, status: 400))
        #expect(refused.hasError)
    }

    @Test func `Replicate's stream has an end and no usage`() throws {
        let facts = try Self.read("replicate/stream.sse", Self.streamed(.replicatePredictions))
        #expect(facts.isTerminated)
        #expect(facts.contentEvents == 2)
        #expect(facts.usage == nil)
        #expect(facts.units.isEmpty)
        #expect(facts.finishReason == "succeeded")
    }

    @Test func `TGI's stream that broke has an error and no end`() throws {
        let facts = try Self.read("tgi/generate_stream.error.sse", Self.streamed(.tgiGenerate))
        #expect(facts.hasError)
        #expect(facts.error?.type == "incomplete_generation_stream")
        #expect(!facts.isTerminated)
        #expect(EngineRefusal(kind: .tgi, insideAnswer: facts).meaning == .modelError)
    }

    @Test(arguments: [
        // 9 uncached, nothing cached, 12 out.
        ("recorded-vllm/messages.res", TokenBuckets(inputUncached: 9, outputVisible: 12)),
        // 9 uncached beside 24 from the cache, 12 out.
        ("recorded-llamacpp/messages.res", TokenBuckets(inputUncached: 9, cacheRead: 24, outputVisible: 12)),
        // 1 uncached beside 32 from the cache, 4 out.
        (
            "recorded-llamacpp/messages-xapikey-only.res",
            TokenBuckets(inputUncached: 1, cacheRead: 32, outputVisible: 4)
        ),
    ])
    func `messages of vLLM and llama.cpp count as Anthropic's do`(file: String, expected: TokenBuckets) throws {
        let facts = try Self.read(file, NativeFixture.Answer(surface: .messages))
        #expect(try Self.attempt(facts, .messages).buckets == expected)
        #expect(facts.finishReason == "max_tokens")
    }

    @Test(arguments: ["recorded-vllm/messages-count-tokens.res", "recorded-llamacpp/messages-count-tokens.res"])
    func `counting tokens makes nothing`(file: String) throws {
        let facts = try Self.read(file, NativeFixture.Answer(surface: .countTokens))
        #expect(try Self.attempt(facts, .countTokens).buckets == TokenBuckets())
    }

    @Test(arguments: [
        ("anthropic/error.429.json", Surface.messages, 429), ("anthropic/error.529.json", .messages, 529),
        ("google-gemini/error.429.retryinfo.json", .geminiGenerate, 429),
        ("google-vertex/error.429.json", .geminiGenerate, 429), ("aws-bedrock/error.429.json", .bedrockConverse, 429),
        ("aws-sagemaker/error.424.modelerror.json", .sageMakerInvocations, 424),
        ("tgi/error.429.json", .tgiGenerate, 429),
        ("replicate/error.401.json", .replicatePredictions, 401),
    ])
    func `a refusal is an error and has no usage`(file: String, surface: Surface, status: Int) throws {
        let facts = try Self.read(file, NativeFixture.Answer(surface: surface, status: status))
        #expect(facts.hasError)
        #expect(facts.usage == nil)
        #expect(facts.inferences.isEmpty)
    }
}
