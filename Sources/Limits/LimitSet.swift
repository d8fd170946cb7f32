public import Identity

/// All limits at one gateway: reserve, settle, release, and the asking for slices. Pure; time is handed in, in
/// milliseconds of a monotonic clock.
///
/// A request takes from all its rules or from none, in the order of their ids. What does not fit waits for a larger
/// slice, at most `waitMilliseconds`. After each call the owner sends what `nextBatch` returns and calls `tick` again
/// when `nextWake` says so.
public struct LimitSet: Sendable {
    private struct Waiter: Sendable {
        var number: Int
        var rules: [LimitRule]
        var demand: LimitDemand
        var deadline: Int64
    }

    private var holders: [LimitID: SliceHolder] = [:]
    private var waiters: [Waiter] = []
    private var urgent: Set<LimitID> = []
    private var lastNumber = 0
    private var batchAskedAt: Int64?
    private var batch: [LimitID] = []
    private var nextProbe: Int64 = 0
    private var lastScan: Int64 = 0
    private var gatewayCount: Int64 = 1
    private let waitMilliseconds: Int64
    private let hasSource: Bool

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
        if let outcome = outcome(rules, demand, now: now) { return .decided(outcome) }
        guard waiters.count < LimitSet.waitersMax else {
            return .decided(.refused(lateRefusal(.tooManyWaiting, rules, demand, now: now)))
        }
        lastNumber += 1
        waiters.append(
            Waiter(number: lastNumber, rules: rules, demand: demand, deadline: now + waitMilliseconds))
        return .waiting(lastNumber)
    }

    /// A request that waited has left: its outcome no longer matters. False when it was decided already.
    public mutating func forget(_ number: Int) -> Bool {
        guard let index = waiters.firstIndex(where: { $0.number == number }) else { return false }
        waiters.remove(at: index)
        return true
    }

    /// The request has ended: what it came to stays taken, the rest comes back.
    public mutating func settle(_ reservation: Reservation, _ usage: LimitUsage, now: Int64) -> [LimitAnswer] {
        end(reservation, now: now) { usage.amount($0) }
    }

    /// The request never went to an engine: everything comes back.
    public mutating func release(_ reservation: Reservation, now: Int64) -> [LimitAnswer] {
        end(reservation, now: now) { _ in 0 }
    }

    private mutating func end(
        _ reservation: Reservation, now: Int64, used: (LimitKind) -> Int64
    ) -> [LimitAnswer] {
        for part in reservation.parts {
            holders[part.limitID]?.settle(part.amount, used: used(part.kind), now: now)
        }
        return waiters.isEmpty ? [] : look(now: now)
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

    /// Finds what is due, and forgets what is no longer used.
    private mutating func scan(now: Int64) {
        guard now - lastScan >= LimitSet.scanMilliseconds else { return }
        lastScan = now
        for (id, holder) in holders {
            if holder.isDue(now: now) { urgent.insert(id) } else if holder.isIdle(now: now) { holders[id] = nil }
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
        nextProbe = now + LimitSet.answerMilliseconds
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
        var wake = now + LimitSet.scanMilliseconds
        for waiter in waiters {
            wake = min(wake, waiter.deadline)
            guard batchAskedAt == nil else { continue }
            for rule in waiter.rules {
                if let holder = holders[rule.id], holder.askAgainAt > now { wake = min(wake, holder.askAgainAt) }
            }
        }
        return max(wake, now + 1)
    }

    /// Looks at all who wait, first come first.
    private mutating func look(now: Int64) -> [LimitAnswer] {
        var answers: [LimitAnswer] = []
        var staying: [Waiter] = []
        for waiter in waiters {
            if let outcome = outcome(waiter.rules, waiter.demand, now: now) {
                answers.append(LimitAnswer(number: waiter.number, outcome: outcome))
            } else if now >= waiter.deadline {
                let refusal = lateRefusal(.exhausted, waiter.rules, waiter.demand, now: now)
                answers.append(LimitAnswer(number: waiter.number, outcome: .refused(refusal)))
            } else {
                staying.append(waiter)
            }
        }
        waiters = staying
        return answers
    }
}

/// Deciding.
extension LimitSet {
    /// What a request reserves of a rule: its worst case; a bound that is only ours is not more than the whole limit.
    static func amount(_ demand: LimitDemand, of rule: LimitRule) -> Int64 {
        min(demand.worst(rule.kind), max(rule.value, demand.certain(rule.kind)))
    }

    /// Takes from all rules or from none; nil when a larger slice may do.
    private mutating func outcome(_ rules: [LimitRule], _ demand: LimitDemand, now: Int64) -> LimitOutcome? {
        var mustWait = false
        for rule in rules where !rule.isShadow {
            let amount = LimitSet.amount(demand, of: rule)
            if rule.value == 0 { return .refused(refusal(.closed, of: rule, rules, amount, now: now)) }
            if amount > rule.value { return .refused(refusal(.tooLarge, of: rule, rules, amount, now: now)) }
            use(rule, now: now)
            switch holders[rule.id]?.fit(amount, isAway: isAway, now: now) {
            case .now, nil: break
            case .later: mustWait = true
            case .refused: return .refused(refusal(.exhausted, of: rule, rules, amount, now: now))
            }
        }
        return mustWait ? nil : .admitted(take(rules, demand, now: now))
    }

    private mutating func take(_ rules: [LimitRule], _ demand: LimitDemand, now: Int64) -> Reservation {
        var reservation = Reservation()
        reservation.parts.reserveCapacity(rules.count)
        for rule in rules {
            let amount = LimitSet.amount(demand, of: rule)
            if rule.isShadow {
                use(rule, now: now)
                let fits = holders[rule.id]?.takeInShadow(amount, isAway: isAway, now: now) ?? false
                guard fits else {
                    reservation.wouldRefuse.append(rule.kind)
                    continue
                }
            } else {
                holders[rule.id]?.take(amount)
                reservation.standings.note(standing(of: rule, now: now), of: rule.kind)
            }
            reservation.parts.append(Reservation.Part(limitID: rule.id, kind: rule.kind, amount: amount))
            if holders[rule.id]?.runsLow(now: now) == true { urgent.insert(rule.id) }
        }
        return reservation
    }

    /// Makes the state of a rule that is used for the first time; takes over a change of its value.
    private mutating func use(_ rule: LimitRule, now: Int64) {
        if holders[rule.id]?.update(rule) == nil {
            holders[rule.id] = SliceHolder(rule: rule, gatewayCount: gatewayCount, now: now)
        }
    }

    /// The refusal of a request that waited in vain, by the first rule that has no room for it.
    private mutating func lateRefusal(
        _ cause: LimitRefusal.Cause, _ rules: [LimitRule], _ demand: LimitDemand, now: Int64
    ) -> LimitRefusal {
        let enforced = rules.filter { !$0.isShadow }
        let blocking = enforced.first { rule in
            holders[rule.id]?.fit(LimitSet.amount(demand, of: rule), isAway: isAway, now: now) != .now
        }
        let rule = blocking ?? rules[0]
        return refusal(cause, of: rule, rules, LimitSet.amount(demand, of: rule), now: now)
    }

    private func refusal(
        _ cause: LimitRefusal.Cause, of rule: LimitRule, _ rules: [LimitRule], _ amount: Int64, now: Int64
    ) -> LimitRefusal {
        var standings = LimitStandings()
        for rule in rules where !rule.isShadow { standings.note(standing(of: rule, now: now), of: rule.kind) }
        let wait: Int64?
        switch cause {
        case .tooLarge, .closed: wait = nil
        case .exhausted: wait = holders[rule.id]?.wait(for: amount, now: now) ?? LimitSet.retryMilliseconds
        case .tooManyWaiting: wait = LimitSet.retryMilliseconds
        }
        return LimitRefusal(
            cause: cause, rule: rule, amount: amount, remaining: holders[rule.id]?.remaining(now) ?? rule.value,
            retryAfterMilliseconds: wait, standings: standings)
    }

    private func standing(of rule: LimitRule, now: Int64) -> LimitStanding {
        LimitStanding(limit: rule.value, remaining: holders[rule.id]?.remaining(now) ?? rule.value)
    }
}
