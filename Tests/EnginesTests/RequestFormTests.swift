import Metering
import TestSupport
import Testing

@testable import Engines

/// What is read of requests in every form.
@Suite struct RequestFormTests {
    private func read(_ body: String, _ surface: Surface) throws -> InferenceRequest {
        try Array(body.utf8).withUnsafeBytes { try InferenceRequest(reading: $0, surface: surface) }
    }

    private func read(_ body: String, _ kind: EngineKind, _ path: String) throws -> InferenceRequest {
        let call = try #require(kind.dialect.nativeCall(method: "POST", path: path[...]))
        return try Array(body.utf8).withUnsafeBytes { try InferenceRequest(reading: $0, native: call) }
    }

    @Test func `responses`() throws {
        let request = try read(
            #"{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"abcd"}]},"#
                + #"{"type":"function_call_output","call_id":"c","output":"ef"}],"instructions":"ghi","stream":true,"#
                + #""max_output_tokens":77,"service_tier":"flex","metadata":{"team":"blue"},"user":"u"}"#, .responses)
        #expect(request.input.promptBytes == 9)
        #expect(request.outputTokensMax == 77)
        #expect(request.isStream)
        #expect(request.serviceTier == "flex")
        #expect(request.tags == [Tag(name: "team", value: "blue"), Tag(name: "user", value: "u")])
        #expect(try read(#"{"model":"m","input":"abcd"}"#, .responses).input.promptBytes == 4)
    }

    @Test(arguments: [Surface.messages, .countTokens])
    func `messages`(surface: Surface) throws {
        let request = try read(
            #"{"model":"claude","max_tokens":64,"system":[{"type":"text","text":"ab"}],"messages":["#
                + #"{"role":"user","content":"cde"},{"role":"user","content":[{"type":"text","text":"f"},"#
                + #"{"type":"image","source":{"type":"base64","data":"AAAA"}},"#
                + #"{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"gh"}]}]}],"#
                + #""metadata":{"user_id":"u-1"},"service_tier":"auto"}"#, surface)
        #expect(request.input.promptBytes == 8)
        #expect(request.outputTokensMax == 64)
        #expect(request.tags == [Tag(name: "user_id", value: "u-1")])
        #expect(try read(#"{"model":"claude","system":"abc","messages":[]}"#, surface).input.promptBytes == 3)
    }

    @Test func `pictures, speech and rankings`() throws {
        let pictures = try read(#"{"model":"m","prompt":"a cat","n":3,"stream":true}"#, .imageGenerations)
        #expect(pictures.choiceCount == 3)
        #expect(pictures.isStream)
        #expect(pictures.input.promptBytes == 5)
        let speech = try read(#"{"model":"m","input":"Grüße","voice":"v","stream_format":"sse"}"#, .audioSpeech)
        #expect(speech.measures == RequestMeasures(characters: 5))
        #expect(speech.isStream)
        #expect(try !read(#"{"model":"m","input":"x","stream_format":"audio"}"#, .audioSpeech).isStream)
        let ranking = try read(
            #"{"model":"m","query":"abc","documents":["de",{"text":"f"},{"title":"none"}]}"#, .rerank)
        #expect(ranking.input.promptBytes == 6)
        #expect(ranking.measures == RequestMeasures(documents: 3))
        #expect(pictures.measures == RequestMeasures(images: 3))
    }

    @Test func `Gemini in both spellings`() throws {
        let path = "/v1beta/models/g:streamGenerateContent"
        for (tokens, config, system) in [
            ("maxOutputTokens", "generationConfig", "systemInstruction"),
            ("max_output_tokens", "generation_config", "system_instruction"),
        ] {
            let request = try read(
                #"{"contents":[{"role":"user","parts":[{"text":"abc"},{"inlineData":{"data":"AAAA"}}]}],"#
                    + #""\#(system)":{"parts":[{"text":"de"}]},"\#(config)":{"\#(tokens)":90,"temperature":0.5},"#
                    + #""labels":{"team":"blue"}}"#, .gemini, path)
            #expect(request.input.promptBytes == 5)
            #expect(request.outputTokensMax == 90)
            #expect(request.tags == [Tag(name: "team", value: "blue")])
            #expect(request.isStream)
            #expect(request.model == "g")
        }
    }

    @Test func `Bedrock`() throws {
        let converse = try read(
            #"{"messages":[{"role":"user","content":[{"text":"abc"}]}],"system":[{"text":"d"}],"#
                + #""inferenceConfig":{"maxTokens":50},"serviceTier":{"type":"priority"},"requestMetadata":{"a":"b"}}"#,
            .bedrock, "/model/m/converse")
        #expect(converse.input.promptBytes == 4)
        #expect(converse.outputTokensMax == 50)
        #expect(converse.serviceTier == "priority")
        #expect(converse.tags == [Tag(name: "a", value: "b")])
        for (body, tokens) in [
            (#"{"anthropic_version":"v","max_tokens":5,"messages":[{"content":"abcd"}]}"#, 5),
            (#"{"prompt":"abcd","max_gen_len":6}"#, 6),
            (#"{"inputText":"abcd","textGenerationConfig":{"maxTokenCount":7}}"#, 7),
            (#"{"messages":[{"content":[{"text":"abcd"}]}],"inferenceConfig":{"max_new_tokens":8}}"#, 8),
        ] as [(String, Int64)] {
            let request = try read(body, .bedrock, "/model/m/invoke")
            #expect(request.outputTokensMax == tokens)
            #expect(request.input.promptBytes == 4)
        }
    }

    @Test func `engines with an API of their own`() throws {
        let tgi = try read(
            #"{"inputs":"abcd","parameters":{"max_new_tokens":20,"best_of":2}}"#, .tgi, "/generate")
        #expect(tgi.input.promptBytes == 4)
        #expect(tgi.outputTokensMax == 20)
        #expect(tgi.choiceCount == 2)
        #expect(tgi.model.isEmpty)
        let triton = try read(
            #"{"text_input":"abcd","parameters":{"max_tokens":9}}"#, .triton, "/v2/models/m/generate")
        #expect(triton.outputTokensMax == 9)
        #expect(try read(#"{"text_input":"a","max_tokens":8}"#, .triton, "/v2/models/m/generate").outputTokensMax == 8)
        let prediction = try read(
            #"{"version":"abc123","input":{"prompt":"abcd","max_tokens":30},"stream":true}"#, .replicate,
            "/v1/predictions")
        #expect(prediction.model == "abc123")
        #expect(prediction.outputTokensMax == 30)
        #expect(prediction.isStream)
    }

    @Test(arguments: [
        (#"{"contents":[],"Contents":[]}"#, "unknown_field"),
        (#"{"generationConfig":{"maxOutputTokens":1,"maxoutputtokens":2}}"#, "unknown_field"),
        (#"{"generationConfig":{"maxOutputTokens":1,"maxOutputTokens":2}}"#, "duplicate_field"),
        (#"{"generationConfig":[]}"#, "invalid_type"), (#"{"contents":[}"#, "invalid_json"), ("", "invalid_json"),
    ])
    func `bodies that cannot be trusted are refused in every form`(body: String, code: String) {
        do {
            _ = try read(body, .gemini, "/v1beta/models/g:generateContent")
            Issue.record("\(body) was accepted")
        } catch let error as RequestError {
            #expect(error.code == code)
        } catch {
            Issue.record("\(error)")
        }
    }
}

/// Forms: small parts are read where they stand, the file is only passed over.
@Suite struct MultipartFormTests {
    private static let type = "multipart/form-data; boundary=\"b 1\""

    private func part(_ name: String, _ value: String, _ extra: String = "") -> String {
        "--b 1\r\nContent-Disposition: form-data; name=\"\(name)\"\(extra)\r\n\r\n\(value)\r\n"
    }

    private func form(_ parts: String...) -> [UInt8] { Array((parts.joined() + "--b 1--\r\n").utf8) }

    private var file: String {
        part("file", "RIFF\r\n--b \r\nmodel\r\n--b2\r\n\u{0}", "; filename=\"a;name=b.wav\"\r\nContent-Type: audio/wav")
    }

    private func read(_ body: [UInt8], type: String? = MultipartFormTests.type) throws -> InferenceRequest {
        try body.withUnsafeBytes {
            try InferenceRequest(reading: $0, surface: .audioTranscriptions, contentType: type)
        }
    }

    @Test func `model, stream and format are read, the file is not`() throws {
        let body = form(
            file, part("model", "whisper-x"), part("stream", "True"), part("response_format", "verbose_json"),
            part("prompt", "abc"), part("language", "de"))
        for type in [Self.type, nil] {
            let request = try read(body, type: type)
            #expect(request.model == "whisper-x")
            #expect(request.isStream)
            #expect(request.responseFormat == "verbose_json")
            #expect(request.input.promptBytes == 3)
        }
    }

    @Test func `the model's name is changed inside its part, and vLLM is asked for usage by a part of its own`() throws
    {
        let body = form(file, part("model", "m"), part("stream", "true"))
        let request = try read(body)
        func edited(_ kind: EngineKind) -> String {
            var bytes = body
            let backend = Backend(
                name: "b", isTLS: false, host: "h", port: 80, basePath: "", apiKey: nil, kind: kind)
            for edit in kind.dialect.edits(for: request, upstreamModel: "up/1", backend: backend).reversed() {
                bytes.replaceSubrange(edit.range, with: edit.replacement)
            }
            return String(decoding: bytes, as: UTF8.self)
        }
        let renamed = String(decoding: form(file, part("model", "up/1"), part("stream", "true")), as: UTF8.self)
        #expect(edited(.openAI) == renamed)
        #expect(
            edited(.vllm)
                == "--b 1\r\ncontent-disposition: form-data; name=\"stream_include_usage\"\r\n\r\ntrue\r\n" + renamed)
    }

    @Test func `forms that two readers could read differently are refused`() {
        let cases: [([UInt8], String?, String)] = [
            (form(part("model", "a"), part("model", "b")), Self.type, "duplicate_field"),
            (form(part("Model", "a")), Self.type, "unknown_field"),
            (form(part("model", "a", "; name=\"stream\"")), Self.type, "invalid_multipart"),
            (form(part("model", "a", "; filename=\"m\"")), Self.type, "invalid_type"),
            (form(part("model", "a"), part("stream", "perhaps")), Self.type, "invalid_type"),
            (form(part("file", "x")), Self.type, "missing_required_parameter"),
            (Array(part("model", "a").utf8), Self.type, "invalid_multipart"),
            (form(part("model", "a")), "multipart/form-data", "invalid_multipart"),
            (form(part("model", "a")), "multipart/form-data; boundary=other", "invalid_multipart"),
            (Array("x".utf8) + form(part("model", "a")), Self.type, "invalid_multipart"),
            (Array("--b 1\r\n\r\nvalue\r\n--b 1--\r\n".utf8), Self.type, "invalid_multipart"),
            (Array("--b 1\nx".utf8), Self.type, "invalid_multipart"), ([], Self.type, "invalid_multipart"),
        ]
        for (body, type, code) in cases {
            do {
                _ = try read(body, type: type)
                Issue.record("\(String(decoding: body, as: UTF8.self)) was accepted")
            } catch let error as RequestError {
                #expect(error.code == code, "\(String(decoding: body, as: UTF8.self))")
            } catch {
                Issue.record("\(error)")
            }
        }
    }

    @Test func `every cut and many changes of a form are refused or read, and none crashes`() {
        let body = form(file, part("model", "m"), part("stream", "true"))
        for count in 0..<body.count - 4 {
            #expect(throws: RequestError.self, "\(count)") { try read(Array(body[..<count])) }
        }
        for seed in propertySeeds {
            var generator = SeededGenerator(seed: seed)
            var changed = body
            for _ in 0..<Int.random(in: 1...8, using: &generator) {
                changed[Int.random(in: 0..<changed.count, using: &generator)] =
                    [10, 13, 45, 34, UInt8.random(in: 0...255, using: &generator)].randomElement(using: &generator) ?? 0
            }
            _ = try? read(changed)
            _ = try? read(changed, type: nil)
        }
    }
}
