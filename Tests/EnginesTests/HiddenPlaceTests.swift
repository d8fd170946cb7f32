import Metering
import Testing

@testable import Engines

/// Addresses, paths and other systems' members in places that are only looked at because of what stands there.
@Suite struct HiddenPlaceTests {
    private func read(_ members: String, _ surface: Surface = .chatCompletions) throws -> InferenceRequest {
        let first = surface == .chatCompletions ? #""model":"m","messages":[],"# : #""model":"m","#
        return try Array("{\(first)\(members)}".utf8).withUnsafeBytes { bytes throws(RequestError) in
            switch surface {
            case .tritonGenerate, .bedrockInvoke, .bedrockConverse, .sageMakerInvocations, .geminiGenerate:
                try InferenceRequest(
                    reading: bytes, native: NativeCall(surface: surface, method: "POST", model: "m", prefix: "/"))
            default: try InferenceRequest(reading: bytes, surface: surface)
            }
        }
    }

    private static let inside: [(Surface, String)] = [
        (.audioSpeech, #""input":"x","ref_audio":"ADDRESS""#), (.audioSpeech, #""input":"x","voice":"ADDRESS""#),
        (.audioSpeech, #""input":"x","references":[{"audio":"ADDRESS"}]"#),
        (.audioSpeech, #""input":"x","speaker_wav":"ADDRESS""#),
        (.imageGenerations, #""prompt":"p","image_url":"ADDRESS""#),
        (.imageGenerations, #""prompt":"p","image_urls":["ADDRESS"]"#),
        (.imageGenerations, #""prompt":"p","input_reference":{"url":"ADDRESS"}"#),
        (.imageGenerations, #""prompt":"p","images":[{"image_url":"ADDRESS"}]"#),
        (.imageGenerations, #""prompt":"p","extra":{"deep":[{"init":"ADDRESS"}]}"#),
        (.embeddings, #""input":[{"url":"ADDRESS"}]"#),
        (.embeddings, #""inputs":[{"content":[{"type":"image_url","image_url":{"url":"ADDRESS"}}]}]"#),
        (.rerank, #""query":"q","documents":[{"url":"ADDRESS"}]"#),
        (.rerank, #""query":"q","documents":{"content":[{"type":"image_url","image_url":{"url":"ADDRESS"}}]}"#),
        (.chatCompletions, #""image_data":"ADDRESS""#), (.chatCompletions, #""extra_args":{"image":"ADDRESS"}"#),
        (.chatCompletions, #""x":[{"content":[{"type":"image","url":"ADDRESS"}]}]"#),
        (.tritonGenerate, #""text_input":"x","image_url_input":["ADDRESS"]"#),
        (.tritonGenerate, #""text_input":"x","multi_modal_data":{"image":"ADDRESS"}"#),
        (.sageMakerInvocations, #""inputs":"x","image_url":"ADDRESS""#),
    ]

    @Test(arguments: inside)
    func `an address of the operator's network is refused in whatever member it stands`(
        surface: Surface, members: String
    ) throws {
        for address in ["http://169.254.169.254/latest", "HTTP://kubernetes.default/", "file:///etc/passwd"] {
            let error = #expect(throws: RequestError.self) {
                try read(members.replacing("ADDRESS", with: address), surface)
            }
            #expect(error?.code == "address_not_available", "\(members)")
        }
        _ = try read(members.replacing("ADDRESS", with: "https://a.io/x"), surface)
    }

    @Test(arguments: [
        #""referer":"http://localhost:3000/""#, #""suffix":"http://localhost:3000/api\")\n""#,
        #""suffix":"path: str = None\n""#, #""stopSequences":["File:"]"#, #""guided_grammar":"\npath: SEGMENT+""#,
        #""documents":[{"title":"t","url":"http://wiki.corp/x","text":"a"}]"#, #""x":"File: a report""#,
        #""guided_json":{"examples":["http://localhost/"]}"#, #""note":"redis://x""#,
        #""note":"http://10.0.0.1 is down""#,
        #""response_format":{"type":"json_schema","json_schema":{"schema":{"default":"http://localhost"}}}"#,
        #""tools":[{"type":"function","function":{"name":"f","parameters":{"default":"http://localhost"}}}]"#,
    ])
    func `the client's own texts say what they like`(members: String) throws {
        _ = try read(members)
    }

    @Test(arguments: [
        (Surface.geminiGenerate, #""contents":[],"generationConfig":{"stopSequences":["File:"]}"#),
        (.bedrockConverse, #""messages":[],"inferenceConfig":{"stopSequences":["File:"]}"#),
        (
            .messages,
            #""messages":[{"content":[{"type":"search_result","source":"http://wiki.internal/x","title":"t"}]}]"#
        ),
        (.bedrockConverse, #""messages":[{"content":[{"searchResult":{"source":"http://wiki.internal/x"}}]}]"#),
        (.messages, #""messages":[{"content":[{"type":"document","document":{"data":"Local: elections"}}]}]"#),
    ])
    func `and so do labels and words at which an answer stops`(surface: Surface, members: String) throws {
        #expect(try !read(members, surface).namesAddress)
    }

    @Test(arguments: [
        #"/srv/pictures/x\u002epng"#, #"\u002e\u002e/x/png"#, "~/x", #"\\\\server\\x"#, "x.png",
    ])
    func `a path is one however its letters are written`(path: String) {
        for part in [
            #"{"type":"image_url","image_url":{"url":"\#(path)"}}"#, #"{"type":"file","file_url":"\#(path)"}"#,
            #"{"type":"document_url","document_url":"\#(path)"}"#,
            #"{"type":"document","source":{"type":"url","url":"\#(path)"}}"#,
        ] {
            let error = #expect(throws: RequestError.self) {
                try read(#""messages2":0,"input":[{"content":[\#(part)]}]"#, .embeddings)
            }
            #expect(error?.code == "address_not_available", "\(part)")
        }
    }

    @Test(
        arguments: [
            ("http://[2001:000:a00:1::]/", false), ("http://[2001:00:a00:1::]/", false), ("http://[2001::1]/", false),
            ("http://[2001:db8::1]/", false), ("http://[2001:4860:4860::8888]/", true), ("http://192.0.78.13/x", true),
            ("http://192.0.0.8/", false), ("http://192.0.2.1/", false), ("http://198.51.100.7/", false),
            ("http://203.0.113.9/", false), ("http://198.51.101.7/", true),
        ] as [(String, Bool)])
    func `ranges that are kept for something are no part of the web, and those beside them are`(
        address: String, isPublic: Bool
    ) throws {
        let part = #""messages2":0,"input":[{"image_url":{"url":"\#(address)"}}]"#
        guard isPublic else {
            #expect(throws: RequestError.self) { try read(part, .embeddings) }
            return
        }
        #expect(try read(part, .embeddings).namesAddress)
    }

    @Test func `a voice of the operator's is nobody's`() throws {
        let request = try read(#""input":"x","voice":{"id":"voice_1"}"#, .audioSpeech)
        #expect(request.references.map(\.field) == ["voice.id"])
        #expect(try read(#""input":"x","voice":"alloy""#, .audioSpeech).references.isEmpty)
        #expect(try read(#""input":"x","voice":"/etc/passwd""#, .audioSpeech).possiblePath(on: [.vllm]) != nil)
    }

    // MARK: Amazon's own tools

    @Test(arguments: [
        (Surface.bedrockInvoke, #""schemaVersion":"messages-v1","toolConfig":{"tools":[TOOL]}"#),
        (.bedrockConverse, #""messages":[],"additionalModelRequestFields":{"toolConfig":{"tools":[TOOL]}}"#),
        (.bedrockConverse, #""messages":[],"toolConfig":{"tools":[TOOL]}"#),
    ])
    func `Amazon's own tools are seen wherever they are asked for`(surface: Surface, members: String) throws {
        func features(_ tool: String) throws -> RequestedFeatures {
            try read(members.replacing("TOOL", with: tool), surface).features
        }
        #expect(try features(#"{"systemTool":{"name":"nova_grounding"}}"#) == .webSearch)
        #expect(try features(#"{"systemTool":{"name":"nova_code_interpreter"}}"#).contains(.otherTool))
        #expect(try features(#"{"toolSpec":{"name":"f","inputSchema":{"json":{}}}}"#).isEmpty)
    }

    @Test func `searches of an invoked model count`() {
        let call = #"{"toolUse":{"name":"nova_grounding","type":"server_tool_use","input":{}}}"#
        let text = #"{"output":{"message":{"content":[\#(call),\#(call),{"text":"a"}]}},"stopReason":"end_turn"}"#
        #expect(NativeFixture.read(text, NativeFixture.Answer(surface: .bedrockInvoke)).units.searches == 2)
    }

    // MARK: Lengths and adapters

    @Test(
        arguments: [
            (.bedrockConverse, #""messages":[],"additionalModelRequestFields":{"inferenceConfig":{"maxTokens":9000}}"#),
            (
                .bedrockConverse,
                #""messages":[],"additionalModelRequestFields":{"textGenerationConfig":{"maxTokenCount":9000}}"#
            ),
            (
                .bedrockConverse,
                #""messages":[],"additionalModelRequestFields":{"thinking":{"budget_tokens":9000}}"#
            ),
            (.chatCompletions, #""max_tokens":10,"reasoning":{"max_tokens":9000}"#),
            (.tritonGenerate, #""text_input":"x","request_output_len":9000"#),
        ] as [(Surface, String)])
    func `a length is one wherever a model's own words for it stand`(surface: Surface, members: String) throws {
        #expect(try read(members, surface).outputTokensNamed(longest: 100_000) >= 9000)
    }

    @Test(arguments: [
        #""sampling_parameters":"{\"lora_name\":\"other\"}""#, #""lora_task_id":5"#, #""lora_task_id":[[7]]"#,
        #""parameters":{"lora_path":"x"}"#, #""sampling_parameters":"{\"priority\":-1}""#,
    ])
    func `Triton serves no adapter of the client's choice`(members: String) throws {
        #expect(try read(#""text_input":"x","# + members, .tritonGenerate).restricted(on: [.triton]) != nil)
    }

    @Test func `a prediction's path names its model, and nothing else does`() {
        let body = Array(#"{"version":"other","input":{}}"#.utf8)
        let call = NativeCall(surface: .replicatePredictions, method: "POST", model: "m", prefix: "/")
        let error = #expect(throws: RequestError.self) {
            try body.withUnsafeBytes { try InferenceRequest(reading: $0, native: call) }
        }
        #expect(error?.parameter == "version")
    }

    @Test(arguments: [
        #"{"reasoningContent":{"text":"[REDACTED]"}}"#, #"{"reasoningContent":{"redactedContent":"AAAA"}}"#,
        #"{"reasoningContent":{"signature":"AAAA"}}"#,
    ])
    func `reasoning that begins in a Converse stream is hidden work`(delta: String) throws {
        func work(_ payload: String) throws -> HiddenWork {
            var facts = AnswerFacts()
            let name = Array("contentBlockDelta".utf8)
            _ = try name.withUnsafeBytes { name in
                try Array(payload.utf8).withUnsafeBytes {
                    try BedrockConverseEvents.read(name, payload: $0, facts: &facts)
                }
            }
            return facts.hiddenWork
        }
        #expect(try work(#"{"contentBlockIndex":0,"delta":\#(delta)}"#) == .reasoning)
        #expect(try work(#"{"contentBlockIndex":0,"delta":{"text":"hi"}}"#) == [])
    }

    // MARK: Notes of routers

    @Test(arguments: [
        #""provider":"FireworksFireworksFireworksFireworks""#, #""unheard_of":"abcdefghijklmnopqrstuvwxyz0123456789""#,
        #""trace_id":"abcdefghijklmnopqrstuvwxyz0123456789","debug":"abcdefghijklmnopqrstuvwxyz0123456789""#,
        #""snapshot":"word word word word word word word word word""#,
    ])
    func `what stands beside the model's words is none of them`(member: String) throws {
        let event = #"data: {"choices":[{"index":0,"delta":{"content":"word ",\#(member)}}]}"# + "\n\n"
        let fixture = AnswerFixture(isStream: true)
        let facts = try fixture.read(String(repeating: event, count: 50)).facts
        #expect(try fixture.attempts(facts, isCut: true)[0].buckets.outputTotal == 50)
    }

    @Test func `a list of texts under a name that nobody knows is not free`() throws {
        let event =
            #"data: {"choices":[{"index":0,"delta":{"pieces":["word word word word ","word word "]}}]}"# + "\n\n"
        let fixture = AnswerFixture(isStream: true)
        let facts = try fixture.read(String(repeating: event, count: 50)).facts
        #expect(try fixture.attempts(facts, isCut: true)[0].buckets.outputTotal >= 300)
    }
}
