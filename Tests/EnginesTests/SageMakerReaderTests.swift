import Engines
import Metering
import TestSupport
import Testing

@Suite struct SageMakerReaderTests {
    private static let streamed = NativeFixture.Answer(
        surface: .sageMakerInvocations, isStream: true, contentType: NativeFixture.amazonEventStream)

    private static func attempt(_ facts: AnswerFacts, isCut: Bool = false) throws -> AttemptRecord {
        try #require(NativeFixture.attempts(facts, .sageMakerInvocations, isCut: isCut).first)
    }

    /// The container's stream in frames cut where chance has it, in the middle of characters, too.
    private static func frames(_ text: String, using generator: inout SeededGenerator) -> [UInt8] {
        Fixture.pieces(of: Array(text.utf8), using: &generator).flatMap { AWSFixture.event("PayloadPart", $0) }
    }

    private static let tgi = """
        data:{"index":1,"token":{"id":5,"text":" Grüße","logprob":-1.5,"special":false},\
        "generated_text":null,"details":null}

        data:{"index":2,"token":{"id":6,"text":" 🌍","logprob":-0.5,"special":false},\
        "generated_text":null,"details":null}

        data:{"index":3,"token":{"id":2,"text":"</s>","logprob":-0.1,"special":true},"generated_text":" Grüße 🌍",\
        "details":{"finish_reason":"eos_token","generated_tokens":3,"input_length":19,"seed":null}}


        """

    private static let lines = """
        {"token":{"id":5,"text":" Grüße","log_prob":-1.5}}
        {"token":{"id":6,"text":" 🌍","log_prob":-0.5}}
        {"token":{"id":2,"text":"","log_prob":-0.1},"details":{"finish_reason":"eos_token","generated_tokens":3,\
        "inputs":null,"input_length":19},"generated_text":" Grüße 🌍"}

        """

    private static let openAI = """
        data: {"id":"c1","model":"m","choices":[{"index":0,"delta":{"content":"Grüße"},"finish_reason":null}]}

        data: {"id":"c1","model":"m","choices":[{"index":0,"delta":{"content":" 🌍"},"finish_reason":null}]}

        data: {"id":"c1","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

        data: {"id":"c1","model":"m","choices":[],"usage":{"prompt_tokens":19,"completion_tokens":3,"total_tokens":22}}

        data: [DONE]


        """

    @Test(arguments: [tgi, lines, openAI])
    func `a container's stream reads the same however its frames and reads are cut`(text: String) throws {
        var previous: AnswerFacts?
        for seed in propertySeeds {
            var generator = SeededGenerator(seed: seed)
            let bytes = Self.frames(text, using: &generator)
            let (facts, kinds, _) = NativeFixture.read(Fixture.pieces(of: bytes, using: &generator), Self.streamed)
            #expect(facts == previous ?? facts, "seed \(seed)")
            #expect(kinds.filter { $0 == .terminator }.count == 1, "seed \(seed)")
            previous = facts
        }
        let facts = try #require(previous)
        // 19 in, 3 out.
        #expect(try Self.attempt(facts).buckets == TokenBuckets(inputUncached: 19, outputVisible: 3))
        #expect(facts.isTerminated)
        #expect(facts.finishReason != nil)
        #expect(facts.unreadCount == 0)
        #expect(!facts.hasError)
    }

    @Test func `a generation that failed says so in its last line`() throws {
        var generator = SeededGenerator(seed: 1)
        let text = """
            {"token":{"id":5,"text":"a","log_prob":-1.5}}
            {"token":{"id":-1,"text":"","error_msg":"out of memory"},"details":{"finish_reason":"error"}}

            """
        let (facts, kinds, _) = NativeFixture.read([Self.frames(text, using: &generator)], Self.streamed)
        #expect(kinds.contains(.error))
        #expect(facts.error?.message == "out of memory")
        #expect(!facts.isTerminated)
    }

    @Test(arguments: [
        #"{"generated_text":"Hi","details":{"finish_reason":"length","generated_tokens":3,"input_length":19}}"#,
        #"[{"generated_text":"Hi","details":{"finish_reason":"length","generated_tokens":3,"input_length":19}}]"#,
        #"{"id":"c1","model":"m","choices":[{"message":{"content":"Hi"},"finish_reason":"length"}],"#
            + #""usage":{"prompt_tokens":19,"completion_tokens":3,"total_tokens":22}}"#,
    ])
    func `a plain answer is read in its container's dialect`(body: String) throws {
        let facts = NativeFixture.read(body, NativeFixture.Answer(surface: .sageMakerInvocations))
        let attempt = try Self.attempt(facts)
        #expect(attempt.buckets == TokenBuckets(inputUncached: 19, outputVisible: 3))
        #expect(attempt.finishReason == "length")
        #expect(facts.textBytes == 2)
    }

    @Test func `an event too long to be kept is passed over, and reading goes on`() throws {
        let long = "data:{\"token\":{\"text\":\"" + String(repeating: "x", count: 1_100_000) + "\"}}\n\n"
        var generator = SeededGenerator(seed: 2)
        let bytes =
            stride(from: 0, to: long.utf8.count, by: 60_000).flatMap { start in
                AWSFixture.event("PayloadPart", Array(long.utf8)[start..<min(start + 60_000, long.utf8.count)])
            } + Self.frames(Self.tgi, using: &generator)
        let facts = NativeFixture.read([bytes], Self.streamed).facts
        #expect(facts.unreadCount == 1)
        #expect(try Self.attempt(facts).buckets == TokenBuckets(inputUncached: 19, outputVisible: 3))
    }
}
