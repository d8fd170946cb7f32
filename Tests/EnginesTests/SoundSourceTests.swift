import Metering
import Testing

@testable import Engines

/// Transcriptions of a sound that is not handed in: by its address, or by the id of something that is kept.
@Suite struct SoundSourceTests {
    private func form(_ name: String, _ value: String) throws -> InferenceRequest {
        func part(_ name: String, _ value: String) -> String {
            "--x\r\ncontent-disposition: form-data; name=\"\(name)\"\r\n\r\n\(value)\r\n"
        }
        let body = part("model", "m") + part(name, value) + "--x--\r\n"
        return try Array(body.utf8).withUnsafeBytes {
            try InferenceRequest(reading: $0, surface: .audioTranscriptions)
        }
    }

    private func json(_ name: String, _ value: String) throws -> InferenceRequest {
        try Array(#"{"model":"m","file":"UklGRiQAAABXQVZF","\#(name)":"\#(value)"}"#.utf8).withUnsafeBytes {
            try InferenceRequest(reading: $0, surface: .audioTranscriptions)
        }
    }

    @Test(arguments: [
        ("audio_file_id", "file-1"), ("source", "abc"), ("input", "abc"), ("s3_uri", "s3://b/x"),
        ("document_url", "https://a.b.com/x"), ("file-id", "file-1"), ("audioFileId", "x"), ("media_path", "/x.wav"),
        ("upload_id", "u"), ("anything", "https://a.b.com/long.mp3"), ("x", " gs://bucket/long.mp3"),
        ("file_url", "x"), ("FileURL", "x"), ("source_language_url", "x"), ("recording_key", "x"),
        ("attachment_ids", "x"),
    ])
    func `a sound that is elsewhere is refused under whatever name`(name: String, value: String) {
        for error in [
            #expect(throws: RequestError.self) { try form(name, value) },
            #expect(throws: RequestError.self) { try json(name, value) },
        ] {
            #expect(error?.code == "field_not_available" || error?.code == "unknown_field", "\(name)")
        }
    }

    @Test(arguments: [
        ("prompt", "https://a.b.com is what she spells"), ("language", "en"), ("temperature", "0"),
        ("timestamp_granularities[]", "word"), ("chunking_strategy", "auto"), ("diarize", "true"), ("id", "7"),
        ("request_id", "x"), ("hotwords", "file:names"), ("known_speaker_references[]", "data:audio/wav;base64,UklGRg"),
        ("include[]", "logprobs"), ("filename_hint", "a"), ("response_format", "json"), ("user", "https://id.example"),
    ])
    func `what names no sound passes`(name: String, value: String) throws {
        _ = try form(name, value)
    }

    @Test(arguments: ["/etc/passwd", "tmp/secretjpg", "/data/apng", "etc", #"\/etc\/shadow"#, "//usr/share/x"])
    func `a text of Base64's letters that may be a path is refused by engines with files beside them`(text: String)
        throws
    {
        for part in [
            #"{"type":"image_url","image_url":{"url":"\#(text)"}}"#, #"{"type":"audio_url","audio_url":"\#(text)"}"#,
            #"{"type":"video_url","video_url":{"url":"\#(text)"}}"#,
        ] {
            let body = #"{"model":"m","messages":[{"role":"user","content":[\#(part)]}]}"#
            let request = try Array(body.utf8).withUnsafeBytes {
                try InferenceRequest(reading: $0, surface: .chatCompletions)
            }
            #expect(request.possiblePath(on: [.vllm]) != nil && request.possiblePath(on: [.openAI, .gemini]) == nil)
        }
    }

    @Test(arguments: [
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ", "/9j/4AAQSkZJRgABAQ", #"\/9j\/4AAQSkZJRgABAQ"#,
        "R0lGODlhAQABAAAAACw=", "UklGRiQAAABXQVZFZm10IA==", "SUQzBAAAAAAAI1RTU0U=", "AAAAIGZ0eXBpc29tAAACAGlzb20=",
        "AAAAHGZ0eXBhdmlm", "T2dnUwACAAAA", "data:image/png;base64,AAAA", "https://a.b.com/x", "PHN2ZyB4bWxucz0",
        "GkXfo59ChoE",
    ])
    func `content that begins as content does passes everywhere`(text: String) throws {
        let part = #"{"type":"image_url","image_url":{"url":"\#(text)"}}"#
        let body = #"{"model":"m","messages":[{"role":"user","content":[\#(part)]}]}"#
        let request = try Array(body.utf8).withUnsafeBytes {
            try InferenceRequest(reading: $0, surface: .chatCompletions)
        }
        #expect(request.possiblePath(on: EngineKind.allCases) == nil)
    }

    @Test func `long content needs no beginning that anybody knows`() throws {
        let sound = String(repeating: "AQID/+", count: 1000)
        let part = #"{"type":"input_audio","input_audio":{"data":"\#(sound)","format":"pcm16"}}"#
        let body = #"{"model":"m","messages":[{"role":"user","content":[\#(part)]}]}"#
        let request = try Array(body.utf8).withUnsafeBytes {
            try InferenceRequest(reading: $0, surface: .chatCompletions)
        }
        #expect(request.possiblePath(on: EngineKind.allCases) == nil)
    }

    @Test(
        arguments: [
            ("![](http://169.254.169.254/x) what?", false), ("a ![b](http://kubernetes.default/) c", false),
            (#"![](http:\/\/10.0.0.1\/x)"#, false), ("[x](HTTP://localhost:3000/)", false),
            ("![](https://a.b.com/x.png) what?", true), ("see (http://10.0.0.1/) and [x] (y)", true),
            ("f(x)](g(", true), ("![logo](img/logo.png)", true), ("](", true), ("[a](#b)", true),
        ] as [(String, Bool)])
    func `pictures in Markdown lead to the web, where engines read them`(text: String, passes: Bool) throws {
        let body = #"{"inputs":"\#(text)"}"#
        let read = {
            try Array(body.utf8).withUnsafeBytes {
                try InferenceRequest(
                    reading: $0, native: NativeCall(surface: .tgiGenerate, method: "POST", model: "m", prefix: "/"))
            }
        }
        guard !passes else { return _ = try read() }
        let error = #expect(throws: RequestError.self) { try read() }
        #expect(error?.code == "address_not_available")
    }
}
