public import Metering

/// The wire protocol of OpenAI's family, as vLLM, TGI, llama.cpp, Groq, Together, Azure and others speak it.
public enum OpenAIDialect {
    /// Where a form is posted, below a backend's base path.
    public static func path(of surface: Surface) -> String { "/v1" + name(of: surface) }

    /// The same without the version.
    static func name(of surface: Surface) -> String {
        switch surface {
        case .chatCompletions: "/chat/completions"
        case .completions: "/completions"
        case .embeddings: "/embeddings"
        case .responses: "/responses"
        case .imageGenerations: "/images/generations"
        case .audioTranscriptions: "/audio/transcriptions"
        case .audioSpeech: "/audio/speech"
        case .rerank: "/rerank"
        case .messages: "/messages"
        case .countTokens: "/messages/count_tokens"
        case .files: "/files"
        case .batches: "/batches"
        case .tgiGenerate, .tritonGenerate, .replicatePredictions, .geminiGenerate, .geminiEmbed, .bedrockConverse,
            .bedrockInvoke, .sageMakerInvocations:
            "/" + surface.rawValue
        }
    }

    /// The place at a backend whose base path may, as clients of these systems are used to, end with `prefix` already.
    static func target(
        of surface: Surface, backend: Backend, prefix: String = "/v1", query: String
    ) -> UpstreamTarget {
        UpstreamTarget(path: base(backend, prefix: prefix) + name(of: surface), query: query)
    }

    /// The base path followed by `prefix`, whose parts are not repeated.
    static func base(_ backend: Backend, prefix: String) -> String {
        let basePath = backend.basePath
        var rest = prefix[...]
        while !rest.isEmpty, !basePath.isEmpty {
            // Byte by byte: paths are ASCII, and every request comes by here.
            if basePath.utf8.count >= rest.utf8.count, basePath.utf8.suffix(rest.utf8.count).elementsEqual(rest.utf8) {
                return basePath + prefix[rest.endIndex...]
            }
            rest = rest[..<(rest.lastIndex(of: "/") ?? rest.startIndex)]
        }
        return basePath + prefix
    }

    /// What every engine serves where nothing else is said.
    static let baseTier = "standard"

    /// The tier that a request or an answer means: `default`, `auto` and silence are the base tier.
    public static func tier(named name: String?) -> String {
        switch name {
        case nil, "", "default", "auto", "standard_only", "on_demand": baseTier
        case "fast": "priority"
        case let name?: name
        }
    }

    /// The tier that an answer names, as plans name it. What is left as it came are names that plans know (`default`
    /// and `auto` are the base tier there) or may choose to price.
    static func tierServed(_ name: String) -> String? {
        switch name {
        case "": nil
        // Groq's word for its base tier.
        case "on_demand": "standard"
        default: name
        }
    }

    /// What a field of a delta or message holds of what the model made; nil where it is nothing.
    static func content(_ key: JSONText, in bytes: UnsafeRawBufferPointer) -> WrittenText.Place? {
        contentFields.meaning(of: key, in: bytes)
    }

    private static let contentFields = NamedMeanings([
        ["content", "refusal", "tool_calls", "function_call", "text", "tool_plan"]: WrittenText.Place.words,
        ["reasoning_content", "reasoning", "reasoning_details", "thinking", "thinking_blocks", "thought"]: .reasoning,
        ["audio"]: .media(.sound), ["images"]: .media(.picture), ["message", "parts"]: .elsewhere,
    ])

    /// Whether a member of a delta that the table does not name is known to be none of the model's words. A new name
    /// for them is not free.
    static func isSilent(_ key: JSONText, in bytes: UnsafeRawBufferPointer) -> Bool {
        silent.place(of: key, in: bytes) != nil
    }

    private static let silent = NameIndex([
        "role", "id", "type", "name", "status", "format", "object", "model", "tool_call_id", "call_id", "item_id",
        "finish_reason", "native_finish_reason", "stop_reason", "signature", "obfuscation", "service_tier", "language",
        "system_fingerprint", "phase", "channel", "recipient", "author", "event", "created", "request_id",
        "provider", "trace_id", "session_id", "conversation_id", "chat_id", "user_id", "fingerprint", "debug",
        "annotations", "citations", "executed_tools", "search_results", "extra_content", "snapshot", "logprobs",
    ])
}

/// A system that speaks OpenAI's dialect: what differs is which APIs it has, under which path, and what it is asked.
protocol OpenAIFamilyDialect: Dialect {
    var surfaces: Set<Surface> { get }
    /// In front of `/chat/completions` and its like.
    var prefix: String { get }
    /// What makes it report usage; only what it accepts.
    var question: UsageQuestion { get }
}

extension OpenAIFamilyDialect {
    var prefix: String { "/v1" }
    var question: UsageQuestion { .streamOptions }

    func serves(_ surface: Surface) -> Bool { surfaces.contains(surface) }

    func target(
        for request: InferenceRequest, upstreamModel: String, backend: Backend, query: ForwardedQuery
    ) -> UpstreamTarget {
        request.native?.target(upstreamModel: upstreamModel, backend: backend, query: query)
            ?? OpenAIDialect.target(of: request.surface, backend: backend, prefix: prefix, query: query.text)
    }

    func edits(for request: InferenceRequest, upstreamModel: String, backend: Backend) -> [ByteEdit] {
        var question = question
        if backend.countsContinuously { question.insert(.continuous) }
        return request.edits(upstreamModel: upstreamModel, asking: question)
    }
}

extension Backend {
    /// Whether it is asked for a count in each chunk of a stream.
    var countsContinuously: Bool { settings.counting == .continuous && kind.takesContinuousCounts }
}
