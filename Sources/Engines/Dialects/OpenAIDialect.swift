public import Metering

/// The wire protocol of OpenAI's completions family, as vLLM, TGI, llama.cpp, Groq, Together, Azure and others speak
/// it.
public enum OpenAIDialect {
    /// Where an operation is posted, below a backend's base path.
    public static func path(of surface: Surface) -> String {
        switch surface {
        case .chatCompletions: "/v1/chat/completions"
        case .completions: "/v1/completions"
        case .embeddings: "/v1/embeddings"
        default: "/v1/\(surface.rawValue)"
        }
    }

    /// The tier that a request or an answer means: `default`, `auto` and silence are the base tier.
    public static func tier(named name: String?) -> String {
        switch name {
        case nil, "", "default", "auto": "standard"
        case let name?: name
        }
    }

    /// The fields of a delta or message that hold what the model wrote.
    static func isContent(_ key: JSONText, in bytes: UnsafeRawBufferPointer) -> Bool {
        contentFields.contains { key.equals($0, in: bytes) }
    }

    private static let contentFields: [StaticString] = [
        "content", "reasoning_content", "reasoning", "refusal", "tool_calls", "function_call", "audio", "text",
        "reasoning_details", "images",
    ]
}
