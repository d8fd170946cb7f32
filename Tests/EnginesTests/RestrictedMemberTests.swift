import Metering
import Testing

@testable import Engines

/// Members by which a client would choose what is not its to choose.
struct RestrictedMemberTests {
    private func read(_ members: String, as surface: Surface) throws -> InferenceRequest {
        let body = Array("{\(members)}".utf8)
        return try body.withUnsafeBytes { bytes throws(RequestError) in
            switch surface {
            case .chatCompletions, .messages, .completions, .responses:
                try InferenceRequest(reading: bytes, surface: surface)
            default:
                try InferenceRequest(
                    reading: bytes, native: NativeCall(surface: surface, method: "POST", model: "m", prefix: "/"))
            }
        }
    }

    private static let chat = #""model":"m","messages":[{"role":"user","content":"hi"}],"#

    @Test(arguments: [
        (#""route":"fallback""#, EngineKind.openRouter, "route"), (#""models":["dear"]"#, .openRouter, "models"),
        (#""extra_body":{"models":["x"]}"#, .openAICompatible, "extra_body"),
        (#""litellm_params":{"model":"x"}"#, .openAICompatible, "litellm_*"),
        (#""inference_geo":"us""#, .anthropic, "inference_geo"),
        (#""provider":{"only":["dear"]}"#, .openRouter, "provider"),
        (#""provider":{"data_collection":"deny","sort":"throughput"}"#, .openRouter, "provider"),
        (#""compound_custom":{"models":{"answering_model":"x"}}"#, .groq, "compound_custom"),
        (#""priority":-1"#, .vllm, "priority"), (#""priority":1e3"#, .rayServe, "priority"),
        (#""Priority":-5"#, .nim, "priority"), (#""\u0070riority":2"#, .vllm, "priority"),
        (#""kv_transfer_params":{"remote_host":"10.0.0.1"}"#, .vllm, "kv_transfer_params"),
        (#""lora_path":"other""#, .openAICompatible, "lora_path"),
        (#""bootstrap_room":7"#, .openAICompatible, "bootstrap_room"),
        (#""data_parallel_rank":1"#, .openAICompatible, "data_parallel_rank"),
        (#""session_params":{"id":"x"}"#, .openAICompatible, "session_params"),
        (#""custom_logit_processor":"80049526""#, .openAICompatible, "custom_logit_processor"),
        (#""api_base":"http://10.0.0.1""#, .openAICompatible, "api_base"),
        (#""lora":[{"id":0,"scale":1}]"#, .llamaCpp, "lora"), (#""id_slot":3"#, .llamaCpp, "id_slot"),
        (#""adapter_id":"other""#, .tgi, "adapter_id"),
        (#""rid":"x""#, .openAICompatible, "rid"), (#""data_sources":[{}]"#, .azure, "data_sources"),
        (#""dataSources":[{}]"#, .azure, "dataSources"),
    ]) func `a member that routes or touches others is refused where it is known`(
        member: String, kind: EngineKind, path: String
    ) throws {
        let request = try read(Self.chat + member, as: .chatCompletions)
        #expect(request.restricted(on: [kind])?.path == path)
        // Systems that do not know it may have it.
        #expect(request.restricted(on: [.deepSeek]) == nil)
    }

    @Test func `an id that the engine knows its answer by is refused`() throws {
        for surface in [Surface.responses, .chatCompletions, .completions, .embeddings] {
            let named = try read(#""model":"m","input":"hi","messages":[],"request_id":"resp_1""#, as: surface)
            #expect(named.restricted(on: [.vllm])?.path == "request_id" && named.restricted(on: [.openAI]) == nil)
            let silent = try read(#""model":"m","input":"hi","messages":[],"request_id":null"#, as: surface)
            #expect(silent.restricted(on: EngineKind.allCases) == nil)
        }
    }

    @Test(arguments: [
        #""models":null"#, #""priority":0"#, #""priority":null"#, #""lora":[]"#, #""id_slot":-1"#,
        #""provider":{"data_collection":"deny","zdr":true}"#, #""metadata":{"priority":"high","models":"x"}"#,
        #""tools":[{"type":"function","function":{"name":"models","parameters":{"priority":1}}}]"#,
        #""temperature":1,"seed":4,"response_format":{"type":"json_object"},"parallel_tool_calls":true"#,
    ]) func `what asks for nothing of the kind passes`(member: String) throws {
        let request = try read(Self.chat + member, as: .chatCompletions)
        #expect(request.restrictedMembers.isEmpty || request.restricted(on: EngineKind.allCases) == nil)
    }

    @Test(arguments: [
        (#""performanceConfig":{"latency":"optimized"}"#, Surface.bedrockConverse, "performanceConfig"),
        (#""guardrailConfig":{"guardrailIdentifier":"x"}"#, .bedrockConverse, "guardrailConfig"),
        (
            #""additionalModelRequestFields":{"anthropic_beta":["context-1m-2025-08-07"]}"#, .bedrockConverse,
            "additionalModelRequestFields.anthropic_beta"
        ),
        (#""anthropic_beta":["context-1m-2025-08-07"]"#, .bedrockInvoke, "anthropic_beta"),
        (#""anthropic_beta":"pdfs-2024-09-25,fast-mode""#, .bedrockInvoke, "anthropic_beta"),
        (#""speed":"fast""#, .bedrockInvoke, "speed"),
    ]) func `Bedrock's bodies ask for no more than its headers may`(
        member: String, surface: Surface, path: String
    ) throws {
        #expect(try read(member, as: surface).restricted(on: [.bedrock])?.path == path)
    }

    @Test(arguments: [
        (#""performanceConfig":{"latency":"standard"}"#, Surface.bedrockConverse),
        (#""anthropic_beta":["interleaved-thinking-2025-05-14"],"speed":"standard""#, .bedrockInvoke),
    ]) func `what a header may ask for a body may`(member: String, surface: Surface) throws {
        #expect(try read(member, as: surface).restricted(on: [.bedrock]) == nil)
    }

    @Test(arguments: [#""adapter_id":"x""#, #""adapter_source":"s3""#, #""merged_adapters":{"ids":["a"]}"#])
    func `an adapter inside the parameters is refused, too`(member: String) throws {
        let request = try read(#""inputs":"x","parameters":{\#(member),"max_new_tokens":5}"#, as: .tgiGenerate)
        #expect(request.restricted(on: [.tgi])?.path.hasPrefix("parameters.") == true)
        #expect(request.outputTokensMax == 5)
    }

    // MARK: Lengths in strings

    @Test(arguments: [
        (#""max_tokens":10,"sampling_parameters":"{\"max_tokens\":5000,\"n\":8}""#, Int64(5000), Int64(8)),
        (#""parameters":{"max_tokens":3,"sampling_parameters":"{\"max_tokens\": 700}"}"#, 700, 1),
        (#""sampling_parameters":"{\"best_of\":4,\"max_tokens\":20,\"temperature\":0}""#, 20, 4),
        (#""max_tokens":9000,"sampling_parameters":"{}""#, 9000, 1),
        (#""max_tokens":8,"sampling_parameters":"""#, 8, 1),
    ]) func `Triton's sampling parameters in a string are read`(member: String, length: Int64, choices: Int64) throws {
        let request = try read(#""text_input":"a","# + member, as: .tritonGenerate)
        #expect(request.outputTokensMax == length && request.choiceCount == choices)
    }

    @Test(arguments: [
        #""{\"max_tokens\":1,\"max_tokens\":9000}""#, #""{\"max_tokens\":\"9000\"}""#, #""[9000]""#,
        #""{\"max_tokens\":""#,
        #"{"max_tokens":9000}"#, #""{} {\"max_tokens\":9000}""#,
    ]) func `what two readers could take for different things is refused there, too`(value: String) {
        #expect(throws: RequestError.self) {
            try read(#""text_input":"a","sampling_parameters":"# + value, as: .tritonGenerate)
        }
    }

    @Test(arguments: [
        (#""prompt_embeds":["AAAA","AAAA","AAAA"]"#, Int64(3)), (#""prompt_embeds":"AAAA""#, 1),
        (#""prompt":[[1,2],[3]],"prompt_embeds":["AAAA"]"#, 3), (#""prompt_embeds":["AAAA"],"prompt":"a""#, 2),
        (#""prompt":"a""#, 1),
    ]) func `prompts that are tensors are as many answers`(members: String, prompts: Int64) throws {
        let request = try read(#""model":"m","max_tokens":5,"# + members, as: .completions)
        #expect(request.choiceCount == prompts)
        #expect(request.input.estimatedBytes > 0)
    }

    @Test func `a tensor's bytes are input`() throws {
        let tensor = String(repeating: "A", count: 1024 * 50)
        let request = try read(#""model":"m","prompt_embeds":"\#(tensor)""#, as: .completions)
        #expect((50...60).contains(request.input.estimatedBytes / UsageEstimate.bytesPerToken))
    }

    // MARK: Items

    @Test(arguments: [
        #"{"type":"image_generation_call","id":"ig_1"}"#,
        #"{"type":"image_generation_call","id":"ig_1","result":null}"#,
        #"{"type":"image_generation_call","id":"ig_1","quality":"high"}"#,
        #"{"type":"reasoning","id":"rs_1","summary":[]}"#,
        #"{"id":"rs_1","summary":[{"type":"summary_text","text":"x"}],"type":"reasoning","encrypted_content":""}"#,
        #"{"type":"compaction","id":"cmp_1"}"#, #"{"type":"code_interpreter_call","id":"ci_1","status":"completed"}"#,
        #"{"type":"message","role":"assistant","id":"msg_1"}"#,
    ]) func `an item of which only the id is there is a reference`(item: String) throws {
        let request = try read(#""model":"m","input":["# + item + "]", as: .responses)
        #expect(request.references.map(\.kind) == [.other] && request.references[0].field == "input")
    }

    @Test(arguments: [
        #"{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAAA"}"#,
        #"{"type":"reasoning","id":"rs_1","summary":[],"content":[{"type":"reasoning_text","text":"t"}]}"#,
        #"{"type":"message","role":"assistant","id":"msg_1","content":[{"type":"output_text","text":"x"}]}"#,
        #"{"type":"function_call","id":"fc_1","call_id":"c","name":"f","arguments":"{}"}"#,
        #"{"type":"image_generation_call","id":"ig_1","result":"iVBORw0KGgo="}"#,
        #"{"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","query":"q"}}"#,
    ]) func `an item that is whole passes with its id`(item: String) throws {
        #expect(try read(#""model":"m","input":["# + item + "]", as: .responses).references.isEmpty)
    }

    @Test(arguments: [
        ("fallbacks", "other", EngineKind.openAICompatible), ("api_base", "http://10.0.0.1", .openAICompatible),
        ("priority", "-5", .vllm), ("lora_name", "other", .vllm),
    ]) func `a part of a form is refused as a member is`(name: String, value: String, kind: EngineKind) throws {
        let parts = [("model", "m"), (name, value), ("file", "abc")].map {
            let file = $0 == "file" ? "; filename=\"a.wav\"" : ""
            return "--b\r\ncontent-disposition: form-data; name=\"\($0)\"\(file)\r\n\r\n\($1)\r\n"
        }
        let body = Array((parts.joined() + "--b--\r\n").utf8)
        let request = try body.withUnsafeBytes {
            try InferenceRequest(
                reading: $0, surface: .audioTranscriptions, contentType: "multipart/form-data; boundary=b")
        }
        #expect(request.restricted(on: [kind])?.path == name)
        #expect(request.restricted(on: [.deepSeek]) == nil)
    }

    @Test func `a member that is named a million times is held once`() throws {
        let body = "{\(Self.chat)" + String(repeating: #""lora":1,"#, count: 100_000) + #""x":1}"#
        let request = try Array(body.utf8).withUnsafeBytes {
            try InferenceRequest(reading: $0, surface: .chatCompletions)
        }
        #expect(request.restrictedMembers.members.count == RestrictedMember.all.filter { $0.path == "lora" }.count)
    }

    @Test func `vLLM's own members are looked through`() throws {
        let request = try read(
            Self.chat + #""vllm_xargs":{"kv_transfer_params":{"a":1},"top":2}"#, as: .chatCompletions)
        #expect(request.restricted(on: [.vllm])?.path == "vllm_xargs.kv_transfer_params")
    }
}
