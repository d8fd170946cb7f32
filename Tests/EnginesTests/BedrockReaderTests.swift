import Engines
import Metering
import TestSupport
import Testing

@Suite struct BedrockReaderTests {
    private static func answer(
        _ surface: Surface, isStream: Bool = false, headers: [String: String] = [:]
    ) -> NativeFixture.Answer {
        NativeFixture.Answer(
            surface: surface, isStream: isStream,
            contentType: isStream ? NativeFixture.amazonEventStream : "application/json", headers: headers)
    }

    private static func attempt(_ facts: AnswerFacts, _ surface: Surface, isCut: Bool = false) throws -> AttemptRecord {
        try #require(NativeFixture.attempts(facts, surface, isCut: isCut).first)
    }

    // MARK: Converse

    @Test func `two spellings of a counter are one counter, and writes are split by lifetime`() throws {
        // 30 beside 500 read and 90 written = 25 for five minutes + 65 for an hour.
        let facts = NativeFixture.read(
            #"{"output":{"message":{"content":[{"text":"Grüße"}],"role":"assistant"}},"stopReason":"max_tokens","#
                + #""metrics":{"latencyMs":731},"serviceTier":{"type":"flex"},"usage":{"inputTokens":30,"#
                + #""outputTokens":11,"totalTokens":631,"cacheReadInputTokens":500,"cacheReadInputTokenCount":500,"#
                + #""cacheWriteInputTokens":90,"cacheWriteInputTokenCount":90,"cacheDetails":["#
                + #"{"ttl":"5m","inputTokens":25},{"ttl":"1h","inputTokens":65}]}}"#,
            Self.answer(.bedrockConverse, headers: ["x-amzn-requestid": "req-7"]))
        let attempt = try Self.attempt(facts, .bedrockConverse)
        #expect(
            attempt.buckets
                == TokenBuckets(
                    inputUncached: 30, cacheRead: 500, cacheWriteFiveMinutes: 25, cacheWriteHour: 65,
                    outputVisible: 11))
        #expect(attempt.tierServed == "flex")
        #expect(attempt.timings.total == 731_000)
        #expect(attempt.upstreamID == "req-7")
        #expect(attempt.finishReason == "max_tokens")
        #expect(facts.textBytes == 7)
    }

    private static let converse =
        AWSFixture.event("messageStart", #"{"role":"assistant"}"#)
        + AWSFixture.event(
            "contentBlockDelta", #"{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"hm"}},"p":"abc"}"#)
        + AWSFixture.event(
            "contentBlockDelta", #"{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"c2ln"}}}"#)
        + AWSFixture.event(
            "contentBlockStart", #"{"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"t","name":"f"}}}"#)
        + AWSFixture.event("contentBlockDelta", #"{"contentBlockIndex":1,"delta":{"toolUse":{"input":""}}}"#)
        + AWSFixture.event("contentBlockDelta", #"{"contentBlockIndex":1,"delta":{"toolUse":{"input":"{"}}}"#)
        + AWSFixture.event("contentBlockStop", #"{"contentBlockIndex":1}"#)
        + AWSFixture.event("messageStop", #"{"stopReason":"guardrail_intervened"}"#)

    private static let metadata = AWSFixture.event(
        "metadata",
        #"{"usage":{"inputTokens":14,"outputTokens":6,"totalTokens":20,"cacheReadInputTokens":3},"#
            + #""metrics":{"latencyMs":95},"serviceTier":{"type":"priority"}}"#)

    @Test func `a stream's metadata is its end`() throws {
        let (facts, kinds, _) = NativeFixture.read(
            [Self.converse + Self.metadata], Self.answer(.bedrockConverse, isStream: true))
        #expect(kinds == [.other, .content, .other, .content, .other, .content, .other, .other, .terminator])
        let attempt = try Self.attempt(facts, .bedrockConverse)
        #expect(attempt.buckets == TokenBuckets(inputUncached: 14, cacheRead: 3, outputVisible: 6))
        #expect(attempt.tierServed == "priority")
        #expect(attempt.timings.total == 95_000)
        #expect(attempt.finishReason == "guardrail_intervened")
        #expect(attempt.contentEvents == 3)
        #expect(facts.isTerminated)
    }

    @Test func `a stream cut before its metadata costs the events that came`() throws {
        let (facts, _, _) = NativeFixture.read(
            [Self.converse], Self.answer(.bedrockConverse, isStream: true))
        let attempt = try Self.attempt(facts, .bedrockConverse, isCut: true)
        // The prompt's 40 bytes are 10 tokens, and three events came; what the signature stands for was shown.
        #expect(attempt.buckets == TokenBuckets(inputUncached: 10, outputVisible: 3))
        #expect(!facts.isTerminated)
        #expect(!attempt.usageComplete)
    }

    @Test func `an exception frame is an error after a good beginning`() {
        for surface in [Surface.bedrockConverse, .bedrockInvoke, .sageMakerInvocations] {
            let (facts, kinds, _) = NativeFixture.read(
                [AWSFixture.exception("modelStreamErrorException", #"{"message":"broke","originalStatusCode":500}"#)],
                Self.answer(surface, isStream: true))
            #expect(kinds == [.error])
            #expect(facts.error?.type == "modelStreamErrorException")
            #expect(facts.error?.message == "broke")
            #expect(!facts.isTerminated)
        }
    }

    // MARK: Invoke

    private static let counted = [
        "x-amzn-bedrock-input-token-count": "61", "x-amzn-bedrock-output-token-count": "35",
        "x-amzn-bedrock-invocation-latency": "1200", "x-amzn-bedrock-service-tier": "flex",
    ]

    @Test func `Amazon's count in the headers is the one that it bills`() throws {
        // The model says 58/40, of which 38 thinking, and 7 read from a cache; Amazon counted 61/35.
        let facts = NativeFixture.read(
            #"{"id":"msg_1","model":"claude-a","stop_reason":"end_turn","content":[{"type":"text","text":"Hi"}],"#
                + #""usage":{"input_tokens":58,"output_tokens":40,"cache_read_input_tokens":7,"#
                + #""output_tokens_details":{"thinking_tokens":38}}}"#,
            Self.answer(.bedrockInvoke, headers: Self.counted))
        let attempt = try Self.attempt(facts, .bedrockInvoke)
        #expect(attempt.buckets == TokenBuckets(inputUncached: 61, cacheRead: 7, outputReasoning: 35))
        #expect(attempt.tierServed == "flex")
        #expect(attempt.timings.total == 1_200_000)
        #expect(attempt.finishReason == "end_turn")
    }

    @Test(arguments: [
        #"{"generation":"Hi","prompt_token_count":61,"generation_token_count":35,"stop_reason":"stop"}"#,
        #"{"inputTextTokenCount":61,"results":[{"tokenCount":20,"outputText":"Hi","completionReason":"FINISH"},"#
            + #"{"tokenCount":15,"outputText":"Ho","completionReason":"FINISH"}]}"#,
        #"{"output":{"message":{"content":[{"text":"Hi"}]}},"stopReason":"end_turn","#
            + #""usage":{"inputTokens":61,"outputTokens":35,"totalTokens":96,"cacheReadInputTokenCount":0}}"#,
        #"{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}],"#
            + #""usage":{"prompt_tokens":61,"completion_tokens":35,"total_tokens":96}}"#,
        #"{"content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","#
            + #""usage":{"input_tokens":61,"output_tokens":35}}"#,
    ])
    func `each family's own counts are read where the headers have none`(body: String) throws {
        let facts = NativeFixture.read(body, Self.answer(.bedrockInvoke))
        let attempt = try Self.attempt(facts, .bedrockInvoke)
        #expect(attempt.buckets == TokenBuckets(inputUncached: 61, outputVisible: 35))
        #expect(attempt.usageComplete)
        #expect(attempt.finishReason != nil)
        #expect(facts.textBytes >= 2)
    }

    @Test func `an embedding has no output`() throws {
        let facts = NativeFixture.read(
            #"{"embedding":[0.5,-1],"inputTextTokenCount":9}"#,
            Self.answer(.bedrockInvoke, headers: ["x-amzn-bedrock-input-token-count": "9"]))
        let attempt = try Self.attempt(facts, .bedrockInvoke)
        #expect(attempt.buckets == TokenBuckets(inputUncached: 9))
        #expect(attempt.usageComplete)
    }

    private static func chunk(_ json: String) -> [UInt8] {
        AWSFixture.event("chunk", #"{"bytes":"\#(AWSFixture.base64(json))","p":"abcdefghij"}"#)
    }

    private static func metrics(_ input: Int, _ output: Int) -> String {
        #""amazon-bedrock-invocationMetrics":{"inputTokenCount":\#(input),"outputTokenCount":\#(output),"#
            + #""invocationLatency":2100,"firstByteLatency":340}"#
    }

    private static let invocations: [[String]] = [
        [
            #"{"type":"message_start","message":{"id":"m","model":"claude-a","usage":{"input_tokens":8,"#
                + #""output_tokens":1}}}"#,
            #"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}"#,
            #"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":30}}"#,
            #"{"type":"message_stop",\#(metrics(9, 28))}"#,
        ],
        [
            #"{"messageStart":{"role":"assistant"}}"#,
            #"{"contentBlockDelta":{"delta":{"text":"Hi"},"contentBlockIndex":0}}"#,
            #"{"messageStop":{"stopReason":"end_turn"}}"#,
            #"{"metadata":{"usage":{"inputTokens":9,"outputTokens":28},"metrics":{}},\#(metrics(9, 28))}"#,
        ],
        [
            #"{"generation":"Hi","prompt_token_count":9,"generation_token_count":1,"stop_reason":null}"#,
            #"{"generation":"","prompt_token_count":null,"generation_token_count":28,"stop_reason":"stop","#
                + #"\#(metrics(9, 28))}"#,
        ],
        [
            #"{"outputs":[{"text":"Hi","stop_reason":null}]}"#,
            #"{"outputs":[{"text":"","stop_reason":"stop"}],\#(metrics(9, 28))}"#,
        ],
        [
            #"{"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}"#,
            #"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
            #"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":27,"total_tokens":36},\#(metrics(9, 28))}"#,
        ],
    ]

    @Test(arguments: invocations)
    func `the metrics of a stream's last chunk are what it comes to, in any pieces`(chunks: [String]) throws {
        let bytes = chunks.flatMap(Self.chunk)
        let answer = Self.answer(.bedrockInvoke, isStream: true)
        let whole = NativeFixture.read([bytes], answer)
        #expect(whole.kinds.last == .terminator)
        #expect(whole.kinds.filter { $0 == .content }.count == 1)
        let attempt = try Self.attempt(whole.facts, .bedrockInvoke)
        #expect(attempt.buckets == TokenBuckets(inputUncached: 9, outputVisible: 28))
        #expect(attempt.timings.total == 2_100_000)
        #expect(attempt.timings.firstToken == 340_000)
        #expect(attempt.finishReason != nil)
        #expect(attempt.contradiction == nil)
        #expect(whole.facts.isTerminated)
        for seed in propertySeeds.prefix(50) {
            var generator = SeededGenerator(seed: seed)
            let cut = NativeFixture.read(Fixture.pieces(of: bytes, using: &generator), answer)
            #expect(cut.facts == whole.facts, "seed \(seed)")
            #expect(cut.kinds == whole.kinds, "seed \(seed)")
        }
    }

    @Test func `a chunk that is no base 64 is passed over and counted`() {
        let (facts, kinds, _) = NativeFixture.read(
            [AWSFixture.event("chunk", #"{"bytes":"a=b="}"#) + AWSFixture.event("chunk", #"{"bytes":"abc"}"#)],
            Self.answer(.bedrockInvoke, isStream: true))
        #expect(kinds == [.other, .other])
        #expect(facts.unreadCount == 2)
    }
}
