import Metering
import Testing

@testable import Engines

/// Tools and plugins pass where they are known: the client runs them, or a plan can sell them.
@Suite struct AllowedToolsTests {
    private func read(_ members: String, _ surface: Surface = .chatCompletions) throws -> InferenceRequest {
        let body = Array(#"{"model":"m",\#(members)}"#.utf8)
        return try body.withUnsafeBytes { bytes throws(RequestError) in
            switch surface {
            case .chatCompletions, .responses, .messages, .completions:
                try InferenceRequest(reading: bytes, surface: surface)
            default:
                try InferenceRequest(
                    reading: bytes, native: NativeCall(surface: surface, method: "POST", model: "m", prefix: "/"))
            }
        }
    }

    @Test(arguments: [
        (Surface.chatCompletions, #"{"type":"function","function":{"name":"shell","parameters":{"type":"shell"}}}"#),
        (.chatCompletions, #"{"function":{"name":"f"}}"#),
        (.chatCompletions, #"{"type":"custom","custom":{"name":"f"}}"#),
        (.chatCompletions, #"{"\u0074ype":"func\u0074ion","function":{}}"#),
        (.responses, #"{"type":"function","name":"web_search","strict":true,"parameters":{}}"#),
        (.responses, #"{"type":"custom","name":"f","format":{"type":"grammar"}}"#),
        (.responses, #"{"type":"apply_patch"}"#), (.responses, #"{"type":"computer_use_preview","display_width":9}"#),
        (.responses, #"{"type":"namespace","name":"n","tools":[{"type":"function","name":"f"}]}"#),
        (.messages, #"{"name":"f","input_schema":{"type":"object"},"cache_control":{"type":"ephemeral"}}"#),
        (.messages, #"{"type":"computer_20251124","name":"computer","display_width_px":9}"#),
        (.messages, #"{"type":"bash_20250124","name":"bash"}"#),
        (.messages, #"{"type":"text_editor_20250728","name":"e"}"#), (.messages, #"{"type":"memory_20250818"}"#),
        (.messages, #"{"type":"tool_search_tool_regex_20251119","name":"t"}"#),
        (.geminiGenerate, #"{"functionDeclarations":[{"name":"f","parameters":{"type":"OBJECT"}}]}"#),
        (.geminiGenerate, #"{"function_declarations":[]}"#), (.geminiGenerate, #"{"type":"function","name":"f"}"#),
        (.geminiGenerate, #"{"computerUse":{"environment":"ENVIRONMENT_BROWSER"}}"#),
        (.bedrockInvoke, #"{"name":"f","parameter_definitions":{"a":{"type":"str"}}}"#),
        (.messages, #"{"name":"f","input_schema":{},"new_option":{"a":1}}"#), (.chatCompletions, "null"),
        (.geminiGenerate, #"{"googleSearch":null}"#), (.geminiGenerate, #"{"urlContext":{}}"#),
        (.geminiGenerate, #"{"code_execution":{}}"#), (.responses, #"{"type":"local_shell"}"#),
    ]) func `tools that the client runs pass`(surface: Surface, tool: String) throws {
        let request = try read(#""tools":[\#(tool)]"#, surface)
        #expect(request.features.isEmpty && request.otherTool == nil, "\(request.otherTool ?? "")")
    }

    @Test(arguments: [
        (Surface.responses, #"{"type":"shell"}"#, "shell"),
        (.responses, #"{"type":"mcp","server_label":"code_interpreter"}"#, "mcp without server_url"),
        (.chatCompletions, #"{"type":"function","Type":"shell","function":{"name":"f"}}"#, "Type"),
        (.responses, #"{"type":"function","name":"f","\u0054ype":"web_search"}"#, "Type"),
        (.responses, #"{"type":"brand_new"}"#, "brand_new"), (.responses, #"{"type":"Web_Search"}"#, "Web_Search"),
        (.responses, #"{"type":"mcp","connector_id":"connector_dropbox"}"#, "connector_id"),
        (.responses, #"{"type":"function","type":"shell"}"#, "shell"), (.responses, #""shell""#, "shell"),
        (.responses, #"{"type":["web_search"]}"#, "type"), (.responses, "7", "tools"),
        (.responses, #"[{"type":"web_search"}]"#, "tools"),
        (.responses, #"{"type":"namespace","tools":[{"type":"namespace","tools":[{"type":"shell"}]}]}"#, "shell"),
        (.chatCompletions, #"{"type":"connector","connector_id":"x"}"#, "connector"),
        (.chatCompletions, #"{"type":"openrouter:image_generation"}"#, "openrouter:image_generation"),
        (.chatCompletions, #"{"type":"openrouter:web_fetch"}"#, "openrouter:web_fetch"),
        (.chatCompletions, #"{"type":"builtin_function","function":{"name":"$web_search"}}"#, "builtin_function"),
        (.chatCompletions, #"{"type":"apply_patch"}"#, "apply_patch"),
        (.chatCompletions, #"{"newTool":{}}"#, "newTool"), (.chatCompletions, #"{"type":""}"#, ""),
        (.messages, #"{"type":"web_fetch_20250910","name":"web_fetch"}"#, "web_fetch_20250910"),
        (.messages, #"{"type":"mcp_toolset","mcp_server_name":"x"}"#, "mcp_toolset"),
        (.messages, #"{"type":"computer_evil","name":"x"}"#, "computer_evil"),
        (.messages, #"{"type":"bash_20250124x"}"#, "bash_20250124x"),
        (.geminiGenerate, #"{"google_maps":{}}"#, "google_maps"),
        (.geminiGenerate, #"{"somethingNew":{}}"#, "somethingNew"),
        (.geminiGenerate, #"{"type":"mcp_server","url":"https://x"}"#, "mcp_server"),
    ]) func `tools that are in no list are refused by name`(surface: Surface, tool: String, name: String) throws {
        let request = try read(#""tools":[{"type":"function","name":"f"},\#(tool)]"#, surface)
        #expect(request.features.contains(.otherTool))
        #expect(request.otherTool == name)
    }

    @Test(arguments: [
        (Surface.chatCompletions, #"{"type":"live_search","sources":[]}"#, RequestedFeatures.webSearch),
        (.chatCompletions, #"{"type":"openrouter:web_search"}"#, .webSearch),
        (.chatCompletions, #"{"type":"web_search_premium"}"#, .webSearch),
        (.responses, #"{"type":"web_search_preview_2025_03_11"}"#, .webSearch),
        (.responses, #"{"type":"web_search_2025_08_26"}"#, .webSearch),
        (.responses, #"{"type":"namespace","name":"n","tools":[{"type":"web_search"}]}"#, .webSearch),
        (.responses, #"{"type":"image_generation"}"#, .outputPictures),
        (.responses, #"{"type":"document_search"}"#, .fileSearch),
        (.responses, #"{"type":"attachment_search"}"#, .fileSearch),
        (.responses, #"{"type":"collections_search","collection_ids":[]}"#, .fileSearch),
        (.chatCompletions, #"{"type":"document_library","library_ids":[]}"#, .fileSearch),
        (.messages, #"{"type":"web_search_20260209","name":"web_search"}"#, .webSearch),
        (.messages, #"{"type":"code_execution_20260120","name":"c"}"#, .codeInterpreter),
        (.geminiGenerate, #"{"fileSearch":{"fileSearchStoreNames":[]}}"#, .fileSearch),
        (.geminiGenerate, #"{"retrieval":{"vertexRagStore":{}}}"#, .fileSearch),
        (.responses, #"{"type":"mcp","server_label":"x","server_url":"https://x.example.org"}"#, .remoteTool),
        (.geminiGenerate, #"{"type":"google_search"}"#, .webSearch),
        (.geminiGenerate, #"{"functionDeclarations":[],"googleSearch":{}}"#, .webSearch),
    ]) func `tools that plans may sell are told apart`(surface: Surface, tool: String, expected: RequestedFeatures)
        throws
    {
        let request = try read(#""tools":[\#(tool)]"#, surface)
        #expect(request.features == expected && request.otherTool == nil, "\(request.otherTool ?? "")")
    }

    @Test(
        arguments: [
            (#""plugins":["web"]"#, RequestedFeatures.webSearch, nil), (#""plugins":["WEB"]"#, .webSearch, nil),
            (#""plugins":[{"id":"Web","max_results":1}]"#, .webSearch, nil),
            (#""plugins":[{"id":"web","enabled":false}]"#, [], nil),
            (#""plugins":[{"id":"web","enabled":false,"enabled":true}]"#, .webSearch, nil),
            (#""plugins":[{"id":"response-healing"}]"#, [], nil), (#""plugins":[]"#, [], nil),
            (#""plugins":null"#, [], nil),
            (#""plugins":[{"id":"file-parser","pdf":{"engine":"mistral-ocr"}}]"#, .otherTool, "file-parser"),
            (#""plugins":[{"id":"auto-router"}]"#, .otherTool, "auto-router"),
            (#""plugins":["web",{"id":"New"}]"#, [.webSearch, .otherTool], "New"),
            (#""plugins":[{"id":"response-healing","id":"web"}]"#, .webSearch, nil),
            (#""plugins":{"id":"web"}"#, .otherTool, "plugins"), (#""plugins":[7]"#, .otherTool, "plugins"),
            (#""plugins":[{"name":"web"}]"#, .otherTool, "plugins"),
            (#""enable_search":true"#, .webSearch, nil), (#""enable_search":1"#, .webSearch, nil),
            (#""enable_search":"true""#, .webSearch, nil), (#""enable_search":false"#, [], nil),
            (#""enable_search":null"#, [], nil),
            (#""web_search_options":true"#, .webSearch, nil), (#""web_search_options":false"#, [], nil),
            (#""search_parameters":"auto""#, .webSearch, nil),
            (#""search_parameters":{"mode":"OFF"}"#, .webSearch, nil),
            (#""search_parameters":{"sources":[{"type":"web"}]}"#, .webSearch, nil),
        ] as [(String, RequestedFeatures, String?)])
    func `switches and plugins turn on what they name`(
        member: String, expected: RequestedFeatures, name: String?
    ) throws {
        for surface in [Surface.chatCompletions, .responses, .completions] {
            let request = try read(member, surface)
            #expect(request.features == expected, "\(surface)")
            #expect(request.otherTool == name)
        }
    }

    @Test func `tools that are handed in later are tools`() throws {
        let output = #"{"type":"tool_search_output","tools":[{"type":"function","name":"f"},{"type":"web_search"}]}"#
        #expect(try read(#""input":[\#(output)]"#, .responses).features == .webSearch)
        let listed = #"{"type":"mcp_list_tools","tools":[{"name":"f","input_schema":{},"annotations":null}]}"#
        #expect(try read(#""input":[\#(listed)]"#, .responses).features.isEmpty)
        // A document may well have a field of that name.
        let body = Array(#"{"model":"m","query":"q","documents":[{"text":"a","tools":["saw"]}]}"#.utf8)
        let ranking = try body.withUnsafeBytes { try InferenceRequest(reading: $0, surface: .rerank) }
        #expect(ranking.features.isEmpty)
    }

    @Test func `Bedrock's tools are told by their members`() throws {
        for (tool, expected) in [
            (#"{"toolSpec":{"name":"f"}}"#, RequestedFeatures()), (#"{"cachePoint":{"type":"default"}}"#, []),
            (#"{"systemTool":{"name":"nova_grounding"}}"#, .webSearch), (#"{"agentTool":{}}"#, .otherTool),
        ] {
            let request = try read(#""messages":[],"toolConfig":{"tools":[\#(tool)]}"#, .bedrockConverse)
            #expect(request.features == expected)
        }
        let fields = #""messages":[],"additionalModelRequestFields":{"tools":[{"type":"web_fetch_20250910"}]}"#
        #expect(try read(fields, .bedrockConverse).otherTool == "web_fetch_20250910")
    }

    @Test func `connectors and servers of tools are refused where they are known`() throws {
        for member in [#""connectors":[{"id":"web-search"}]"#, #""mcp_servers":[{"url":"https://x"}]"#] {
            #expect(try read(member).restricted(on: [.openAICompatible]) != nil)
        }
        #expect(try read(#""mcp_servers":[]"#).restricted(on: [.openAICompatible]) == nil)
    }

    @Test func `a batch says which tool its lines may not have`() throws {
        let line =
            #"{"custom_id":"a","method":"POST","url":"/v1/responses","body":{"model":"m","input":"a","#
            + #""tools":[{"type":"shell"}]}}"#
        let input = try Array(line.utf8).withUnsafeBytes { try BatchInput(reading: $0) }
        #expect(input.features == .otherTool && input.otherTool == "shell")
    }

    @Test func `searches that Alibaba counts are searches`() throws {
        let usage =
            #"{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13,"plugins":{"search":{"count":2}}}"#
        let fixture = AnswerFixture()
        let text = #"{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}],"usage":\#(usage)}"#
        #expect(try fixture.attempts(try fixture.read(text).facts)[0].units.searches == 2)
    }

    @Test func `tools count as the text that they are`() throws {
        let tools =
            #"[{"type":"function","name":"f","strict":true},{"type":"namespace","tools":[{"name":"g"}]},null,7]"#
        let request = try read(#""tools":\#(tools)"#, .responses)
        #expect(request.input.textBytes == Int64(tools.utf8.count) + 8)
    }
}
