import Metering
import Testing

@testable import Engines

/// Pictures, sound and files by an address that leads into the engine's own machine or network.
@Suite struct MediaAddressTests {
    private func read(_ body: String, _ surface: Surface) throws -> InferenceRequest {
        try Array(body.utf8).withUnsafeBytes { try InferenceRequest(reading: $0, surface: surface) }
    }

    private func chat(_ part: String) -> String {
        #"{"model":"m","messages":[{"role":"user","content":["# + part + "]}]}"
    }

    private static let local = [
        "file:///etc/passwd", "FILE:///etc/passwd", "file:/etc/passwd", "file://localhost/x.png", " file:///a b.png",
        #"\u0066ile:\/\/\/etc/passwd"#, #"fi\nle:///etc/passwd"#, #"\tfile:///x"#, "ftp://a.io/c.png",
        "gs://bucket/x.png", "s3://bucket/x.png", "smb://h/x", "/srv/pictures/x.png", "../x.jpg", "pictures/x.webp",
        "blob:/x", "custom+scheme://x", "unix:/run/x.sock",
    ]

    @Test(arguments: local)
    func `a part of a message names no local file`(address: String) {
        let parts = [
            #"{"type":"image_url","image_url":{"url":"\#(address)"}}"#,
            #"{"type":"image_url","image_url":"\#(address)"}"#,
            #"{"type":"image","image":"\#(address)"}"#,
            #"{"type":"video_url","video_url":{"url":"\#(address)"}}"#,
            #"{"type":"input_audio","audio_url":{"url":"\#(address)"}}"#,
            #"{"type":"image_url","image_url":{"url":"https://a.io/c.png","url":"\#(address)"}}"#,
            // Readers written in Go do not mind case.
            #"{"type":"image_url","image_url":{"Url":"\#(address)"}}"#,
            #"{"type":"image_url","Image_Url":{"url":"\#(address)"}}"#,
            #"{"type":"input_audio","AUDIO_URL":"\#(address)"}"#,
            #"{"type":"image","uR\u006c":"\#(address)"}"#,
            // Of several, readers take the first or the last.
            #"{"type":"image","url":"\#(address)","URL":"https://a.io/c.png"}"#,
            #"{"type":"image","url":"\#(address)","path":"https://a.io/c.png"}"#,
            #"{"type":"image_url","image_url":{"url":"\#(address)","type":"text"}}"#,
            #"{"type":"image_url","Type":"search_result","image_url":{"url":"\#(address)"}}"#,
            #"{"type":"search_result","source":"\#(address)","type":"image"}"#,
            #"{"type":"search_result","image_url":{"url":"\#(address)"}}"#,
        ]
        for part in parts {
            let error = #expect(throws: RequestError.self) { try read(chat(part), .chatCompletions) }
            #expect(error?.code == "address_not_available", "\(part)")
        }
    }

    private static let surfaces: [(Surface, String)] = [
        (.responses, #""input":[{"role":"user","content":[{"type":"input_image","image_url":"file:///x"}]}]"#),
        (.responses, #""input":[{"role":"user","content":[{"type":"input_file","file_url":"file:///x"}]}]"#),
        (
            .messages,
            #""messages":[{"content":[{"type":"image","source":{"type":"url","url":"file:///x"}}],"role":"user"}]"#
        ),
        (.imageGenerations, #""prompt":"p","image":"file:///x""#),
        (.imageGenerations, #""prompt":"p","images":["https://a.io/c","file:///x"]"#),
        (.imageGenerations, #""prompt":"p","mask":{"url":" file:///x"}"#),
        (.imageGenerations, #""prompt":"p","references":[{"image":"y","url":"file:/x"}]"#),
        (.audioSpeech, #""input":"p","ref_audio":"file:///x.wav""#),
        (.audioTranscriptions, #""file":"file:///x.wav""#),
        (.embeddings, #""input":[{"image":"file:///x"}]"#),
        (.chatCompletions, #""messages":[],"image_data":"file:///x""#),
        (.chatCompletions, #""messages":[{"content":[{"type":"image","url":"file:///x"}]}]"#),
        (.chatCompletions, #""messages":[{"content":[{"type":"image","path":"file:///x"}]}]"#),
    ]

    @Test(arguments: surfaces)
    func `no surface takes a local file`(surface: Surface, members: String) {
        let error = #expect(throws: RequestError.self) { try read(#"{"model":"m",\#(members)}"#, surface) }
        #expect(error?.code == "address_not_available")
    }

    @Test(arguments: [
        #"{"type":"image_url","image_url":{"url":"https://a.io/c.png"}}"#,
        #"{"type":"image_url","image_url":{"url":"http://a.io:8000/c.png?x=file:///y"}}"#,
        #"{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}}"#,
        #"{"type":"image","image":"/9j/4AAQSkZJRgABAQAAAQABAAD"}"#,
        #"{"type":"input_audio","input_audio":{"data":"\/\/uQxAAAAAAAAAAAAAAA","format":"mp3"}}"#,
        #"{"type":"document","document":{"data":"Weather: sunny. file: none"}}"#,
        #"{"type":"document","source":{"type":"text","data":"file:///x is a path"}}"#,
        #"{"type":"text","text":"file:///etc/passwd"}"#,
        #"{"type":"tool_use","name":"open","input":{"url":"file:///x","path":"file:///y"}}"#,
    ])
    func `content, the web and the client's own words pass`(part: String) throws {
        _ = try read(chat(part), .chatCompletions)
    }

    @Test(arguments: [
        #""tools":[{"type":"function","function":{"name":"f","parameters":{"default":"file:///x"}}}]"#,
        #""response_format":{"type":"json_schema","json_schema":{"schema":{"examples":["file:///x"]}}}"#,
        #""metadata":{"source":"file:///x"}"#, #""stop":["file"]"#, #""x":"file""#, #""y":["fine: yes"]"#,
    ])
    func `members that hold no media say what they like`(member: String) throws {
        _ = try read(#"{"model":"m","messages":[],"# + member + "}", .chatCompletions)
    }
}
