import Metering
import Testing

@testable import Engines

/// Plain answers that say that they failed, sequences that nobody shows, and the words of rerankers.
@Suite struct PlainFailureTests {
    private static let text = #""output":[{"type":"message","content":[{"type":"output_text","text":"half"}]}]"#

    private func isFailure(_ text: String, _ surface: Surface = .responses) throws -> Bool {
        let fixture = AnswerFixture(kind: .openAI, surface: surface)
        let meter = AnswerMeter(
            request: try fixture.inferenceRequest(), backend: fixture.backend, status: 200,
            headers: AnswerFixture.Headers(fields: ["content-type": "application/json"]))
        for byte in text.utf8 { withUnsafeBytes(of: byte) { meter.read(piece: $0) } }
        meter.finish()
        return meter.isErrorInPlaceOfAnswer
    }

    @Test(arguments: [
        #"{"status":"failed"}"#, #"{"status":"failed","error":null,"output":[]}"#,
        #"{"id":"r","status":"failed","error":{"code":"server_error"},\#(text)}"#,
        #"{"id":"r",\#(text),"usage":{"input_tokens":9,"output_tokens":4},"status":"failed"}"#,
    ])
    func `a response that failed is a failure, whatever of it was made`(answer: String) throws {
        #expect(try isFailure(answer))
        let facts = try AnswerFixture(kind: .openAI, surface: .responses).read(answer).facts
        #expect(EngineRefusal(kind: .openAI, insideAnswer: facts).meaning != .clientMistake)
    }

    @Test(arguments: [
        #"{"status":"completed","error":null,\#(text)}"#,
        #"{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},\#(text)}"#,
        #"{"status":"incomplete","output":[]}"#, #"{"status":"queued","output":[]}"#,
        #"{"status":"completed","output":[{"type":"mcp_call","status":"failed","error":"x"}]}"#,
    ])
    func `one that ended otherwise is none`(answer: String) throws {
        #expect(try !isFailure(answer))
    }

    @Test func `why a response is incomplete is its finish reason`() throws {
        let facts = try AnswerFixture(kind: .openAI, surface: .responses).read(
            #"{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},\#(Self.text)}"#
        ).facts
        #expect(facts.finishReason == "max_output_tokens" && !facts.hasError)
    }

    @Test(arguments: [
        (#"{"choices":[{"finish_reason":"error","message":{"content":"half"}}]}"#, true),
        (#"{"choices":[{"finish_reason":"error","error":{"code":502},"message":{"content":"half"}}]}"#, true),
        (
            #"{"choices":[{"finish_reason":"error","message":{"content":"a"}},{"finish_reason":"stop","message":{}}]}"#,
            false
        ),
        (#"{"choices":[{"finish_reason":"stop","message":{"content":"error"}}]}"#, false),
    ])
    func `a chat failed where none of its choices ended well`(answer: String, expected: Bool) throws {
        #expect(try isFailure(answer, .chatCompletions) == expected)
    }

    @Test(arguments: ["invalid_prompt", "invalid_image_url", "image_content_policy_violation", "image_too_large"])
    func `a response that failed by the client's mistake is the client's`(code: String) throws {
        let facts = try AnswerFixture(kind: .openAI, surface: .responses).read(
            #"{"status":"failed","error":{"code":"\#(code)","message":"m"}}"#
        ).facts
        #expect(EngineRefusal(kind: .openAI, insideAnswer: facts).meaning == .clientMistake)
    }

    // MARK: Sequences that are not shown

    private func generate(
        _ parameters: String, _ answer: String, headers: [String: String] = [:]
    ) throws -> AttemptRecord {
        let body = Array(#"{"inputs":"hello","parameters":{\#(parameters)}}"#.utf8)
        let request = try body.withUnsafeBytes {
            try InferenceRequest(
                reading: $0, native: NativeCall(surface: .tgiGenerate, method: "POST", model: "m", prefix: "/generate"))
        }
        var fields = headers
        fields["content-type"] = "application/json"
        let backend = Backend(name: "b", isTLS: false, host: "e", port: 80, basePath: "", apiKey: nil, kind: .tgi)
        let meter = AnswerMeter(
            request: request, backend: backend, status: 200, headers: AnswerFixture.Headers(fields: fields))
        Array(answer.utf8).withUnsafeBytes { meter.read(piece: $0) }
        meter.finish()
        return meter.facts.attempts(
            completing: .example, request: request, isCut: false, priceKey: { _ in nil },
            newID: { AttemptRecord.example.id })[0]
    }

    @Test(arguments: [
        (#""best_of":4"#, #"{"generated_text":"abcd"}"#, ["x-prompt-tokens": "2", "x-generated-tokens": "20"], 80),
        (#""best_of":3"#, #"[{"generated_text":"abcdefgh"}]"#, ["x-prompt-tokens": "2"], 6),
        (#""best_of":2,"do_sample":true"#, #"{"generated_text":"abcdefgh"}"#, [:], 4),
        (#""best_of":2,"details":true"#, #"{"generated_text":"a","details":{"generated_tokens":7}}"#, [:], 14),
    ])
    func `sequences without details were made all the same`(
        parameters: String, answer: String, headers: [String: String], expected: Int64
    ) throws {
        let record = try generate(parameters, answer, headers: headers)
        #expect(record.buckets.outputTotal == expected, "\(record.buckets)")
        #expect(record.usageSource == .estimated && record.notes.contains(.outputUnderreported))
    }

    @Test func `details that count each sequence are believed`() throws {
        let details =
            #"{"generated_text":"a","details":{"generated_tokens":7,"best_of_sequences":[{"generated_tokens":5}]}}"#
        let record = try generate(#""best_of":2"#, details, headers: ["x-prompt-tokens": "2"])
        #expect(record.buckets.outputTotal == 12 && record.usageSource == .engine)
        let one = try generate(
            #""best_of":1"#, #"{"generated_text":"a"}"#,
            headers: ["x-prompt-tokens": "2", "x-generated-tokens": "7"])
        #expect(one.buckets.outputTotal == 7 && one.usageSource == .engine)
        let failed = try generate(#""best_of":4"#, #"{"error":"overloaded","error_type":"overloaded"}"#)
        #expect(!failed.notes.contains(.outputUnderreported))
    }

    // MARK: Rerankers

    @Test(arguments: [
        (#""texts":["a","b","c"]"#, 3), (#""passages":[{"text":"abc"},{"text":"d"}]"#, 2),
        (#""documents":["a"],"texts":["b"]"#, 2), (#""texts":[]"#, 0),
    ])
    func `documents are counted by each of their names`(member: String, expected: Int64) throws {
        let body = Array(#"{"model":"m","query":"q",\#(member)}"#.utf8)
        let request = try body.withUnsafeBytes { try InferenceRequest(reading: $0, surface: .rerank) }
        #expect(request.measures.documents == expected)
        #expect(request.input.promptBytes >= 1 + expected)
    }

    @Test func `hundreds of texts are as many searches as hundreds of documents`() throws {
        for name in ["texts", "passages", "documents"] {
            let list = Array(repeating: #""t""#, count: 250).joined(separator: ",")
            let fixture = AnswerFixture(
                surface: .rerank, request: #"{"model":"m","query":"q","\#(name)":[\#(list)]}"#)
            let record = try fixture.attempts(try fixture.read(#"[{"index":0,"score":0.9}]"#).facts)[0]
            #expect(record.units.searches == 3 && record.usageSource == .counted)
        }
    }
}
