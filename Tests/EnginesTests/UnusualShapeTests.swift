import Metering
import TestSupport
import Testing

@testable import Engines

/// Streams that something between cuts finer than tokens, and plain answers in shapes of their own.
@Suite struct UnusualShapeTests {
    @Test(
        arguments: [
            // Letters: four of them are a token, as the engine says.
            ("a", 600, 150, 150), ("a", 600, 300, 300), ("a", 400, 101, 101),
            // Fewer than the letters can be: what came counts.
            ("a", 600, 20, 600), ("a", 600, 149, 600), ("a", 600, 400, 600),
            // Words: each event is a token at least.
            ("word ", 600, 150, 600), ("word ", 600, 600, 600), ("abc", 600, 450, 600),
        ] as [(String, Int, Int64, Int64)])
    func `letters are no tokens where the engine's count can be true`(
        text: String, events: Int, reported: Int64, billed: Int64
    ) throws {
        let event = #"data: {"choices":[{"index":0,"delta":{"content":"\#(text)"}}]}"# + "\n\n"
        let usage = #"data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":\#(reported)}}"# + "\n\n"
        let fixture = AnswerFixture(isStream: true)
        let stream = String(repeating: event, count: events) + usage + "data: [DONE]\n\n"
        let attempt = try fixture.attempts(try fixture.read(stream).facts)[0]
        #expect(attempt.buckets.outputTotal == billed)
        #expect(attempt.notes.contains(.outputUnderreported) == (billed != reported))
    }

    // 40 letters: 10 tokens.
    private static let words = "forty letters are ten tokens, as we say."

    @Test(
        arguments: [
            (#""reasoning_content":"\#(words)","reasoning":"\#(words)""#, 10),
            (#""reasoning":"\#(words)","reasoning_details":[{"type":"reasoning.text","text":"\#(words)"}]"#, 10),
            (#""reasoning_content":"\#(words)\#(words)","reasoning":"\#(words)""#, 20),
            (#""reasoning":"\#(words)""#, 10), (#""thinking":"\#(words)","refusal":"\#(words)""#, 20),
            (#""content":"\#(words)","reasoning":"\#(words)","reasoning_content":"\#(words)""#, 20),
        ] as [(String, Int64)])
    func `reasoning of a plain answer that stands under two names counts once`(members: String, tokens: Int64) throws {
        let answer = #"{"choices":[{"index":0,"message":{\#(members)},"finish_reason":"stop"}]}"#
        let fixture = AnswerFixture()
        #expect(try fixture.attempts(try fixture.read(answer).facts)[0].buckets.outputTotal == tokens)
    }

    @Test func `reasoning of several choices is all of it`() throws {
        let choice = #"{"message":{"reasoning":"\#(Self.words)","reasoning_content":"\#(Self.words)"}}"#
        let fixture = AnswerFixture()
        let facts = try fixture.read(#"{"choices":[\#(choice),\#(choice)]}"#).facts
        #expect(try fixture.attempts(facts)[0].buckets.outputTotal == 20)
    }
}
