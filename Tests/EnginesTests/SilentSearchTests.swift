import Metering
import Testing

@testable import Engines

/// Searches that are made for an answer and that no answer counts.
@Suite struct SilentSearchTests {
    private func searches(
        _ answer: String, isStream: Bool = false, isCut: Bool = false, request: String = "",
        kind: EngineKind = .openAICompatible
    ) throws -> Int64 {
        let fixture = AnswerFixture(
            kind: kind, surface: .chatCompletions, isStream: isStream,
            request: #"{"model":"m","messages":[]\#(request)}"#)
        let text = isStream ? answer.split(separator: "\n").map { "data: \($0)\n\n" }.joined() : answer
        return try fixture.attempts(try fixture.read(text).facts, isCut: isCut)[0].units.searches
    }

    private static let usage = #""usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12"#

    private static let shown: [(members: String, count: Int64)] = [
        (usage + #","search_context_size":"low"}"#, 1), (usage + #","search_context_size":"high"}"#, 1),
        (usage + #","search_context_size":"medium","num_search_queries":7}"#, 7),
        (usage + #","search_context_size":""}"#, 0), (usage + #","search_context_size":null}"#, 0),
        (usage + #"},"search_results":[{"title":"t","url":"https://a.io"}]"#, 1),
        (usage + #"},"search_results":[]"#, 0), (usage + #"},"citations":["https://a.io"]"#, 0),
        (usage + #"},"web_search":[{"title":"t","link":"https://a.io"},{"link":"https://c.d"}]"#, 1),
        (usage + #"},"web_search":[]"#, 0),
    ]

    @Test(arguments: shown)
    func `an answer that shows what was searched for had a search`(members: String, count: Int64) throws {
        let message = #"{"choices":[{"index":0,"message":{"content":"hi"},"finish_reason":"stop"}],\#(members)}"#
        #expect(try searches(message) == count)
        let chunk = #"{"choices":[{"index":0,"delta":{"content":"hi"}}],\#(members)}"#
        #expect(try searches(chunk + "\n" + chunk, isStream: true) == count)
        #expect(try searches(chunk, isStream: true, isCut: true) == count)
    }

    private static let silent = #"{"choices":[{"index":0,"message":{"content":"hi"}}],\#(usage)}}"#

    private static let asked: [(members: String, count: Int64)] = [
        (#","tools":[{"type":"web_search","web_search":{"enable":true,"search_result":true}}]"#, 1),
        (#","tools":[{"type":"web_search"}]"#, 1), (#","tools":[{"type":"web_search_premium"}]"#, 1),
        (#","web_search":{"enable":true}"#, 1), (#","enable_web_search":true"#, 1), (#","web_search":{}"#, 1),
        (#","tools":[{"type":"web_search","web_search":{"enable":false}}]"#, 0),
        (#","tools":[{"web_search":{"enable":false},"type":"web_search"}]"#, 0),
        (#","tools":[{"type":"web_search","web_search":{"enable":false,"enable":true}}]"#, 1),
        (#","web_search":{"enable":false}"#, 0), (#","web_search":false"#, 0), (#","web_search":null"#, 0),
        (#","tools":[{"type":"function","function":{"name":"web_search"}}]"#, 0),
    ]

    @Test(arguments: asked)
    func `a search tool of chats costs a search an answer where none is counted`(members: String, count: Int64) throws {
        #expect(try searches(Self.silent, request: members) == count)
        // Where the engine runs for us alone there is nobody who sells searches.
        #expect(try searches(Self.silent, request: members, kind: .vllm) == 0)
    }

    @Test func `what an engine counts stands`() throws {
        let usage = Self.usage + #","server_tool_use":{"web_search_requests":4}}"#
        let answer = #"{"choices":[{"message":{"content":"hi"}}],\#(usage)}"#
        #expect(try searches(answer, request: #","tools":[{"type":"web_search"}]"#) == 4)
    }

    @Test func `Perplexity's cost is what it says in all`() throws {
        let members = Self.usage + #","cost":{"input_tokens_cost":0.001,"request_cost":0.005,"total_cost":0.006}}"#
        let fixture = AnswerFixture(surface: .chatCompletions, request: #"{"model":"m","messages":[]}"#)
        let facts = try fixture.read(#"{"choices":[{"message":{"content":"hi"}}],\#(members)}"#).facts
        #expect(try fixture.attempts(facts)[0].engineCost == "0.006")
    }

    @Test(arguments: [#""tools":[{"type":"web_search"}]"#, #""web_search":{"enable":true}"#, #""enable_web_search":1"#])
    func `a plan has to sell them`(member: String) throws {
        let body = #"{"model":"m","messages":[],\#(member)}"#
        let request = try Array(body.utf8).withUnsafeBytes {
            try InferenceRequest(reading: $0, surface: .chatCompletions)
        }
        #expect(request.features.contains(.webSearch))
    }
}
