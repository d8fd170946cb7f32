/// Keeps requests away from a backend that fails.
///
/// `closed` lets everything through. After several failures in a row, or when most tries of the last half minute
/// failed, it is `open` and lets nothing through. When its time is over it lets a single try through (`probing`): if
/// that begins to answer it is closed again, if it fails the pause is twice as long. A backend that asked to be left
/// alone (`retry-after`, a quota used up) is `cooling`: nothing is let through until then, and no probe is needed
/// after.
///
/// Time is an argument: milliseconds of a clock that never goes back.
public struct CircuitBreaker: Hashable, Sendable {
    /// When it opens and for how long.
    public struct Rules: Hashable, Sendable {
        /// Failures one after another that open it.
        public var failuresInRow: Int64 = 5
        /// The span over which failures are compared with tries.
        public var windowMilliseconds: Int64 = 30_000
        /// Tries within the span before a share of them says anything.
        public var triesMin: Int64 = 10
        /// The share of failures that opens it, in thousandths.
        public var failuresPermille: Int64 = 500
        /// The first pause.
        public var pauseMilliseconds: Int64 = 2000
        /// The longest pause; each failed probe doubles it up to here.
        public var pauseMillisecondsMax: Int64 = 60_000
        /// The longest time that a backend may ask to be left alone.
        public var coolDownMillisecondsMax: Int64 = 600_000

        /// The usual rules.
        public init() {}
    }

    /// Where it stands.
    public enum State: Hashable, Sendable {
        case closed
        /// Nothing goes through until then.
        case open(until: Int64)
        /// One try is through, and nothing else until it has shown how the backend is.
        case probing
        /// The backend asked to be left alone until then.
        case cooling(until: Int64)
    }

    /// What was let through; goes back to the breaker with what came of it.
    public struct Permit: Hashable, Sendable {
        /// Whether it is the one try that shows how the backend is.
        public let isProbe: Bool
        /// Let through although nothing should be, for want of a better backend.
        public let isForced: Bool
        fileprivate let period: Int64
    }

    /// What a breaker makes of a try.
    public enum Verdict: Hashable, Sendable {
        /// The backend works.
        case success
        /// The backend is at fault.
        case failure
        /// The backend asks to be left alone for so long.
        case coolDown(milliseconds: Int64)
        /// Says nothing about the backend: the client's mistake, or the client left.
        case neutral
    }

    /// Whose request a try was of, and whether what it asked for may be why it failed.
    public struct Cause: Hashable, Sendable {
        /// A hash of the account.
        public var source: UInt64
        public var mayBeInput: Bool

        /// A cause; by default a failure is the backend's own.
        public init(source: UInt64 = 0, mayBeInput: Bool = false) {
            self.source = source
            self.mayBeInput = mayBeInput
        }
    }

    public private(set) var state = State.closed
    /// How often it opened.
    public private(set) var openings: Int64 = 0
    private let rules: Rules
    private var failuresInRow: Int64 = 0
    private var recent: RollingCounts
    private var successes = SourceTimes()
    private var failures = SourceTimes()
    private var pauseMilliseconds: Int64
    /// Closed because a health check said so, which no request has shown yet.
    private var isUnproven = false
    /// Rises with each change of state, so that a try of an earlier one no longer moves the present one.
    private var period: Int64 = 0

    private static let slotMilliseconds: Int64 = 5000

    public init(rules: Rules = Rules()) {
        self.rules = rules
        pauseMilliseconds = rules.pauseMilliseconds
        recent = RollingCounts(
            slotMilliseconds: Self.slotMilliseconds,
            slotCount: Int(max(1, rules.windowMilliseconds / Self.slotMilliseconds)))
    }

    /// Whether it lets everything through.
    public func isClosed(at now: Int64) -> Bool {
        switch state {
        case .closed: true
        case .cooling(let until): now >= until
        case .open, .probing: false
        }
    }

    /// Whether `permit(at:)` would let a try through.
    public func admits(at now: Int64) -> Bool {
        switch state {
        case .closed: true
        case .open(let until), .cooling(let until): now >= until
        case .probing: false
        }
    }

    /// When a try may go through again; nil when that depends on the probe that is running.
    public func opensAt(_ now: Int64) -> Int64? {
        switch state {
        case .closed: now
        case .open(let until), .cooling(let until): max(now, until)
        case .probing: nil
        }
    }

    /// Lets a try through, or not.
    public mutating func permit(at now: Int64) -> Permit? {
        guard admits(at: now) else { return nil }
        switch state {
        case .closed: break
        case .cooling: close()
        case .open, .probing:
            enter(.probing)
            return Permit(isProbe: true, isForced: false, period: period)
        }
        return Permit(isProbe: false, isForced: false, period: period)
    }

    /// Lets a try through even so. Its success closes the breaker like a probe's; its failure changes nothing.
    public mutating func forcedPermit(at now: Int64) -> Permit {
        permit(at: now) ?? Permit(isProbe: false, isForced: true, period: period)
    }

    /// What came of a try: told when it began to answer well (`success`), and again if it failed after that.
    public mutating func ended(_ permit: Permit, _ verdict: Verdict, _ cause: Cause = Cause(), at now: Int64) {
        guard permit.period == period else { return }
        switch (state, verdict) {
        case (.closed, .success):
            if isUnproven { pauseMilliseconds = rules.pauseMilliseconds }
            isUnproven = false
            failuresInRow = 0
            recent.add(failed: false, at: now)
            successes.note(cause.source, at: now)
        case (.closed, .failure):
            failuresInRow += 1
            recent.add(failed: true, at: now)
            failures.note(cause.source, at: now)
            if isUnproven {
                pauseMilliseconds = min(pauseMilliseconds * 2, rules.pauseMillisecondsMax)
                open(at: now)
            } else if isBroken(at: now), !isOneSourcesOwn(cause, at: now) {
                open(at: now)
            }
        case (_, .coolDown(let milliseconds)): coolDown(milliseconds: milliseconds, at: now)
        case (.probing, .success) where permit.isProbe || permit.isForced,
            (.open, .success) where permit.isForced, (.cooling, .success) where permit.isForced:
            close()
        case (.probing, .failure) where permit.isProbe:
            pauseMilliseconds = min(pauseMilliseconds * 2, rules.pauseMillisecondsMax)
            open(at: now)
        case (.probing, .neutral) where permit.isProbe:
            // It told nothing: the next try is the probe.
            enter(.open(until: now))
        default: break
        }
    }

    /// The backend asks to be left alone, or its quota is used up until then.
    public mutating func coolDown(milliseconds: Int64, at now: Int64) {
        let until = now + min(max(0, milliseconds), rules.coolDownMillisecondsMax)
        switch state {
        case .open(let already) where already >= until, .cooling(let already) where already >= until: return
        case .closed, .probing, .open, .cooling: enter(.cooling(until: until))
        }
    }

    /// Whether a health check may close it: its pause is over and no try is showing how the backend is.
    public func wantsHealthCheck(at now: Int64) -> Bool {
        if case .open(let until) = state { return now >= until }
        return false
    }

    /// A health check was answered well: it closes, but the first request that fails opens it again, for longer.
    public mutating func healthChecked(at now: Int64) {
        guard wantsHealthCheck(at: now) else { return }
        let pause = pauseMilliseconds
        close()
        pauseMilliseconds = pause
        isUnproven = true
    }

    /// Whether the failures may be of what one account asks for, while the backend serves others well: then it is kept
    /// from nobody.
    private func isOneSourcesOwn(_ cause: Cause, at now: Int64) -> Bool {
        let since = now - rules.windowMilliseconds
        return cause.mayBeInput && successes.hasOther(than: cause.source, since: since)
            && !failures.hasOther(than: cause.source, since: since)
    }

    private func isBroken(at now: Int64) -> Bool {
        if failuresInRow >= rules.failuresInRow { return true }
        let sum = recent.sum(ofLast: rules.windowMilliseconds, at: now)
        return sum.ended >= rules.triesMin && sum.failed * 1000 >= sum.ended * rules.failuresPermille
    }

    private mutating func open(at now: Int64) {
        openings += 1
        isUnproven = false
        enter(.open(until: now + pauseMilliseconds))
    }

    private mutating func close() {
        enter(.closed)
        isUnproven = false
        successes = SourceTimes()
        failures = SourceTimes()
        failuresInRow = 0
        recent.clear()
        pauseMilliseconds = rules.pauseMilliseconds
    }

    private mutating func enter(_ next: State) {
        state = next
        period += 1
    }
}

/// When the last two sources of something were last seen: enough to tell whether anyone beside one of them was.
private struct SourceTimes: Hashable {
    private struct Time: Hashable {
        var source: UInt64 = 0
        var at = Int64.min
    }

    private var last = Time()
    private var other = Time()

    mutating func note(_ source: UInt64, at now: Int64) {
        if last.source != source { other = last }
        last = Time(source: source, at: now)
    }

    func hasOther(than source: UInt64, since: Int64) -> Bool {
        last.source != source && last.at >= since || other.source != source && other.at >= since
    }
}
