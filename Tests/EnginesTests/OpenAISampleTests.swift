import Metering
import TestSupport
import Testing

@testable import Engines

/// What the samples of the OpenAI family come to, reckoned by hand from the rules before the reader ran: input includes
/// what caches read and wrote, output includes reasoning, and `total = input + output` except at xAI.
@Suite struct OpenAISampleTests {
    struct Sample: Sendable, CustomTestStringConvertible {
        let file: String
        let fixture: AnswerFixture
        let buckets: TokenBuckets
        var tier: String?
        var finish: String? = "stop"
        var timings = EngineTimings()
        var units = UsageUnits()
        var cost: String?
        var testDescription: String { file }
    }

    private static func plain(
        _ file: String, _ kind: EngineKind, _ buckets: TokenBuckets, surface: Surface = .chatCompletions,
        tier: String? = nil, finish: String? = "stop", timings: EngineTimings = EngineTimings(),
        units: UsageUnits = UsageUnits(), cost: String? = nil
    ) -> Sample {
        Sample(
            file: file, fixture: AnswerFixture(kind: kind, surface: surface), buckets: buckets, tier: tier,
            finish: finish, timings: timings, units: units, cost: cost)
    }

    private static func stream(
        _ file: String, _ kind: EngineKind, _ buckets: TokenBuckets, surface: Surface = .chatCompletions,
        tier: String? = nil, finish: String? = "stop", timings: EngineTimings = EngineTimings()
    ) -> Sample {
        Sample(
            file: file, fixture: AnswerFixture(kind: kind, surface: surface, isStream: true), buckets: buckets,
            tier: tier, finish: finish, timings: timings)
    }

    private static let vendors = [
        // 16 prompt, none cached; 363 completion, no reasoning; 16 + 363 = 379.
        plain(
            "openai/chat.json", .openAI, TokenBuckets(inputUncached: 16, outputVisible: 363), tier: "default"),
        // 16 + 300 = 316.
        stream(
            "openai/chat.stream.sse", .openAI, TokenBuckets(inputUncached: 16, outputVisible: 300), tier: "default"),
        // 14 + 16 = 30; the last choice ended by length.
        stream(
            "openai/completions.stream.sse", .openAI, TokenBuckets(inputUncached: 14, outputVisible: 16),
            surface: .completions, finish: "length"),
        // 50 in = 10 text + 40 image; 4160 out, all image; one picture.
        plain(
            "openai/images.usage.json", .openAI,
            TokenBuckets(inputUncached: 10, inputImage: 40, outputImage: 4160), surface: .imageGenerations,
            finish: nil, units: UsageUnits(images: 1)),
        // 2048 in = 1024 read + 512 written + 512 neither; 300 out = 128 reasoning + 172; `fast` is `priority`.
        plain(
            "openai/responses.usage.cache-write.json", .openAI,
            TokenBuckets(
                inputUncached: 512, cacheRead: 1024, cacheWriteFiveMinutes: 512, outputVisible: 172,
                outputReasoning: 128),
            surface: .responses, tier: "priority", finish: "completed"),
        // 28 in = 27 text + 1 audio; 17 out; 28 + 17 = 45.
        plain(
            "openai/usage.audio-in.json", .openAI, TokenBuckets(inputUncached: 27, inputAudio: 1, outputVisible: 17),
            finish: nil),
        // 15 in; 78 out = 64 reasoning + 14; 15 + 78 = 93. The first chunk has no choices and is no usage chunk.
        stream(
            "azure/chat.stream.content-filter.sse", .azure,
            TokenBuckets(inputUncached: 15, outputVisible: 14, outputReasoning: 64)),
        // 11 + 11 = 22.
        plain(
            "azure/responses.json", .azure, TokenBuckets(inputUncached: 11, outputVisible: 11), surface: .responses,
            tier: "default", finish: "completed"),
        // 11 + 11 = 22; `auto` at the start, `default` at the end.
        stream(
            "azure/responses.stream.sse", .azure, TokenBuckets(inputUncached: 11, outputVisible: 11),
            surface: .responses, tier: "default", finish: "completed"),
        // 322 in = 256 read + 66; 65 out = 58 reasoning + 7; 322 + 65 = 387. Seconds as microseconds, cut off.
        plain(
            "cerebras/chat.time_info.json", .cerebras,
            TokenBuckets(inputUncached: 66, cacheRead: 256, outputVisible: 7, outputReasoning: 58),
            finish: "tool_calls",
            timings: EngineTimings(queue: 2_922, prefill: 10_518, decode: 118_095, total: 132_992)),
        // hit 0 + miss 18 = 18; 345 out = 315 reasoning + 30.
        plain(
            "deepseek/chat.reasoning.json", .deepSeek,
            TokenBuckets(inputUncached: 18, outputVisible: 30, outputReasoning: 315)),
        // 17; 649 = 570 reasoning + 79; 17 + 649 = 666. `on_demand` is the base tier.
        plain(
            "groq/chat.reasoning.json", .groq,
            TokenBuckets(inputUncached: 17, outputVisible: 79, outputReasoning: 570), tier: "standard",
            timings: EngineTimings(queue: 335_637, prefill: 658, decode: 1_231_022, total: 1_231_680)),
        // 45 + 607 = 652.
        plain(
            "groq/chat.text.json", .groq, TokenBuckets(inputUncached: 45, outputVisible: 607), tier: "standard",
            timings: EngineTimings(queue: 41_876, prefill: 1_954, decode: 2_245_177, total: 2_247_131)),
        // 45 + 662 = 707, said twice on a chunk with choices.
        stream(
            "groq/chat.text.stream.sse", .groq, TokenBuckets(inputUncached: 45, outputVisible: 662),
            timings: EngineTimings(queue: 41_905, prefill: 3_940, decode: 2_652_230, total: 2_656_170)),
        // 31 + 12 = 43; 31 + 2 = 33 on the last chunk with choices.
        plain("together/chat.json", .together, TokenBuckets(inputUncached: 31, outputVisible: 12)),
        stream("together/chat.stream.sse", .together, TokenBuckets(inputUncached: 31, outputVisible: 2)),
        // 74 + 500 = 574; 500 = 179 reasoning + 321.
        plain(
            "openrouter/usage.json", .openRouter,
            TokenBuckets(inputUncached: 74, outputVisible: 321, outputReasoning: 179), finish: nil,
            cost: "0.01224475"),
        // Our own key at the provider: OpenRouter takes nothing, the provider 0.0001349.
        plain(
            "openrouter/usage.byok.json", .openRouter, TokenBuckets(inputUncached: 74, outputVisible: 500),
            finish: nil, cost: "0.0001349"),
    ]

    private static let engines = [
        // 10 + 51 = 61; seconds as microseconds.
        plain(
            "sambanova/chat.json", .sambaNova, TokenBuckets(inputUncached: 10, outputVisible: 51),
            timings: EngineTimings(firstToken: 131_347, total: 377_414)),
        // 42 in = 32 read + 10; 16 out.
        plain(
            "tenstorrent/chat.json", .tenstorrent, TokenBuckets(inputUncached: 10, cacheRead: 32, outputVisible: 16),
            timings: EngineTimings(firstToken: 45_200)),
        // 28 + 64 = 92.
        plain("tensorrt-llm/chat.json", .tensorRTLLM, TokenBuckets(inputUncached: 28, outputVisible: 64)),
        // 42 in = 16 read + 26; 128 out; milliseconds as microseconds.
        plain(
            "vllm/chat.per-request-metrics.json", .vllm,
            TokenBuckets(inputUncached: 26, cacheRead: 16, outputVisible: 128),
            timings: EngineTimings(queue: 12_300, decode: 1_240_500, firstToken: 85_200)),
        // The last of the running counts, 11 + 2 = 13, never their sum.
        stream(
            "vllm/chat.stream.continuous_usage_stats.sse", .vllm, TokenBuckets(inputUncached: 11, outputVisible: 2)),
        stream(
            "vllm/chat.stream.include_usage.sse", .vllm, TokenBuckets(inputUncached: 11, outputVisible: 2),
            timings: EngineTimings(queue: 300, decode: 9_000, firstToken: 85_200)),
        // 61 + 100 = 161; the null usage inside the choice is none.
        plain("tgi/chat.json", .tgi, TokenBuckets(inputUncached: 61, outputVisible: 100), finish: "length"),
        // 39 + 3 = 42.
        stream("tgi/chat.stream.include_usage.sse", .tgi, TokenBuckets(inputUncached: 39, outputVisible: 3)),
        // 770 in = 768 written + 2; then 768 read + 2.
        plain(
            "recorded-vllm/chat-cached-prompt-1.res", .vllm,
            TokenBuckets(inputUncached: 2, cacheWriteFiveMinutes: 768, outputVisible: 4), finish: "length"),
        plain(
            "recorded-vllm/chat-cached-prompt-2.res", .vllm,
            TokenBuckets(inputUncached: 2, cacheRead: 768, outputVisible: 4), finish: "length"),
        // 9 + 12 = 21; cut short by its limit.
        plain(
            "recorded-vllm/responses.res", .vllm, TokenBuckets(inputUncached: 9, outputVisible: 12),
            surface: .responses, tier: "auto", finish: "max_output_tokens"),
        stream(
            "recorded-vllm/chat-stream-continuous-usage.res", .vllm,
            TokenBuckets(inputUncached: 25, outputVisible: 8), finish: "length"),
        stream(
            "recorded-vllm/chat-stream-usage.res", .vllm, TokenBuckets(inputUncached: 25, outputVisible: 16),
            finish: "length"),
        // 26 in = 25 read + 1; 5 out.
        stream(
            "recorded-llamacpp/chat-stream-usage.res", .llamaCpp,
            TokenBuckets(inputUncached: 1, cacheRead: 25, outputVisible: 5),
            timings: EngineTimings(prefill: 28_563, decode: 96_975)),
        // 26 in = 7 read + 19; 5 out; 277.404 ms and 62.005 ms.
        plain(
            "recorded-llamacpp/chat.res", .llamaCpp,
            TokenBuckets(inputUncached: 19, cacheRead: 7, outputVisible: 5),
            timings: EngineTimings(prefill: 277_404, decode: 62_005)),
        // 33 in = 32 read + 1; 12 out.
        plain(
            "recorded-llamacpp/responses.res", .llamaCpp,
            TokenBuckets(inputUncached: 1, cacheRead: 32, outputVisible: 12), surface: .responses,
            finish: "completed"),
        // 4 in = 1 read + 3; 12 out.
        plain(
            "recorded-llamacpp/completions.res", .llamaCpp,
            TokenBuckets(inputUncached: 3, cacheRead: 1, outputVisible: 12), surface: .completions, finish: "length",
            timings: EngineTimings(prefill: 29_203)),
    ]

    @Test(.enabled(if: WireSampleTests.folder != nil), arguments: vendors + engines)
    func `a sample comes to what was reckoned by hand`(sample: Sample) throws {
        let body = WireSampleTests.body(try #require(WireSampleTests.bytes(sample.file)))
        let reading = try sample.fixture.read([body])
        let facts = reading.facts
        #expect(!facts.hasError)
        #expect(facts.unreadCount == 0)
        #expect(facts.isTerminated == sample.fixture.isStream)
        let attempts = try sample.fixture.attempts(facts)
        #expect(attempts.count == 1)
        let attempt = try #require(attempts.first)
        #expect(attempt.buckets == sample.buckets)
        #expect(attempt.contradiction == nil)
        #expect(attempt.usageSource == .engine)
        #expect(attempt.usageComplete)
        #expect(attempt.tierServed == sample.tier)
        #expect(attempt.finishReason == sample.finish)
        #expect(attempt.units == sample.units)
        #expect(attempt.engineCost == sample.cost)
        // Of the recorded llama.cpp answers only what the sample's arithmetic names is compared.
        if let expected = sample.timings.queue { #expect(attempt.timings.queue == expected) }
        if let expected = sample.timings.prefill { #expect(attempt.timings.prefill == expected) }
        if let expected = sample.timings.decode { #expect(attempt.timings.decode == expected) }
        if let expected = sample.timings.firstToken { #expect(attempt.timings.firstToken == expected) }
        if let expected = sample.timings.total { #expect(attempt.timings.total == expected) }
        for seed in propertySeeds.prefix(20) {
            var generator = SeededGenerator(seed: seed)
            let cut = try sample.fixture.read(Fixture.pieces(of: body, using: &generator))
            #expect(cut == reading, "seed \(seed)")
        }
    }
}
