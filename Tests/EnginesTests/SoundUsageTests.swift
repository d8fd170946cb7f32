import Metering
import Testing

@testable import Engines

/// How Mistral counts and streams what it listened to.
@Suite struct SoundUsageTests {
    private func attempt(
        _ surface: Surface, _ text: String, isStream: Bool = false, isCut: Bool = false
    ) throws -> (facts: AnswerFacts, attempt: AttemptRecord) {
        let fixture = AnswerFixture(
            surface: surface, isStream: isStream, request: #"{"model":"m","messages":[],"stream":\#(isStream)}"#)
        let facts = try fixture.read(text).facts
        return (facts, try fixture.attempts(facts, isCut: isCut)[0])
    }

    @Test(
        arguments: [
            (203, 4, 635, 3264, 2625), (30, 4, 35, 414, 375), (600, 0, 10, 1010, 1000), (1, 7, 3, 10, 0),
        ] as [(Int64, Int64, Int64, Int64, Int64)])
    func `what the total has beyond its parts is the sound of the prompt`(
        seconds: Int64, prompt: Int64, completion: Int64, total: Int64, sound: Int64
    ) throws {
        let usage =
            #""usage":{"prompt_audio_seconds":\#(seconds),"prompt_tokens":\#(prompt),"#
            + #""completion_tokens":\#(completion),"total_tokens":\#(total)}"#
        let answers: [(Surface, String)] = [
            (.audioTranscriptions, #"{"text":"Good morning",\#(usage)}"#),
            (.chatCompletions, #"{"choices":[{"message":{"content":"Good morning"}}],\#(usage)}"#),
        ]
        for (surface, answer) in answers {
            let attempt = try attempt(surface, answer).attempt
            #expect(attempt.buckets.inputAudio == sound && attempt.buckets.inputUncached == prompt, "\(surface)")
            #expect(attempt.buckets.outputReasoning == 0 && attempt.buckets.outputVisible == completion, "\(surface)")
            #expect(attempt.units.audioMilliseconds == seconds * 1000 && attempt.usageSource == .engine, "\(surface)")
        }
    }

    @Test(arguments: [#"{}"#, "null", "0", "-3"])
    func `a length that says nothing changes nothing`(seconds: String) throws {
        let answer =
            #"{"choices":[{"message":{"content":"a"}}],"usage":{"prompt_audio_seconds":\#(seconds),"prompt_tokens":5,"#
            + #""completion_tokens":2,"total_tokens":7}}"#
        let attempt = try attempt(.chatCompletions, answer).attempt
        #expect(attempt.buckets == TokenBuckets(inputUncached: 5, outputVisible: 2))
        #expect(attempt.units.audioMilliseconds == 0)
    }

    @Test func `nothing of a transcription is thoughts`() throws {
        let answer = #"{"text":"a","usage":{"prompt_tokens":4,"completion_tokens":6,"total_tokens":110}}"#
        let attempt = try attempt(.audioTranscriptions, answer).attempt
        #expect(attempt.buckets == TokenBuckets(inputUncached: 4, inputAudio: 100, outputVisible: 6))
    }

    // MARK: Streams

    private func event(_ type: String, _ members: String) -> String {
        "event: \(type)\ndata: {\"type\":\"\(type)\",\(members)}\n\n"
    }

    private var done: String {
        event(
            "transcription.done",
            #""text":"Good morning","usage":{"prompt_audio_seconds":30,"prompt_tokens":4,"completion_tokens":35,"#
                + #""total_tokens":414}"#)
    }

    @Test func `a streamed transcription of Mistral's ends when it says so`() throws {
        let text =
            event("transcription.language", #""audio_language":"en""#)
            + event("transcription.text.delta", #""text":"Good ""#)
            + event("transcription.text.delta", #""text":"morning""#)
            + event("transcription.segment", #""text":"Good morning","start":0,"end":1"#) + done
        let (facts, attempt) = try attempt(.audioTranscriptions, text, isStream: true)
        #expect(facts.isTerminated && facts.finishedChoices == 1 && facts.contentEvents >= 2)
        #expect(attempt.buckets == TokenBuckets(inputUncached: 4, inputAudio: 375, outputVisible: 35))
        #expect(attempt.units.audioMilliseconds == 30_000)
    }

    @Test(arguments: [
        #""type":"transcription.text.delta","text":"LONG""#, #""type":"transcript.text.delta","delta":"LONG""#,
        #""type":"unheard.of","text":"LONG""#, #""text":"LONG""#,
    ])
    func `text under any type is content`(members: String) throws {
        let event = "data: {\(members.replacing("LONG", with: String(repeating: "abcd ", count: 100)))}\n\n"
        let facts = try attempt(.audioTranscriptions, event, isStream: true, isCut: true).facts
        #expect(facts.contentEvents == 1 && facts.contentEstimate == 125)
    }

    // MARK: Tiers

    @Test(arguments: [
        (#""service_tier":"auto","service_tier_used":"priority""#, "priority"),
        (#""service_tier_used":"flex","service_tier":"auto""#, "flex"), (#""service_tier":"flex""#, "flex"),
        (#""service_tier":"flex","service_tier_used":"default""#, "default"),
    ])
    func `the tier that was used is the one that served`(members: String, tier: String) throws {
        let plain = #"{"choices":[{"message":{"content":"a"}}],\#(members)}"#
        #expect(try attempt(.chatCompletions, plain).facts.serviceTier == tier)
        let chunk = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}],\(members)}\n\n"
        #expect(try attempt(.chatCompletions, chunk + chunk, isStream: true).facts.serviceTier == tier)
    }

    // MARK: Pictures

    @Test(
        arguments: [
            (#""images":[{"url":"https://a.io/1"},{"url":"https://a.io/2"},{"url":"https://a.io/3"}]"#, 3),
            (#""images":["https://a.io/1","https://a.io/2"],"timings":{}"#, 2),
            (#""images":[{"url":"https://a.io/1"},{"url":"https://a.io/2"}],"data":[{"url":"x"},{"url":"y"}]"#, 2),
            (#""data":[{"url":"x"},{"url":"y"},{"url":"z"},{"url":"u"}]"#, 4),
            (#""artifacts":[{"base64":"iVBORw0KGgoAAAANSUhEUgAA"},{"base64":"iVBORw0KGgoAAAANSUhEUgAA"}]"#, 2),
        ] as [(String, Int64)])
    func `pictures are those that came, wherever they stand`(members: String, count: Int64) throws {
        let fixture = AnswerFixture(surface: .imageGenerations, request: #"{"model":"m","prompt":"p","batch_size":1}"#)
        let attempt = try fixture.attempts(try fixture.read("{\(members)}").facts)[0]
        #expect(attempt.units.images == count)
    }

    @Test func `zeros of everything are no count`() throws {
        let answer =
            #"{"choices":[{"message":{"content":"\#(String(repeating: "hello ", count: 400))"}}],"usage":"#
            + #"{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}"#
        let attempt = try attempt(.chatCompletions, answer).attempt
        #expect(attempt.buckets.outputTotal == 600 && attempt.usageSource == .estimated)
    }
}
