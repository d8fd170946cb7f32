import Metering
import Testing

@testable import Engines

@Suite struct KeptReferenceTests {
    private func read(_ body: String, _ surface: Surface = .responses) throws -> InferenceRequest {
        try Array(body.utf8).withUnsafeBytes { try InferenceRequest(reading: $0, surface: surface) }
    }

    private func fields(_ body: String, _ surface: Surface = .responses) throws -> [String] {
        try read(body, surface).references.map { "\($0.field)=\($0.id)" }
    }

    @Test(arguments: [
        (#""previous_response_id":"resp_1""#, "previous_response_id=resp_1"),
        (#""conversation":"conv_1""#, "conversation=conv_1"),
        (#""conversation":{"id":"conv_1"}"#, "conversation.id=conv_1"),
        (#""prompt":{"id":"pmpt_1","version":"2"}"#, "prompt.id=pmpt_1"),
        (#""input":[{"role":"user","content":[{"type":"input_file","file_id":"file-1"}]}]"#, "file_id=file-1"),
        (#""input":[{"type":"item_reference","id":"msg_1"}]"#, "input=msg_1"),
        (#""input":[{"id":"msg_1"}]"#, "input=msg_1"),
        (#""input":[{"type":null,"id":"msg_1"}]"#, "input=msg_1"),
        (#""input":[{"id":"msg_1","x":1}]"#, "input=msg_1"),
        (#""input":[{"role":"user","status":"completed","id":"msg_1"}]"#, "input=msg_1"),
        (#""input":[{"type":"message","id":"msg_1","content":[],"x":{"y":1}}]"#, "input=msg_1"),
        (#""tools":[{"type":"file_search","vector_store_ids":["vs_1"]}]"#, "vector_store_ids=vs_1"),
        (#""tools":[{"type":"code_interpreter","container":"cntr_1"}]"#, "container=cntr_1"),
        (#""tools":[{"type":"code_interpreter","container":{"type":"auto","file_ids":["f1"]}}]"#, "file_ids=f1"),
        (#""\u0063onversation":"conv_1""#, "conversation=conv_1"),
        (#""Previous_Re\u017fponse_ID":"resp_1""#, "previous_response_id=resp_1"),
    ]) func `a response's body names what its engine keeps`(member: String, found: String) throws {
        #expect(try fields(#"{"model":"m",\#(member)}"#) == [found])
    }

    @Test(arguments: [
        (#""container":"c1","messages":[]"#, Surface.messages, "container=c1"),
        (#""container":{"id":"c1","skills":[{"skill_id":"s1"}]},"messages":[]"#, .messages, "skill_id=s1"),
        (
            #""messages":[{"content":[{"type":"document","source":{"type":"file","file_id":"f1"}}]}]"#, .messages,
            "file_id=f1"
        ),
        (#""messages":[{"content":[{"type":"container_upload","file_id":"f1"}]}]"#, .messages, "file_id=f1"),
        (
            #""messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"f1"}}]}]"#, .chatCompletions,
            "file_id=f1"
        ),
        (#""messages":[{"role":"assistant","audio":{"id":"audio_1"}}]"#, .chatCompletions, "audio.id=audio_1"),
        (
            #""messages":[],"extra_body":{"google":{"cached_content":"cachedContents/1"}}"#, .chatCompletions,
            "cached_content=cachedContents/1"
        ),
        (#""cachedContent":"cachedContents/1","contents":[]"#, .geminiGenerate, "cachedcontent=cachedContents/1"),
        (#""contents":[{"parts":[{"fileData":{"fileUri":"gs://b/o"}}]}]"#, .geminiGenerate, "fileuri=gs://b/o"),
        (
            #""contents":[{"parts":[{"file_data":{"file_uri":"https://x.googleapis.com/v1beta/files/1"}}]}]"#,
            .geminiGenerate, "file_uri=https://x.googleapis.com/v1beta/files/1"
        ),
        (#""tools":[{"fileSearch":{"fileSearchStoreNames":["s/1"]}}]"#, .geminiGenerate, "filesearchstorenames=s/1"),
    ]) func `so do those of other dialects`(members: String, surface: Surface, found: String) throws {
        #expect(try fields(#"{"model":"m",\#(members)}"#, surface).contains(found))
    }

    @Test(arguments: [
        (#""messages":[{"role":"user","content":"file_id"}],"metadata":{"file_id":"mine"}"#, Surface.chatCompletions),
        (
            #""messages":[],"tools":[{"type":"function","function":{"parameters":{"example":{"file_id":"x"}}}}]"#,
            .chatCompletions
        ),
        (#""messages":[{"content":[{"type":"tool_use","input":{"file_id":"x","container":"y"}}]}]"#, .messages),
        (#""tools":[{"name":"t","input_schema":{"default":{"file_id":"x"}}}],"messages":[]"#, .messages),
        (#""container":{"type":"auto"},"input":"a""#, .responses),
        (#""input":[{"type":"message","id":"msg_1","role":"user","content":"a"}]"#, .responses),
        (#""input":"a","tools":[{"type":"function","name":"f","parameters":{"const":{"file_id":"x"}}}]"#, .responses),
        (#""contents":[{"parts":[{"fileData":{"fileUri":"https://www.youtube.com/watch?v=1"}}]}]"#, .geminiGenerate),
        (#""contents":[{"parts":[{"functionCall":{"args":{"file_id":"x"}}}]}]"#, .geminiGenerate),
        (#""previous_response_id":null,"conversation":null"#, .responses),
    ]) func `what is the client's own affair names nothing`(members: String, surface: Surface) throws {
        #expect(try fields(#"{"model":"m",\#(members)}"#, surface) == [])
    }

    @Test func `addresses of a store that our own credentials open are known, however they are written`() {
        for address in [
            "gs://bucket/x", "files/abc", "HTTPS://Storage.GoogleAPIs.com/b/x", "https://user@example.com/",
            "https://generativelanguage.googleapis.com.:443/v1beta/files/1", "s3://b/x", "https://a%2egoogleapis.com/x",
            "https:\\\\storage.googleapis.com\\x", "https://x\\@storage.googleapis.com/", "",
        ] { #expect(KeptReferenceReader.isKept(address), "\(address)") }
        for address in ["https://example.com/a.png", "http://youtu.be/1", "data:image/png;base64,AA"] {
            #expect(!KeptReferenceReader.isKept(address), "\(address)")
        }
    }

    @Test func `work in the background is seen, and nothing but a boolean says so`() throws {
        #expect(try read(#"{"model":"m","background":true}"#).isBackground)
        #expect(try read(#"{"model":"m","deferred":true,"messages":[]}"#, .chatCompletions).isBackground)
        #expect(try !read(#"{"model":"m","background":false,"input":[{"background":true}]}"#).isBackground)
        #expect(try !read(#"{"model":"m","background":null}"#).isBackground)
        for member in [#""background":"true""#, #""background":1"#, #""background":false,"Background":true"#] {
            #expect(throws: RequestError.self, "\(member)") { try read(#"{"model":"m",\#(member)}"#) }
        }
    }

    @Test func `an engine's own id takes the place of the one that the client wrote, and nothing else changes`() throws
    {
        let body = #"{"previous_response_id" : "sealed","model":"m","input":[{"content":[{"file_id":"f"}]}]}"#
        var request = try read(body)
        for reference in request.references { request.open(reference, as: "up\"" + reference.id) }
        let edits = request.edits(upstreamModel: "m")
        var bytes = Array(body.utf8)
        for edit in edits.reversed() { bytes.replaceSubrange(edit.range, with: edit.replacement) }
        #expect(
            String(decoding: bytes, as: UTF8.self)
                == #"{"previous_response_id" : "up\"sealed","model":"m","input":[{"content":[{"file_id":"up\"f"}]}]}"#)
    }

    @Test func `the number of names is bounded`() throws {
        let ids = Array(repeating: #""f""#, count: 300).joined(separator: ",")
        #expect(throws: RequestError.self) { try read(#"{"model":"m","tools":[{"file_ids":[\#(ids)]}]}"#) }
    }
}
