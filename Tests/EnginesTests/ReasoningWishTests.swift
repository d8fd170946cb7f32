import Metering
import Testing

@testable import Engines

/// What a request says of reasoning, by all the names that engines have for it.
@Suite struct ReasoningWishTests {
    private func wish(_ members: String, _ surface: Surface = .chatCompletions) throws -> ReasoningWish {
        let body = #"{"model":"m","messages":[],"input":"x",\#(members)}"#
        return try Array(body.utf8).withUnsafeBytes { try InferenceRequest(reading: $0, surface: surface) }.reasoning
    }

    @Test(arguments: [
        #""include_reasoning":false"#, #""stream_reasoning":false"#, #""reasoning":{"exclude":true,"effort":"high"}"#,
        #""extra_body":{"google":{"thinking_config":{"include_thoughts":false}}}"#,
        #""google":{"thinking_config":{"thinking_budget":100}}"#, #""reasoning_format":"hidden""#,
        #""thinking":{"type":"enabled","display":"omitted"}"#, #""hide_reasoning":true"#,
        #""thinking_config":{"includeThoughts":false}"#, #""extra_body":{"include_reasoning":false}"#,
        #""extra_body":{"extra_body":{"google":{"thinkingConfig":{}}}}"#, #""show_thinking":false"#,
        #""chat_template_kwargs":{"hide_thinking":true}"#, #""reasoning":{"include_thoughts":false}"#,
        #""stre\u0061m_reasoning":false"#, #""stream_reasoning":false,"reasoning_effort":"high""#,
    ])
    func `what hides reasoning is known by every name`(members: String) throws {
        #expect(try wish(members) == .hidden)
    }

    @Test(arguments: [
        #""reasoning_effort":"high""#, #""chat_template_kwargs":{"enable_thinking":true}"#, #""thinking_budget":512"#,
        #""reasoning":{"effort":"low"}"#, #""extra_body":{"reasoning_effort":"low"}"#, #""stream_reasoning":true"#,
        #""google":{"thinking_config":{"include_thoughts":true}}"#, #""thinking_level":"high""#,
    ])
    func `so is what asks for it`(members: String) throws {
        #expect(try wish(members) == .asked)
    }

    @Test(arguments: [
        #""reasoning_effort":"none""#, #""chat_template_kwargs":{"enable_thinking":false}"#, #""thinking_budget":0"#,
        #""extra_body":{"google":{"thinking_config":{"thinking_budget":0}}}"#, #""include_reasoning":null"#,
        #""metadata":{"stream_reasoning":"false"}"#, #""reasoning":{"enabled":false}"#, #""google":{}"#,
        #""tools":[{"type":"function","function":{"name":"f","parameters":{"include_thoughts":false}}}]"#,
    ])
    func `what says nothing of it, or that there is to be none, is neither`(members: String) throws {
        #expect(try wish(members) == .unsaid)
    }
}
