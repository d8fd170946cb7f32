/// What a provider says is left of our quota, as its answers' headers show it.
public struct UpstreamQuota: Hashable, Sendable {
    /// Requests left in the provider's window.
    public var requestsRemaining: Int64?
    /// Tokens left, the fewest of the kinds that it counts.
    public var tokensRemaining: Int64?
    /// Until the requests are full again; nil when it does not say, or only by its own clock.
    public var requestsResetMilliseconds: Int64?
    /// Until the tokens are full again.
    public var tokensResetMilliseconds: Int64?

    /// Nothing said.
    public init() {}

    /// What these headers say; nil when they say nothing.
    ///
    /// OpenAI, Azure, Groq, Cerebras, Together and others write `x-ratelimit-…`, Anthropic names of its own; engines of
    /// ours write none.
    public init?(kind: EngineKind, headers: some HeaderLookup) {
        func count(_ name: String) -> Int64? {
            headers.first(name).flatMap { Int64($0.prefix { $0 != "." }) }.map { max(0, $0) }
        }
        func fewest(_ names: [String]) -> Int64? { names.compactMap(count).min() }
        switch kind {
        case .anthropic:
            requestsRemaining = count("anthropic-ratelimit-requests-remaining")
            tokensRemaining = fewest([
                "anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-input-tokens-remaining",
                "anthropic-ratelimit-output-tokens-remaining",
            ])
        case .vllm, .tensorRTLLM, .triton, .llamaCpp, .bedrock, .sageMaker: return nil
        default:
            requestsRemaining = fewest([
                "x-ratelimit-remaining-requests", "x-ratelimit-remaining-requests-day", "x-ratelimit-remaining",
            ])
            tokensRemaining = fewest([
                "x-ratelimit-remaining-tokens", "x-ratelimit-remaining-tokens-minute",
            ])
            requestsResetMilliseconds = UpstreamQuota.reset(headers.first("x-ratelimit-reset-requests"))
            tokensResetMilliseconds = UpstreamQuota.reset(headers.first("x-ratelimit-reset-tokens"))
        }
        if requestsRemaining == nil, tokensRemaining == nil { return nil }
    }

    /// A Go-style duration, or seconds without a unit.
    private static func reset(_ text: String?) -> Int64? {
        guard let text else { return nil }
        return RetryHint.duration(text) ?? RetryHint.duration(text + "s")
    }
}
