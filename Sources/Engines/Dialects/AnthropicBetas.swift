/// The values of `anthropic-beta` that reach Anthropic's models; all others stay behind.
public enum AnthropicBetas {
    /// The header that names them.
    public static let header = "anthropic-beta"
    /// In a backend's own list: all of `standard`.
    public static let standardName = "standard"
    /// Entries of a backend's own list.
    public static let countMax = 100

    /// What changes how a request is written or how long it may be, and neither its tier nor what is sold by the call,
    /// nor what is kept at the provider. A new one is a line.
    public static let standard: Set<String> = [
        // Caches
        "prompt-caching-2024-07-31",
        "extended-cache-ttl-2025-04-11",
        "prompt-caching-scope-2026-01-05",
        // Input
        "token-counting-2024-11-01",
        "pdfs-2024-09-25",
        "context-management-2025-06-27",
        "model-context-window-exceeded-2025-08-26",
        "claude-code-20250219",
        // Answers
        "max-tokens-3-5-sonnet-2024-07-15",
        "output-128k-2025-02-19",
        "structured-outputs-2025-11-13",
        "structured-outputs-2025-12-15",
        "effort-2025-11-24",
        // Thinking
        "interleaved-thinking-2025-05-14",
        "dev-full-thinking-2025-05-14",
        "redact-thinking-2026-02-12",
        "adaptive-thinking-2026-01-28",
        // Tools of the client's
        "token-efficient-tools-2025-02-19",
        "fine-grained-tool-streaming-2025-05-14",
        "computer-use-2024-10-22",
        "computer-use-2025-01-24",
        "computer-use-2025-11-24",
        "tool-examples-2025-10-29",
        "tool-search-tool-2025-10-19",
    ]

    /// Whether a text can be one: 1 to 64 lowercase letters, digits and dashes.
    public static func isName(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "-")
            }
    }
}

extension EngineKind {
    /// Whether it serves Anthropic's own dialect by a header of betas.
    public var takesAnthropicBetas: Bool { dialect.clientHeaders.contains { $0.name == AnthropicBetas.header } }
}

extension Backend {
    /// Whether a member of a header that is a list goes on to this backend: by its own list where it has one, by that
    /// of its dialect otherwise.
    public func passes(_ member: String, of header: String, among standard: Set<String>) -> Bool {
        guard header == AnthropicBetas.header, let own = settings.anthropicBetas else {
            return standard.contains(member)
        }
        return own.contains(member) || own.contains(AnthropicBetas.standardName) && standard.contains(member)
    }
}
