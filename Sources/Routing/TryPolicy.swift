public import Engines

/// How a try failed.
public enum TryFailure: Hashable, Sendable {
    /// No connection could be had.
    case connect
    case connectTimeout
    /// The connection broke, or its bytes were no HTTP.
    case broken
    /// The engine did not begin to answer in time, or stopped in the middle of its answer.
    case silence
    /// The engine answered that it would not, or could not.
    case refused(EngineRefusal)
    /// Ended by a limit of the gateway's own: its size of answers, its longest request, its stop.
    case gatewayLimit
}

/// What follows from the end of a try: whether another route is taken, and what the breaker makes of it.
public struct TryPolicy: Hashable, Sendable {
    /// Tries of one request, the first among them.
    public let triesMax: Int

    /// How long a backend is left alone whose quota is used up, when it does not say.
    public static let quotaPauseMilliseconds: Int64 = 1000

    public init(triesMax: Int) { self.triesMax = triesMax }

    /// Whether the next route is tried. Never once the client has a byte of the answer, never for a client that left.
    public func triesNext(
        after failure: TryFailure, triesMade: Int, isAnswerBegun: Bool, isClientGone: Bool
    ) -> Bool {
        guard triesMade < triesMax, !isAnswerBegun, !isClientGone else { return false }
        switch failure {
        case .connect, .connectTimeout, .broken, .silence: return true
        case .refused(let refusal): return refusal.mayTryElsewhere
        case .gatewayLimit: return false
        }
    }

    /// Whether what a client sent may have brought the failure about on a backend that works: the engine said that it
    /// failed on this request, or took too long over it.
    public static func mayBeInput(_ failure: TryFailure) -> Bool {
        switch failure {
        case .silence: true
        case .refused(let refusal): refusal.meaning != .unauthorised || refusal.isBare
        case .connect, .connectTimeout, .broken, .gatewayLimit: false
        }
    }

    /// What a failure says about the backend.
    public static func verdict(on failure: TryFailure) -> CircuitBreaker.Verdict {
        switch failure {
        case .connect, .connectTimeout, .broken, .silence: return .failure
        case .gatewayLimit: return .neutral
        case .refused(let refusal):
            switch refusal.consequence.breaker {
            case .works: return .success
            case .nothing, .routeMissing: return .neutral
            case .rests:
                return .coolDown(milliseconds: refusal.retryAfterMilliseconds ?? quotaPauseMilliseconds)
            case .restsOrFails:
                return refusal.retryAfterMilliseconds.map { .coolDown(milliseconds: $0) } ?? .failure
            case .fails: return .failure
            }
        }
    }
}
