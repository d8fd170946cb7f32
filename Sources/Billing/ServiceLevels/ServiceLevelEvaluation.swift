import Accounts
package import Identity
import Invoicing
import Ledger
import Monetary
import Pricing
package import ServiceLevels
package import Storage

/// Judges the promises of one account's month from its request records.
package struct ServiceLevelEvaluation: Sendable {
    /// The results of each subscription's tiers, in a fixed order.
    package let results: [StoredPromiseResult]

    /// Reads every request of the month once. The promises that count are those of the plan version in force when the
    /// month began, or the subscription if that was later: a plan that changes within a month does not change what was
    /// promised for it.
    package init(
        _ accountMonth: AccountMonth, evaluatedAt: Timestamp, rule: PromiseScope.Rule = .current,
        in tx: DatabaseTransaction
    ) throws {
        let account = accountMonth.account
        let period = accountMonth.period
        var judges = Self.judged(accountMonth.subscriptions, in: period, rule: rule).compactMap {
            PromiseJudge($0, in: period)
        }
        if judges.isEmpty {
            results = []
            return
        }
        var places: [SubscriptionID: Int] = [:]
        for (place, judge) in judges.enumerated() { for id in judge.subscriptionIDs { places[id] = place } }
        try ServiceLevelStorage.forEachRequest(of: account.id, in: period, rule: rule, in: tx) { request in
            guard let place = places[request.subscriptionID] else { return }
            judges[place].add(request)
        }
        let charges = try ServiceLevelStorage.charges(of: account, in: period, rule: rule, in: tx)
        results = try judges.flatMap { judge in
            try judge.results(account: account, charges: charges, period: period, rule: rule, evaluatedAt: evaluatedAt)
        }
    }

    /// The subscriptions that touch the month, those together that are judged as one, the earliest first.
    private static func judged(
        _ all: [SubscriptionTerms], in period: BillingPeriod, rule: PromiseScope.Rule
    ) -> [[SubscriptionTerms]] {
        let touching = all.filter { terms in
            let subscription = terms.subscription
            return subscription.startsAt < period.end && subscription.endsAt.map { $0 > period.start } ?? true
        }
        guard rule == .subscriptionsJoined else { return touching.map { [$0] } }
        var groups: [[SubscriptionTerms]] = []
        for terms in touching.sorted(by: { $0.subscription.startsAt < $1.subscription.startsAt }) {
            let place = groups.firstIndex { group in
                group[0].subscription.tenantID == terms.subscription.tenantID
                    && group[0].subscription.plan == terms.subscription.plan
            }
            if let place { groups[place].append(terms) } else { groups.append([terms]) }
        }
        return groups
    }

    /// Stores the results and books their credits, both by difference. What was stored of the month under another rule,
    /// and is no result any more, goes, and so does its credit.
    func store(for accountMonth: AccountMonth, now: Timestamp, in tx: DatabaseTransaction) throws {
        let account = accountMonth.account
        let lastDay = accountMonth.month.period.lastDay
        let ids = Set(results.map(\.id))
        let stored = try ServiceLevelStorage.results(of: account.id, periodStart: accountMonth.period.start, in: tx)
        for stale in stored where !ids.contains(stale.id) { try ServiceLevelStorage.delete(stale, in: tx) }
        let due =
            results.map { ($0.id, $0.exactCredit) }
            + stored.filter { !ids.contains($0.id) }.map { ($0.id, .zero(account.currency)) }
        for result in results { try ServiceLevelStorage.store(result, in: tx) }
        let instant = account.billingTime(at: now)
        let days = try ClosingStorage.bookingDays(of: account, at: instant, in: tx)
        for (id, granted) in due {
            let booked = try LedgerStorage.booked(
                on: .serviceLevelCredits, kind: .serviceLevelCredit, subject: .serviceLevelResult(id), account: account,
                in: tx)
            let credit = CreditGranted(
                accountID: account.id, resultID: id, day: lastDay, granted: granted,
                booked: booked.amount, revisions: booked.revisions)
            if let transaction = try credit.transaction(bookedAt: instant, on: days) {
                try LedgerStorage.insert(transaction, in: tx)
            }
        }
    }
}

/// Counts the requests of subscriptions that are judged as one against their promises. The result is the first one's.
private struct PromiseJudge {
    let subscriptionIDs: [SubscriptionID]
    private var subscriptionID: SubscriptionID { subscriptionIDs[0] }
    private let version: PlanVersion
    private var tallies: [PromiseTally]

    /// Nil where the plan promises nothing.
    init?(_ joined: [SubscriptionTerms], in period: BillingPeriod) {
        guard let first = joined.first,
            let version = first.version(at: max(period.start, first.subscription.startsAt))
        else { return nil }
        let promises = version.document.promises.sorted { $0.key < $1.key }.flatMap { tier, promises in
            promises.map { TierPromise($0, tier: tier) }
        }
        guard !promises.isEmpty else { return nil }
        subscriptionIDs = joined.map(\.id)
        self.version = version
        tallies = promises.map(PromiseTally.init)
    }

    mutating func add(_ request: MeasuredRequest) {
        for index in tallies.indices { tallies[index].add(request) }
    }

    func results(
        account: Account, charges: [TierCharge], period: BillingPeriod, rule: PromiseScope.Rule,
        evaluatedAt: Timestamp
    ) throws -> [StoredPromiseResult] {
        let byTier = Dictionary(grouping: tallies, by: \.promise.tier)
        return try byTier.sorted { $0.key < $1.key }.flatMap { tier, tallies in
            let base = try Money.sum(
                charges.filter { subscriptionIDs.contains($0.subscriptionID) && $0.tier == tier }.map(\.amount),
                currency: account.currency)
            let credit = try TierCredit(
                results: tallies.map(PromiseResult.init), charges: base,
                rounding: version.rounding)
            return try credit.results.enumerated().map { index, result in
                try stored(
                    result, of: credit, isDecisive: index == credit.decisiveIndex, account: account, period: period,
                    rule: rule, evaluatedAt: evaluatedAt)
            }
        }
    }

    private func stored(
        _ result: PromiseResult, of credit: TierCredit, isDecisive: Bool, account: Account, period: BillingPeriod,
        rule: PromiseScope.Rule, evaluatedAt: Timestamp
    ) throws -> StoredPromiseResult {
        let promise = result.promise
        let identity = PromiseResultIdentity(
            accountID: account.id, subscriptionID: subscriptionID, periodStart: period.start, tier: promise.tier,
            objective: promise.objective)
        let evidence = PromiseEvidence(result.tally)
        let nothing = Money.zero(account.currency)
        return StoredPromiseResult(
            id: identity.resultID, accountID: account.id, subscriptionID: subscriptionID, period: period,
            plan: version.planID, planVersion: version.version, tier: promise.tier, objective: promise.objective,
            promised: promise.promised, status: result.status, attainment: result.attainment,
            excluded: evidence.excludedTotal,
            creditPercent: try result.creditPercent ?? Percentage(parsing: "0"), base: credit.base,
            exactCredit: isDecisive ? credit.exactCredit : nothing, credit: isDecisive ? credit.credit : nothing,
            evidence: evidence, rule: rule, evaluatedAt: evaluatedAt)
    }
}

extension TierPromise {
    /// A promise as the plan states it.
    init(_ promise: ServicePromise, tier: String) {
        let objective: Objective =
            switch promise.objective {
            case .availability: .availability
            case .timeToFirstToken(let threshold): .timeToFirstToken(thresholdMilliseconds: threshold)
            }
        self.init(
            tier: tier, objective: objective, promised: promise.percent, minimumRequests: promise.minimumRequests,
            ladder: CreditLadder(
                steps: promise.credits.map { CreditLadder.Step(below: $0.below, credit: $0.credit) }))
    }
}
