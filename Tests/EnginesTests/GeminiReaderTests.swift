import Engines
import Metering
import TestSupport
import Testing

@Suite struct GeminiReaderTests {
    private static let plain = NativeFixture.Answer(surface: .geminiGenerate)
    private static let streamed = NativeFixture.Answer(
        surface: .geminiGenerate, isStream: true, contentType: NativeFixture.eventStream)
    private static let array = NativeFixture.Answer(surface: .geminiGenerate, isStream: true)

    private static func attempt(_ facts: AnswerFacts, isCut: Bool = false) throws -> AttemptRecord {
        try #require(NativeFixture.attempts(facts, .geminiGenerate, isCut: isCut).first)
    }

    private static func chunk(_ text: String, finish: String? = nil, usage: String?) -> String {
        let reason = finish.map { #","finishReason":"\#($0)""# } ?? ""
        let metadata = usage.map { #","usageMetadata":\#($0)"# } ?? ""
        return #"{"candidates":[{"content":{"role":"model","parts":[{"text":"\#(text)"}]}\#(reason)}]\#(metadata),"#
            + #""modelVersion":"gemini-x","responseId":"r1"}"#
    }

    private static let chunks = [
        chunk("", usage: #"{"trafficType":"ON_DEMAND_FLEX"}"#),
        chunk("Grüße 🌍", usage: nil),
        chunk(
            "more", usage: #"{"promptTokenCount":31,"candidatesTokenCount":4,"totalTokenCount":35}"#),
        chunk(
            "", finish: "MAX_TOKENS",
            usage: #"{"promptTokenCount":31,"candidatesTokenCount":17,"thoughtsTokenCount":5,"totalTokenCount":53}"#),
    ]

    // 31 + 17 + 5 = 53: thoughts beside the candidates.
    private static let expected = TokenBuckets(inputUncached: 31, outputVisible: 17, outputReasoning: 5)

    @Test func `chunks read the same as events and as elements, in any pieces`() throws {
        let events = chunks(prefix: "data: ", between: "\r\n\r\n", end: "\r\n\r\n")
        let elements = chunks(prefix: "", between: "\n,\r\n", end: "\n]\n", start: "[")
        for (bytes, answer) in [(events, Self.streamed), (elements, Self.array)] {
            let whole = NativeFixture.read([bytes], answer)
            let attempt = try Self.attempt(whole.facts)
            #expect(attempt.buckets == Self.expected)
            #expect(attempt.tierServed == "flex")
            #expect(attempt.modelServed == "gemini-x")
            #expect(whole.facts.finishReason == "MAX_TOKENS")
            #expect(whole.facts.contentEvents == 2)
            #expect(whole.facts.isTerminated)
            #expect(whole.facts.unreadCount == 0)
            for seed in propertySeeds {
                var generator = SeededGenerator(seed: seed)
                let cut = NativeFixture.read(Fixture.pieces(of: bytes, using: &generator), answer)
                #expect(cut.facts == whole.facts, "seed \(seed)")
                #expect(cut.events.flatMap { $0 } == bytes, "seed \(seed)")
            }
        }
    }

    private func chunks(prefix: String, between: String, end: String, start: String = "") -> [UInt8] {
        Array((start + Self.chunks.map { prefix + $0 }.joined(separator: between) + end).utf8)
    }

    @Test func `a stream cut between counts costs the last count and the events after it`() throws {
        let text = Self.chunks.prefix(3).map { "data: \($0)\n\n" }.joined() + "data: \(Self.chunks[1])\n\n"
        let facts = NativeFixture.read(text, Self.streamed)
        #expect(!facts.isTerminated)
        #expect(try Self.attempt(facts, isCut: true).buckets == TokenBuckets(inputUncached: 31, outputVisible: 5))
    }

    @Test func `thoughts are inside the candidates where the total shows it`() throws {
        // 12 + 40 = 52 = total, so the 25 thoughts are among the 40: 15 visible.
        let facts = NativeFixture.read(
            #"{"usageMetadata":{"promptTokenCount":12,"candidatesTokenCount":40,"thoughtsTokenCount":25,"#
                + #""totalTokenCount":52}}"#, Self.plain)
        #expect(
            try Self.attempt(facts).buckets
                == TokenBuckets(inputUncached: 12, outputVisible: 15, outputReasoning: 25))
    }

    @Test func `what is zero is left out, and is zero`() throws {
        // All of the answer was thinking: 12 + 30 = 42.
        let thinking = NativeFixture.read(
            #"{"candidates":[{"finishReason":"MAX_TOKENS"}],"#
                + #""usageMetadata":{"promptTokenCount":12,"thoughtsTokenCount":30,"totalTokenCount":42}}"#, Self.plain)
        let attempt = try Self.attempt(thinking)
        #expect(attempt.buckets == TokenBuckets(inputUncached: 12, outputReasoning: 30))
        #expect(attempt.usageComplete)
    }

    @Test func `a blocked prompt is an answer without output`() throws {
        let text =
            #"{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"#
            + #""usageMetadata":{"promptTokenCount":12,"totalTokenCount":12}}"#
        for (body, answer) in [(text, Self.plain), ("data: \(text)\n\n", Self.streamed), ("[\(text)]", Self.array)] {
            let facts = NativeFixture.read(body, answer)
            #expect(facts.finishReason == "PROHIBITED_CONTENT")
            #expect(facts.isTerminated)
            #expect(!facts.hasError)
            #expect(try Self.attempt(facts).buckets == TokenBuckets(inputUncached: 12))
            #expect(try Self.attempt(facts).usageComplete)
        }
    }

    @Test func `kinds of input and output are kept apart, cached ones too`() throws {
        // Input 1,000 = 300 text + 50 document + 250 audio + 400 video; tools add 20 text and 5 of pictures. A cache
        // served 180 text and 120 audio: text 350 + 20 - 180 = 190, audio 250 - 120 = 130. Output 90 = 30 text + 60
        // pictures. 1000 + 90 + 25 = 1115.
        let facts = NativeFixture.read(
            #"{"usageMetadata":{"promptTokenCount":1000,"candidatesTokenCount":90,"toolUsePromptTokenCount":25,"#
                + #""cachedContentTokenCount":300,"totalTokenCount":1115,"promptTokensDetails":["#
                + #"{"modality":"TEXT","tokenCount":300},{"modality":"DOCUMENT","tokenCount":50},"#
                + #"{"modality":"AUDIO","tokenCount":250},{"modality":"VIDEO","tokenCount":400}],"#
                + #""toolUsePromptTokensDetails":[{"modality":"TEXT","tokenCount":20},"#
                + #"{"modality":"IMAGE","tokenCount":5}],"#
                + #""cacheTokensDetails":[{"modality":"TEXT","tokenCount":180},{"modality":"AUDIO","tokenCount":120}],"#
                + #""candidatesTokensDetails":[{"modality":"TEXT","tokenCount":30},"#
                + #"{"modality":"IMAGE","tokenCount":60}],"trafficType":"ON_DEMAND"}}"#, Self.plain)
        let attempt = try Self.attempt(facts)
        #expect(
            attempt.buckets
                == TokenBuckets(
                    inputUncached: 190, inputAudio: 130, inputImage: 5, inputVideo: 400, cacheRead: 180,
                    cacheReadAudio: 120, outputVisible: 30, outputImage: 60))
        #expect(attempt.tierServed == "standard")
    }

    @Test func `a total that its parts do not make leaves the smaller reading`() throws {
        let facts = NativeFixture.read(
            #"{"usageMetadata":{"promptTokenCount":12,"candidatesTokenCount":40,"thoughtsTokenCount":25,"#
                + #""totalTokenCount":99}}"#, Self.plain)
        // 12 + 40 with the 25 among them, or 12 + 40 + 25: neither is 99.
        let attempt = try Self.attempt(facts)
        #expect(attempt.notes == .usageReading)
        #expect(attempt.buckets == TokenBuckets(inputUncached: 12, outputVisible: 15, outputReasoning: 25))
    }

    @Test func `an error inside a stream is seen with its delay`() {
        let error =
            #"{"error":{"code":503,"message":"m","status":"UNAVAILABLE","#
            + #""details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1.5s"}]}}"#
        for (text, answer) in [("data: \(error)\n\n", Self.streamed), ("[\(error)]", Self.array)] {
            let facts = NativeFixture.read(text, answer)
            #expect(facts.hasError)
            #expect(facts.error?.type == "UNAVAILABLE")
            #expect(facts.error?.retryMilliseconds == 1500)
            #expect(!facts.isTerminated)
        }
    }

    @Test func `an interaction's stream ends with its usage`() throws {
        // 9 + 21 + 14 + 6 = 50; a cache served 4 of the 9, tools' prompts are input: 5 + 6 = 11.
        let text = """
            event: content.delta
            data: {"event_type":"content.delta","index":0,"delta":{"type":"text","text":"Hi"}}

            event: interaction.complete
            data: {"event_type":"interaction.complete","interaction":{"id":"v1_9","model":"gemini-y",\
            "status":"completed","service_tier":"priority","usage":{"total_input_tokens":9,"total_output_tokens":21,\
            "total_thought_tokens":14,"total_tool_use_tokens":6,"total_cached_tokens":4,"total_tokens":50}}}

            data: [DONE]


            """
        let facts = NativeFixture.read(text, Self.streamed)
        let attempt = try Self.attempt(facts)
        #expect(
            attempt.buckets
                == TokenBuckets(inputUncached: 11, cacheRead: 4, outputVisible: 21, outputReasoning: 14))
        #expect(attempt.tierServed == "priority")
        #expect(facts.isTerminated)
        #expect(facts.contentEvents == 1)
    }
}
