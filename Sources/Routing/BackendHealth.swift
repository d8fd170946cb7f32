public import Engines
public import Metering

/// What is known of one backend: whether requests may go there, how many are there, how often they failed, what it says
/// of itself.
public struct BackendHealth: Sendable {
    public private(set) var breaker: CircuitBreaker
    /// Requests that are there now.
    public private(set) var inFlight: Int64 = 0
    /// The same by whose they are, of a backend that takes only so many.
    private var inFlightBySource: [UInt64: Int64] = [:]
    private var counts = RollingCounts(slotMilliseconds: 5000, slotCount: 60)
    private var quota: UpstreamQuota?
    private var capacity: EngineCapacity?
    private var capacityReadAt: Int64 = 0

    /// How long a reading of the engine's own metrics is believed.
    public static let capacityMillisecondsMax: Int64 = 10_000

    public init(rules: CircuitBreaker.Rules = CircuitBreaker.Rules()) {
        breaker = CircuitBreaker(rules: rules)
    }

    /// Begins a try; nil when the breaker lets none through, or the backend has as many as it takes. `source`: whose
    /// request it is.
    public mutating func began(
        at now: Int64, concurrentMax: Int?, source: UInt64 = 0, isForced: Bool = false
    ) -> CircuitBreaker.Permit? {
        if let concurrentMax, inFlight >= concurrentMax { return nil }
        guard let permit = isForced ? breaker.forcedPermit(at: now) : breaker.permit(at: now) else { return nil }
        inFlight += 1
        if concurrentMax != nil { inFlightBySource[source, default: 0] += 1 }
        return permit
    }

    /// Requests of one source that are there now.
    public func inFlight(of source: UInt64) -> Int64 { inFlightBySource[source] ?? 0 }

    /// The try's answer has begun well: a probe has shown what it was to show.
    public mutating func answered(_ permit: CircuitBreaker.Permit, at now: Int64) {
        breaker.ended(permit, .success, at: now)
    }

    /// The try has ended; exactly once for each that began. `hasAnswered`: `answered` was told of it.
    public mutating func ended(
        _ permit: CircuitBreaker.Permit, _ verdict: CircuitBreaker.Verdict,
        _ cause: CircuitBreaker.Cause = CircuitBreaker.Cause(), hasAnswered: Bool, at now: Int64
    ) {
        inFlight -= 1
        // Begun before the backend had a bound, it was not counted.
        if let count = inFlightBySource[cause.source] { inFlightBySource[cause.source] = count > 1 ? count - 1 : nil }
        if verdict != .neutral { counts.add(failed: verdict != .success, at: now) }
        if verdict == .success, hasAnswered { return }
        breaker.ended(permit, verdict, cause, at: now)
    }

    /// What the provider says is left of our quota. Nothing left of either kind keeps requests away until it is full
    /// again.
    public mutating func note(_ quota: UpstreamQuota, at now: Int64) {
        self.quota = quota
        let waits = [
            (quota.requestsRemaining, quota.requestsResetMilliseconds),
            (quota.tokensRemaining, quota.tokensResetMilliseconds),
        ].compactMap { remaining, reset in remaining.map { $0 <= 0 } == true ? reset : nil }
        if let wait = waits.max() { breaker.coolDown(milliseconds: wait, at: now) }
    }

    /// A health check was answered well.
    public mutating func healthChecked(at now: Int64) { breaker.healthChecked(at: now) }

    /// What the engine's own metrics say.
    public mutating func note(_ capacity: EngineCapacity, at now: Int64) {
        self.capacity = capacity
        capacityReadAt = now
    }

    /// The last reading of the engine's own metrics, while it is to be believed.
    public func capacity(at now: Int64) -> EngineCapacity? {
        now - capacityReadAt <= Self.capacityMillisecondsMax ? capacity : nil
    }

    /// Requests that the provider still takes in its window; nil when it does not say.
    public var requestsRemaining: Int64? { quota?.requestsRemaining }

    /// Tries of the last `milliseconds` that failed, in thousandths; nil when there was none. Up to five minutes.
    public func failuresPermille(ofLast milliseconds: Int64, at now: Int64) -> Int64? {
        let sum = counts.sum(ofLast: milliseconds, at: now)
        return sum.ended > 0 ? sum.failed * 1000 / sum.ended : nil
    }
}

/// What is known of one route: how fast its model is there, and whether the backend has it at all.
public struct RouteHealth: Sendable {
    /// Microseconds to the first token.
    public private(set) var firstToken = RollingHistogram()
    /// Thousandths of an output token a second, after the first.
    public private(set) var speed = RollingHistogram()
    /// The backend said that it does not have the model, or not this API: it is left alone until then.
    public private(set) var isBlockedUntil: Int64 = 0
    /// Whether the engine ever took members that ask for usage, and said its usage.
    public var takesUsageOptions = false
    /// Until when the model is known for counting much more output than it shows.
    public var hidesOutputUntil: Int64 = 0
    /// When it answered last.
    public var servedAt: Int64?
    /// Whether it was seen to reason and to show all of it.
    public var showsOutput = false

    /// The forms of requests that the model was seen to answer.
    private var surfaces: Set<Surface> = []

    public mutating func served(_ surface: Surface) {
        if !surfaces.contains(surface) { surfaces.insert(surface) }
    }

    /// Whether it is known for other forms than this one.
    public func neverServed(_ surface: Surface) -> Bool { !surfaces.isEmpty && !surfaces.contains(surface) }

    /// Whether it was seen to answer this form.
    public func hasServed(_ surface: Surface) -> Bool { surfaces.contains(surface) }

    /// Observations before a percentile says anything.
    public static let observationsMin: Int64 = 5
    /// How long a route whose model is missing is left alone.
    public static let blockedMilliseconds: Int64 = 60_000

    public init() {}

    /// Takes in an answer's times. `outputTokens` are all of the answer's; `outputMicroseconds` from the first to the
    /// last.
    public mutating func observe(
        firstTokenMicroseconds: Int64?, outputTokens: Int64, outputMicroseconds: Int64?, at now: Int64
    ) {
        if let firstTokenMicroseconds { firstToken.observe(firstTokenMicroseconds, at: now) }
        if let outputMicroseconds, outputMicroseconds > 0, (2...Self.outputTokensMax).contains(outputTokens) {
            speed.observe((outputTokens - 1) * 1_000_000_000 / outputMicroseconds, at: now)
        }
    }

    /// The backend does not have the model.
    public mutating func block(at now: Int64) { isBlockedUntil = now + Self.blockedMilliseconds }

    /// The median time to the first token; nil after too few answers in the last five minutes.
    public mutating func firstTokenMedian(at now: Int64) -> Int64? { Self.median(&firstToken, at: now) }

    /// The median speed; nil after too few answers in the last five minutes.
    public mutating func speedMedian(at now: Int64) -> Int64? { Self.median(&speed, at: now) }

    /// An answer with more tokens is a mistake.
    private static let outputTokensMax: Int64 = 1_000_000_000

    private static func median(_ histogram: inout RollingHistogram, at now: Int64) -> Int64? {
        histogram.advance(to: now)
        return histogram.count >= observationsMin ? histogram.percentile(500) : nil
    }
}
