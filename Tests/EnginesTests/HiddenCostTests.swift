import Metering
import Testing

@testable import Engines

/// What a request says of costs that only the end of its answer tells.
@Suite struct HiddenCostTests {
    private func read(_ members: String, as surface: Surface = .chatCompletions) throws -> InferenceRequest {
        let body = Array(#"{"model":"m","messages":[{"role":"user","content":"hi"}],\#(members)}"#.utf8)
        return try body.withUnsafeBytes { bytes throws(RequestError) in
            try InferenceRequest(reading: bytes, surface: surface)
        }
    }

    @Test(
        arguments: [
            (#""temperature":1"#, .unsaid), (#""reasoning_effort":"high""#, .asked),
            (#""reasoning_effort":"none""#, .unsaid), (#""reasoning_effort":null"#, .unsaid),
            (#""reasoning":{"effort":"low"}"#, .asked), (#""reasoning":{"exclude":true}"#, .hidden),
            (#""reasoning":{"exclude":false}"#, .asked), (#""\u0072easoning_format":"hidden""#, .hidden),
            (#""reasoning_format":"parsed""#, .asked), (#""include_reasoning":false"#, .hidden),
            (#""include_reasoning":true"#, .asked), (#""thinking":{"type":"enabled","budget_tokens":1024}"#, .asked),
            (#""thinking":{"type":"adaptive","display":"omitted"}"#, .hidden),
            (#""metadata":{"include_reasoning":false}"#, .unsaid),
            (#""include_reasoning":false,"reasoning_effort":"low""#, .hidden),
            (#""reasoning_effort":"low","include_reasoning":false"#, .hidden),
            (#""reasoning":{"exclude":true,"display":"summarized"}"#, .hidden),
            (#""thinking":{"type":"disabled"}"#, .unsaid), (#""reasoning":{"effort":"none"}"#, .unsaid),
            (#""reasoning":{"enabled":false}"#, .unsaid), (#""reasoning":{}"#, .unsaid),
            (#""reasoning_format":null"#, .unsaid), (#""reasoning_effort":"minimal""#, .unsaid),
        ] as [(String, ReasoningWish)])
    func `whether reasoning is hidden is read from whatever says so`(members: String, wish: ReasoningWish) throws {
        #expect(try read(members).reasoning == wish)
    }

    @Test(
        arguments: [
            (#""tools":[{"type":"function","function":{"name":"f"}}]"#, Surface.chatCompletions, false),
            (#""web_search_options":{}"#, .chatCompletions, true),
            (#""tools":[{"type":"web_search"}]"#, .responses, true),
            (#""tools":[{"type":"web_search_20250305","name":"web_search"}]"#, .messages, true),
            (#""tools":[{"type":"mcp","server_label":"a","server_url":"https://x.example.org"}]"#, .responses, true),
        ])
    func `tools that the engine runs are told from the client's`(members: String, surface: Surface, runs: Bool) throws {
        #expect(try read(members, as: surface).runsTools == runs)
    }

    @Test(
        arguments: [
            (#""web_search_options":{}"#, 0, 1), (#""web_search_options":{"search_context_size":"low"}"#, 3, 3),
            (#""enable_search":true,"plugins":[{"id":"web"}]"#, 0, 1),
            (#""tools":[{"type":"openrouter:web_search"}],"plugins":["web"]"#, 0, 1),
            (#""plugins":[{"id":"web"}]"#, 0, 1), (#""plugins":[{"id":"response-healing"}]"#, 0, 0),
            (#""web_search_options":null"#, 0, 0), (#""search_parameters":{"mode":"auto"}"#, 0, 0),
            (#""tools":[{"type":"web_search"}]"#, 0, 1), (#""tools":[{"type":"web_search_preview"}]"#, 0, 1),
            (#""tools":[{"type":"web_search_2025_08_26"}]"#, 0, 1), (#""tools":["web_search_premium"]"#, 0, 1),
            (#""tools":[{"type":"live_search"}]"#, 0, 0),
        ])
    func `a search that every answer makes counts once where the engine counts none`(
        members: String, said: Int64, expected: Int64
    ) throws {
        var facts = AnswerFacts()
        facts.rules.searchesWhenAsked = EngineKind.openAI.searchesWhenAsked
        facts.units.searches = said
        let measures = try read(members).measures
        let reading = facts.readUnits(of: .chat, request: measures, hasTokens: true, isCut: false)
        #expect(reading.units.searches == expected)
        facts.rules.searchesWhenAsked = EngineKind.vllm.searchesWhenAsked
        let ignored = facts.readUnits(of: .chat, request: measures, hasTokens: true, isCut: false)
        #expect(ignored.units.searches == said, "an engine that does not know the member searches nothing")
    }
}
