import Engines
import Identity
import Metering
import TestSupport
import Testing

@Suite struct EngineUsageTests {
    private func plain(_ usage: String) -> AnswerFacts {
        Fixture.readPlain(
            #"{"id":"c-1","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","#
                + #""content":"usage: {\"prompt_tokens\":1} tokens"},"finish_reason":"stop"}],"usage":\#(usage)}"#)
    }

    private func buckets(_ usage: String) -> UsageBuckets? { plain(usage).usage?.buckets() }

    private static let counted: [(String, TokenBuckets)] = [
        (plainUsage, TokenBuckets(inputUncached: 10, outputVisible: 4)),
        (
            #"{"prompt_tokens":10,"completion_tokens":4,"total_tokens":14,"prompt_tokens_details":null}"#,
            TokenBuckets(inputUncached: 10, outputVisible: 4)
        ),
        (deepSeek, TokenBuckets(inputUncached: 10, cacheRead: 8, outputVisible: 30, outputReasoning: 315)),
        (xAI, TokenBuckets(inputUncached: 12, outputVisible: 2, outputReasoning: 320)),
        (vLLM, TokenBuckets(inputUncached: 32, cacheWriteFiveMinutes: 768, outputVisible: 16)),
        (groq, TokenBuckets(inputUncached: 45, outputVisible: 662)),
        (
            #"{"prompt_tokens":10.0,"completion_tokens":4,"reasoning_tokens":3}"#,
            TokenBuckets(inputUncached: 10, outputVisible: 1, outputReasoning: 3)
        ),
    ]

    private static let plainUsage = #"{"prompt_tokens":10,"completion_tokens":4,"total_tokens":14}"#

    /// Hit and miss make the prompt, reasoning is inside the completion.
    private static let deepSeek = #"""
        {"prompt_tokens":18,"completion_tokens":345,"total_tokens":363,"prompt_cache_hit_tokens":8,
        "prompt_cache_miss_tokens":10,"completion_tokens_details":{"reasoning_tokens":315}}
        """#

    /// Reasoning comes on top, as the total shows.
    private static let xAI = #"""
        {"prompt_tokens":12,"completion_tokens":2,"total_tokens":334,
        "completion_tokens_details":{"reasoning_tokens":320}}
        """#

    /// Names what it wrote to its cache in its own way.
    private static let vLLM = #"""
        {"prompt_tokens":800,"total_tokens":816,"completion_tokens":16,"completion_tokens_details":null,
        "prompt_tokens_details":{"cached_tokens":0,"created_cache_tokens":768,"multimodal_tokens":null}}
        """#

    /// Times between the counts.
    private static let groq = #"""
        {"queue_time":0.04,"prompt_tokens":45,"prompt_time":3.9e-3,"completion_tokens":662,"total_tokens":707}
        """#

    @Test(arguments: counted)
    func `counts are taken apart into disjoint buckets`(usage: String, expected: TokenBuckets) {
        #expect(buckets(usage) == .counted(expected))
        #expect(expected.inputTotal + expected.outputTotal > 0)
    }

    /// What was delivered is 35 bytes of text: at least 4 tokens, and 9 by estimate; the prompt of 40 bytes is 10.
    private static let contradictory: [(String, TokenBuckets, UsageSource)] = [
        (
            #"{"prompt_tokens":10,"completion_tokens":4,"total_tokens":15}"#,
            TokenBuckets(inputUncached: 10, outputVisible: 4), .engine
        ),
        (
            #"{"prompt_tokens":10,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":11}}"#,
            TokenBuckets(cacheRead: 10, outputVisible: 4), .engine
        ),
        (
            #"{"prompt_tokens":10,"completion_tokens":4,"#
                + #""prompt_tokens_details":{"cached_tokens":6,"cache_write_tokens":5}}"#,
            TokenBuckets(cacheRead: 6, cacheWriteFiveMinutes: 4, outputVisible: 4), .engine
        ),
        (
            #"{"prompt_tokens":10,"completion_tokens":4,"completion_tokens_details":{"reasoning_tokens":5}}"#,
            TokenBuckets(inputUncached: 10, outputReasoning: 4), .engine
        ),
        (
            #"{"prompt_tokens":-1,"completion_tokens":4}"#, TokenBuckets(inputUncached: 10, outputVisible: 4),
            .estimated
        ),
        (
            #"{"prompt_tokens":-1,"completion_tokens":4,"total_tokens":19}"#,
            TokenBuckets(inputUncached: 15, outputVisible: 4), .engine
        ),
        (
            #"{"prompt_tokens":10.5,"completion_tokens":4}"#, TokenBuckets(inputUncached: 10, outputVisible: 4),
            .estimated
        ),
        (
            #"{"prompt_tokens":"10","completion_tokens":4}"#, TokenBuckets(inputUncached: 10, outputVisible: 4),
            .estimated
        ),
        (
            #"{"prompt_tokens":10,"completion_tokens":9000000000000}"#,
            TokenBuckets(inputUncached: 10, outputVisible: 9), .estimated
        ),
        (
            #"{"prompt_tokens":10,"completion_tokens":99999999999999999999}"#,
            TokenBuckets(inputUncached: 10, outputVisible: 9), .estimated
        ),
        (
            #"{"prompt_tokens":12,"completion_tokens":5,"prompt_cache_hit_tokens":3,"prompt_cache_miss_tokens":8}"#,
            TokenBuckets(inputUncached: 8, cacheRead: 3, outputVisible: 5), .engine
        ),
    ]

    @Test(arguments: contradictory)
    func `counts that cannot all be true are read in the smallest way that can be defended, and noted`(
        usage: String, expected: TokenBuckets, source: UsageSource
    ) {
        var attempt = AttemptRecord.example
        plain(usage).fill(&attempt, operation: .chat, promptTextBytes: 40, isCut: false)
        #expect(attempt.contradiction == nil)
        #expect(attempt.buckets == expected)
        #expect(attempt.usageSource == source)
        #expect(attempt.notes.contains(.usageReading))
        #expect(!attempt.rawUsage.isEmpty)
    }

    @Test func `an answer without usage is estimated, and says so`() {
        var attempt = AttemptRecord.example
        plain("null").fill(&attempt, operation: .chat, promptTextBytes: 41, isCut: false)
        #expect(attempt.usageSource == .estimated)
        #expect(!attempt.usageComplete)
        #expect(attempt.buckets.inputUncached == 11)
        #expect(attempt.buckets.outputVisible > 5)
        #expect(attempt.rawUsage.isEmpty)
    }

    @Test func `half a usage is filled up by estimate`() {
        var attempt = AttemptRecord.example
        plain(#"{"prompt_tokens":50}"#).fill(&attempt, operation: .chat, promptTextBytes: 8, isCut: false)
        #expect(attempt.usageSource == .estimated)
        #expect(attempt.buckets.inputUncached == 50)
        #expect(attempt.buckets.outputVisible > 0)
    }

    @Test func `embeddings need no completion tokens`() {
        let facts = Fixture.readPlain(
            #"{"object":"list","data":[{"embedding":[0.1,-2e-3],"index":0}],"model":"e","#
                + #""usage":{"prompt_tokens":7,"total_tokens":7}}"#
        )
        var attempt = AttemptRecord.example
        facts.fill(&attempt, operation: .embeddings, promptTextBytes: 99, isCut: false)
        #expect(attempt.usageSource == .engine)
        #expect(attempt.usageComplete)
        #expect(attempt.buckets == TokenBuckets(inputUncached: 7))
        #expect(attempt.modelServed == "e")
    }

    @Test func `any way of cutting a plain answer gives the same facts`() {
        let text =
            #" { "id" : "c-\u0031" , "model":"m\"x", "service_tier":"priority","#
            + #""choices": [ {"message":{"content":"a\\\"}]","#
            + #""tool_calls":[{"function":{"arguments":"{\"usage\":{}}"}}]},"#
            + #""finish_reason":"tool_calls"}, {"finish_reason":"stop","#
            + #""message":{"content":"ü"}}],"usage":{"prompt_tokens":2 ,"#
            + #" "completion_tokens" : 3,"note":"}\"{" },"x":{"usage":{"prompt_tokens":9}}} "#
        let whole = Fixture.readPlain(text)
        #expect(whole.id == "c-1")
        #expect(whole.model == "m\"x")
        #expect(whole.serviceTier == "priority")
        #expect(whole.finishReason == "stop")
        #expect(whole.finishedChoices == 2)
        #expect(whole.usage?.promptTokens == 2)
        #expect(whole.usage?.completionTokens == 3)
        for seed in propertySeeds {
            var generator = SeededGenerator(seed: seed)
            #expect(Fixture.readPlain(Fixture.pieces(of: Array(text.utf8), using: &generator)) == whole, "seed \(seed)")
        }
    }

    @Test func `an error object in place of an answer is seen`() {
        #expect(Fixture.readPlain(#"{"error":{"message":"x"}}"#).hasError)
        #expect(!Fixture.readPlain(#"{"error":null}"#).hasError)
    }
}

extension AttemptRecord {
    static let example = AttemptRecord(
        id: .init(.init(high: 1, low: 2)), backend: "b", upstreamModel: "m", priceKey: "p")
}
