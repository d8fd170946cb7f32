import Metering
import TestSupport
import Testing

@testable import Engines

/// What usage objects come to whose parts are of several kinds, or do not fit.
@Suite struct UsageRuleTests {
    private func usage(_ text: String) throws -> EngineUsage {
        try #require(Array(text.utf8).withUnsafeBytes { EngineUsage(object: $0) })
    }

    private static let counted: [(String, TokenBuckets)] = [
        // 900 in: 300 audio, 200 image, 400 text; 250 cached, all text as nothing else is said; 150 text left.
        (
            #"""
            {"prompt_tokens":900,"completion_tokens":70,"total_tokens":970,
            "prompt_tokens_details":{"audio_tokens":300,"image_tokens":200,"text_tokens":400,"cached_tokens":250},
            "completion_tokens_details":{"audio_tokens":50,"text_tokens":20,"reasoning_tokens":0}}
            """#,
            TokenBuckets(
                inputUncached: 150, inputAudio: 300, inputImage: 200, cacheRead: 250, outputVisible: 20,
                outputAudio: 50)
        ),
        // 500 in: 350 audio, 150 text; 220 cached of which 90 audio, so 130 text cached, 20 text and 260 audio not.
        (
            #"""
            {"input_tokens":500,"output_tokens":40,"total_tokens":540,
            "input_tokens_details":{"audio_tokens":350,"text_tokens":150,"cached_tokens":220,
            "cached_tokens_details":{"text_tokens":130,"audio_tokens":90}}}
            """#,
            TokenBuckets(
                inputUncached: 20, inputAudio: 260, cacheRead: 130, cacheReadAudio: 90, outputVisible: 40)
        ),
        // 100 in, 80 of them image; 60 cached cannot all be the 20 of text: 40 of the image were cached too.
        (
            #"{"prompt_tokens":100,"completion_tokens":1,"prompt_tokens_details":{"image_tokens":80,"#
                + #""cached_tokens":60}}"#,
            TokenBuckets(inputImage: 40, cacheRead: 20, cacheReadImage: 40, outputVisible: 1)
        ),
        // Kinds that do not add up (30 + 20 of 64): the rest stays with the text.
        (
            #"{"prompt_tokens":64,"completion_tokens":2,"prompt_tokens_details":{"text_tokens":20,"audio_tokens":30}}"#,
            TokenBuckets(inputUncached: 34, inputAudio: 30, outputVisible: 2)
        ),
        // 1000 written, 600 of them for an hour.
        (
            #"""
            {"prompt_tokens":1200,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":100,
            "cache_write_tokens":1000,"cache_creation_token_details":{"ephemeral_5m_input_tokens":400,
            "ephemeral_1h_input_tokens":600}}}
            """#,
            TokenBuckets(
                inputUncached: 100, cacheRead: 100, cacheWriteFiveMinutes: 400, cacheWriteHour: 600, outputVisible: 5)
        ),
        // vLLM's kinds: 90 in = 60 image + 30.
        (
            #"""
            {"prompt_tokens":90,"completion_tokens":3,"total_tokens":93,
            "prompt_tokens_details":{"cached_tokens":null,"multimodal_tokens":{"image":60}}}
            """#,
            TokenBuckets(inputUncached: 30, inputImage: 60, outputVisible: 3)
        ),
        // DeepSeek without the sum: 70 + 11 = 81.
        (
            #"{"prompt_cache_hit_tokens":70,"prompt_cache_miss_tokens":11,"completion_tokens":9}"#,
            TokenBuckets(inputUncached: 11, cacheRead: 70, outputVisible: 9)
        ),
        // Foundry's DeepSeek: reasoning beside the totals, details null. 50 = 44 + 6.
        (
            #"{"prompt_tokens":8,"completion_tokens":50,"total_tokens":58,"#
                + #""reasoning_tokens":44,"prompt_tokens_details":null}"#,
            TokenBuckets(inputUncached: 8, outputVisible: 6, outputReasoning: 44)
        ),
        // Together: cached tokens beside the totals.
        (
            #"{"prompt_tokens":31,"completion_tokens":12,"total_tokens":43,"cached_tokens":30}"#,
            TokenBuckets(inputUncached: 1, cacheRead: 30, outputVisible: 12)
        ),
        // xAI: 37 = 12 + 5 + 20, so reasoning comes on top; 7 of the 12 cached.
        (
            #"""
            {"prompt_tokens":12,"completion_tokens":5,"total_tokens":37,"num_sources_used":0,
            "prompt_tokens_details":{"text_tokens":12,"audio_tokens":0,"image_tokens":0,"cached_tokens":7},
            "completion_tokens_details":{"reasoning_tokens":20,"audio_tokens":0}}
            """#,
            TokenBuckets(inputUncached: 5, cacheRead: 7, outputVisible: 5, outputReasoning: 20)
        ),
        // Rejected predictions are part of the completion and cost the same.
        (
            #"""
            {"prompt_tokens":9,"completion_tokens":30,"total_tokens":39,
            "completion_tokens_details":{"accepted_prediction_tokens":8,"rejected_prediction_tokens":12}}
            """#,
            TokenBuckets(inputUncached: 9, outputVisible: 30)
        ),
    ]

    @Test(arguments: counted)
    func `kinds and caches become disjoint`(text: String, expected: TokenBuckets) throws {
        #expect(try usage(text).buckets() == .counted(expected))
    }

    private static let contradictory = [
        // More of one kind than there is in all, or cached of a kind than was given.
        #"{"prompt_tokens":10,"completion_tokens":1,"prompt_tokens_details":{"audio_tokens":11}}"#,
        #"{"prompt_tokens":10,"completion_tokens":1,"prompt_tokens_details":{"audio_tokens":3,"cached_tokens":5,"#
            + #""cached_tokens_details":{"audio_tokens":4}}}"#,
        #"{"prompt_tokens":10,"completion_tokens":5,"#
            + #""completion_tokens_details":{"reasoning_tokens":3,"audio_tokens":3}}"#,
        #"{"prompt_tokens":10,"completion_tokens":1,"prompt_tokens_details":{"audio_tokens":-1}}"#,
        #"{"prompt_tokens":10,"completion_tokens":1,"prompt_tokens_details":{"image_tokens":"3"}}"#,
        #"{"prompt_tokens":10,"completion_tokens":1,"prompt_tokens_details":{"image_tokens":9e30}}"#,
    ]

    @Test(arguments: contradictory)
    func `kinds that cannot be true are text, and it is said`(text: String) throws {
        let reading = try usage(text).buckets()
        #expect(reading.dispute != nil)
        #expect(reading.buckets.inputTotal == 10)
        #expect(reading.buckets.inputAudio + reading.buckets.inputImage <= 3)
    }

    @Test func `whatever a usage object says, its buckets add up to its totals or it says what disagrees`() throws {
        for seed in propertySeeds {
            var generator = SeededGenerator(seed: seed)
            var usage = EngineUsage()
            usage.rule = [.inclusive, .cacheApart, .reasoningApart].randomElement(using: &generator) ?? .inclusive
            func count() -> Int64? {
                [nil, Int64.random(in: 0...20, using: &generator), Int64.random(in: 0...200, using: &generator)]
                    .randomElement(using: &generator) ?? nil
            }
            let prompt = Int64.random(in: 0...300, using: &generator)
            let completion = Int64.random(in: 0...300, using: &generator)
            usage.promptTokens = prompt
            usage.completionTokens = completion
            (usage.cachedTokens, usage.cacheWriteTokens, usage.reasoningTokens) = (count(), count(), count())
            usage.inputParts = ModalityTokens(text: count(), audio: count(), image: count(), video: count())
            usage.cachedParts = ModalityTokens(text: nil, audio: count(), image: nil, video: nil)
            usage.outputParts = ModalityTokens(text: nil, audio: count(), image: count())
            guard case .counted(let buckets) = usage.buckets() else { continue }
            #expect(buckets.isPlausible, "seed \(seed)")
            let apart = usage.rule == .cacheApart ? (usage.cachedTokens ?? 0) + (usage.cacheWriteTokens ?? 0) : 0
            #expect(buckets.inputTotal == prompt + apart, "seed \(seed)")
            let reasoning = usage.rule == .reasoningApart ? usage.reasoningTokens ?? 0 : 0
            #expect(buckets.outputTotal == completion + reasoning, "seed \(seed)")
        }
    }

    @Test(arguments: [
        (#"{"cost_in_usd_ticks":158500}"#, "0.00001585"), (#"{"cost_in_usd_ticks":37756000}"#, "0.0037756"),
        (#"{"cost":1.2e-05}"#, "0.000012"), (#"{"cost":0}"#, "0"), (#"{"cost":3}"#, "3"),
        (#"{"cost":0,"is_byok":true,"cost_details":{"upstream_inference_cost":0.25}}"#, "0.25"),
        (#"{"cost":0.01,"is_byok":false,"cost_details":{"upstream_inference_cost":0.25}}"#, "0.01"),
        (#"{"cost":0.5,"cost_details":{"upstream_inference_cost":null}}"#, "0.5"),
    ])
    func `what an answer costs us is read as decimal text`(text: String, cost: String) throws {
        #expect(try usage(text).engineCost == cost)
    }

    @Test(
        arguments: [
            ("0.000658349", 6, 658), ("1e-3", 6, 1_000), ("2.5E+1", 0, 25), ("12", 3, 12_000), ("0.0000009", 6, 0),
            ("123456789.123456789123", 3, 123_456_789_123), ("-0.5", 6, nil), ("1e40", 0, nil), ("1e-400", 6, 0),
            ("", 3, nil), (".", 3, nil), ("1x", 3, nil), ("9223372036854775807", 0, 9_223_372_036_854_775_800),
        ] as [(String, Int, Int64?)])
    func `decimal text becomes whole units without a binary fraction`(text: String, exponent: Int, expected: Int64?) {
        #expect(DecimalText.scaled(text, exponent: exponent) == expected)
    }
}
