internal import Metering

/// Anthropic's Messages API.
struct Anthropic: Dialect {
    /// The version of the API that answers are read by, whatever the client names.
    static let version = "2023-06-01"

    func serves(_ surface: Surface) -> Bool { surface == .messages || surface == .countTokens }

    let queryMembers = [QueryMember("beta", ["true"])]
    let clientHeaders =
        ClientHeader.common + [
            ClientHeader("anthropic-beta", .members(Anthropic.betas))
        ]

    /// Betas that change how a request is written or how long it may be, and neither its tier nor what is sold by the
    /// call, nor what is kept at the provider.
    static let betas: Set<String> = [
        "prompt-caching-2024-07-31", "extended-cache-ttl-2025-04-11", "prompt-caching-scope-2026-01-05",
        "token-counting-2024-11-01", "pdfs-2024-09-25", "max-tokens-3-5-sonnet-2024-07-15", "output-128k-2025-02-19",
        "interleaved-thinking-2025-05-14", "dev-full-thinking-2025-05-14", "redact-thinking-2026-02-12",
        "token-efficient-tools-2025-02-19", "fine-grained-tool-streaming-2025-05-14", "computer-use-2024-10-22",
        "computer-use-2025-01-24", "computer-use-2025-11-24", "context-management-2025-06-27",
        "model-context-window-exceeded-2025-08-26", "structured-outputs-2025-11-13", "structured-outputs-2025-12-15",
        "effort-2025-11-24", "tool-examples-2025-10-29", "tool-search-tool-2025-10-19", "adaptive-thinking-2026-01-28",
        "claude-code-20250219",
    ]

    func headers(for target: UpstreamTarget, backend: Backend, content: SignedContent) -> [HeaderField] {
        let version = HeaderField("anthropic-version", Anthropic.version)
        guard let key = backend.apiKey else { return [version] }
        // Tokens of a login are no API keys.
        return key.hasPrefix("sk-ant-oat") ? backend.bearer + [version] : [HeaderField("x-api-key", key), version]
    }
}
