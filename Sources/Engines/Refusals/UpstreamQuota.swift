public import Identity

/// What a provider says is left of our quota, as its answers' headers show it.
public struct UpstreamQuota: Hashable, Sendable {
    /// Requests left in the provider's window.
    public var requestsRemaining: Int64?
    /// Tokens left, the fewest of the kinds that it counts.
    public var tokensRemaining: Int64?
    /// Until the requests are full again; nil when it does not say.
    public var requestsResetMilliseconds: Int64?
    /// Until the tokens are full again.
    public var tokensResetMilliseconds: Int64?

    /// Nothing said.
    public init() {}

    /// What these headers say; nil when they say nothing.
    ///
    /// OpenAI, Azure, Groq, Cerebras, Together and others write `x-ratelimit-…`, Anthropic names of its own; engines of
    /// ours write none.
    ///
    /// - Parameter now: real time, for resets that are instants.
    public init?(kind: EngineKind, headers: some HeaderLookup, now: Timestamp) {
        func count(_ name: String) -> Int64? {
            headers.first(name).flatMap { Int64($0.prefix { $0 != "." }) }.map { max(0, $0) }
        }
        func fewest(_ names: [String]) -> Int64? { names.compactMap(count).min() }
        switch kind {
        case .anthropic:
            func left(of limit: String) -> Int64? { count("anthropic-ratelimit-\(limit)-remaining") }
            func reset(of limit: String) -> Int64? {
                RetryHint.milliseconds(untilInstantIn: "anthropic-ratelimit-\(limit)-reset", headers, now: now)
            }
            requestsRemaining = left(of: "requests")
            if requestsRemaining != nil { requestsResetMilliseconds = reset(of: "requests") }
            // The limit with the fewest tokens left; of several the one that is full again last.
            for limit in UpstreamQuota.anthropicLimits.dropFirst() {
                guard let left = left(of: limit), left <= tokensRemaining ?? .max else { continue }
                let longest = left == tokensRemaining ? tokensResetMilliseconds : nil
                tokensResetMilliseconds = [longest, reset(of: limit)].compactMap { $0 }.max()
                tokensRemaining = left
            }
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

    /// What Anthropic counts apart.
    static let anthropicLimits = ["requests", "tokens", "input-tokens", "output-tokens"]

    /// A Go-style duration, or seconds without a unit.
    private static func reset(_ text: String?) -> Int64? {
        guard let text else { return nil }
        return RetryHint.duration(text) ?? RetryHint.duration(text + "s")
    }
}
