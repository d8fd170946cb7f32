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
    /// The forms of requests in which they know it; nil for all.
    let surfaces: Set<Surface>?
    /// What it would do.
    public let effect: String
    let allowed: Allowed

    /// As messages name it.
    public var path: String { parent.isEmpty ? name : parent + "." + name }

    private init(
        name: String, parent: String, kinds: Set<EngineKind>, surfaces: Set<Surface>?, effect: String, allowed: Allowed
    ) {
        self.name = name
        self.parent = parent
        self.kinds = kinds
        self.surfaces = surfaces
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
            but allowed: Allowed = .nothing, on surfaces: Set<Surface>? = nil
        ) {
            for name in names {
                for parent in parents {
                    table.append(
                        RestrictedMember(
                            name: name, parent: parent, kinds: kinds, surfaces: surfaces, effect: effect,
                            allowed: allowed))
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
        add(["multi_modal_uuids", "mm_uuids"], of: ownEngines, "takes pictures from the engine's cache", but: .off)
        add(
            ["nvext"], of: ownEngines, "has the request served before others, or chooses the machine",
            but: .object(["annotations", "greed_sampling", "ignore_eos", "top_k", "repetition_penalty"]))
        add(
            [
                "extra_headers", "headers", "deployment_id", "specific_deployment", "model_info", "organization",
                "azure_ad_token", "vertex_credentials", "vertex_project", "vertex_location", "aws_region_name",
                "prompt_id", "additional_drop_params", "use_litellm_proxy", "mock_tool_calls", "model_kwargs",
            ], of: [.openAICompatible], "is a setting of the proxy behind this model")
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
            ["router_settings_override", "user_config", "litellm_params"], of: [.openAICompatible],
            "sends the request elsewhere")
        // LiteLLM reads in it what it reads beside it.
        add(
            ["extra_body"], of: [.openAICompatible], "hides other members",
            but: .inside("google", RestrictedMember.googleOptions))
        add(
            ["provider"], of: [.openRouter], "chooses a provider, whose prices are its own",
            but: .object(["data_collection", "zdr", "require_parameters"]))
        add(
            ["api_base", "base_url", "api_key", "custom_llm_provider", "mock_response"], of: [.openAICompatible],
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
            ["lora_name", "lora_request", "priority"], in: ["parameters"], of: [.triton],
            "serves the request by another adapter, or before others", but: .off)
        add(["priority"], of: ownEngines, "has the request served before others", but: .off)
        // Engines keep what they made under it: two requests of one name are one to them.
        add(
            ["request_id"], of: ownEngines, "sets the response's id at the engine, where another's may have it",
            on: [.responses])
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

    /// By the first letter of their names, in lower case, so that a usual name meets few of them.
    private static let byLetter: [[(index: Int, name: String)]] = {
        assert(all.count <= RestrictedMembers.countMax)
        var lists = [[(index: Int, name: String)]](repeating: [], count: 256)
        for (index, member) in all.enumerated() {
            let name = member.name.lowercased()
            lists[Int(name.utf8.first ?? 0)].append((index, name))
        }
        return lists
    }()

    /// No name is written in more bytes, however it is escaped.
    private static let writtenBytesMax = 6 * 32

    // MARK: Reading

    /// The members of the table that a key of the object `parent` is to some reader, and whose value is more than they
    /// are allowed. Looks at the value, and leaves the scanner in front of it.
    static func asked(
        _ key: JSONText, in parent: String, _ scanner: JSONScanner, _ body: UnsafeRawBufferPointer
    ) throws(JSONScanError) -> RestrictedMembers {
        guard let first = key.range.first, key.range.count <= writtenBytesMax else { return [] }
        // The long s and the Kelvin sign are no ASCII, and longer than what they fold to.
        let isPlain = !key.isEscaped && body[key.range].allSatisfy { $0 < 0x80 }
        if isPlain, !byLetter[Int(body[first] | 0x20)].contains(where: { $0.name.utf8.count == key.range.count }) {
            return []
        }
        var found: RestrictedMembers = []
        for index in indices(named: key.value(in: body)) where all[index].parent == parent {
            var value = scanner
            if try !all[index].allows(&value, body) { found.insert(RestrictedMembers(index: index)) }
        }
        return found
    }

    /// The same for a part of a form, whose values are all text. Readers of forms do not fold names.
    static func asked(part name: String, text: String) -> RestrictedMembers {
        var found: RestrictedMembers = []
        for index in indices(named: name) where all[index].parent.isEmpty && !all[index].allows(text) {
            found.insert(RestrictedMembers(index: index))
        }
        return found
    }

    private static func indices(named text: String) -> [Int] {
        let name = String(text.lowercased().map { $0 == "\u{17F}" ? "s" : $0 == "\u{212A}" ? "k" : $0 })
        return byLetter[Int(name.utf8.first ?? 0)].filter { $0.name == name }.map(\.index)
    }

    private func allows(_ text: String) -> Bool {
        switch allowed {
        case .nothing, .object, .inside: text.isEmpty
        case .off: text.isEmpty || text == "[]" || RestrictedMember.zeros.contains(text)
        case .only(let values): values.contains(text)
        case .members(let values): text.split(separator: ",").allSatisfy { values.contains($0.filter { $0 != " " }) }
        }
    }

    private func allows(
        _ scanner: inout JSONScanner, _ body: UnsafeRawBufferPointer
    ) throws(JSONScanError) -> Bool {
        let kind = try scanner.kind()
        if kind == .null { return true }
        switch allowed {
        case .nothing: return false
        case .off:
            if kind == .array {
                try scanner.beginArray()
                return try !scanner.nextElement()
            }
            return RestrictedMember.zeros.contains(body.text(try scanner.skip()))
        case .only(let values):
            if kind == .number { return values.contains(body.text(try scanner.skip())) }
            guard kind == .string else { return false }
            return values.contains(try scanner.string().value(in: body))
        case .members(let values):
            if kind == .string {
                let text = try scanner.string().value(in: body)
                return text.split(separator: ",").allSatisfy { values.contains(String($0.filter { $0 != " " })) }
            }
            guard kind == .array else { return false }
            try scanner.beginArray()
            while try scanner.nextElement() {
                guard try scanner.kind() == .string, values.contains(try scanner.string().value(in: body)) else {
                    return false
                }
            }
            return true
        case .inside(let name, let members):
            guard kind == .object else { return false }
            try scanner.beginObject()
            while let key = try scanner.nextKey() {
                guard key.value(in: body) == name, try scanner.kind() == .object else { return false }
                try scanner.beginObject()
                while let key = try scanner.nextKey() {
                    guard members.contains(key.value(in: body)) else { return false }
                    try scanner.skip()
                }
            }
            return true
        case .object(let members):
            guard kind == .object else { return false }
            try scanner.beginObject()
            while let key = try scanner.nextKey() {
                let name = key.value(in: body)
                let isValue = try scanner.kind() == .string
                let value = isValue ? try scanner.string().value(in: body) : body.text(try scanner.skip())
                guard members.contains(name) || members.contains(name + "=" + value) else { return false }
            }
            return true
        }
    }

    private static let zeros: Set<String> = ["0", "0.0", "-0", "false", "{}"]
}

extension UnsafeRawBufferPointer {
    fileprivate func text(_ range: Range<Int>) -> String { String(decoding: self[range], as: UTF8.self) }
}

/// Members of the table, however often a body names them.
struct RestrictedMembers: OptionSet, Hashable, Sendable {
    let rawValue: UInt128
    static let countMax = 128

    init(rawValue: UInt128) { self.rawValue = rawValue }
    init(index: Int) { rawValue = 1 << UInt128(index) }

    /// In the order of the table.
    var members: [RestrictedMember] {
        RestrictedMember.all.indices.filter { contains(RestrictedMembers(index: $0)) }.map { RestrictedMember.all[$0] }
    }
}

extension InferenceRequest {
    /// The first member that one of these systems would take for more than the gateway allows; nil where there is none.
    public func restricted(on kinds: some Sequence<EngineKind>) -> RestrictedMember? {
        restrictedMembers.isEmpty
            ? nil
            : restrictedMembers.members.first { member in
                member.surfaces?.contains(surface) != false && kinds.contains { member.kinds.contains($0) }
            }
    }
}
