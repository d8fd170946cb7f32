import Testing

@testable import Engines

@Suite struct ErrorRedactionTests {
    private func redact(
        _ text: String, kind: EngineKind = .openAI, host: String = "llm.corp.example",
        key: String? = "sk-live-1234567890",
        upstream: String = "gpt-real", model: String = "small", settings: BackendSettings = BackendSettings()
    ) -> String {
        let backend = Backend(
            name: "b", isTLS: true, host: host, port: 443, basePath: "", apiKey: key, kind: kind, settings: settings)
        let redaction = ErrorRedaction(backend: backend, upstreamModel: upstream, model: model)
        return Array(text.utf8).withUnsafeBytes { bytes in
            redaction.redacted(bytes).map { String(decoding: $0, as: UTF8.self) } ?? text
        }
    }

    @Test(
        arguments: [
            ("key sk-live-1234567890 is bad", "key [redacted] is bad"),
            ("Incorrect key: sk-li***7890.", "Incorrect key: [redacted]"),
            ("key ****abcd", "key [redacted]"), ("sk-l...7890", "[redacted]"),
            (#"{"m":"arn:aws:bedrock:us-east-1:123456789012:model/x"}"#, #"{"m":"[redacted]"}"#),
            ("in organization `org-abc123` of yours", "in organization `[redacted]` of yours"),
            ("projects/my-project-1/locations/eu", "[redacted]"),
            ("https://llm.corp.example/v1 said no", "[redacted] said no"), ("LLM.corp.EXAMPLE:443", "[redacted]"),
            ("http://vllm-0.models.svc.cluster.local:8000", "[redacted]"),
            ("The model `gpt-real` has no field x", "The model `small` has no field x"),
            ("not by gpt-real.", "not by small."), ("gpt-realistic", "gpt-realistic"),
            ("max_tokens must be at least 1, got -5.", "max_tokens must be at least 1, got -5."),
            ("could not fetch https://client.example/cat.png", "could not fetch https://client.example/cat.png"),
            ("", ""), ("\"", "\""),
        ])
    func `what names the backend goes, the rest stays`(text: String, expected: String) {
        #expect(redact(text) == expected)
    }

    @Test(
        arguments: [
            (#"{"m":"key sk\u002dlive\u002d1234567890 is bad"}"#, #"{"m":"key [redacted] is bad"}"#),
            (#"{"m":"\u0073k-live-1234567890"}"#, #"{"m":"[redacted]"}"#),
            (#"{"m":"{\"k\":\"sk\\u002Dlive-1234567890\"}"}"#, #"{"m":"{\"k\":\"[redacted]\"}"}"#),
            (#"{"m":"https:\/\/llm.corp.example\/v1 said"}"#, #"{"m":"[redacted] said"}"#),
            (#"{"m":"projects\/my-project-1\/x"}"#, #"{"m":"[redacted]"}"#),
            (
                #"{"m":"\u0061rn:aws:x, \u00e4, a\u0020b, \ud83d\ude00"}"#,
                #"{"m":"[redacted], \u00e4, a\u0020b, \ud83d\ude00"}"#
            ),
            (#"{"m":"gpt\u002dreal has"}"#, #"{"m":"small has"}"#),
            (#"{"m":"a\"sk-live-1234567890\"\n\u00"}"#, #"{"m":"a\"[redacted]\"\n\u00"}"#),
            (#"\"#, #"\"#), (#"\u"#, #"\u"#), (#"\u002"#, #"\u002"#),
        ])
    func `what is written in escapes is read as what it stands for`(text: String, expected: String) {
        #expect(redact(text) == expected)
    }

    @Test func `credentials and accounts of Amazon's are hidden`() {
        var settings = BackendSettings()
        settings.aws = BackendSettings.AWSCredentials(
            accessKeyID: "AKIAEXAMPLE", secretAccessKey: "c2VjcmV0", sessionToken: "tokentoken", region: "r")
        let text = redact(
            "AKIAEXAMPLE c2VjcmV0 tokentoken account 123456789012 count 12345", kind: .bedrock, key: nil,
            settings: settings)
        #expect(text == "[redacted] [redacted] [redacted] account [redacted] count 12345")
        #expect(redact("123456789012", kind: .vllm) == "123456789012")
    }

    @Test func `a host without a dot is only hidden where it stands as one`() {
        #expect(redact("vllm http://vllm:8000/v1 and vllm", host: "vllm") == "vllm [redacted] and vllm")
    }

    @Test func `a name that would break JSON is not put in`() {
        #expect(redact("`gpt-real`", model: #"a"b"#) == "`gpt-real`")
    }

    @Test func `an exception frame is one that its reader reads`() throws {
        let payload = Array(#"{"message":"m"}"#.utf8)
        let frame = AWSEventFrame.exception(named: "throttlingException", payload: payload)
        try frame.withUnsafeBytes { bytes in
            let read = try AWSEventFrame(bytes)
            #expect(read.messageType == .exception)
            #expect(String(decoding: bytes[read.name], as: UTF8.self) == "throttlingException")
            #expect(Array(bytes[read.payload]) == payload)
        }
    }

    @Test func `the document of an event is replaced and its framing stays`() {
        func replaced(_ event: String, inResponse: Bool = false) -> String? {
            Array(event.utf8).withUnsafeBytes { bytes in
                let found =
                    inResponse
                    ? FailedEvent.replacing(errorInResponseOf: bytes, with: Array("{}".utf8))
                    : FailedEvent.replacing(documentOf: bytes, with: Array("X".utf8))
                return found.map { String(decoding: $0, as: UTF8.self) }
            }
        }
        #expect(replaced("event: error\ndata: {\"error\":{\"a\":1}}\n\n") == "event: error\ndata: X\n\n")
        #expect(replaced(",{\"error\":{}}") == ",X")
        #expect(replaced("data: oops\n\n") == nil)
        let failed = #"data: {"type":"response.failed","response":{"id":"r","error":{"code":"c"},"usage":null}}"#
        #expect(
            replaced(failed, inResponse: true)
                == #"data: {"type":"response.failed","response":{"id":"r","error":{},"usage":null}}"#)
        #expect(replaced(#"data: {"response":{"error":null}}"#, inResponse: true) == nil)
    }

    @Test(
        arguments: [
            (
                #"{"error":{"message":"no JSON","failed_generation":"a long \"text\" of it"}}"#,
                #"{"error":{"message":"no JSON","failed_generation":""}}"#
            ),
            (#"{"failed_generation" : "x\\","code":1}"#, #"{"failed_generation" : "","code":1}"#),
            (#"{"failed_generation":null}"#, #"{"failed_generation":null}"#),
            (#"{"failed_generation":"cut"#, #"{"failed_generation":""#),
            (#"{"failed_generation":{"a":["x}"]},"b":1}"#, #"{"failed_generation":null,"b":1}"#),
            (#"{"failed_generation":[{"x":"y"}]}"#, #"{"failed_generation":null}"#),
        ])
    func `what a failure hands over of the model's text does not pass`(text: String, expected: String) {
        #expect(redact(text, kind: .groq) == expected)
    }

    @Test(arguments: [
        "key sk-live-1234567890 is bad", "at https://llm.corp.example/v1/x", "the model gpt-real said no",
        #"{"error":{"message":"sk-live-1234567890","failed_generation":"abc"}}"#, "sk-li***7890",
    ])
    func `what a client was told the length of keeps it`(text: String) throws {
        let backend = Backend(
            name: "b", isTLS: true, host: "llm.corp.example", port: 443, basePath: "", apiKey: "sk-live-1234567890",
            kind: .openAI)
        let redaction = ErrorRedaction(backend: backend, upstreamModel: "gpt-real", model: "small")
        let shown = try #require(Array(text.utf8).withUnsafeBytes { redaction.redacted($0, keepsLength: true) })
        #expect(shown.count == text.utf8.count)
        let words = String(decoding: shown, as: UTF8.self)
        #expect(!words.contains("1234567890") && !words.contains("corp") && !words.contains("gpt-real"))
    }

    @Test(arguments: [
        (#"{"failed_generation":{"a":1}}"#, #"{"failed_generation":null   }"#),
        (#"{"failed_generation":[1,2]}"#, #"{"failed_generation":null }"#),
        (#"{"failed_generation":[1],"b":2}"#, #"{"failed_generation":[ ],"b":2}"#),
        (#"{"failed_generation":{},"b":2}"#, #"{"failed_generation":{},"b":2}"#),
        (#"{"failed_generation":"abc","b":2}"#, #"{"failed_generation":"***","b":2}"#),
    ])
    func `JSON of a told length stays JSON`(text: String, expected: String) {
        let backend = Backend(
            name: "b", isTLS: true, host: "h", port: 443, basePath: "", apiKey: nil, kind: .groq)
        let redaction = ErrorRedaction(backend: backend, upstreamModel: "x", model: "small")
        let shown = Array(text.utf8).withUnsafeBytes { redaction.redacted($0, keepsLength: true) ?? Array($0) }
        #expect(String(decoding: shown, as: UTF8.self) == expected)
    }
}
