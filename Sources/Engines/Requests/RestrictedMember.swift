internal import Metering

/// A member of a body by which a client would choose what the catalogue, the plan or the operator decides: another
/// model, provider or machine, a place in front of others in the queue, somebody else's adapter or cache, a service
/// that is sold by the call. The table below is all that is known of them; what it names does not reach an engine.
public struct RestrictedMember: Hashable, Sendable {
    /// What may stand there all the same. Null always may.
    enum Allowed: Hashable, Sendable {
        case nothing
        /// Zero, false, or an empty list.
        case off
        case only(Set<String>)
        /// A list of these, or several between commas.
        case members(Set<String>)
        /// An object of these members.
        case object(Set<String>)
        /// An object with this one member, and these in it.
        case inside(String, Set<String>)
    }

    let name: String
    /// The member that the object is which has it; empty at the root.
    let parent: String
    /// The systems that know it.
    public let kinds: Set<EngineKind>
    /// What it would do.
    public let effect: String
    let allowed: Allowed

    /// As messages name it.
    public var path: String { parent.isEmpty ? name : parent + "." + name }

    private init(name: String, parent: String, kinds: Set<EngineKind>, effect: String, allowed: Allowed) {
        self.name = name
        self.parent = parent
        self.kinds = kinds
        self.effect = effect
        self.allowed = allowed
    }

    // MARK: The table

    /// Engines that run for us, or for whoever runs the address that the catalogue names.
    private static let ownEngines: Set<EngineKind> = [
        .openAICompatible, .vllm, .rayServe, .nim, .sageMaker, .tenstorrent, .tensorRTLLM, .llamaCpp,
    ]
    private static let routers: Set<EngineKind> = [.openRouter, .openAICompatible]
    private static let anthropics: Set<EngineKind> = [.anthropic, .bedrock, .vertex]

    static let all: [RestrictedMember] = {
        var table: [RestrictedMember] = []
        func add(
            _ names: [String], in parents: [String] = [""], of kinds: Set<EngineKind>, _ effect: String,
            but allowed: Allowed = .nothing
        ) {
            for name in names {
                for parent in parents {
                    table.append(
                        RestrictedMember(name: name, parent: parent, kinds: kinds, effect: effect, allowed: allowed))
                }
            }
        }
        add(
            [
                "models", "preset", "fallbacks", "context_window_fallbacks", "content_policy_fallbacks",
                "default_fallbacks", "route",
            ], of: routers, "serves the request by another model")
        add(
            ["fallbacks", "fallback_model", "fallback_models"], in: ["", "additionalModelRequestFields"],
            of: anthropics,
            "serves the request by another model", but: .off)
        add(
            ["webhook", "webhook_events_filter"], in: ["", "input"], of: [.replicate],
            "has what is made sent elsewhere before it is on record", but: .off)
        add(
            ["uuid"], in: ["part"], of: ownEngines,
            "takes a picture from the engine's cache, where another may have put it")
        add(["server_label"], in: ["tools"], of: ownEngines, "turns on a tool of the engine's own")
        add(["multi_modal_uuids", "mm_uuids"], of: ownEngines, "takes pictures from the engine's cache", but: .off)
        add(
            ["nvext"], of: ownEngines, "has the request served before others, or chooses the machine",
            but: .object(["annotations", "greed_sampling", "ignore_eos", "top_k", "repetition_penalty"]))
        add(RestrictedMember.proxySettings, of: [.openAICompatible], "is a setting of the proxy behind this model")
        add(
            ["guardrails", "cache", "caching", "num_retries", "max_retries", "drop_params", "model_kwargs"],
            of: [.openAICompatible], "is a setting of the proxy behind this model", but: .off)
        add(["lora", "adapter", "loras"], of: [.together], "serves the request by another adapter", but: .off)
        add(["debug"], of: [.openRouter], "shows what other systems are sent")
        add(["image_loras"], of: [.together, .openAICompatible], "serves the request by another adapter", but: .off)
        add(
            ["routingConfig", "routing_config"], in: ["", "generationConfig", "generation_config"],
            of: [.gemini, .vertex, .openAICompatible], "serves the request by another model")
        add(
            ["modelConfig", "model_config"], in: ["", "generationConfig", "generation_config"], of: [.gemini, .vertex],
            "prefers quality or cost, which have prices of their own")
        add(
            ["modelArmorConfig", "model_armor_config"], of: [.gemini, .vertex],
            "has the text checked, which is sold by the unit")
        add(["agent"], of: [.gemini, .vertex], "serves the request by another model")
        add(
            ["router_settings_override", "user_config"], of: [.openAICompatible], "sends the request elsewhere")
        // LiteLLM reads in it what it reads beside it; Google's endpoint takes its own members in either place.
        add(
            ["extra_body"], of: [.openAICompatible], "hides other members",
            but: .inside("google", RestrictedMember.googleOptions))
        add(
            ["google"], of: [.openAICompatible, .vertex, .gemini], "hides other members",
            but: .object(RestrictedMember.googleOptions))
        add(
            ["provider"], of: [.openRouter], "chooses a provider, whose prices are its own",
            but: .object(["data_collection", "zdr", "require_parameters"]))
        add(
            ["api_base", "base_url", "api_key", "custom_llm_provider"], of: [.openAICompatible],
            "sends the request elsewhere")
        add(
            ["connectors", "mcp_servers"], in: ["", "additionalModelRequestFields"],
            of: anthropics.union([.openAICompatible]),
            "runs tools whose cost is unknown", but: .off)
        add(["compound_custom"], of: [.groq, .openAICompatible], "serves the request by other models")
        add(
            ["adapter_id", "adapter_source", "api_token", "merged_adapters"], in: ["", "parameters"],
            of: [.tgi, .sageMaker, .openAICompatible], "serves the request by another adapter")
        add(
            ["lora_request", "lora_path", "lora_name", "lora"], of: ownEngines.union([.triton]),
            "serves the request by another adapter", but: .off)
        add(
            ["lora_name", "lora_request", "lora_path", "priority"], in: ["parameters", "sampling_parameters"],
            of: [.triton],
            "serves the request by another adapter, or before others", but: .off)
        add(
            ["lora_task_id", "lora_weights", "lora_config"], in: ["", "parameters"], of: [.triton, .tensorRTLLM],
            "serves the request by another adapter", but: .off)
        add(["adapters"], of: [.sageMaker, .openAICompatible], "serves the request by another adapter", but: .off)
        add(["priority"], of: ownEngines, "has the request served before others", but: .off)
        // Engines keep what they made under it: two requests of one name are one to them.
        add(
            ["request_id"], of: ownEngines, "sets the answer's id at the engine, where another's may have it")
        add(["rid"], of: ownEngines, "sets the request's id at the engine, where another's may have it")
        add(
            ["data_sources", "dataSources"], of: [.azure, .openAICompatible],
            "reads what the operator keeps at the provider")
        add(
            ["kv_transfer_params", "bootstrap_host", "bootstrap_port", "bootstrap_room", "disaggregated_params"],
            of: ownEngines, "reads what other machines keep of prompts")
        add(
            ["kv_transfer_params"], in: ["vllm_xargs", "extra_args"], of: ownEngines,
            "reads what other machines keep of prompts")
        add(
            ["data_parallel_rank", "routed_dp_rank", "disagg_prefill_dp_rank"], of: ownEngines,
            "chooses the machine")
        add(
            ["session_params", "id_slot", "slot_id"], of: ownEngines, "goes on with what was kept of another request",
            but: .only(["-1"]))
        add(["custom_logit_processor", "logits_processors"], of: ownEngines, "runs code on the engine", but: .off)
        add(["performanceConfig"], of: [.bedrock], "is sold at prices of its own", but: .object(["latency=standard"]))
        add(
            ["guardrailConfig", "amazon-bedrock-guardrailConfig"], of: [.bedrock],
            "has the text checked, which is sold by the unit")
        add(
            ["anthropic_beta"], in: ["", "additionalModelRequestFields"], of: anthropics,
            "switches on what plans do not sell", but: .members(AnthropicBetas.standard))
        add(
            ["speed"], in: ["", "additionalModelRequestFields"], of: anthropics, "is sold at prices of its own",
            but: .only(["standard"]))
        add(
            ["inference_geo"], in: ["", "additionalModelRequestFields"], of: anthropics, "is sold at prices of its own",
            but: .only(["global", "default"]))
        return table
    }()

    /// What Google's endpoint in OpenAI's dialect takes beside it and plans need not sell.
    private static let googleOptions: Set<String> = [
        "thinking_config", "thinkingConfig", "safety_settings", "safetySettings", "cached_content", "cachedContent",
        "response_modalities",
    ]

    /// What LiteLLM and its like take from a body and are the operator's to set. A star stands for any letters: each
    /// provider that they know has a family of its own, and new ones join it.
    private static let proxySettings = [
        "vertex_*", "vertexai_*", "aws_*", "azure_*", "litellm_*", "watsonx_*", "sagemaker_*", "bedrock_*", "oci_*",
        "databricks_*", "snowflake_*", "huggingface_*", "hf_*", "gigachat_*", "mock_*", "proxy_*", "user_api_key*",
        "fallback_*", "router_*", "input_cost_*", "output_cost_*", "*_api_key", "*_api_base", "*_base_url",
        "*_endpoint", "*_headers", "*_credentials", "*_credential_name", "*_fallbacks", "*_callback", "*_callbacks",
        "headers", "deployment_id", "specific_deployment", "model_info", "model_list", "model_group", "organization",
        "prompt_id", "prompt_variables", "prompt_label", "prompt_version", "additional_drop_params",
        "allowed_openai_params", "use_litellm_proxy", "api_version", "api_type", "region_name", "base_model",
        "secret_fields", "custom_prompt_dict", "ssl_verify", "client_secret", "project_id", "space_id",
        "langfuse_*", "langsmith_*", "disable_global_*", "provider_specific_header", "allowed_model_region", "tags",
        "providerOptions", "backend",
    ]
}
