import Identity

/// What an admitted request holds until it ends.
public struct Reservation: Hashable, Sendable {
    struct Part: Hashable, Sendable {
        var limitID: LimitID
        var kind: LimitKind
        var amount: Int64
        /// How much of it is for the answer.
        var output: Int64
    }

    var parts: [Part] = []
    /// Whose answers this one is to be remembered with; nil where no limit counts its tokens.
    var answers: AnswerKey?
    var choices: Int64 = 1
    /// Where its limits stand with it.
    public internal(set) var standings = LimitStandings()
    /// The kinds of rules in shadow that would have refused it.
    public internal(set) var wouldRefuse: [LimitKind] = []

    /// Holds nothing: of a request without limits.
    public init() {}

    /// Nothing is held, nothing has to be settled.
    public var isEmpty: Bool { parts.isEmpty }

    /// Whether an answer of so many tokens is within what is reserved.
    public func covers(outputTokens: Int64) -> Bool {
        parts.allSatisfy { !$0.kind.countsOutput || outputTokens <= $0.output }
    }
}

/// Why a request does not pass.
public struct LimitRefusal: Hashable, Sendable {
    /// What it is about.
    public enum Cause: Hashable, Sendable {
        /// The limit has not enough left for it now.
        case exhausted
        /// It is larger than the whole limit: waiting does not help.
        case tooLarge
        /// The limit is 0.
        case closed
        /// Too many requests wait for larger slices already.
        case tooManyWaiting
        /// Nobody knows what is left: the shared state has not answered in time. Not the client's doing.
        case unavailable
    }

    public let cause: Cause
    public let rule: LimitRule
    /// What the request would have taken.
    public let amount: Int64
    /// What was left.
    public let remaining: Int64
    /// When trying again makes sense; nil when it never does.
    public let retryAfterMilliseconds: Int64?
    public let standings: LimitStandings

    /// `retry-after`: whole seconds, at least one.
    public var retryAfterSeconds: Int64? { retryAfterMilliseconds.map { max(1, ($0 + 999) / 1_000) } }
}

/// What became of a request that asked for a place.
public enum LimitOutcome: Hashable, Sendable {
    case admitted(Reservation)
    case refused(LimitRefusal)
}

/// The answer to a request that asks for a place.
public enum LimitDecision: Hashable, Sendable {
    case decided(LimitOutcome)
    /// It waits for a larger slice; the outcome comes under this number.
    case waiting(Int)
}

/// The outcome of a request that had to wait.
public struct LimitAnswer: Hashable, Sendable {
    public let number: Int
    public let outcome: LimitOutcome
}
