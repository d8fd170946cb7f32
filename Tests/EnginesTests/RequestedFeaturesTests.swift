import Metering
import Testing

@testable import Engines

@Suite struct RequestedFeaturesTests {
    private func features(_ body: String, _ surface: Surface = .chatCompletions) throws -> RequestedFeatures {
        try Array(body.utf8).withUnsafeBytes { try InferenceRequest(reading: $0, surface: surface) }.features
    }

    @Test(
        arguments: [
            (#"{"type":"image_url","image_url":{"url":"data:image/png;base64,xx"}}"#, RequestedFeatures.inputPictures),
            (#"{"image_url":"x","type":"input_image"}"#, .inputPictures),
            (#"{"type":"input_audio","input_audio":{"data":"xx","format":"wav"}}"#, .inputSound),
            (#"{"type":"video_url","video_url":{"url":"https://x.example.org"}}"#, .inputVideo),
            (#"{"type":"im\u0061ge_url","image_url":{"url":"x"}}"#, .inputPictures),
            (#"{"type":"text","text":"image_url"}"#, RequestedFeatures()),
        ] as [(String, RequestedFeatures)])
    func `parts of a message say what kind of input they are`(part: String, expected: RequestedFeatures) throws {
        let body = #"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a"},\#(part)]}]}"#
        #expect(try features(body) == expected)
        let nested =
            #"{"model":"m","messages":[{"role":"user","content":[{"type":"tool_result","content":[\#(part)]}]}]}"#
        #expect(try features(nested, .messages) == expected)
        let responses = #"{"model":"m","input":[{"role":"user","content":[\#(part)]}]}"#
        #expect(try features(responses, .responses) == expected)
    }

    @Test(
        arguments: [
            (#"[{"type":"web_search"}]"#, RequestedFeatures.webSearch),
            (#"[{"type":"web_search_preview_2025_03_11","search_context_size":"low"}]"#, .webSearch),
            (#"[{"name":"web_search","type":"web_search_20250305","max_uses":5}]"#, .webSearch),
            (
                #"[{"type":"x_search"},{"type":"file_search","vector_store_ids":["v"]}]"#,
                RequestedFeatures([.webSearch, .fileSearch])
            ),
            (#"[{"type":"code_interpreter","container":{"type":"auto"}}]"#, .codeInterpreter),
            (#"[{"type":"code_execution_20250825","name":"code_execution"}]"#, .codeInterpreter),
            (
                #"[{"type":"function","function":{"name":"web_search","parameters":{"type":"web_search"}}}]"#,
                RequestedFeatures()
            ),
            (#"[{"name":"get_weather","input_schema":{"type":"object"}}]"#, RequestedFeatures()),
            (#"[{"\u0074ype":"web\u005fsearch"}]"#, .webSearch), (#"[]"#, RequestedFeatures()),
            (#"[null]"#, RequestedFeatures()),
        ] as [(String, RequestedFeatures)])
    func `tools that engines sell by the call are seen by their type`(tools: String, expected: RequestedFeatures) throws
    {
        for surface in [Surface.responses, .chatCompletions, .messages] {
            let body = #"{"tools":\#(tools),"model":"m","messages":[]}"#
            #expect(try features(body, surface) == expected, "\(surface)")
        }
    }

    @Test(
        arguments: [
            (#""web_search_options":{}"#, RequestedFeatures.webSearch),
            (#""web_search_options":null"#, RequestedFeatures()),
            (#""search_parameters":{"mode":"auto"}"#, .webSearch),
            (#""search_parameters":{"mode":"off"}"#, RequestedFeatures()),
            (#""search_parameters":{"mode":"off","mode":"on"}"#, .webSearch),
            (#""plugins":[{"id":"web"}]"#, .webSearch),
            (#""plugins":[{"id":"response-healing"}]"#, RequestedFeatures()),
            (#""modalities":["text","audio"]"#, .outputSound),
            (#""modalities":["image"]"#, .outputPictures), (#""modalities":["text"]"#, RequestedFeatures()),
        ] as [(String, RequestedFeatures)])
    func `members that turn a search or a kind of output on are seen`(
        member: String, expected: RequestedFeatures
    ) throws {
        #expect(try features(#"{"model":"m","messages":[],\#(member)}"#) == expected)
    }

    @Test(
        arguments: [
            (#""tools":[{"google_search":{}}]"#, RequestedFeatures.webSearch),
            (#""tools":[{"googleSearch":{}}]"#, .webSearch),
            (
                #""tools":[{"googleSearchRetrieval":{"dynamicRetrievalConfig":{}}},{"functionDeclarations":[]}]"#,
                .webSearch
            ),
            (#""tools":[{"codeExecution":{}},{"urlContext":{}}]"#, RequestedFeatures()),
            (#""tools":[{"google_search":null}]"#, RequestedFeatures()),
            (#""generationConfig":{"responseModalities":["TEXT","IMAGE"]}"#, .outputPictures),
            (#""generation_config":{"response_modalities":["AUDIO"]}"#, .outputSound),
            (
                #""contents":[{"parts":[{"text":"a"},{"inlineData":{"mimeType":"image/png","data":"xx"}}]}]"#,
                .inputPictures
            ),
            (#""contents":[{"parts":[{"file_data":{"file_uri":"gs://x","mime_type":"audio/ogg"}}]}]"#, .inputSound),
            (
                #""contents":[{"parts":[{"inlineData":{"mimeType":"application/pdf","data":"xx"}}]}]"#,
                RequestedFeatures()
            ),
        ] as [(String, RequestedFeatures)])
    func `Gemini's members are seen in both spellings`(member: String, expected: RequestedFeatures) throws {
        #expect(try features(#"{"model":"m",\#(member)}"#, .geminiGenerate) == expected)
    }

    @Test func `Bedrock's parts are told by their members`() throws {
        let call = try #require(
            EngineKind.bedrock.dialect.nativeCall(method: "POST", path: "/model/anthropic.claude/converse"))
        let body = #"{"messages":[{"role":"user","content":[{"text":"a"},{"image":{"format":"png","source":{}}}]}]}"#
        let request = try Array(body.utf8).withUnsafeBytes { try InferenceRequest(reading: $0, native: call) }
        #expect(request.features == .inputPictures)
    }

    @Test(
        arguments: [
            (#"{"image_url":"data:image/png;base64,xx","detail":"low"}"#, RequestedFeatures.inputPictures),
            (#"{"type":"file","file":{"file_data":"data:audio/mpeg;base64,SUQzBAAAAAAAI1RTU0U="}}"#, .inputSound),
            (#"{"type":"document","source":{"type":"content","content":[{"type":"image"}]}}"#, .inputPictures),
            (#"{"source":{"type":"base64","media_type":"image/jpeg","data":"xx"}}"#, .inputPictures),
            (#"{"type":"input_image","file_id":"file-1"}"#, .inputPictures),
            (#"{"video":["data:image/png;base64,xx"]}"#, [.inputVideo, .inputPictures]),
            (#"{"type":"text","text":"audio","image":null}"#, RequestedFeatures()),
            (#"{"type":"document","source":{"type":"text","media_type":"text/plain","data":"a b"}}"#, []),
        ] as [(String, RequestedFeatures)])
    func `a kind of input is seen by its name, its type or its data`(part: String, expected: RequestedFeatures) throws {
        #expect(try features(#"{"model":"m","messages":[{"role":"user","content":[\#(part)]}]}"#) == expected)
    }

    @Test func `Bedrock's own tools are searches`() throws {
        let call = try #require(
            EngineKind.bedrock.dialect.nativeCall(method: "POST", path: "/model/amazon.nova/converse"))
        let tools = #"[{"toolSpec":{"name":"f"}},{"systemTool":{"name":"nova_grounding"}}]"#
        let body = #"{"messages":[],"toolConfig":{"tools":\#(tools)}}"#
        let request = try Array(body.utf8).withUnsafeBytes { try InferenceRequest(reading: $0, native: call) }
        #expect(request.features == .webSearch)
    }

    @Test(arguments: [
        #""models":["m","other"]"#, #""models":[]"#, #""\u006dodels":["m"]"#, #""preset":"mine""#,
        #""fallbacks":[{"m":["other"]}]"#, #""context_window_fallbacks":"other""#,
    ])
    func `a member that lets the engine choose another model is refused on every surface`(member: String) throws {
        for surface in [Surface.chatCompletions, .responses, .messages, .embeddings, .imageGenerations, .rerank] {
            let body = Array(#"{"model":"m",\#(member)}"#.utf8)
            let request = try body.withUnsafeBytes { try InferenceRequest(reading: $0, surface: surface) }
            for kind in [EngineKind.openRouter, .openAICompatible] {
                #expect(request.restricted(on: [kind]) != nil, "\(surface)")
            }
        }
        let line = #"{"custom_id":"a","method":"POST","url":"/v1/responses","body":{"model":"m",\#(member)}}"#
        let input = try Array(line.utf8).withUnsafeBytes { try BatchInput(reading: $0) }
        #expect(input.restricted(on: [.openRouter]) != nil && input.restricted(on: [.openAICompatible]) != nil)
    }

    @Test func `no other model is named by null, nor inside a message`() throws {
        let body = #"{"model":"m","models":null,"messages":[{"role":"user","content":"a","models":["b"]}]}"#
        let request = try Array(body.utf8).withUnsafeBytes {
            try InferenceRequest(reading: $0, surface: .chatCompletions)
        }
        #expect(request.restrictedMembers.isEmpty)
    }

    @Test func `a batch asks for what any of its lines asks for`() throws {
        func line(_ id: String, _ extra: String) -> String {
            #"{"custom_id":"\#(id)","method":"POST","url":"/v1/responses","body":{"model":"m","input":"a"\#(extra)}}"#
        }
        let text = [line("a", ""), line("b", #","tools":[{"type":"web_search"}]"#), line("c", "")]
        let input = try Array(text.joined(separator: "\n").utf8).withUnsafeBytes { try BatchInput(reading: $0) }
        #expect(input.features == .webSearch)
    }

    @Test(arguments: [
        (#""tools":{"googleSearch":{}}"#, Surface.geminiGenerate), (#""tools":{"type":"web_search"}"#, .responses),
        (#""tools":{"type":"web_search_20250305","name":"x"}"#, .messages), (#""tools":"web_search""#, .responses),
        (#""toolConfig":{"tools":{"systemTool":{"name":"x"}}}"#, .bedrockConverse),
    ]) func `tools that are no list are refused, for some readers take an object for one`(
        member: String, surface: Surface
    ) throws {
        let body = Array(#"{"model":"m","messages":[],\#(member)}"#.utf8)
        #expect(throws: RequestError.self) {
            try body.withUnsafeBytes { bytes throws(RequestError) in
                switch surface {
                case .responses, .messages: try InferenceRequest(reading: bytes, surface: surface)
                default:
                    try InferenceRequest(
                        reading: bytes, native: NativeCall(surface: surface, method: "POST", model: "m", prefix: "/"))
                }
            }
        }
    }
}
