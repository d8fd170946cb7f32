import Metering
import TestSupport
import Testing

@testable import Engines

/// Streams that something between cuts finer than tokens.
@Suite struct LetterStreamTests {
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
}
