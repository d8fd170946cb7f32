import Testing

@testable import Engines

/// Whether an answer came to much more than it showed.
@Suite struct HiddenOutputTests {
    private func facts(tokens: Int64, bytesEach: Int64 = 4, reasoning: Int64? = nil) -> AnswerFacts {
        var facts = AnswerFacts()
        for _ in 0..<tokens { facts.noteContent(bytes: bytesEach) }
        facts.usage = EngineUsage()
        facts.usage?.reasoningTokens = reasoning
        return facts
    }

    @Test(
        arguments: [
            (10, nil, 10, false), (10, nil, 80, false), (10, nil, 2_000, true), (1_000, nil, 1_700, false),
            (1_000, 900, 1_900, true), (1_000, 900, 1_000, false), (1_000, 30, 1_030, false), (0, 500, 500, true),
            (.zero, nil, .max, true),
        ] as [(Int64, Int64?, Int64, Bool)])
    func `a count far above what came is of something hidden`(
        seen: Int64, reasoning: Int64?, reported: Int64, hides: Bool
    ) {
        #expect(facts(tokens: seen, reasoning: reasoning).hidesOutput(reported: reported) == hides)
    }

    @Test func `reasoning that is shown is not hidden`() {
        #expect(!facts(tokens: 1_900, reasoning: 900).hidesOutput(reported: 1_900))
        // Some write several tokens into an event, and languages differ in their bytes to a token.
        #expect(!facts(tokens: 100, bytesEach: 57).hidesOutput(reported: 1_900))
    }
}
