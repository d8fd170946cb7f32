import Engines
import Metering
import Testing

@Suite struct InferenceRequestTests {
    private func read(_ text: String, _ surface: Surface = .chatCompletions) throws -> InferenceRequest {
        try read(Array(text.utf8), surface)
    }

    private func read(_ bytes: [UInt8], _ surface: Surface = .chatCompletions) throws -> InferenceRequest {
        try bytes.withUnsafeBytes { try InferenceRequest(reading: $0, surface: surface) }
    }

    private func edited(_ text: String, model: String) throws -> String {
        let bytes = Array(text.utf8)
        var result: [UInt8] = []
        var start = 0
        for edit in try read(bytes).edits(upstreamModel: model) {
            result += bytes[start..<edit.range.lowerBound] + edit.replacement
            start = edit.range.upperBound
        }
        return String(decoding: result + bytes[start...], as: UTF8.self)
    }

    @Test func `what the gateway needs is read, whatever else is there`() throws {
        let request = try read(
            #"""
             { "messages":[{"role":"system","content":"abc\n"},{"role":"user","content":[{"type":"text","text":"déf"},
             {"type":"image_url","image_url":{"url":"data:xxxx"}}]}], "stream" : true, "n":2, "max_tokens":100,
             "max_completion_tokens":50, "service_tier":"priority", "user":"u-1", "temperature":1e-2,
             "metadata":{"team":"blue","count":3}, "stream_options":{"x":[1,{}]}, "mod\u0065l":"gpt\u002D4" }
            """#)
        #expect(request.model == "gpt-4")
        #expect(request.isStream)
        #expect(!request.wantsUsageChunk)
        #expect(request.choiceCount == 2)
        #expect(request.outputTokensMax == 100)
        #expect(request.serviceTier == "priority")
        #expect(request.tags == [Tag(name: "user", value: "u-1"), Tag(name: "team", value: "blue")])
        #expect(request.input.promptBytes == 4 + 4)
    }

    @Test(arguments: [
        (#"{"model":"m","prompt":"abcd"}"#, 4 as Int64, 1 as Int64),
        (#"{"model":"m","prompt":["ab","c"],"n":2}"#, 3, 4),
        (#"{"model":"m","prompt":[1,2,3]}"#, 12, 1), (#"{"model":"m","prompt":[[1,2],[3]]}"#, 12, 2),
    ])
    func `prompts of any shape are counted`(body: String, bytes: Int64, choices: Int64) throws {
        let request = try read(body, .completions)
        #expect(request.input.promptBytes == bytes)
        #expect(request.choiceCount == choices)
    }

    @Test func `the model and include_usage are edited in place and nothing else moves`() throws {
        #expect(
            try edited(#"{"model": "a","x":[1.0e+05]}"#, model: "b/\"c\"") == #"{"model": "b/\"c\"","x":[1.0e+05]}"#)
        #expect(try edited(#"{"model":"a","stream":false}"#, model: "a") == #"{"model":"a","stream":false}"#)
        #expect(
            try edited(#"{"stream":true,"model":"a"}"#, model: "b")
                == #"{"stream_options":{"include_usage":true},"stream":true,"model":"b"}"#)
        #expect(
            try edited(#"{"model":"a","stream_options":{"k":1},"stream":true}"#, model: "a")
                == #"{"model":"a","stream_options":{"include_usage":true,"k":1},"stream":true}"#)
        #expect(
            try edited(#"{"model":"a","stream_options":{ },"stream":true}"#, model: "a")
                == #"{"model":"a","stream_options":{"include_usage":true },"stream":true}"#)
        #expect(
            try edited(#"{"model":"a","stream_options":{"include_usage": false,"k":1},"stream":true}"#, model: "a")
                == #"{"model":"a","stream_options":{"include_usage": true,"k":1},"stream":true}"#)
        #expect(
            try edited(#"{"model":"a","stream_options":null,"stream":true}"#, model: "a")
                == #"{"model":"a","stream_options":{"include_usage":true},"stream":true}"#)
        let asked = #"{"model":"a","stream_options":{"include_usage":true},"stream":true}"#
        #expect(try edited(asked, model: "a") == asked)
        #expect(try read(asked).wantsUsageChunk)
    }

    @Test(arguments: [
        ("", "invalid_json"), ("[]", "invalid_json"), ("{", "invalid_json"), ("{}x", "invalid_json"),
        (#"{"model":"m",}"#, "invalid_json"), (#"{"model":"m" "x":1}"#, "invalid_json"),
        (#"{"model":"m","x":01}"#, "invalid_json"), (#"{"model":"m","x":tru}"#, "invalid_json"),
        ("{\"model\":\"m\",\"x\":\"\u{1}\"}", "invalid_json"), (#"{"model":"m","x":"\q"}"#, "invalid_json"),
        (#"{"model":"m","x":"\u12g4"}"#, "invalid_json"),
        ("{\"model\":\"m\",\"x\":" + String(repeating: "[", count: 200), "invalid_json"),
        (#"{"messages":[]}"#, "missing_required_parameter"), (#"{"model":null}"#, "invalid_type"),
        (#"{"model":1}"#, "invalid_type"), (#"{"model":"m","stream":"yes"}"#, "invalid_type"),
        (#"{"model":"m","stream_options":[]}"#, "invalid_type"), (#"{"model":"m","max_tokens":1.5}"#, "invalid_type"),
        (#"{"model":"m","messages":"hi"}"#, "invalid_type"), (#"{"model":"m","user":7}"#, "invalid_type"),
        (#"{"model":"m","Model":"n"}"#, "unknown_field"), (#"{"model":"m","m\u004fdel":"n"}"#, "unknown_field"),
        (#"{"model":"m","model":"n"}"#, "duplicate_field"), (#"{"model":"m","mode\u006c":"n"}"#, "duplicate_field"),
        (
            #"{"model":"m","stream":true,"stream_options":{"include_usage":true,"include_usage":false}}"#,
            "duplicate_field"
        ),
    ])
    func `a body that cannot be trusted is refused`(body: String, code: String) {
        do {
            _ = try read(body)
            Issue.record("\(body) was accepted")
        } catch let error as RequestError {
            #expect(error.code == code)
            #expect(!error.message.isEmpty)
        } catch {
            Issue.record("\(error)")
        }
    }

    @Test func `a body that is no UTF-8 is refused`() {
        #expect(throws: RequestError.self) { try read(Array(#"{"model":""#.utf8) + [0xC3, 0x28] + Array(#""}"#.utf8)) }
    }

    @Test func `every cut of a body is refused and none crashes`() throws {
        let body = Array(
            #"{"model":"m","messages":[{"role":"user","content":"a\u00e9\n"}],"stream":true,"n":-1.5e3}"#.utf8)
        for count in 0..<body.count {
            #expect(throws: RequestError.self, "\(count)") { try read(Array(body[..<count])) }
        }
    }
}
