import Identity

/// Deciding.
extension LimitSet {
    enum Verdict {
        case decided(LimitOutcome)
        /// A larger slice may do; `isShort` when the shared side said lately that there is not enough.
        case later(isShort: Bool)
    }

    /// What a request reserves of a rule; a bound that is only ours is not more than the whole limit.
    static func amount(_ demand: LimitDemand, of rule: LimitRule) -> Int64 {
        min(demand.reserve(rule.kind), max(rule.value, demand.certain(rule.kind)))
    }

    /// Takes from all rules or from none.
    mutating func verdict(_ rules: [LimitRule], _ demand: LimitDemand, now: Int64) -> Verdict {
        var mustWait = false
        var isShort = false
        for rule in rules where !rule.isShadow {
            let amount = LimitSet.amount(demand, of: rule)
            if rule.value == 0 { return .decided(.refused(refusal(.closed, of: rule, rules, amount, now: now))) }
            if amount > rule.value { return .decided(.refused(refusal(.tooLarge, of: rule, rules, amount, now: now))) }
            use(rule, now: now)
            switch holders[rule.id]?.fit(amount, isAway: isAway, now: now) {
            case .now, nil: break
            case .later:
                mustWait = true
                isShort = isShort || holders[rule.id]?.isKnownShort(of: amount, now: now) == true
            case .refused: return .decided(.refused(refusal(.exhausted, of: rule, rules, amount, now: now)))
            }
        }
        return mustWait ? .later(isShort: isShort) : .decided(.admitted(take(rules, demand, now: now)))
    }

    private mutating func take(_ rules: [LimitRule], _ demand: LimitDemand, now: Int64) -> Reservation {
        var reservation = Reservation()
        reservation.parts.reserveCapacity(rules.count)
        reservation.choices = demand.choices
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
            let output = rule.kind.countsOutput ? min(demand.outputReserve, amount) : 0
            if rule.kind.countsOutput { reservation.answers = demand.answers }
            reservation.parts.append(
                Reservation.Part(limitID: rule.id, kind: rule.kind, amount: amount, output: output))
            if holders[rule.id]?.runsLow(now: now) == true { urgent.insert(rule.id) }
        }
        return reservation
    }

    /// Makes the state of a rule that is used for the first time; takes over a change of its value.
    private mutating func use(_ rule: LimitRule, now: Int64) {
        if holders[rule.id]?.update(rule) == nil {
            holders[rule.id] = SliceHolder(
                rule: rule, gatewayCount: gatewayCount, isShared: hasSource, now: now)
        }
    }

    /// The refusal of a request that waited in vain, or could not wait: by the first rule that is known to have no room
    /// for it, otherwise by the first of which nobody knows.
    mutating func lateRefusal(
        _ rules: [LimitRule], _ demand: LimitDemand, isFull: Bool, now: Int64
    ) -> LimitRefusal {
        var unknown: LimitRule?
        for rule in rules where !rule.isShadow {
            let amount = LimitSet.amount(demand, of: rule)
            guard holders[rule.id]?.fit(amount, isAway: isAway, now: now) != .now else { continue }
            if holders[rule.id]?.isKnownShort(of: amount, now: now) == true {
                return refusal(isFull ? .tooManyWaiting : .exhausted, of: rule, rules, amount, now: now)
            }
            unknown = unknown ?? rule
        }
        let rule = unknown ?? rules[0]
        return refusal(.unavailable, of: rule, rules, LimitSet.amount(demand, of: rule), now: now)
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
        case .tooManyWaiting, .unavailable: wait = LimitSet.retryMilliseconds
        }
        return LimitRefusal(
            cause: cause, rule: rule, amount: amount, remaining: holders[rule.id]?.remaining(now) ?? rule.value,
            retryAfterMilliseconds: wait, standings: standings)
    }

    private func standing(of rule: LimitRule, now: Int64) -> LimitStanding {
        LimitStanding(limit: rule.value, remaining: holders[rule.id]?.remaining(now) ?? rule.value)
    }
}
