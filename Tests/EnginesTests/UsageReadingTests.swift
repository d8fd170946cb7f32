import Metering
import TestSupport
import Testing

@testable import Engines

/// The shapes in which providers tell their usage: each is a reading, and none is a contradiction.
@Suite struct UsageReadingTests {
    private static func usage(_ text: String, _ names: UsageNames = .openAI) -> EngineUsage? {
        Array(text.utf8).withUnsafeBytes { EngineUsage(object: $0, names: names) }
    }

    private static let known: [(String, UsageQuirks, TokenBuckets)] = [
        // Thoughts only in the total: 700 - 30 - 50 = 620 (Google's endpoint in OpenAI's dialect).
        (
            #"{"prompt_tokens":30,"completion_tokens":50,"total_tokens":700}"#, .thoughtsInTotal,
            TokenBuckets(inputUncached: 30, outputVisible: 50, outputReasoning: 620)
        ),
        // The same beside a cache: the cached 20 are among the 30.
        (
            #"{"prompt_tokens":30,"completion_tokens":50,"total_tokens":90,"#
                + #""prompt_tokens_details":{"cached_tokens":20}}"#, .thoughtsInTotal,
            TokenBuckets(inputUncached: 10, cacheRead: 20, outputVisible: 50, outputReasoning: 10)
        ),
        // A cache beside the prompt, as the total shows: 12 + 400 + 90 + 7 = 509.
        (
            #"{"prompt_tokens":12,"completion_tokens":7,"total_tokens":509,"cache_read_input_tokens":400,"#
                + #""cache_creation_input_tokens":90}"#, [],
            TokenBuckets(inputUncached: 12, cacheRead: 400, cacheWriteFiveMinutes: 90, outputVisible: 7)
        ),
        // The same with a total that leaves the cache out, more of which there is than prompt.
        (
            #"{"prompt_tokens":12,"completion_tokens":7,"total_tokens":19,"cache_read_input_tokens":400}"#, [],
            TokenBuckets(inputUncached: 12, cacheRead: 400, outputVisible: 7)
        ),
        // Under the same names inside the prompt (routers): 500 of 512.
        (
            #"{"prompt_tokens":512,"completion_tokens":7,"total_tokens":519,"cache_read_input_tokens":500}"#, [],
            TokenBuckets(inputUncached: 12, cacheRead: 500, outputVisible: 7)
        ),
        // A total without what the cache served: 1000 - 800 + 60 = 260.
        (
            #"{"prompt_tokens":1000,"completion_tokens":60,"total_tokens":260,"#
                + #""prompt_tokens_details":{"cached_tokens":800}}"#, [],
            TokenBuckets(inputUncached: 200, cacheRead: 800, outputVisible: 60)
        ),
        // Perplexity: citations are input, reasoning is output beside the completion, neither is in the total.
        (
            #"{"prompt_tokens":21,"completion_tokens":900,"total_tokens":921,"citation_tokens":3000,"#
                + #""num_search_queries":17,"reasoning_tokens":5000}"#, [],
            TokenBuckets(inputUncached: 3021, outputVisible: 900, outputReasoning: 5000)
        ),
        // Less reasoning than completion does not make it part of it there.
        (
            #"{"prompt_tokens":21,"completion_tokens":900,"total_tokens":921,"num_search_queries":2,"#
                + #""reasoning_tokens":800}"#, [],
            TokenBuckets(inputUncached: 21, outputVisible: 900, outputReasoning: 800)
        ),
        // A zero under the documented name, the count under another.
        (
            #"{"prompt_tokens":40,"completion_tokens":2,"cached_tokens":32,"#
                + #""prompt_tokens_details":{"cached_tokens":0}}"#, [],
            TokenBuckets(inputUncached: 8, cacheRead: 32, outputVisible: 2)
        ),
        (
            #"{"prompt_tokens":40,"completion_tokens":2,"prompt_tokens_details":{"prompt_cache_hit_tokens":8,"#
                + #""cache_creation_input_tokens":30,"cache_creation":{"ephemeral_1h_input_tokens":10}}}"#, [],
            TokenBuckets(
                inputUncached: 2, cacheRead: 8, cacheWriteFiveMinutes: 20, cacheWriteHour: 10, outputVisible: 2)
        ),
        (
            #"{"inputTokens":5,"outputTokens":6,"totalTokens":11}"#, [],
            TokenBuckets(inputUncached: 5, outputVisible: 6)
        ),
        // A total of zero says nothing.
        (
            #"{"prompt_tokens":5,"completion_tokens":6,"total_tokens":0}"#, [],
            TokenBuckets(inputUncached: 5, outputVisible: 6)
        ),
    ]

    @Test(arguments: known)
    func `a shape that a provider is known for is read without a doubt`(
        text: String, quirks: UsageQuirks, expected: TokenBuckets
    ) throws {
        #expect(try #require(Self.usage(text)).buckets(quirks: quirks) == .counted(expected))
    }

    @Test func `what is beyond the parts of a total is nobody's where thoughts have a name`() throws {
        let usage = try #require(Self.usage(#"{"prompt_tokens":30,"completion_tokens":50,"total_tokens":700}"#))
        let reading = usage.buckets()
        #expect(reading.dispute != nil)
        #expect(reading.buckets == TokenBuckets(inputUncached: 30, outputVisible: 50))
    }

    @Test func `a total below its parts takes from the output what was not delivered`() throws {
        let usage = try #require(Self.usage(#"{"prompt_tokens":100,"completion_tokens":50,"total_tokens":120}"#))
        #expect(usage.buckets(delivered: 18).buckets == TokenBuckets(inputUncached: 100, outputVisible: 20))
        #expect(usage.buckets(delivered: 45).buckets == TokenBuckets(inputUncached: 70, outputVisible: 50))
        #expect(usage.buckets(delivered: 45).dispute != nil)
    }

    private static let bedrock: [(String, TokenBuckets, Bool)] = [
        // The input is what was written and 3 more: it includes it.
        (
            #"{"inputTokens":2051,"outputTokens":9,"totalTokens":4108,"cacheWriteInputTokens":2048}"#,
            TokenBuckets(inputUncached: 3, cacheWriteFiveMinutes: 2048, outputVisible: 9), true
        ),
        (
            #"{"inputTokens":6060,"outputTokens":9,"cacheReadInputTokens":4000,"cacheWriteInputTokens":2000}"#,
            TokenBuckets(inputUncached: 60, cacheRead: 4000, cacheWriteFiveMinutes: 2000, outputVisible: 9), true
        ),
        // As documented: beside the cache, whether the total has it or not.
        (
            #"{"inputTokens":3,"outputTokens":9,"totalTokens":2060,"cacheReadInputTokens":2048}"#,
            TokenBuckets(inputUncached: 3, cacheRead: 2048, outputVisible: 9), false
        ),
        (
            #"{"inputTokens":9000,"outputTokens":9,"totalTokens":9009,"cacheReadInputTokens":5000}"#,
            TokenBuckets(inputUncached: 9000, cacheRead: 5000, outputVisible: 9), false
        ),
        // Too small to be kept by a cache of theirs: an accident.
        (
            #"{"inputTokens":101,"outputTokens":9,"cacheReadInputTokens":100}"#,
            TokenBuckets(inputUncached: 101, cacheRead: 100, outputVisible: 9), false
        ),
    ]

    @Test(arguments: bedrock)
    func `Bedrock's input includes its caches where the numbers show it`(
        text: String, expected: TokenBuckets, isNoted: Bool
    ) throws {
        let bytes = Array(text.utf8)
        let usage = try bytes.withUnsafeBytes { buffer in
            var scanner = JSONScanner(buffer)
            return try BedrockUsage(scanner: &scanner, bytes: buffer).usage
        }
        #expect(usage.buckets().buckets == expected)
        #expect((usage.buckets().dispute != nil) == isNoted)
    }

    private static let quirky: [(UsageQuirks, String, UsageNames, TokenBuckets)] = [
        (
            .inputIncludesCache, #"{"input_tokens":900,"output_tokens":5,"cache_read_input_tokens":700}"#, .anthropic,
            TokenBuckets(inputUncached: 200, cacheRead: 700, outputVisible: 5)
        ),
        (
            .inputExcludesCache,
            #"{"prompt_tokens":900,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":700}}"#, .openAI,
            TokenBuckets(inputUncached: 900, cacheRead: 700, outputVisible: 5)
        ),
        (
            .outputExcludesReasoning,
            #"{"prompt_tokens":9,"completion_tokens":50,"completion_tokens_details":{"reasoning_tokens":40}}"#, .openAI,
            TokenBuckets(inputUncached: 9, outputVisible: 50, outputReasoning: 40)
        ),
        (
            .outputIncludesReasoning,
            #"{"promptTokenCount":9,"candidatesTokenCount":50,"thoughtsTokenCount":40}"#, .gemini,
            TokenBuckets(inputUncached: 9, outputVisible: 10, outputReasoning: 40)
        ),
        (
            .cacheReadRepeatsInput, #"{"input_tokens":900,"output_tokens":5,"cache_read_input_tokens":900}"#,
            .anthropic, TokenBuckets(inputUncached: 900, outputVisible: 5)
        ),
        (
            .totalUnreliable, #"{"prompt_tokens":9,"completion_tokens":5,"total_tokens":5}"#, .openAI,
            TokenBuckets(inputUncached: 9, outputVisible: 5)
        ),
    ]

    @Test(arguments: quirky)
    func `what the catalogue says of a backend is believed`(
        quirk: UsageQuirks, text: String, names: UsageNames, expected: TokenBuckets
    ) throws {
        #expect(try #require(Self.usage(text, names)).buckets(quirks: quirk) == .counted(expected))
    }

    /// What a provider means is made up first, told in its shape, and has to be read back.
    @Test func `whatever an engine means by its shape is what is read`() throws {
        for seed in propertySeeds {
            var generator = SeededGenerator(seed: seed)
            func some(_ range: ClosedRange<Int64>) -> Int64 { Int64.random(in: range, using: &generator) }
            let uncached = some(1...3000)
            let read = some(0...3000)
            let written = some(0...900)
            let visible = some(1...900)
            var thought = some(1...900)
            // So much thought that it could as well be the cache is not told apart.
            while [read, written, read + written].contains(thought) { thought += 1 }
            let input = uncached + read + written
            let details = #""prompt_tokens_details":{"cached_tokens":\#(read),"cache_write_tokens":\#(written)}"#
            let reasoning = #""completion_tokens_details":{"reasoning_tokens":\#(thought)}"#
            let all = TokenBuckets(
                inputUncached: uncached, cacheRead: read, cacheWriteFiveMinutes: written, outputVisible: visible,
                outputReasoning: thought)
            let shapes: [(String, UsageNames)] = [
                (
                    #"{"prompt_tokens":\#(input),"completion_tokens":\#(visible + thought),"total_tokens":"#
                        + #"\#(input + visible + thought),\#(details),\#(reasoning)}"#, .openAI
                ),
                (
                    #"{"prompt_tokens":\#(input),"completion_tokens":\#(visible),"total_tokens":"#
                        + #"\#(input + visible + thought),\#(details),\#(reasoning)}"#, .openAI
                ),
                (
                    #"{"prompt_tokens":\#(input),"completion_tokens":\#(visible),"total_tokens":"#
                        + #"\#(input + visible + thought),\#(details)}"#, .openAI
                ),
                (
                    #"{"input_tokens":\#(uncached),"output_tokens":\#(visible + thought),"#
                        + #""cache_read_input_tokens":\#(read),"cache_creation_input_tokens":\#(written),"#
                        + #""output_tokens_details":{"thinking_tokens":\#(thought)}}"#, .anthropic
                ),
                (
                    #"{"prompt_tokens":\#(input),"completion_tokens":\#(visible),"total_tokens":\#(input + visible),"#
                        + #"\#(details),"num_search_queries":1,"reasoning_tokens":\#(thought)}"#, .openAI
                ),
            ]
            for (text, names) in shapes {
                let usage = try #require(Self.usage(text, names), "\(text)")
                #expect(usage.buckets(quirks: .thoughtsInTotal).buckets == all, "seed \(seed): \(text)")
            }
            let gemini =
                #"{"promptTokenCount":\#(input),"candidatesTokenCount":\#(visible),"thoughtsTokenCount":\#(thought),"#
                + #""cachedContentTokenCount":\#(read),"totalTokenCount":\#(input + visible + thought)}"#
            #expect(
                try #require(Self.usage(gemini, .gemini)).buckets()
                    == .counted(
                        TokenBuckets(
                            inputUncached: input - read, cacheRead: read, outputVisible: visible,
                            outputReasoning: thought)), "seed \(seed)")
        }
    }

    /// Whatever the numbers are, there is a reading: of none a bucket is negative, and nothing is counted twice.
    @Test func `any numbers come to buckets that a record can hold`() {
        for seed in propertySeeds {
            var generator = SeededGenerator(seed: seed)
            func count() -> Int64? {
                let sizes: [ClosedRange<Int64>] = [0...0, 0...20, 0...5000, -5 ... -1, .max - 9 ... .max]
                guard let range = sizes.randomElement(using: &generator), Bool.random(using: &generator) else {
                    return nil
                }
                return Int64.random(in: range, using: &generator)
            }
            var usage = EngineUsage()
            usage.rule = [.inclusive, .cacheApart, .reasoningApart].randomElement(using: &generator) ?? .inclusive
            (usage.promptTokens, usage.completionTokens, usage.totalTokens) = (count(), count(), count())
            (usage.cachedTokens, usage.cacheWriteTokens, usage.cacheWriteHourTokens) = (count(), count(), count())
            (usage.reasoningTokens, usage.toolPromptTokens) = (count(), count())
            usage.inputParts = ModalityTokens(text: count(), audio: count(), image: count(), video: count())
            usage.cachedParts = ModalityTokens(text: count(), audio: count(), image: count(), video: count())
            usage.outputParts = ModalityTokens(text: count(), audio: count(), image: count(), video: count())
            usage.isReasoningBeside = Bool.random(using: &generator)
            usage.isCacheNamedApart = Bool.random(using: &generator)
            usage.hasSearchesBeside = Bool.random(using: &generator)
            usage.mayIncludeCache = Bool.random(using: &generator)
            let quirks = UsageQuirks(rawValue: UInt16.random(in: 0...255, using: &generator))
            let buckets = usage.buckets(quirks: quirks, delivered: Int64.random(in: 0...50, using: &generator)).buckets
            #expect(buckets.isPlausible, "seed \(seed)")
        }
    }

    @Test(
        arguments: [
            ("0.5", "0.25", "0.75"), ("1.2e-05", "3", "3.000012"), ("0", "0.1", "0.1"),
            ("0.001803975", "0.0360795", "0.037883475"),
            ("-1", "0.5", "-0.5"), ("1e18", "1e-18", nil), ("x", "1", nil),
        ] as [(String, String, String?)])
    func `costs are added without a binary fraction`(left: String, right: String, sum: String?) {
        #expect(DecimalText.sum(left, right) == sum)
    }
}
