import Identity
import Limits

extension APIError {
    /// 429 for a request that a limit has no room for. OpenAI writes such errors with what ran out as their type
    /// (`requests`, `tokens`) and the one code `rate_limit_exceeded`; a request larger than the whole limit gets 429
    /// from it too. Clients try 429 again by themselves, so what can never fit also says `x-should-retry: false`, which
    /// the official clients of OpenAI and Anthropic obey.
    static func limit(_ refusal: LimitRefusal, model: String) -> APIError {
        if refusal.cause == .unavailable { return limitStateUnavailable }
        let rule = refusal.rule
        let about = "\(rule.kind.words) of this \(rule.scope.name)" + (rule.model.map { " for '\($0)'" } ?? "")
        let message: String
        switch refusal.cause {
        case .exhausted:
            message =
                "Rate limit reached for '\(model)': the limit is \(rule.value) \(about), \(refusal.remaining) left, "
                + "\(refusal.amount) needed. Try again in \(refusal.retryAfterSeconds ?? 1)s."
        case .tooLarge:
            message =
                "Request too large for '\(model)': the limit is \(rule.value) \(about), and this request alone needs "
                + "\(refusal.amount). Send a shorter prompt or a smaller max_tokens."
        case .closed:
            message = "Requests for '\(model)' are suspended: the limit is 0 \(about). Ask your administrator."
        case .tooManyWaiting, .unavailable:
            message = "Too many requests at once for '\(model)'. Try again in 1s."
        }
        var error = APIError(
            status: 429, type: rule.kind.countsTokens ? "tokens" : "requests",
            code: rule.kind.isRate ? "rate_limit_exceeded" : "concurrency_limit_exceeded", message: message)
        error.retryAfterSeconds = refusal.retryAfterSeconds.map { Int($0) }
        error.standings = refusal.standings
        if refusal.retryAfterSeconds == nil {
            error.headers.append(ErrorHeader(name: "x-should-retry", value: "false"))
        }
        return error
    }

    /// 503 for a request whose limits nobody could say anything of: no fault of the client's.
    static let limitStateUnavailable = APIError(
        status: 503, type: "server_error", code: "limit_state_unavailable",
        message: "limit state is not available yet; retry in 1 s", retryAfterSeconds: 1)
}

extension ErrorEnvelope {
    /// Where a request's limits stand, by OpenAI's names, which all clients but Anthropic's know, and for these by
    /// Anthropic's too.
    func forEachLimitHeader(
        of standings: LimitStandings, now: @autoclosure () -> Timestamp,
        _ body: (_ name: String, _ value: String) -> Void
    ) {
        standings.forEachHeader(body)
        if self == .anthropic { standings.forEachAnthropicHeader(now: now(), body) }
    }
}
