import Metering
import TestSupport
import Testing

@testable import Engines

/// Usage over a stream: counts that fall, that come in several chunks, and that stand where others do not put them.
@Suite struct UsageStreamTests {
    private static func stream(_ chunks: [String]) -> String { chunks.map { "data: \($0)\n\n" }.joined() }

    private static func count(_ prompt: Int64, _ completion: Int64, _ rest: String = "") -> String {
        #","usage":{"prompt_tokens":\#(prompt),"completion_tokens":\#(completion)\#(rest)}"#
    }

    private static func word(_ index: Int = 0, _ extra: String = "") -> String {
        Fixture.chunk(Fixture.delta(#"{"content":"w"}"#, index: index), extra: extra)
    }

    private static func stop(_ index: Int = 0, _ extra: String = "") -> String {
        Fixture.chunk(Fixture.delta("{}", finish: #""stop""#, index: index), extra: extra)
    }

    private static let two = #"{"model":"m","stream":true,"n":2,"messages":[]}"#

    private static func attempt(
        _ chunks: [String], kind: EngineKind = .openAICompatible, request: String? = nil, isCut: Bool = false
    ) throws -> AttemptRecord {
        let body = request ?? #"{"model":"m","stream":true,"messages":[{"role":"user","content":"eight by"}]}"#
        let fixture = AnswerFixture(kind: kind, isStream: true, request: body)
        return try #require(try fixture.attempts(try fixture.read(stream(chunks)).facts, isCut: isCut).first)
    }

    // MARK: Counts that fall

    @Test func `a later zero undoes no count, whatever the dialect`() throws {
        let openAI = try Self.attempt(
            [Self.word(0, Self.count(70, 1)), Self.word(0, Self.count(70, 2)), Self.stop(0, Self.count(0, 0))])
        #expect(openAI.buckets == TokenBuckets(inputUncached: 70, outputVisible: 2))
        #expect(openAI.usageSource == .engine)
        let gemini = NativeFixture.read(
            #"data: {"candidates":[{"content":{"parts":[{"text":"a"}]}}],"usageMetadata":{"promptTokenCount":31,"#
                + #""candidatesTokenCount":4,"cachedContentTokenCount":20,"totalTokenCount":35}}"# + "\n\n"
                + #"data: {"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":0,"#
                + #""candidatesTokenCount":9,"cachedContentTokenCount":0,"totalTokenCount":40}}"# + "\n\n",
            .init(surface: .geminiGenerate, isStream: true, contentType: NativeFixture.eventStream))
        #expect(
            NativeFixture.attempts(gemini, .geminiGenerate).first?.buckets
                == TokenBuckets(inputUncached: 11, cacheRead: 20, outputVisible: 9))
    }

    @Test func `a message's start stands where its delta says zero, also behind Bedrock`() throws {
        let start =
            #"{"type":"message_start","message":{"id":"m","usage":{"input_tokens":700,"cache_read_input_tokens":300,"#
            + #""output_tokens":1}}}"#
        let text = #"{"type":"content_block_delta","delta":{"type":"text_delta","text":"a"}}"#
        let delta =
            #"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":0,"#
            + #""cache_read_input_tokens":0,"output_tokens":40}}"#
        let facts = NativeFixture.read(
            Self.stream([start, text, delta, #"{"type":"message_stop"}"#]),
            .init(surface: .messages, isStream: true, contentType: NativeFixture.eventStream))
        let attempt = try #require(NativeFixture.attempts(facts, .messages).first)
        #expect(attempt.buckets == TokenBuckets(inputUncached: 700, cacheRead: 300, outputVisible: 40))
        #expect(attempt.usageSource == .engine && attempt.usageComplete && attempt.notes.isEmpty)
    }

    @Test func `a count that comes down stays up, and is noted`() throws {
        let attempt = try Self.attempt([Self.word(0, Self.count(70, 30)), Self.stop(0, Self.count(70, 20))])
        #expect(attempt.buckets == TokenBuckets(inputUncached: 70, outputVisible: 30))
        #expect(attempt.notes == .usageReading)
    }

    @Test func `what came after the last true count is not free`() throws {
        let words = Array(repeating: Self.word(), count: 15)
        let attempt = try Self.attempt([Self.word(0, Self.count(70, 5))] + words + [Self.stop(0, Self.count(0, 0))])
        #expect(attempt.buckets == TokenBuckets(inputUncached: 70, outputVisible: 20))
        #expect(attempt.usageSource == .estimated)
        #expect(attempt.notes.contains(.usageImplausible))
    }

    // MARK: What cannot be true

    /// Nil stands for the estimate of the prompt.
    private static let zeros: [(String, Int64?, Int64)] = [
        (#"{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}"#, nil, 20),
        (#"{"prompt_tokens":9,"completion_tokens":0}"#, 9, 20),
        (#"{"prompt_tokens":0,"completion_tokens":21}"#, nil, 21),
        (#"{"input_tokens":0,"output_tokens":0}"#, nil, 20),
    ]

    @Test(arguments: zeros)
    func `zeros for what was sent and delivered are estimated`(usage: String, input: Int64?, output: Int64) throws {
        let words = Array(repeating: Self.word(), count: 20)
        let attempt = try Self.attempt(words + [Self.stop(), Fixture.chunk("", extra: #","usage":\#(usage)"#)])
        #expect(attempt.buckets.outputTotal == output)
        #expect(input == nil ? attempt.buckets.inputTotal >= 2 : attempt.buckets.inputTotal == input)
        #expect(attempt.usageSource == .estimated && !attempt.usageComplete)
        #expect(attempt.notes == .usageImplausible)
    }

    @Test func `a zero that the total makes good is no zero`() throws {
        let attempt = try Self.attempt(
            [Self.word(), Self.stop(0, #","usage":{"prompt_tokens":0,"completion_tokens":7,"total_tokens":50}"#)])
        #expect(attempt.buckets == TokenBuckets(inputUncached: 43, outputVisible: 7))
        #expect(attempt.usageSource == .engine)
    }

    @Test func `a total alone is shared between both sides`() throws {
        let words = Array(repeating: Self.word(), count: 6)
        let attempt = try Self.attempt(words + [Self.stop(0, #","usage":{"total_tokens":50}"#)])
        #expect(attempt.buckets == TokenBuckets(inputUncached: 44, outputVisible: 6))
        #expect(attempt.usageSource == .estimated)
    }

    @Test func `an own count stands where the engine's output is far too small`() throws {
        let fixture = AnswerFixture()
        let facts = try fixture.read(
            #"{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"#
                + #""completion_tokens":100,"total_tokens":109}}"#
        ).facts
        func output(_ own: Int64) -> (Int64, RecordNotes, UsageSource) {
            var counts = OwnCounts()
            counts.output = OwnCounts.Output(visible: own, reasoning: 0)
            var attempt = AttemptRecord.example
            facts.fill(&attempt, operation: .chat, promptTextBytes: 8, isCut: false, own: counts)
            return (attempt.buckets.outputTotal, attempt.notes, attempt.usageSource)
        }
        #expect(output(116) == (100, [], .engine))
        #expect(output(117) == (117, .outputUnderreported, .counted))
        #expect(output(20) == (100, [], .engine))
    }

    // MARK: Elsewhere

    @Test func `usage inside a choice is the answer's`() throws {
        let usage = #""usage":{"prompt_tokens":90,"completion_tokens":11,"total_tokens":101,"cached_tokens":64}"#
        let expected = TokenBuckets(inputUncached: 26, cacheRead: 64, outputVisible: 11)
        let last = #"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop",\#(usage)}]}"#
        #expect(try Self.attempt([Self.word(), last]).buckets == expected)
        #expect(try Self.attempt([Self.word(), last, Fixture.chunk("", extra: ",\(usage)")]).buckets == expected)
        let null = #"{"id":"c","choices":[{"index":0,"usage":null,"delta":{"content":"a"}}]}"#
        #expect(try Self.attempt([null, last]).buckets == expected)
        let fixture = AnswerFixture()
        for plain in [
            #"{"choices":[{"message":{"content":"x"},"finish_reason":"stop",\#(usage)}]}"#,
            #"{"choices":[{"message":{"content":"x"},"finish_reason":"stop",\#(usage)}],\#(usage)}"#,
            #"{\#(usage),"choices":[{"message":{"content":"x"},"finish_reason":"stop",\#(usage)}]}"#,
        ] {
            #expect(try fixture.attempts(try fixture.read(plain).facts)[0].buckets == expected)
        }
    }

    @Test func `llama.cpp's timings count where usage is missing`() throws {
        let timings = #""timings":{"cache_n":40,"prompt_n":9,"prompt_ms":3.5,"predicted_n":12,"predicted_ms":99.5}"#
        let expected = TokenBuckets(inputUncached: 9, cacheRead: 40, outputVisible: 12)
        let streamed = try Self.attempt([Self.word(), Self.stop(0, ",\(timings)")], kind: .llamaCpp)
        #expect(streamed.buckets == expected)
        #expect(streamed.usageSource == .engine && streamed.usageComplete)
        #expect(streamed.timings.decode == 99_500)
        let fixture = AnswerFixture(kind: .llamaCpp)
        let plain = try fixture.read(#"{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}],\#(timings)}"#)
        #expect(try fixture.attempts(plain.facts)[0].buckets == expected)
        // Usage is the better word where there is one.
        let both = try Self.attempt([Self.word(), Self.stop(0, Self.count(49, 13) + ",\(timings)")], kind: .llamaCpp)
        #expect(both.buckets.outputTotal == 13 && both.buckets.inputTotal == 49)
    }

    @Test func `counts in the head alone are the engine's`() throws {
        let headers = ["x-prompt-tokens": "17", "x-generated-tokens": "5"]
        let fixture = AnswerFixture(kind: .tgi, headers: headers)
        let attempt = try fixture.attempts(
            try fixture.read(#"{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}]}"#).facts)[0]
        #expect(attempt.buckets == TokenBuckets(inputUncached: 17, outputVisible: 5))
        #expect(attempt.usageSource == .engine)
        let embedding = AnswerFixture(surface: .embeddings, headers: ["x-compute-tokens": "23"])
        #expect(
            try embedding.attempts(try embedding.read(#"{"data":[{"embedding":[1]}]}"#).facts)[0].buckets
                == TokenBuckets(inputUncached: 23))
    }

    // MARK: Several choices

    /// Two choices of 3 and 2 events; llama.cpp counts 6 and 5 tokens in two chunks, others 11 in one.
    private static let both = [word(0), word(1), word(0), word(1), word(0), stop(1), stop(0)]

    @Test func `each choice's usage adds up at llama.cpp, and is of all elsewhere`() throws {
        func chunk(_ count: Int64) -> String { Fixture.chunk("", extra: Self.count(9, count)) }
        func output(_ chunks: [String], _ kind: EngineKind) throws -> Int64 {
            let attempt = try Self.attempt(Self.both + chunks, kind: kind, request: Self.two)
            #expect(attempt.buckets.inputTotal == 9)
            return attempt.buckets.outputTotal
        }
        #expect(try output([chunk(6), chunk(5)], .llamaCpp) == 11)
        #expect(try output([chunk(6), chunk(6)], .llamaCpp) == 12)
        #expect(try output([chunk(11)], .vllm) == 11)
        #expect(try output([chunk(11), chunk(11)], .openAI) == 11)
        #expect(try output([chunk(6), chunk(5)], .openAICompatible) == 11)
    }

    @Test func `leaving between two choices' usage costs what came of the other`() throws {
        let early = [
            Self.word(0), Self.word(1), Self.word(0), Self.word(1), Self.stop(0),
            Fixture.chunk("", extra: Self.count(9, 8)), Self.word(1), Self.word(1),
        ]
        let attempt = try Self.attempt(early, kind: .llamaCpp, request: Self.two, isCut: true)
        // 8 tokens of the first choice, and the second's 4 events.
        #expect(attempt.buckets.outputTotal == 12)
        #expect(!attempt.usageComplete)
    }

    @Test func `running counts of several choices add up`() throws {
        let chunks = [
            Self.word(0, Self.count(9, 2)), Self.word(1, Self.count(9, 3)), Self.word(0, Self.count(9, 4)),
            Self.word(1, Self.count(9, 7)),
        ]
        let cut = try Self.attempt(chunks, kind: .vllm, request: Self.two, isCut: true)
        #expect(cut.buckets == TokenBuckets(inputUncached: 9, outputVisible: 11))
        let whole = chunks + [Self.stop(0), Self.stop(1), Fixture.chunk("", extra: Self.count(9, 12))]
        #expect(try Self.attempt(whole, kind: .vllm, request: Self.two).buckets.outputTotal == 12)
    }

    @Test func `the cost has no place in the first of two choices' usage`() throws {
        let chunk = "data: \(Fixture.chunk("", extra: Self.count(9, 6)))\n\n"
        let fixture = AnswerFixture(kind: .llamaCpp, isStream: true, request: Self.two)
        let stream = Self.stream(Self.both)
        #expect(try fixture.read(stream + chunk).usageEnd == nil)
        #expect(try fixture.read(stream + chunk + chunk).usageEnd != nil)
    }
}
