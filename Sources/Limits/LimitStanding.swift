public import Identity

/// Where a request's limits stand, as the headers tell it: the tightest rule of requests and the tightest of tokens.
public struct LimitStandings: Hashable, Sendable {
    public var requests: LimitStanding?
    /// Of input, output or both.
    public var tokens: LimitStanding?
    /// The tightest rule of input alone.
    public var inputTokens: LimitStanding?
    /// The tightest rule of output alone.
    public var outputTokens: LimitStanding?

    public init(
        requests: LimitStanding? = nil, tokens: LimitStanding? = nil, inputTokens: LimitStanding? = nil,
        outputTokens: LimitStanding? = nil
    ) {
        self.requests = requests
        self.tokens = tokens
        self.inputTokens = inputTokens
        self.outputTokens = outputTokens
    }

    /// Nothing to tell.
    public var isEmpty: Bool { requests == nil && tokens == nil }

    /// Keeps the tighter one of each sort.
    mutating func note(_ standing: LimitStanding, of kind: LimitKind) {
        switch kind {
        case .requestsPerMinute: standing.replace(&requests)
        case .tokensPerMinute: standing.replace(&tokens)
        case .inputTokensPerMinute:
            standing.replace(&tokens)
            standing.replace(&inputTokens)
        case .outputTokensPerMinute:
            standing.replace(&tokens)
            standing.replace(&outputTokens)
        case .concurrentRequests: return
        }
    }

    /// `x-ratelimit-{limit,remaining,reset}-{requests,tokens}` as OpenAI names and writes them
    /// (platform.openai.com/docs/guides/rate-limits), in a fixed order.
    public func forEachHeader(_ body: (_ name: String, _ value: String) -> Void) {
        if let requests {
            body("x-ratelimit-limit-requests", String(requests.limit))
            body("x-ratelimit-remaining-requests", String(requests.remaining))
            body("x-ratelimit-reset-requests", DurationText.text(milliseconds: requests.resetMilliseconds))
        }
        if let tokens {
            body("x-ratelimit-limit-tokens", String(tokens.limit))
            body("x-ratelimit-remaining-tokens", String(tokens.remaining))
            body("x-ratelimit-reset-tokens", DurationText.text(milliseconds: tokens.resetMilliseconds))
        }
    }

    /// `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}` as Anthropic names
    /// and writes them (docs.claude.com/en/api/rate-limits): what is whole again when is an instant, in whole seconds.
    ///
    /// - Parameter now: real time.
    public func forEachAnthropicHeader(now: Timestamp, _ body: (_ name: String, _ value: String) -> Void) {
        func write(_ name: String, _ standing: LimitStanding?) {
            guard let standing else { return }
            let seconds = (now.milliseconds + standing.resetMilliseconds + 999) / 1_000
            let reset = Timestamp(milliseconds: seconds * 1_000).description
            body("anthropic-ratelimit-\(name)-limit", String(standing.limit))
            body("anthropic-ratelimit-\(name)-remaining", String(standing.remaining))
            // Without the fraction, which is none.
            body("anthropic-ratelimit-\(name)-reset", reset.dropLast(5) + "Z")
        }
        write("requests", requests)
        write("tokens", tokens)
        write("input-tokens", inputTokens)
        write("output-tokens", outputTokens)
    }
}

/// Where one rule stands.
public struct LimitStanding: Hashable, Sendable {
    /// A minute's worth.
    public let limit: Int64
    /// What is left now, the worst case of this request already taken.
    public let remaining: Int64
    /// Until it is whole again, nothing else happening.
    public let resetMilliseconds: Int64

    public init(limit: Int64, remaining: Int64) {
        self.limit = limit
        self.remaining = remaining
        let missing = max(0, limit - remaining)
        resetMilliseconds = limit == 0 ? 60_000 : (missing * TokenBucket.scale + limit - 1) / limit
    }

    /// Takes the place of `other`, unless that one is as tight.
    fileprivate func replace(_ other: inout LimitStanding?) {
        if let kept = other, kept.remaining <= remaining { return }
        other = self
    }
}

/// Durations as Go prints them, which is what clients of these headers parse: `0s`, `120ms`, `1.5s`, `6m0s`, `1h0m3s`.
enum DurationText {
    static func text(milliseconds: Int64) -> String {
        guard milliseconds > 0 else { return "0s" }
        guard milliseconds >= 1_000 else { return "\(milliseconds)ms" }
        let minutes = milliseconds / 60_000
        var fraction = milliseconds % 1_000
        var digits = 3
        while digits > 0, fraction % 10 == 0 {
            fraction /= 10
            digits -= 1
        }
        let padding = String(repeating: "0", count: max(0, digits - String(fraction).utf8.count))
        let seconds = "\(milliseconds / 1_000 % 60)" + (digits == 0 ? "" : ".\(padding)\(fraction)") + "s"
        if minutes == 0 { return seconds }
        return minutes < 60 ? "\(minutes)m\(seconds)" : "\(minutes / 60)h\(minutes % 60)m\(seconds)"
    }
}
