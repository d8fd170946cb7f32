public import Identity

/// All limits at one gateway: reserve, settle, release, and the asking for slices. Pure; time is handed in, in
/// milliseconds of a monotonic clock.
///
/// A request takes from all its rules or from none, in the order of their ids, and takes nothing that was not granted.
/// What does not fit waits for a larger slice: `waitMilliseconds` where the shared side said lately that there is not
/// enough, otherwise until it has said how much there is, at most a second. After each call the owner sends what
/// `nextBatch` returns and calls `tick` again when `nextWake` says so.
public struct LimitSet: Sendable {
    private struct Waiter: Sendable {
        var number: Int
        var rules: [LimitRule]
        var demand: LimitDemand
        let since: Int64
        /// When it was first seen that there is not enough for it.
        var shortSince: Int64?
    }

    var holders: [LimitID: SliceHolder] = [:]
    private var waiters: [Waiter] = []
    /// How many wait for each rule.
    private var waited: [LimitID: Int] = [:]
    /// When to look at those who wait, though nothing else happens.
    private var lookAt = Int64.max
    var urgent: Set<LimitID> = []
    var history = AnswerHistory()
    private var lastNumber = 0
    private var batchAskedAt: Int64?
    private var batch: [LimitID] = []
    private var lostAt: Int64 = 0
    private var lastScan: Int64 = 0
    private(set) var gatewayCount: Int64 = 1
    private let waitMilliseconds: Int64
    let hasSource: Bool

    /// The shared state is out of reach: limits go by what this gateway holds, then by its local share.
    public private(set) var isAway: Bool

    /// Requests that may wait at one time.
    public static let waitersMax = 4_096
    /// Rules in one batch.
    public static let batchMax = 1_000
    /// How long a request waits for a larger slice.
    public static let waitMillisecondsDefault: Int64 = 50
    /// An answer that takes longer than this counts as none.
    static let answerMilliseconds: Int64 = 1_000
    /// How long a request waits to hear how much there is; longer where it may wait longer for a larger slice.
    static let firstWaitMilliseconds: Int64 = 1_000
    /// While the shared state is out of reach, it is asked this often,
    static let probeMilliseconds: Int64 = 1_000
    /// and this often while requests wait for it.
    static let waitingProbeMilliseconds: Int64 = 200
    /// When trying again makes sense where nobody can tell.
    static let retryMilliseconds: Int64 = 1_000
    /// Between two looks for what is due.
    static let scanMilliseconds: Int64 = 250

    /// Limits of a gateway that shares them through a source, or has them to itself without one.
    public init(waitMilliseconds: Int64 = LimitSet.waitMillisecondsDefault, hasSource: Bool = true) {
        self.waitMilliseconds = waitMilliseconds
        self.hasSource = hasSource
        isAway = !hasSource
    }

    /// Rules that something is known of; none a while after the last request.
    public var rulesInUse: Int { holders.count }

    /// Requests that wait.
    public var waitingCount: Int { waiters.count }

    /// What requests hold of this rule now, in all.
    public func reserved(_ id: LimitID) -> Int64 { holders[id]?.reserved ?? 0 }

    // MARK: Requests

    /// A request asks for a place under these rules, which are in the order of their ids.
    public mutating func admit(_ rules: [LimitRule], _ demand: LimitDemand, now: Int64) -> LimitDecision {
        guard !rules.isEmpty else { return .decided(.admitted(Reservation())) }
        let demand = demand.reserving(by: history)
        let isShort: Bool
        switch verdict(rules, demand, now: now) {
        case .decided(let outcome): return .decided(outcome)
        case .later(let isKnownShort): isShort = isKnownShort
        }
        guard waiters.count < LimitSet.waitersMax else {
            return .decided(.refused(lateRefusal(rules, demand, isFull: true, now: now)))
        }
        lastNumber += 1
        let waiter = Waiter(
            number: lastNumber, rules: rules, demand: demand, since: now, shortSince: isShort ? now : nil)
        waiters.append(waiter)
        count(waiter, 1)
        lookAt = min(lookAt, deadline(of: waiter))
        return .waiting(lastNumber)
    }

    /// A request that waited has left: its outcome no longer matters. False when it was decided already.
    public mutating func forget(_ number: Int) -> Bool {
        guard let index = waiters.firstIndex(where: { $0.number == number }) else { return false }
        count(waiters.remove(at: index), -1)
        return true
    }

    /// An answer has grown to so many tokens: what it has beyond its reserve is taken too, though it be a debt.
    public mutating func grow(_ reservation: inout Reservation, outputTokens: Int64, now: Int64) {
        let tokens = LimitDemand.bounded(outputTokens)
        for index in reservation.parts.indices {
            let part = reservation.parts[index]
            guard part.kind.countsOutput, tokens > part.output else { continue }
            reservation.parts[index].amount += tokens - part.output
            reservation.parts[index].output = tokens
            holders[part.limitID]?.grow(tokens - part.output, now: now)
            if holders[part.limitID]?.isInDebt == true { urgent.insert(part.limitID) }
        }
    }

    /// The request has ended: what it came to stays taken, the rest comes back.
    public mutating func settle(_ reservation: Reservation, _ usage: LimitUsage, now: Int64) -> [LimitAnswer] {
        if let answers = reservation.answers, usage.outputTokens > 0 {
            history.note(usage.outputTokens / reservation.choices, of: answers)
        }
        return end(reservation, now: now) { usage.amount($0) }
    }

    /// A settled request came to more in the end: the tokens beyond are taken, though it be a debt.
    public mutating func charge(_ reservation: Reservation, more usage: LimitUsage, now: Int64) {
        for part in reservation.parts {
            guard part.kind.countsTokens, usage.amount(part.kind) > 0 else { continue }
            holders[part.limitID]?.settle(0, used: usage.amount(part.kind), now: now)
            if holders[part.limitID]?.isInDebt == true { urgent.insert(part.limitID) }
        }
    }

    /// The request never went to an engine: everything comes back.
    public mutating func release(_ reservation: Reservation, now: Int64) -> [LimitAnswer] {
        end(reservation, now: now) { _ in 0 }
    }

    private mutating func end(
        _ reservation: Reservation, now: Int64, used: (LimitKind) -> Int64
    ) -> [LimitAnswer] {
        var isWaitedFor = false
        for part in reservation.parts {
            holders[part.limitID]?.settle(part.amount, used: used(part.kind), now: now)
            if !waiters.isEmpty, waited[part.limitID] != nil { isWaitedFor = true }
        }
        return isWaitedFor ? look(now: now) : []
    }

    private mutating func count(_ waiter: Waiter, _ change: Int) {
        for rule in waiter.rules {
            let left = (waited[rule.id] ?? 0) + change
            assert(left >= 0)
            waited[rule.id] = left == 0 ? nil : left
        }
    }

    private func deadline(of waiter: Waiter) -> Int64 {
        let first = waiter.since + max(waitMilliseconds, LimitSet.firstWaitMilliseconds)
        return min(first, waiter.shortSince.map { $0 + waitMilliseconds } ?? .max)
    }

    // MARK: Slices

    /// What to ask for now; nil when nothing, or while an answer is outstanding. Each batch gets one `received` or one
    /// `failed`.
    public mutating func nextBatch(now: Int64) -> [SliceRequest]? {
        let mayAsk = hasSource && batchAskedAt == nil && (!isAway || now >= nextProbe)
        if mayAsk || !hasSource { scan(now: now) }
        guard mayAsk, !waiters.isEmpty || !urgent.isEmpty else { return nil }
        var wishes: [LimitID: (need: Int64, wanted: Int64)] = [:]
        for waiter in waiters {
            for rule in waiter.rules where !rule.isShadow {
                guard let holder = holders[rule.id], now >= holder.askAgainAt else { continue }
                let amount = LimitSet.amount(waiter.demand, of: rule)
                let wish = wishes[rule.id] ?? (amount, 0)
                wishes[rule.id] = (min(wish.need, amount), wish.wanted + amount)
            }
        }
        let asking = Set(wishes.keys).union(urgent)
        urgent.removeAll(keepingCapacity: true)
        batch = asking.sorted().filter { holders[$0] != nil }
        if batch.count > LimitSet.batchMax {
            urgent.formUnion(batch[LimitSet.batchMax...])
            batch.removeSubrange(LimitSet.batchMax...)
        }
        guard !batch.isEmpty else { return nil }
        batchAskedAt = now
        return batch.compactMap { id in
            let wish = wishes[id] ?? (0, 0)
            return holders[id]?.ask(need: wish.need, wanted: wish.wanted, now: now)
        }
    }

    private var nextProbe: Int64 {
        lostAt + (waiters.isEmpty ? LimitSet.probeMilliseconds : LimitSet.waitingProbeMilliseconds)
    }

    /// Finds what is due, and forgets what is no longer used. While the shared state is out of reach nothing that was
    /// heard from it is forgotten: nobody could say it again.
    private mutating func scan(now: Int64) {
        guard now - lastScan >= LimitSet.scanMilliseconds else { return }
        lastScan = now
        for (id, holder) in holders {
            if holder.isDue(now: now) {
                urgent.insert(id)
            } else if holder.isIdle(now: now), !isAway || !hasSource || !holder.isKnown {
                holders[id] = nil
            }
        }
    }

    /// The answer to the batch.
    public mutating func received(_ grants: [SliceGrant], now: Int64) -> [LimitAnswer] {
        batchAskedAt = nil
        isAway = false
        for grant in grants {
            holders[grant.limitID]?.receive(grant, now: now)
            gatewayCount = max(grant.gatewayCount, 1)
        }
        // A rule without an answer was deleted; the next snapshot no longer has it.
        for id in batch where holders[id]?.isAsking == true { holders[id]?.failed() }
        return look(now: now)
    }

    /// The batch had no answer.
    public mutating func failed(now: Int64) -> [LimitAnswer] {
        batchAskedAt = nil
        for id in batch { holders[id]?.failed() }
        return goAway(now: now)
    }

    /// Other gateways need what is kept here of these rules.
    public mutating func recall(_ ids: [LimitID]) {
        for id in ids where holders[id] != nil {
            holders[id]?.recall()
            urgent.insert(id)
        }
    }

    /// Gives back all that is kept.
    public mutating func recallAll() { recall(Array(holders.keys)) }

    private mutating func goAway(now: Int64) -> [LimitAnswer] {
        isAway = true
        lostAt = now
        return look(now: now)
    }

    // MARK: Time

    /// Refuses what has waited too long, and notices answers that do not come.
    public mutating func tick(now: Int64) -> [LimitAnswer] {
        if let batchAskedAt, !isAway, now - batchAskedAt >= LimitSet.answerMilliseconds { return goAway(now: now) }
        return look(now: now)
    }

    /// When `tick` and `nextBatch` should be called at the latest, though nothing else happens; nil for not at all.
    public func nextWake(now: Int64) -> Int64? {
        guard !holders.isEmpty else { return nil }
        let wake = min(now + LimitSet.scanMilliseconds, waiters.isEmpty ? .max : lookAt)
        return max(wake, now + 1)
    }

    /// Looks at all who wait, first come first.
    private mutating func look(now: Int64) -> [LimitAnswer] {
        var answers: [LimitAnswer] = []
        var staying: [Waiter] = []
        lookAt = .max
        for var waiter in waiters {
            switch verdict(waiter.rules, waiter.demand, now: now) {
            case .decided(let outcome):
                answers.append(LimitAnswer(number: waiter.number, outcome: outcome))
                count(waiter, -1)
                continue
            case .later(let isShort): if isShort, waiter.shortSince == nil { waiter.shortSince = now }
            }
            guard now < deadline(of: waiter) else {
                let refusal = lateRefusal(waiter.rules, waiter.demand, isFull: false, now: now)
                answers.append(LimitAnswer(number: waiter.number, outcome: .refused(refusal)))
                count(waiter, -1)
                continue
            }
            lookAt = min(lookAt, deadline(of: waiter))
            for rule in waiter.rules {
                if let holder = holders[rule.id], holder.askAgainAt > now { lookAt = min(lookAt, holder.askAgainAt) }
            }
            staying.append(waiter)
        }
        waiters = staying
        assert(!waiters.isEmpty || waited.isEmpty)
        return answers
    }
}
