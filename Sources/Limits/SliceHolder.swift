/// A gateway's side of one rule: what it may still give to requests without asking, and what it owes a report of.
///
/// `free` is all that was granted less `spent`. While the shared state is out of reach and the slice has lapsed, a
/// local share takes its place: the limit divided by the gateways that shared it last.
struct SliceHolder: Equatable, Sendable {
    /// Whether an amount can be had.
    enum Fit: Equatable, Sendable {
        case now
        /// A larger slice may do.
        case later
        /// Not for so many milliseconds; nil for never.
        case refused(afterMilliseconds: Int64?)
    }

    private(set) var rule: LimitRule
    private(set) var free: Int64 = 0
    /// What running requests hold.
    private(set) var reserved: Int64 = 0
    private(set) var spent: Int64 = 0
    private(set) var lastUsedAt: Int64
    private var local: LocalShare?

    private var spentConfirmed: Int64 = 0
    private var reservedConfirmed: Int64 = 0
    private var isFirst = true
    /// When the shared side answered last.
    private var answeredAt: Int64 = 0
    /// Whether there is another side to hear from.
    private let isShared: Bool
    private(set) var isAsking = false
    private(set) var askedAt: Int64
    private var asked = (spent: Int64(0), reserved: Int64(0), wanted: Int64(0))
    private var lapsesAt: Int64?

    /// What the shared side had left for all when it answered last: the whole limit while it never did.
    private var shared: TokenBucket
    private var gatewayCount: Int64 = 1
    private var isNearLimit = false
    private var ahead: Int64 = 0
    /// Until then nothing is to be had anywhere.
    private var shortUntil: Int64 = 0
    /// Others give back what they keep: ask again then.
    private(set) var askAgainAt: Int64 = 0
    private var isRecalled = false
    /// The last answer was not enough for all who waited.
    private var isShort = false

    init(rule: LimitRule, gatewayCount: Int64, isShared: Bool, now: Int64) {
        self.rule = rule
        self.isShared = isShared
        self.gatewayCount = gatewayCount
        lastUsedAt = now
        askedAt = now - SliceTimes.reportMilliseconds
        shared = TokenBucket(holding: rule.value, at: now)
    }

    static func == (left: SliceHolder, right: SliceHolder) -> Bool {
        left.free == right.free && left.reserved == right.reserved && left.spent == right.spent
    }

    /// Whether the shared side ever said what is left. Before that nothing is given to requests, whatever becomes of
    /// the shared side: a gateway that has just begun knows nothing of what others gave.
    var isKnown: Bool { !isFirst || !isShared }

    // MARK: Requests

    mutating func update(_ rule: LimitRule) {
        guard rule.value != self.rule.value || rule.isShadow != self.rule.isShadow else { return }
        self.rule = rule
        free = min(free, rule.value)
        shortUntil = 0
    }

    /// Whether `amount` can be had; `isAway` when the shared state is out of reach.
    mutating func fit(_ amount: Int64, isAway: Bool, now: Int64) -> Fit {
        lastUsedAt = now
        pass(now)
        if rule.value == 0 { return .refused(afterMilliseconds: nil) }
        if free >= amount { return .now }
        if isAway, isKnown || rule.isShadow {
            if local == nil { becomeLocal(now) }
            return fitsLocally(amount, now: now) ? .now : .refused(afterMilliseconds: wait(for: amount, now: now))
        }
        let isShort = now < shortUntil && remaining(now) < amount
        return isShort ? .refused(afterMilliseconds: wait(for: amount, now: now)) : .later
    }

    /// Whether, as the shared side said lately, there is not so much left anywhere. What it said longer ago is no
    /// reason to refuse.
    func isKnownShort(of amount: Int64, now: Int64) -> Bool {
        isKnown && now - answeredAt < SliceTimes.freshMilliseconds && remaining(now) < amount
    }

    /// More was taken than was granted.
    var isInDebt: Bool { free < 0 }

    /// A running request needs more than was reserved for it, and has it already: what is not there becomes a debt.
    mutating func grow(_ amount: Int64, now: Int64) {
        pass(now)
        take(amount)
    }

    /// Takes what `fit` found.
    mutating func take(_ amount: Int64) {
        reserved += amount
        if free < amount, local != nil {
            local?.take(amount)
        } else {
            free -= amount
            spent += amount
        }
    }

    /// Takes for a rule in shadow, which never waits: goes by the last answer and covers the rest with the next. False
    /// when it does not fit.
    mutating func takeInShadow(_ amount: Int64, isAway: Bool, now: Int64) -> Bool {
        switch fit(amount, isAway: isAway, now: now) {
        case .now: break
        case .refused: return false
        case .later: guard remaining(now) >= amount else { return false }
        }
        take(amount)
        return true
    }

    /// A request that held `amount` came to `used`.
    mutating func settle(_ amount: Int64, used: Int64, now: Int64) {
        pass(now)
        reserved -= amount
        if local != nil {
            local?.give(amount - used, perMinute: rule.value)
        } else {
            free += amount - used
            spent += used - amount
            dropLapsed()
        }
    }

    // MARK: Asking

    /// Whether the shared side should hear of this soon, though no request waits.
    func isDue(now: Int64) -> Bool {
        guard !isAsking, now >= askAgainAt else { return false }
        let isDirty = spent != spentConfirmed || reserved != reservedConfirmed
        if local != nil || isRecalled && (isDirty || free > 0) { return true }
        if isDirty, now - askedAt >= SliceTimes.reportMilliseconds { return true }
        return (free != 0 || reserved != 0) && now - askedAt >= SliceTimes.renewMilliseconds
    }

    /// Whether the reserve runs low: then more is asked for before a request must wait.
    func runsLow(now: Int64) -> Bool {
        !isAsking && !isNearLimit && ahead > 1 && free < ahead / 2 && now - askedAt >= SliceTimes.askAgainMilliseconds
    }

    /// Others need what is kept here.
    mutating func recall() { isRecalled = true }

    /// The report and the wish; `need` and `wanted` are amounts of waiting requests, the least and the sum.
    mutating func ask(need: Int64, wanted: Int64, now: Int64) -> SliceRequest {
        pass(now)
        if wanted == 0 {
            shrinkReserve()
            // What is beyond the reserve goes back; whatever becomes of the report, it is no longer given to requests.
            free = min(free, isNearLimit || isRecalled ? 0 : ahead)
        } else if isShort {
            // Too little for whoever waits here, but with what others return it may do for someone.
            free = min(free, 0)
        }
        // The first answer brings some in reserve, or each of the first requests would wait for one of its own.
        if isFirst, ahead == 0 { ahead = min(wanted, rule.value / SliceTimes.aheadDivisor) }
        // Where others wait for what is kept here, or too little came for those who wait, nothing is taken in reserve:
        // some at each of several gateways would do for nobody.
        let aheadNow = isNearLimit || isShort || isRecalled ? 0 : max(ahead - max(free - wanted, 0), 0)
        isRecalled = false
        isAsking = true
        askedAt = now
        asked = (spent, reserved, wanted)
        let missing = max(wanted - max(free, 0), 0)
        return SliceRequest(
            accountID: rule.accountID, limitID: rule.id, spent: spent, spentConfirmed: spentConfirmed,
            isFirst: isFirst, free: free, reserved: reserved,
            need: missing == 0 ? 0 : max(need - max(free, 0), 1), wanted: missing,
            ahead: aheadNow)
    }

    /// The answer to `ask`.
    mutating func receive(_ grant: SliceGrant, now: Int64) {
        if let local { comeBack(from: local) }
        let taken = asked.spent - spentConfirmed
        isAsking = false
        isFirst = false
        answeredAt = now
        spentConfirmed = asked.spent
        reservedConfirmed = asked.reserved
        free += grant.amount
        lapsesAt = askedAt + SliceRules.sliceMilliseconds
        shared = TokenBucket(holding: grant.available, at: now)
        gatewayCount = max(grant.gatewayCount, 1)
        isNearLimit = grant.available < rule.value / SliceTimes.nearDivisor
        if asked.wanted > 0 { ahead = min(max(ahead * 2, taken, asked.wanted), rule.value / SliceTimes.aheadDivisor) }
        isShort = asked.wanted > 0 && free < asked.wanted
        if isNearLimit || isShort { ahead = 0 }
        shortUntil = isShort && !grant.isHeldElsewhere ? now + SliceTimes.shortMilliseconds : 0
        askAgainAt = isShort && grant.isHeldElsewhere ? now + SliceTimes.askAgainMilliseconds : 0
        pass(now)
    }

    /// No answer to `ask`.
    mutating func failed() { isAsking = false }

    /// Nothing is held, owed or waited for, for longer than a slice lasts and a bucket takes to refill.
    func isIdle(now: Int64) -> Bool {
        guard !isAsking, reserved == 0, now - lastUsedAt >= SliceTimes.idleMilliseconds else { return false }
        var copy = self
        copy.pass(now)
        return copy.free == 0 && spent == spentConfirmed && reservedConfirmed == 0 && (copy.local?.missing ?? 0) == 0
    }

    // MARK: What is left

    /// What could be had now in all, as far as is known here.
    func remaining(_ now: Int64) -> Int64 {
        if let local { return max(0, rule.kind.isRate ? local.bucket.available : local.share - reserved) }
        return max(0, min(rule.value, sharedBucket(now).available + free))
    }

    /// Milliseconds until `amount` could be had, nothing else happening; nil when nobody can tell.
    func wait(for amount: Int64, now: Int64) -> Int64? {
        guard rule.kind.isRate else { return nil }
        if let local { return local.bucket.milliseconds(until: amount, perMinute: local.share) }
        return sharedBucket(now).milliseconds(until: amount - free, perMinute: rule.value)
    }

    private func sharedBucket(_ now: Int64) -> TokenBucket {
        var bucket = shared
        if rule.kind.isRate { bucket.refill(perMinute: rule.value, ceiling: rule.value, now: now) }
        return bucket
    }

    // MARK: Time

    /// Lets time pass: a slice lapses, a local share refills.
    private mutating func pass(_ now: Int64) {
        local?.refill(now)
        guard let lapsesAt, now >= lapsesAt else { return }
        self.lapsesAt = nil
        dropLapsed()
    }

    /// Without a slice in force nothing is given to requests; a debt stays.
    private mutating func dropLapsed() {
        if lapsesAt == nil { free = min(free, 0) }
    }

    private mutating func shrinkReserve() {
        let taken = spent - spentConfirmed
        if taken * 4 < ahead { ahead /= taken > 0 ? 2 : 4 }
    }

    // MARK: The local share

    private func fitsLocally(_ amount: Int64, now: Int64) -> Bool {
        guard let local else { return false }
        // A request larger than the share passes when the share is whole: a debt that refills is better than never.
        return rule.kind.isRate ? local.bucket.available >= min(amount, local.share) : reserved < local.share
    }

    private mutating func becomeLocal(_ now: Int64) {
        let share = max(rule.value / gatewayCount, 1)
        local = LocalShare(share: share, holding: min(share, sharedBucket(now).available / gatewayCount), at: now)
        if !rule.kind.isRate { local?.share = max(share, reserved) }
    }

    /// What was taken from the local share and has not refilled was taken from the limit.
    private mutating func comeBack(from share: LocalShare) {
        local = nil
        guard rule.kind.isRate else { return }
        let missing = share.missing
        spent += missing
        free -= missing
    }
}

/// What a gateway goes by while the shared state is out of reach.
private struct LocalShare: Sendable {
    var share: Int64
    private(set) var bucket: TokenBucket
    /// The same bucket, had nobody taken from it.
    private var untouched: TokenBucket

    init(share: Int64, holding amount: Int64, at now: Int64) {
        self.share = share
        bucket = TokenBucket(holding: amount, at: now)
        untouched = bucket
    }

    var missing: Int64 { max(0, (untouched.level - bucket.level) / TokenBucket.scale) }

    mutating func refill(_ now: Int64) {
        bucket.refill(perMinute: share, ceiling: share, now: now)
        untouched.refill(perMinute: share, ceiling: share, now: now)
    }

    mutating func take(_ amount: Int64) { bucket.take(amount, perMinute: share) }

    mutating func give(_ amount: Int64, perMinute: Int64) {
        if amount >= 0 { bucket.give(amount, ceiling: share) } else { bucket.take(-amount, perMinute: share) }
    }
}

/// How often a gateway asks, and how much it keeps.
enum SliceTimes {
    /// What was taken or given back is reported this much later at the latest.
    static let reportMilliseconds: Int64 = 500
    /// A slice in use is asked for anew.
    static let renewMilliseconds: Int64 = 3_000
    /// What the shared side said is the last word for so long.
    static let freshMilliseconds: Int64 = 1_000
    /// A rule without requests is forgotten.
    static let idleMilliseconds: Int64 = 60_000
    /// Between two looks whether others gave back.
    static let askAgainMilliseconds: Int64 = 10
    /// After the shared side had nothing, it is not asked again for this long.
    static let shortMilliseconds: Int64 = 20
    /// Below this part of the limit, nothing is kept in reserve.
    static let nearDivisor: Int64 = 4
    /// A reserve is at most this part of the limit.
    static let aheadDivisor: Int64 = 8
}
