/// What an objective says of one request.
public enum Judgement: Hashable, Sendable {
    /// The promise was kept for it.
    case good
    /// The promise was not kept for it.
    case bad(Miss)
    /// It does not count; the reason is a stable code.
    case excluded(reason: String)
}

/// How a request missed its objective.
public struct Miss: Hashable, Sendable {
    /// A stable code, counted in the evidence.
    public let reason: String
    /// For people: what was measured, such as `3120 ms`.
    public let measured: String
    /// The larger, the worse: what the evidence picks the worst requests by.
    public let severity: Int64

    public init(reason: String, measured: String, severity: Int64) {
        self.reason = reason
        self.measured = measured
        self.severity = severity
    }
}

/// What is promised about each request. An objective is one case here and one file that judges; how the judgements
/// become a share, and the share a credit, is the same for all of them.
public enum Objective: Hashable, Sendable {
    /// The request was answered; see `judgeAvailability`.
    case availability
    /// The first token of a stream came in time; see `judgeTimeToFirstToken`.
    case timeToFirstToken(thresholdMilliseconds: Int64)

    /// The name in plan documents and in stored results.
    public var name: String {
        switch self {
        case .availability: "availability"
        case .timeToFirstToken: "time_to_first_token"
        }
    }

    /// The time that a request has; nil where the objective is not a time.
    public var thresholdMilliseconds: Int64? {
        switch self {
        case .availability: nil
        case .timeToFirstToken(let threshold): threshold
        }
    }

    /// Reads what `name` and `thresholdMilliseconds` say; nil for an objective that does not exist.
    public init?(name: String, thresholdMilliseconds: Int64?) {
        switch (name, thresholdMilliseconds) {
        case ("availability", _): self = .availability
        case ("time_to_first_token", let threshold?): self = .timeToFirstToken(thresholdMilliseconds: threshold)
        default: return nil
        }
    }

    /// Whether `request` counts, and how. One that was served in another tier than the one asked for misses every
    /// objective that it counts for, however well it was served.
    public func judge(_ request: MeasuredRequest) -> Judgement {
        let judgement =
            switch self {
            case .availability: judgeAvailability(of: request)
            case .timeToFirstToken(let threshold): judgeTimeToFirstToken(of: request, thresholdMilliseconds: threshold)
            }
        guard judgement == .good, let other = request.servedInstead else { return judgement }
        return .bad(
            Miss(reason: "other_tier", measured: "served as \(other)", severity: request.endMicroseconds ?? 0))
    }
}
