import Metering
import Testing

@testable import Engines

/// What a model wrote is measured under whatever name a delta has it, when the stream is left before its usage.
@Suite struct UnusualDeltaTests {
    /// 5,000 bytes: 1,250 tokens, in one event.
    private static let long = String(repeating: "abcd ", count: 1000)

    private func chat(_ event: String, isStream: Bool = true) throws -> AttemptRecord {
        let fixture = AnswerFixture(
            surface: .chatCompletions, isStream: isStream, request: #"{"model":"m","messages":[]}"#)
        let event = event.replacing("LONG", with: Self.long)
        let facts = try fixture.read(isStream ? "data: \(event)\n\n" : event).facts
        return try fixture.attempts(facts, isCut: isStream)[0]
    }

    private func native(_ surface: Surface, _ event: String) -> AttemptRecord {
        let event = event.replacing("LONG", with: Self.long)
        let facts = NativeFixture.read(
            "data: \(event)\n\n",
            NativeFixture.Answer(surface: surface, isStream: true, contentType: NativeFixture.eventStream))
        return NativeFixture.attempts(facts, surface, isCut: true)[0]
    }

    @Test(arguments: [
        #"{"thinking":"LONG"}"#, #"{"tool_plan":"LONG"}"#, #"{"thought":"LONG"}"#, #"{"analysis":"LONG"}"#,
        #"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"LONG"}]}]}"#,
        #"{"content":[{"type":"thinking","thinking":"LONG"},{"type":"text","text":""}]}"#,
        #"{"message":{"content":[{"type":"text","text":"LONG"}]}}"#, #"{"message":{"tool_plan":"LONG"}}"#,
        #"{"reasoning":"LONG","reasoning_content":"LONG","thinking_blocks":[{"thinking":"LONG"}]}"#,
        #"{"role":"assistant","parts":[{"text":"LONG"}]}"#,
        #"{"content":"LONG","obfuscation":"LONG","id":"LONG"}"#,
        #"{"content":"LONG","annotations":[{"url_citation":{"content":"LONG"}}]}"#,
    ])
    func `a delta of a choice costs what it holds, once`(delta: String) throws {
        let record = try chat(#"{"choices":[{"index":0,"delta":\#(delta)}]}"#)
        #expect((1240...1262).contains(record.buckets.outputTotal), "\(record.buckets)")
    }

    @Test(arguments: [
        #"{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"LONG"}}}}"#,
        #"{"type":"content-delta","index":0,"delta":{"message":{"content":{"thinking":"LONG"}}}}"#,
        #"{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"LONG"}}}"#,
        #"{"type":"tool-call-delta","delta":{"message":{"tool_calls":{"function":{"arguments":"LONG"}}}}}"#,
    ])
    func `a delta without choices costs what it holds`(event: String) throws {
        let record = try chat(event)
        #expect((1240...1262).contains(record.buckets.outputTotal), "\(record.buckets)")
    }

    @Test(arguments: [
        #"{"content":"word","conversation_id":"8d3f0c1e-0000-4000-8000-000000000001"}"#,
        #"{"trace_id":"LONG","content":"word"}"#, #"{"tool_calls":[{"function":{"arguments":"word"}}],"group":"LONG"}"#,
        #"{"reasoning":"word","event_id":"LONG"}"#,
    ])
    func `an id beside the words is none of them`(delta: String) throws {
        let delta = delta.replacing("LONG", with: Self.long)
        let event = #"data: {"choices":[{"index":0,"delta":\#(delta)}]}"# + "\n\n"
        let fixture = AnswerFixture(isStream: true)
        let facts = try fixture.read(String(repeating: event, count: 1000)).facts
        #expect(facts.contentEvents == 1000 && facts.contentEstimate == 1000)
    }

    @Test(arguments: [
        #"{"choices":[{"index":0,"delta":{"role":"assistant","id":"LONG","type":"LONG"}}]}"#,
        #"{"choices":[{"index":0,"delta":{"obfuscation":"LONG","service_tier":"LONG"}}]}"#,
        #"{"type":"message-start","delta":{"message":{"role":"assistant","citations":[{"text":"LONG"}]}}}"#,
    ])
    func `names, padding and sources are none of it`(event: String) throws {
        #expect(try chat(event).buckets.outputTotal < 10)
    }

    @Test(arguments: [
        (
            Surface.geminiGenerate,
            #"{"candidates":[{"content":{"parts":[{"thought":true,"text":"LONG"}],"role":"model"}}]}"#
        ),
        (.geminiGenerate, #"{"candidates":[{"content":{"parts":[{"codeExecutionResult":{"output":"LONG"}}]}}]}"#),
        (.geminiGenerate, #"{"delta":{"type":"thought_summary","content":{"text":"LONG"}}}"#),
        (.messages, #"{"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":"LONG"}}"#),
        (.messages, #"{"type":"content_block_delta","delta":{"type":"compaction_delta","content":"LONG"}}"#),
    ])
    func `so does one of another dialect`(surface: Surface, event: String) {
        let record = native(surface, event)
        #expect((1240...1262).contains(record.buckets.outputTotal), "\(record.buckets)")
    }

    @Test(arguments: [
        #"{"delta":{"reasoningContent":{"text":"LONG"}}}"#,
        #"{"delta":{"reasoningContent":{"reasoningText":{"text":"LONG"}}}}"#,
        #"{"delta":{"citation":{"title":"t"},"text":"LONG"}}"#, #"{"delta":{"toolUse":{"input":"LONG"}}}"#,
        #"{"start":{"toolUse":{"name":"f","input":"LONG"}}}"#,
    ])
    func `so does a block of Bedrock's`(payload: String) throws {
        let text = payload.replacing("LONG", with: Self.long)
        var facts = AnswerFacts()
        let name = Array((payload.contains("start") ? "contentBlockStart" : "contentBlockDelta").utf8)
        let meaning = try name.withUnsafeBytes { name in
            try Array(text.utf8).withUnsafeBytes { try BedrockConverseEvents.read(name, payload: $0, facts: &facts) }
        }
        #expect(meaning == .content)
        #expect((1240...1262).contains(facts.contentEstimate), "\(facts.contentEstimate)")
    }

    @Test(arguments: [
        #"{"choices":[{"message":{"thinking":"LONG"}}]}"#,
        #"{"choices":[{"message":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"LONG"}]}]}}]}"#,
        #"{"choices":[{"message":{"tool_plan":"LONG"}}]}"#,
        #"{"message":{"content":[{"type":"text","text":"LONG"}],"tool_plan":""}}"#,
    ])
    func `and a plain answer without usage`(answer: String) throws {
        let record = try chat(answer, isStream: false)
        #expect((1240...1262).contains(record.buckets.outputTotal), "\(record.buckets)")
    }
}
