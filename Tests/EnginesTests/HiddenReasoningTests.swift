import Metering
import Testing

@testable import Engines

/// Reasoning that only the engine can read costs its size where usage is missing, and text that only closing events
/// have costs as any other.
@Suite struct HiddenReasoningTests {
    /// 3,000 bytes: 750 tokens.
    private static let secret = String(repeating: "gAAA", count: 1000)

    private func chat(_ surface: Surface, isStream: Bool, isCut: Bool, _ text: String) throws -> AttemptRecord {
        let fixture = AnswerFixture(
            surface: surface, isStream: isStream,
            request: #"{"model":"m","stream":\#(isStream),"input":"hello","messages":[]}"#)
        return try fixture.attempts(try fixture.read(text).facts, isCut: isCut)[0]
    }

    private func native(_ surface: Surface, isStream: Bool, isCut: Bool, _ text: String) -> AttemptRecord {
        let type = isStream ? NativeFixture.eventStream : "application/json"
        let facts = NativeFixture.read(
            text, NativeFixture.Answer(surface: surface, isStream: isStream, contentType: type))
        return NativeFixture.attempts(facts, surface, isCut: isCut)[0]
    }

    @Test(arguments: [
        (
            Surface.responses,
            #"{"type":"response.output_item.done","item":{"type":"reasoning","encrypted_content":"SECRET"}}"#
        ),
        (
            .chatCompletions,
            #"{"choices":[{"index":0,"delta":{"reasoning_details":[{"type":"reasoning.encrypted","data":"SECRET"}]}}]}"#
        ),
        (
            .messages,
            #"{"type":"content_block_start","index":0,"content_block":{"type":"redacted_thinking","data":"SECRET"}}"#
        ),
        (.messages, #"{"type":"content_block_delta","delta":{"type":"signature_delta","signature":"SECRET"}}"#),
        (.geminiGenerate, #"{"candidates":[{"content":{"parts":[{"text":"","thoughtSignature":"SECRET"}]}}]}"#),
    ])
    func `encrypted reasoning of a stream that was left is reasoning`(surface: Surface, event: String) throws {
        let text = "data: \(event.replacing("SECRET", with: Self.secret))\n\n"
        let isChat = surface == .responses || surface == .chatCompletions
        let record =
            isChat
            ? try chat(surface, isStream: true, isCut: true, text)
            : native(surface, isStream: true, isCut: true, text)
        #expect(record.buckets.outputReasoning == 750, "\(record.buckets)")
        #expect(record.buckets.outputVisible == 0)
        #expect(record.usageSource == .estimated)
    }

    @Test(arguments: [
        (Surface.responses, #"{"output":[{"type":"reasoning","encrypted_content":"SECRET"}],"status":"completed"}"#),
        (
            .chatCompletions,
            #"{"choices":[{"message":{"reasoning_details":[{"type":"reasoning.encrypted","data":"SECRET"}]}}]}"#
        ),
        (.messages, #"{"content":[{"type":"redacted_thinking","data":"SECRET"}]}"#),
        (.geminiGenerate, #"{"candidates":[{"content":{"parts":[{"thoughtSignature":"SECRET"}]}}]}"#),
        (
            .bedrockConverse,
            #"{"output":{"message":{"content":[{"reasoningContent":{"redactedContent":"SECRET"}}]}}}"#
        ),
    ])
    func `so is that of a plain answer without usage`(surface: Surface, answer: String) throws {
        let text = answer.replacing("SECRET", with: Self.secret)
        let isChat = surface == .responses || surface == .chatCompletions
        let record =
            isChat
            ? try chat(surface, isStream: false, isCut: false, text)
            : native(surface, isStream: false, isCut: false, text)
        #expect(record.buckets.outputReasoning == 750, "\(record.buckets)")
    }

    @Test func `reasoning that was shown as well counts once`() throws {
        let shown = String(repeating: "abcd ", count: 1000)
        let text =
            #"data: {"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":"\#(shown)"}}"# + "\n\n"
            + #"data: {"type":"content_block_delta","delta":{"type":"signature_delta","signature":"\#(Self.secret)"}}"#
            + "\n\n"
        let record = native(.messages, isStream: true, isCut: true, text)
        #expect((1240...1260).contains(record.buckets.outputTotal), "\(record.buckets)")
    }

    @Test func `what an engine says of its output has the hidden part in it`() throws {
        let text =
            #"{"output":[{"type":"reasoning","encrypted_content":"\#(Self.secret)"}],"status":"completed","#
            + #""usage":{"input_tokens":9,"output_tokens":4,"total_tokens":13}}"#
        let record = try chat(.responses, isStream: false, isCut: false, text)
        #expect(record.buckets == TokenBuckets(inputUncached: 9, outputVisible: 4) && record.usageSource == .engine)
    }

    // MARK: Closing events

    private static let long = String(repeating: "abcd ", count: 1000)

    private func event(_ type: String, _ members: String, item: Int = 0) -> String {
        "data: {\"type\":\"response.\(type)\",\"output_index\":\(item),\(members)}\n\n"
    }

    @Test(arguments: [
        ("output_text", "text"), ("function_call_arguments", "arguments"), ("refusal", "refusal"),
        ("custom_tool_call_input", "input"), ("code_interpreter_call_code", "code"),
        ("reasoning_summary_text", "text"), ("output_audio_transcript", "transcript"),
    ])
    func `text without deltas counts when it is closed, and once`(name: String, member: String) throws {
        let closed = event("\(name).done", #""\#(member)":"\#(Self.long)""#)
        let part = event("content_part.done", #""part":{"type":"output_text","text":"\#(Self.long)"}"#)
        let item = event(
            "output_item.done", #""item":{"type":"message","content":[{"type":"output_text","text":"\#(Self.long)"}]}"#)
        let delta = event("\(name).delta", #""delta":"\#(Self.long)""#)
        for text in [closed, part, item, closed + part + item, delta + closed + part + item, delta] {
            let record = try chat(.responses, isStream: true, isCut: true, text)
            #expect((1240...1262).contains(record.buckets.outputTotal), "\(record.buckets)")
        }
    }

    @Test func `one item's deltas do not stand for another's text`() throws {
        let text =
            event("output_text.delta", #""delta":"\#(Self.long)""#)
            + event("output_text.done", #""text":"\#(Self.long)""#)
            + event("output_text.done", #""text":"\#(Self.long)""#, item: 1)
            + event("function_call_arguments.delta", #""delta":"abcd""#, item: 2)
            + event("function_call_arguments.done", #""arguments":"abcd""#, item: 2)
        let record = try chat(.responses, isStream: true, isCut: true, text)
        #expect((2490...2520).contains(record.buckets.outputTotal), "\(record.buckets)")
    }

    @Test func `what a tool gave back is none of the model's words`() throws {
        let text = event(
            "output_item.done",
            #""item":{"type":"mcp_call","name":"t","arguments":"{}","output":"\#(Self.long)"}"#)
        #expect(try chat(.responses, isStream: true, isCut: true, text).buckets.outputTotal < 10)
    }

    @Test func `a transcript that only its last event has counts`() throws {
        let fixture = AnswerFixture(
            kind: .openAI, surface: .audioTranscriptions, isStream: true,
            request: "--x\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nm\r\n--x\r\n"
                + "content-disposition: form-data; name=\"stream\"\r\n\r\ntrue\r\n--x--\r\n")
        let facts = try fixture.read("data: {\"type\":\"transcript.text.done\",\"text\":\"\(Self.long)\"}\n\n").facts
        #expect(facts.contentEstimate == 1250)
        let told = try fixture.read(
            #"data: {"type":"transcript.text.done","text":"\#(Self.long)","usage":{"type":"tokens","#
                + #""input_tokens":14,"output_tokens":31,"total_tokens":45}}"# + "\n\n"
        ).facts
        #expect(try fixture.attempts(told)[0].buckets.outputTotal == 31)
    }
}
