import Identity
import Metering
import TestSupport
import Testing

@testable import Engines

/// The samples that hold errors, heads and the plain answers of recorded engines, expected by hand.
@Suite struct OpenAITroubleSampleTests {
    static let folder = WireSampleTests.folder

    private static let now = Timestamp(milliseconds: 1_795_423_777_000)

    private func refusal(
        _ file: String, _ kind: EngineKind, _ status: Int, headers: [String: String] = [:]
    ) throws -> EngineRefusal {
        let body = WireSampleTests.body(try #require(WireSampleTests.bytes(file)))
        return body.withUnsafeBytes {
            EngineRefusal(
                kind: kind, status: status, headers: AnswerFixture.Headers(fields: headers), body: $0, now: Self.now)
        }
    }

    private static let errors: [(String, EngineKind, Int, EngineRefusal.Meaning, Int64?)] = [
        ("openai/error.429.insufficient_quota.json", .openAI, 429, .upstreamQuota, nil),
        // "try again in 11.19s".
        ("groq/error.429.tpm.json", .groq, 429, .upstreamQuota, 11_190),
        ("groq/error.498.flex.json", .groq, 498, .overloaded, nil),
        // "retry after 7 seconds".
        ("azure/error.429.json", .azure, 429, .upstreamQuota, 7_000),
        ("together/error.429.json", .together, 429, .upstreamQuota, nil),
        ("tgi/error.429.json", .tgi, 429, .overloaded, nil),
        ("vllm/error.400.json", .vllm, 400, .contextTooLong, nil),
        ("recorded-vllm/err-unknown-model.res", .vllm, 404, .notFound, nil),
        ("recorded-vllm/err-too-long.res", .vllm, 400, .contextTooLong, nil),
        ("recorded-vllm/err-wrong-auth.res", .vllm, 401, .unauthorised, nil),
        ("recorded-llamacpp/err-too-long.res", .llamaCpp, 400, .contextTooLong, nil),
        ("recorded-llamacpp/err-no-auth.res", .llamaCpp, 401, .unauthorised, nil),
    ]

    @Test(.enabled(if: folder != nil), arguments: errors)
    func `a recorded error means what it should`(
        file: String, kind: EngineKind, status: Int, meaning: EngineRefusal.Meaning, retry: Int64?
    ) throws {
        let refusal = try refusal(file, kind, status)
        #expect(refusal.meaning == meaning)
        #expect(refusal.retryAfterMilliseconds == retry)
    }

    /// The samples of heads are flat JSON objects.
    private func head(_ file: String) throws -> AnswerFixture.Headers {
        var headers = AnswerFixture.Headers()
        try #require(WireSampleTests.bytes(file)).withUnsafeBytes { bytes in
            AnswerFacts.members(of: bytes) { key, kind, range in
                headers.fields[key.value(in: bytes)] = AnswerFacts.name(bytes.part(range))
            }
        }
        return headers
    }

    @Test(.enabled(if: folder != nil))
    func `heads say what is left, how long it took and who served`() throws {
        let openAI = try head("openai/response-headers.json")
        #expect(UpstreamQuota(kind: .openAI, headers: openAI, now: Self.now)?.requestsRemaining == 499)
        #expect(UpstreamQuota(kind: .openAI, headers: openAI, now: Self.now)?.tokensRemaining == 199_996)
        let groq = try #require(
            UpstreamQuota(kind: .groq, headers: try head("groq/response-headers.json"), now: Self.now))
        #expect(groq.requestsRemaining == 14_370)
        #expect(groq.tokensRemaining == 17_997)
        // 2 min 59.56 s and 7.66 s.
        #expect(groq.requestsResetMilliseconds == 179_560)
        #expect(groq.tokensResetMilliseconds == 7_660)
        let azure = try head("azure/response-headers.json")
        #expect(UpstreamQuota(kind: .azure, headers: azure, now: Self.now)?.tokensRemaining == 99_998)
        var fixture = AnswerFixture(kind: .openAI, headers: openAI.fields)
        // 2524 ms.
        #expect(try fixture.attempts(try fixture.read("{}").facts)[0].timings.total == 2_524_000)
        fixture = AnswerFixture(
            kind: .azure, headers: try head("azure/response-headers.spillover.json").fields,
            upstreamModel: "spillover-ptu-deployment")
        #expect(try fixture.attempts(try fixture.read("{}").facts)[0].tierServed == "standard")
        #expect(
            EngineRefusal(
                kind: .azure, status: 429, headers: AnswerFixture.Headers(fields: fixture.headers),
                body: UnsafeRawBufferPointer(start: nil, count: 0), now: Self.now
            ).retryAfterMilliseconds == 1_200)
    }

    /// Prompt, of it read from a cache, completion: as the answers of recorded engines have them; vLLM wrote none here.
    private static let recorded: [(String, Int64, Int64, Int64)] = [
        ("recorded-vllm/chat.res", 25, 0, 16), ("recorded-vllm/chat-json-schema.res", 25, 0, 48),
        ("recorded-vllm/chat-logprobs.res", 25, 0, 3), ("recorded-vllm/chat-max-completion-tokens.res", 25, 0, 4),
        ("recorded-vllm/completions.res", 6, 0, 12), ("recorded-vllm/completions-echo-logprobs.res", 4, 0, 2),
        ("recorded-llamacpp/chat-cached-prompt-1.res", 693, 24, 4),
        ("recorded-llamacpp/chat-cached-prompt-2.res", 693, 692, 4),
        ("recorded-llamacpp/chat-json-schema.res", 26, 25, 36), ("recorded-llamacpp/chat-logprobs.res", 26, 25, 3),
        ("recorded-llamacpp/chat-tools.res", 26, 25, 5), ("recorded-llamacpp/err-zero-max-tokens.res", 26, 25, 1),
        ("recorded-llamacpp/completions-echo-logprobs.res", 2, 1, 2),
        ("recorded-llamacpp/err-max-tokens-over-context.res", 26, 25, 107),
    ]

    @Test(.enabled(if: folder != nil), arguments: recorded)
    func `a recorded engine's plain answer is read`(
        file: String, prompt: Int64, cached: Int64, completion: Int64
    ) throws {
        let fixture = AnswerFixture(kind: file.contains("vllm") ? .vllm : .llamaCpp)
        let body = WireSampleTests.body(try #require(WireSampleTests.bytes(file)))
        let attempt = try fixture.attempts(try fixture.read([body]).facts)[0]
        #expect(
            attempt.buckets
                == TokenBuckets(inputUncached: prompt - cached, cacheRead: cached, outputVisible: completion))
        #expect(attempt.usageSource == .engine)
        #expect(attempt.usageComplete)
    }

    @Test(.enabled(if: folder != nil), arguments: ["vllm", "llamacpp"])
    func `a recorded stream that broke off costs what came`(engine: String) throws {
        let fixture = AnswerFixture(kind: engine == "vllm" ? .vllm : .llamaCpp, isStream: true)
        let body = WireSampleTests.body(
            try #require(WireSampleTests.bytes("recorded-\(engine)/chat-stream-aborted.res")))
        let reading = try fixture.read([body])
        #expect(!reading.isTerminated)
        #expect(reading.facts.contentEvents > 0)
        let attempt = try fixture.attempts(reading.facts, isCut: true)[0]
        #expect(attempt.buckets.outputVisible == reading.facts.contentEvents)
        #expect(attempt.usageSource == .estimated)
        #expect(!attempt.usageComplete)
    }
}
