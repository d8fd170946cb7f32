/// Where a request's limits stand, as the headers tell it: the tightest rule of requests and the tightest of tokens.
public struct LimitStandings: Hashable, Sendable {
    public var requests: LimitStanding?
    public var tokens: LimitStanding?

    /// No limit of either sort.
    public init(requests: LimitStanding? = nil, tokens: LimitStanding? = nil) {
        self.requests = requests
        self.tokens = tokens
    }

    /// Nothing to tell.
    public var isEmpty: Bool { requests == nil && tokens == nil }

    /// Keeps the tighter one of each sort.
    mutating func note(_ standing: LimitStanding, of kind: LimitKind) {
        if kind.countsTokens {
            tokens = tokens.map { $0.remaining <= standing.remaining ? $0 : standing } ?? standing
        } else if kind.isRate {
            requests = requests.map { $0.remaining <= standing.remaining ? $0 : standing } ?? standing
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
}

/// Where one rule stands.
public struct LimitStanding: Hashable, Sendable {
    /// A minute's worth.
    public let limit: Int64
    /// What is left now, the worst case of this request already taken.
    public let remaining: Int64
    /// Until it is whole again, nothing else happening.
    public let resetMilliseconds: Int64

    /// A standing of a rate.
    public init(limit: Int64, remaining: Int64) {
        self.limit = limit
        self.remaining = remaining
        let missing = max(0, limit - remaining)
        resetMilliseconds = limit == 0 ? 60_000 : (missing * TokenBucket.scale + limit - 1) / limit
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
