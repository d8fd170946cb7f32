public import Identity

/// Counts a month's requests against one promise, one at a time and in bounded memory. The order in which requests come
/// makes no difference.
public struct PromiseTally: Sendable {
    public let promise: TierPromise
    public private(set) var good: Int64 = 0
    public private(set) var bad: [String: Int64] = [:]
    public private(set) var excluded: [String: Int64] = [:]
    /// The worst first.
    public private(set) var worst: [WorstRequest] = []

    /// The most requests that the evidence names.
    public static let worstRequestsMax = 10

    public init(promise: TierPromise) {
        self.promise = promise
    }

    /// Good and bad together.
    public var attainment: Attainment { Attainment(good: good, counted: good + bad.values.reduce(0, +)) }

    /// Counts `request`, which the caller has picked by subscription and month; another tier's is ignored.
    public mutating func add(_ request: MeasuredRequest) {
        guard request.tier == promise.tier else { return }
        switch promise.objective.judge(request) {
        case .good:
            good += 1
        case .excluded(let reason):
            excluded[reason, default: 0] += 1
        case .bad(let miss):
            bad[miss.reason, default: 0] += 1
            keep(WorstRequest(requestID: request.id, measured: miss.measured, severity: miss.severity))
        }
    }

    private mutating func keep(_ request: WorstRequest) {
        let index = worst.firstIndex { request.isWorse(than: $0) } ?? worst.endIndex
        worst.insert(request, at: index)
        if worst.count > PromiseTally.worstRequestsMax { worst.removeLast() }
    }
}

/// A request that missed the objective, as evidence.
public struct WorstRequest: Hashable, Sendable {
    public let requestID: RequestID
    /// What was measured, such as `3120 ms`.
    public let measured: String
    let severity: Int64

    /// Acceptance in billing time.
    public var acceptedAt: Timestamp { requestID.uuid.timestamp }

    /// By severity, then the earlier id: so the choice does not depend on the order of counting.
    func isWorse(than other: WorstRequest) -> Bool {
        severity == other.severity ? requestID < other.requestID : severity > other.severity
    }
}
