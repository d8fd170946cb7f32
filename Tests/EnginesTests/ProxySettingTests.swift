import Metering
import Testing

@testable import Engines

/// What proxies such as LiteLLM take from a body and is their operator's to set: families of names, and what is like
/// them and is not.
@Suite struct ProxySettingTests {
    private func restricted(_ member: String) throws -> String? {
        let body = #"{"model":"m","messages":[{"role":"user","content":"hi"}],\#(member)}"#
        let request = try Array(body.utf8).withUnsafeBytes {
            try InferenceRequest(reading: $0, surface: .chatCompletions)
        }
        #expect(request.restricted(on: [.openAI]) == nil)
        return request.restricted(on: [.openAICompatible])?.path
    }

    @Test(arguments: [
        #""vertex_ai_project":"p""#, #""vertex_ai_credentials":{}"#, #""aws_role_name":"r""#,
        #""aws_bedrock_runtime_endpoint":"https://x""#, #""aws_web_identity_token":"t""#, #""azure_endpoint":"x""#,
        #""litellm_credential_name":"c""#, #""model_list":[]"#, #""proxy_server_request":{}"#,
        #""default_headers":{}"#, #""num_retries":3"#, #""max_retries":9"#, #""mock_timeout":true"#,
        #""drop_params":true"#, #""allowed_openai_params":["x"]"#, #""input_cost_per_token":0"#,
        #""fallback_models":["x"]"#, #""api_version":"1""#, #""guardrails":["off"]"#, #""cache":{"no-store":true}"#,
        #""watsonx_url":"x""#, #""oci_region":"x""#, #""openai_api_key":"x""#, #""AWS_profile_name":"x""#,
        #""aw\u0073_session_name":"x""#, #""azure_ad_token_provider":"x""#, #""output_cost_per_second":1"#,
        #""my_api_base":"x""#, #""anthropic_base_url":"x""#, #""success_callback":["x"]"#, #""user_api_key_user_id":1"#,
        #""mock_tool_calls":[]"#, #""litellm_trace_id":"x""#, #""gemini_api_key":"x""#, #""extra_headers":{}"#,
    ])
    func `a setting of the proxy behind a model is refused by its family`(member: String) throws {
        #expect(try restricted(member) != nil)
    }

    @Test(arguments: [
        #""cache_prompt":true"#, #""cache_salt":"x""#, #""prompt_cache_key":"x""#, #""max_tokens":5"#,
        #""cache":false"#, #""num_retries":0"#, #""drop_params":false"#, #""azure":1"#, #""aws":"x""#, #""vertex":{}"#,
        #""headers_in_text":"x""#, #""stop_token_ids":[1]"#, #""guided_json":{}"#, #""seed":1"#, #""user":"u""#,
        #""parallel_tool_calls":true"#, #""model_kwargs":{}"#, #""mock":1"#, #""skip_special_tokens":false"#,
        #""chat_template_kwargs":{"enable_thinking":true}"#, #""guided_decoding_backend":"x""#, #""top_logprobs":1"#,
        #""metadata":{"aws_region":"x","api_key":"y"}"#, #""truncate_prompt_tokens":5"#, #""repetition_penalty":1"#,
    ])
    func `what is no such setting passes`(member: String) throws {
        #expect(try restricted(member) == nil)
    }
}
