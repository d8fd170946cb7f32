import Metering
import TestSupport
import Testing

@testable import Engines

/// What of a stream that was left is the model's, and what of a request makes a stream longer than it seems.
@Suite struct LeftStreamTests {
    private func request(_ members: String) throws -> InferenceRequest {
        try Array(#"{"model":"m","messages":[]\#(members)}"#.utf8).withUnsafeBytes {
            try InferenceRequest(reading: $0, surface: .chatCompletions)
        }
    }

    @Test(arguments: [0, 5, 20])
    func `other tokens that TGI might have written are none of the answer`(count: Int) {
        let others = Array(repeating: #"{"id":1,"text":" abc","logprob":-1}"#, count: count).joined(separator: ",")
        let event =
            #"data: {"index":1,"token":{"id":1,"text":" tok","logprob":-1,"special":false},"top_tokens":[\#(others)],"#
            + #""generated_text":null,"details":null}"# + "\n\n"
        let facts = NativeFixture.read(
            [Array(String(repeating: event, count: 300).utf8)],
            NativeFixture.Answer(
                surface: .tgiGenerate, isStream: true, contentType: NativeFixture.eventStream)
        ).facts
        #expect(NativeFixture.attempts(facts, .tgiGenerate, isCut: true)[0].buckets.outputTotal == 300)
    }

    @Test func `the whole text at a stream's end is not counted again`() {
        let token = #"data: {"token":{"id":1,"text":"word"},"generated_text":null}"# + "\n\n"
        let last =
            #"data: {"token":{"id":1,"text":"word"},"generated_text":"\#(String(repeating: "word", count: 100))"}"#
            + "\n\n"
        let facts = NativeFixture.read(
            [Array((String(repeating: token, count: 99) + last).utf8)],
            NativeFixture.Answer(
                surface: .tgiGenerate, isStream: true, contentType: NativeFixture.eventStream)
        ).facts
        #expect(NativeFixture.attempts(facts, .tgiGenerate)[0].buckets.outputTotal == 100)
    }

    @Test(arguments: [
        #","thinking_budget":30000"#, #","thinking_token_budget":30000"#, #","max_thinking_tokens":30000"#,
        #","reasoning_budget":30000"#, #","thinking":{"type":"enabled","budget_tokens":30000}"#,
        #","thinking":{"type":"enabled","token_budget":30000}"#,
        #","chat_template_kwargs":{"thinking_budget":30000}"#,
        #","google":{"thinking_config":{"thinking_budget":30000}}"#,
        #","extra_body":{"google":{"thinking_config":{"thinking_budget":30000}}}"#,
    ])
    func `how long a model may think is reserved beside a small limit`(members: String) throws {
        let request = try request(#","max_tokens":1"# + members)
        #expect(request.outputTokensNamed(longest: 100_000) == 30_000)
        #expect(request.outputTokensMax(on: [.openAICompatible]) == 30_000)
    }

    @Test(arguments: [
        #","thinking":{"type":"disabled"}"#, #","thinking":true"#,
        #","chat_template_kwargs":{"enable_thinking":false}"#,
        #","thinking_budget":null"#, #","thinking_budget":-1"#, #","thinking_budget":0"#, #","reasoning_budget":-1"#,
    ])
    func `no budget changes nothing`(members: String) throws {
        #expect(try request(#","max_tokens":7"# + members).outputTokensNamed(longest: 100_000) == 7)
    }

    @Test(
        arguments: [
            (#""chat_template":"{{ x }}""#, true), (#""chat_template_kwargs":{"chat_template":"{{ x }}"}"#, true),
            (#""chat_template":null"#, false), (#""chat_template_kwargs":{"enable_thinking":true}"#, false),
        ] as [(String, Bool)])
    func `a template of the client's own makes anything of a prompt`(members: String, chooses: Bool) throws {
        #expect(try request("," + members).choosesTemplate == chooses)
    }

    @Test(
        arguments: [
            (#""stop":"\#(String(repeating: "x", count: 10_000))""#, true),
            (#""stop":["a","\#(String(repeating: "x", count: 100))"]"#, true),
            (#""stop":["\n\nHuman:","\n\nAssistant:","</s>"]"#, false), (#""stop":null"#, false), (#""n":1"#, false),
        ] as [(String, Bool)])
    func `text that is held back for long words to stop at takes the client's own time`(
        members: String, takesTime: Bool
    ) throws {
        #expect(try request("," + members).takesItsOwnTime == takesTime)
    }

    @Test(arguments: ["1000000000001", "-5", "1e18", "\"many\""])
    func `an inner inference whose counts cannot be true waits for somebody to look`(count: String) {
        let text =
            #"{"content":[{"type":"text","text":"a"}],"stop_reason":"end_turn","usage":{"input_tokens":5,"#
            + #""output_tokens":1,"iterations":[{"type":"compaction","input_tokens":\#(count),"#
            + #""output_tokens":\#(count)},"#
            + #"{"type":"message","input_tokens":5,"output_tokens":1}]}}"#
        let attempts = NativeFixture.attempts(
            NativeFixture.read(text, NativeFixture.Answer(surface: .messages)), .messages)
        #expect(attempts.contains { $0.kind == .compaction && $0.contradiction != nil })
    }
}
