import Metering
import Testing

@testable import Engines

/// Searches that an engine ran itself and sells by the call are units on the record, each counted once.
@Suite struct ToolCallTests {
    private static let usage = #""usage":{"input_tokens":9,"output_tokens":4,"total_tokens":13}"#
    private static let search = #"{"type":"web_search_call","id":"w","action":{"type":"search","query":"q"}}"#
    private static let opening = #"{"id":"w","action":{"url":"u","type":"open_page"},"type":"web_search_call"}"#
    private static let message = #"{"type":"message","content":[{"type":"output_text","text":"web_search_call"}]}"#

    private static func searches(_ text: String, isStream: Bool = false) throws -> Int64 {
        let fixture = AnswerFixture(kind: .openAI, surface: .responses, isStream: isStream)
        let attempt = try #require(try fixture.attempts(try fixture.read(text).facts).first)
        #expect(attempt.buckets == TokenBuckets(inputUncached: 9, outputVisible: 4))
        return attempt.units.searches
    }

    @Test(
        arguments: [
            ([search, search, search, message], 3), ([search, opening, message], 1), ([message], 0),
            ([#"{"type":"web_search_call","status":"completed"}"#, #"{"type":"x_search_call"}"#], 2),
        ] as [([String], Int64)])
    func `searches are counted by a response's items`(items: [String], expected: Int64) throws {
        let output = items.joined(separator: ",")
        #expect(
            try Self.searches(#"{"id":"r","status":"completed","output":[\#(output)],\#(Self.usage)}"#) == expected)
        let done = items.map { "data: {\"type\":\"response.output_item.done\",\"item\":\($0)}\n\n" }.joined()
        let added = items.map { "data: {\"type\":\"response.output_item.added\",\"item\":\($0)}\n\n" }.joined()
        let end =
            #"data: {"type":"response.completed","response":{"status":"completed","#
            + #""output":[\#(output)],\#(Self.usage)}}"# + "\n\n"
        let silent =
            #"data: {"type":"response.completed","response":{"status":"completed",\#(Self.usage)}}"# + "\n\n"
        #expect(try Self.searches(added + done + end, isStream: true) == expected)
        #expect(try Self.searches(end, isStream: true) == expected)
        #expect(try Self.searches(added + done + silent, isStream: true) == expected)
    }

    @Test func `what usage says of searches is not added to the items`() throws {
        let fixture = AnswerFixture(kind: .xai, surface: .responses)
        let text =
            #"{"status":"completed","output":[\#(Self.search)],"usage":{"input_tokens":9,"output_tokens":4,"#
            + #""server_side_tool_usage_details":{"web_search_calls":1,"x_search_calls":2,"#
            + #""code_interpreter_calls":5}}}"#
        #expect(try fixture.attempts(try fixture.read(text).facts)[0].units.searches == 3)
    }

    @Test func `grounding queries are counted once each, however often a stream repeats them`() {
        func chunk(_ queries: String) -> String {
            #"{"candidates":[{"content":{"parts":[{"text":"a"}]},"#
                + #""groundingMetadata":{"webSearchQueries":[\#(queries)]}}],"#
                + #""usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":1,"totalTokenCount":6}}"#
        }
        let plain = NativeFixture.read(chunk(#""a b","c","","a b""#), .init(surface: .geminiGenerate))
        #expect(NativeFixture.attempts(plain, .geminiGenerate)[0].units.searches == 2)
        let stream = [chunk(#""a b""#), chunk(#""a b","c""#), chunk("")].map { "data: \($0)\n\n" }.joined()
        let streamed = NativeFixture.read(
            stream, .init(surface: .geminiGenerate, isStream: true, contentType: NativeFixture.eventStream))
        #expect(NativeFixture.attempts(streamed, .geminiGenerate)[0].units.searches == 2)
    }

    @Test func `searches that a compound system runs in a stream are counted once each`() throws {
        func chunk(_ tools: String) -> String {
            #"data: {"choices":[{"index":0,"delta":{"executed_tools":[\#(tools)]}}]}"# + "\n\n"
        }
        let text =
            chunk(#"{"index":0,"type":"search","arguments":"a"}"#)
            + chunk(#"{"type":"search","index":0,"output":"b"},{"index":1,"type":"python"}"#)
            + chunk(#"{"index":2,"type":"browser_search"}"#) + chunk("") + "data: [DONE]\n\n"
        let fixture = AnswerFixture(kind: .groq, isStream: true)
        #expect(try fixture.attempts(try fixture.read(text).facts)[0].units.searches == 2)
    }

    @Test func `a compound system's searches are counted, its other tools are not`() throws {
        let fixture = AnswerFixture(kind: .groq)
        let text =
            #"{"choices":[{"message":{"content":"x","executed_tools":[{"index":0,"type":"search"},"#
            + #"{"index":1,"type":"python"},{"index":2,"type":"search"}]},"finish_reason":"stop"}],"#
            + #""usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13}}"#
        #expect(try fixture.attempts(try fixture.read(text).facts)[0].units.searches == 2)
    }
}
