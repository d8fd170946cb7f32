import Metering
import TestSupport
import Testing

@testable import Engines

/// However an answer is cut into network reads, it says the same, and the client is shown the same bytes.
@Suite struct AnswerCutTests {
    struct Answer: Sendable, CustomTestStringConvertible {
        let name: String
        let fixture: AnswerFixture
        let text: String
        var testDescription: String { name }
    }

    private static func event(_ type: String, _ rest: String) -> String {
        "event: \(type)\r\ndata: {\"type\":\"\(type)\"\(rest)}\r\n\r\n"
    }

    private static let counted =
        #"{"prompt_tokens":410,"completion_tokens":33,"total_tokens":443,"#
        + #""prompt_tokens_details":{"cached_tokens":384,"audio_tokens":12},"cost":1.75e-4}"#

    private static let streams = [
        Answer(
            name: "running counts", fixture: AnswerFixture(kind: .vllm, isStream: true, counting: .continuous),
            text: ["Grüße", "🌍 \\\"quoted\\\"", "\\ud83c\\udf0d"].map { word in
                "data: "
                    + Fixture.chunk(
                        Fixture.delta(#"{"content":"\#(word)"}"#), extra: #","usage":\#(counted),"x":[1,{}]"#)
                    + "\n\n"
            }.joined() + "data: \(Fixture.chunk("", extra: #","usage":\#(counted)"#))\n\ndata: [DONE]\n\n"),
        Answer(
            name: "Azure, every line end", fixture: AnswerFixture(kind: .azure, isStream: true),
            text: Fixture.stream(lineEnd: "\r") + Fixture.stream(lineEnd: "\r\n") + Fixture.stream()),
        Answer(
            name: "data over several lines", fixture: AnswerFixture(isStream: true),
            text:
                ": ping\n\ndata: {\"choices\":[{\"delta\":\ndata: {\"content\":\"x\"}}],"
                + "\ndata: \"usage\":\(counted)}\n\n"
                + "data:[DONE]\n\n"),
        Answer(
            name: "responses", fixture: AnswerFixture(kind: .openAI, surface: .responses, isStream: true),
            text: event("response.created", #","response":{"id":"resp_9","service_tier":"auto","usage":null}"#)
                + event("response.output_text.delta", #","delta":"Gr\u00fc\u00dfe 🌍""#)
                + event(
                    "response.completed",
                    #","response":{"id":"resp_9","status":"completed","service_tier":"priority","usage":"#
                        + #"{"input_tokens":7,"output_tokens":5,"total_tokens":12}}"#)),
        Answer(
            name: "an error in the middle", fixture: AnswerFixture(kind: .tgi, isStream: true),
            text: "data: \(Fixture.word)\n\ndata:{\"error\":\"overloaded\",\"error_type\":\"overloaded\"}\n\n"),
        Answer(
            name: "an end without its empty line", fixture: AnswerFixture(isStream: true),
            text: "data: \(Fixture.word)\n\ndata: \(Fixture.usage)"),
    ]

    private static let plain = [
        Answer(
            name: "completion", fixture: AnswerFixture(kind: .groq),
            text: #" { "id":"c\u002d1", "model":"gr\u00f6q", "choices":[{"finish_reason":"stop","message":{"content":"#
                + #""a \"usage\":{} b","tool_calls":[{"function":{"arguments":"{\"usage\":1}"}}]}}], "usage" : "#
                + counted + #", "x_groq":{"id":"r"},"service_tier":"flex","usage_breakdown":{"models":[{"model":"a","#
                + #""usage":{"prompt_tokens":400,"completion_tokens":30}}]} } "#),
        Answer(
            name: "response", fixture: AnswerFixture(kind: .vllm, surface: .responses),
            text:
                #"{"id":"resp_1","incomplete_details":{"reason":"max_output_tokens"},"status":"incomplete","output":["#
                + #"{"type":"message","content":[{"type":"output_text","text":"Grüße"}]}],"usage":{"input_tokens":9,"#
                + #""output_tokens":4,"total_tokens":13}}"#),
        Answer(
            name: "pictures", fixture: AnswerFixture(surface: .imageGenerations),
            text: #"{"created":1,"data":[{"b64_json":"AAAA"}, {"b64_json":"BB\/B"},{"url":null} ],"usage":null}"#),
        Answer(
            name: "ranking", fixture: AnswerFixture(surface: .rerank),
            text: #"{"results":[{"index":0,"relevance_score":0.5}],"meta":{"billed_units":{"search_units": 2}}}"#),
        Answer(
            name: "error", fixture: AnswerFixture(kind: .tgi, status: 429),
            text: #"{"error":"Model is overloaded","error_type":"overloaded"}"#),
        Answer(name: "no JSON", fixture: AnswerFixture(), text: "<html>\"usage\":{\"prompt_tokens\":1}</html>"),
    ]

    @Test(arguments: streams + plain)
    func `any way of cutting an answer into reads gives the same usage and the same bytes`(answer: Answer) throws {
        let bytes = Array(answer.text.utf8)
        let whole = try answer.fixture.read([bytes])
        #expect(try answer.fixture.read(bytes.map { [$0] }) == whole, "byte by byte")
        for seed in propertySeeds {
            var generator = SeededGenerator(seed: seed)
            let pieces = Fixture.pieces(of: bytes, using: &generator)
            #expect(try answer.fixture.read(pieces) == whole, "seed \(seed)")
        }
    }

    @Test(arguments: streams)
    func `a stream that ends at any byte is an answer without its end`(answer: Answer) throws {
        let bytes = Array(answer.text.utf8)
        let whole = try answer.fixture.read([bytes])
        for count in stride(from: 0, to: bytes.count - 4, by: 7) {
            let cut = try answer.fixture.read([Array(bytes[..<count])])
            #expect(cut.facts.contentEvents <= whole.facts.contentEvents)
            let attempt = try answer.fixture.attempts(cut.facts, isCut: true)[0]
            #expect(attempt.contradiction == nil, "\(count)")
            #expect(!attempt.usageComplete)
        }
    }
}
