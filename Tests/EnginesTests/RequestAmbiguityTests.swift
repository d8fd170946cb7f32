import Metering
import Testing

@testable import Engines

/// What is forwarded is what was understood: whatever another reader could take for something else is refused.
@Suite struct RequestAmbiguityTests {
    private func code(_ body: String, _ surface: Surface = .chatCompletions, type: String? = nil) -> String? {
        do {
            _ = try Array(body.utf8).withUnsafeBytes {
                try InferenceRequest(reading: $0, surface: surface, contentType: type)
            }
            return nil
        } catch let error as RequestError {
            return error.code
        } catch {
            return "\(error)"
        }
    }

    @Test(arguments: [
        #""ſtream":true"#, "\"max_to\u{212A}ens\":9", #""MAX_TOKENS":9"#, #""\u017ftream":true"#, #""N_predict":9"#,
        #""be\u017ft_of":3"#, #""Metadata":{}"#, #""me\u017f\u017fages":[]"#, #""n_Cmpl":2"#, #""Stop":[]"#,
        #""max_completion_to\u212aens":1"#, #""stream_options":{"Include_usage":true}"#,
        #""stream_options":{"include_u\u017fage":true}"#,
    ])
    func `names that fold to one that matters are refused`(member: String) {
        #expect(code("{\"model\":\"m\",\(member)}") == "unknown_field")
    }

    @Test(arguments: [#""ßtream":1"#, #""max tokens":9"#, #""streamſ":true"#, #""x_ſtream":true"#, #""ｍodel":1"#])
    func `names that no reader takes for one that matters pass`(member: String) {
        #expect(code("{\"model\":\"m\",\(member)}") == nil)
    }

    @Test func `a tier inside its object stands once and in its own case`() {
        func code(_ tier: String) -> String? {
            do {
                let call = try #require(
                    EngineKind.bedrock.dialect.nativeCall(method: "POST", path: "/model/m/converse"))
                _ = try Array(#"{"messages":[],"serviceTier":\#(tier)}"#.utf8).withUnsafeBytes {
                    try InferenceRequest(reading: $0, native: call)
                }
                return nil
            } catch { return (error as? RequestError)?.code }
        }
        #expect(code(#"{"type":"priority"}"#) == nil)
        #expect(code(#"{"type":"default","type":"priority"}"#) == "duplicate_field")
        #expect(code(#"{"type":"default","Type":"priority"}"#) == "unknown_field")
        #expect(code(#"{"type":"default","t\u0079pe":"priority"}"#) == "duplicate_field")
    }

    @Test(arguments: [
        ("custom_id", "Custom_ID"), ("body", "Body"), ("url", "URL"), ("method", "Method"), ("cu\\u017ftom_id", ""),
    ])
    func `a line of a batch has its members in their own case alone`(name: String, other: String) {
        let key = other.isEmpty ? name : other
        let line =
            #"{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"m"},"#
            + #""\#(key)":{"model":"n"}}"#
        do {
            _ = try Array(line.utf8).withUnsafeBytes { try BatchInput(reading: $0) }
            Issue.record("\(line) was accepted")
        } catch {
            #expect((error as? RequestError)?.code == "unknown_field")
        }
    }

    @Test func `a batch's order has no member that folds to one that matters`() {
        let names: [StaticString] = ["input_file_id", "metadata"]
        for body in [
            #"{"Metadata":{}}"#, #"{"input_file_id":"a","INPUT_FILE_ID":"b"}"#, #"{"input\u005fFile_id":"b"}"#,
        ] {
            #expect(throws: RequestError.self) { try JSONObjectText(reading: Array(body.utf8), names: names) }
        }
        #expect(throws: RequestError.self) { try JSONObjectText(reading: Array(#"{"a":1,"\u0061":2}"#.utf8)) }
    }

    // MARK: Forms

    private func form(_ head: String, value: String = "m", type: String = "multipart/form-data; boundary=b") -> String?
    {
        let parts =
            "--b\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nm\r\n--b\r\n\(head)\r\n\r\n\(value)\r\n"
        return code(parts + "--b--\r\n", .audioTranscriptions, type: type)
    }

    @Test(arguments: [
        #"Content-Disposition: form-data; name="zz"; name*=utf-8''model"#,
        #"Content-Disposition: form-data; name*=utf-8''model"#,
        #"Content-Disposition: form-data; name*0="mo"; name*1="del""#,
        #"Content-Disposition: form-data; name="zz"; name*0*=utf-8''model"#,
        #"Content-Disposition: form-data; name="zz"; filename*=utf-8''x.wav"#,
        #"Content-Disposition: form-data; name="zz"; Name="model""#,
        #"Content-Disposition: form-data; name="zz"; filename="a"; filename="b""#,
        #"Content-Disposition: form-data; name="mo\del""#, #"Content-Disposition: form-data; name="a\"; name=\"model""#,
        #"Content-Disposition: form-data; name="%6dodel""#, #"Content-Disposition: form-data; name= model"#,
        #"Content-Disposition: form-data; name="model "#, #"Content-Disposition: form-data; name="""#,
        #"Content-Disposition: form-data; name"#, #"Content-Disposition: form-data; =model"#,
        #"Content-Disposition: form-data; name=a b"#, #"Content-Disposition: form-data; name="a" name="model""#,
        #"Content-Disposition: attachment; name="model""#, #"Content-Disposition: form-data"#,
        "Content-Type: text/plain", "Content-Disposition: form-data;\r\n name=\"model\"",
        "Content-Disposition: form-data; name=\"a\"\r\nContent-Disposition: form-data; name=\"model\"",
        "Content-Disposition: form-data; name=\"a\"\r\nContent-Type: text/plain\r\ncontent-type: audio/wav",
        "Content-Disposition: form-data; name=\"a\"\r\nno colon", "Content-Disposition : form-data; name=\"a\"",
        "Content-Disposition: form-data; name=\"a\"\r\n: x", "Content-Disposition: form-data; name=\"möd\"",
    ])
    func `a part that two readers could name differently is refused`(head: String) {
        #expect(form(head) == "invalid_multipart", "\(head)")
    }

    @Test(arguments: [
        "multipart/form-data; boundary=b; boundary=c", "multipart/form-data; boundary*=utf-8''b; boundary=c",
        "multipart/form-data; boundary*0=b", "multipart/form-data; boundary=b; boundary*1=c",
        "multipart/form-data; boundary=\"b\\\"\"", "multipart/form-data; boundary=b c",
        "multipart/form-datax; boundary=b",
        "multipart/mixed; boundary=b", "multipart/form-data, text/plain; boundary=b",
        "multipart/form-data;; boundary=b",
        "multipart/form-data; boundary=", "multipart/form-data; boundary=b; x*=y",
    ])
    func `a boundary that two readers could read differently is refused`(type: String) {
        #expect(form(#"Content-Disposition: form-data; name="a""#, type: type) == "invalid_multipart", "\(type)")
    }

    @Test(arguments: [
        #"Content-Disposition: form-data; name="timestamp_granularities[]""#,
        #"content-disposition:form-data;name=language"#,
        #"Content-Disposition: form-data; name="file"; filename="a b.wav""#,
        "Content-Disposition: form-data; name=\"file\"; filename=\"C:\\a.wav\"\r\nContent-Type: audio/wav",
        "Content-Type: audio/wav\r\nContent-Disposition: form-data; name=\"file\"; filename=\"ü;x=1.wav\"",
    ])
    func `parts as clients write them pass`(head: String) {
        #expect(form(head) == nil, "\(head)")
    }

    @Test func `nothing stands behind the last boundary`() {
        let part = "--b\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nm\r\n"
        func code(_ end: String) -> String? {
            self.code(part + end, .audioTranscriptions, type: "multipart/form-data; boundary=b")
        }
        #expect(code("--b--") == nil)
        #expect(code("--b--\r\n") == nil)
        for end in ["--b--x", "--b--\r\nx", "--b--\r\n" + part, "--b--\n", "--b-", "--b -- "] {
            #expect(code(end) == "invalid_multipart", "\(end)")
        }
    }
}
