package import Accounts
package import Identity
package import Invoicing
import Monetary
import Pricing
package import Storage

/// What an invoice of one account and month is made of, read in one transaction.
package struct AccountMonth: Sendable {
    package let account: Account
    package let month: BillingMonth
    package let subscriptions: [SubscriptionTerms]
    /// The month's invoice that is not void, if there is one.
    let current: StoredInvoice?
    /// How many invoices of the month are void.
    private let voidCount: Int
    /// The months up to this one whose usage changed since a final invoice took it in. Of the others all is invoiced.
    private let openPeriods: [Timestamp]
    private let histories: [String: PlanHistory]

    /// The most months that are looked back for something not invoiced.
    static let monthsBackMax: Int64 = 240

    /// Reads what does not depend on sums, the plans' versions among it: whoever changes something afterwards has to
    /// read them in the transaction that holds the account, or a run that waited would bill by old ones.
    package init(_ account: Account, month: CivilMonth, in tx: DatabaseTransaction) throws {
        self.account = account
        self.month = BillingMonth(month, calendar: account.calendar)
        let start = self.month.start
        current = try InvoiceStorage.current(of: account.id, periodStart: start, in: tx)
        voidCount = try InvoiceStorage.voidCount(of: account.id, periodStart: start, in: tx)
        openPeriods = try UsagePeriodStorage.open(of: account.id, before: self.month.end, in: tx).map(\.start)
        let tenants = try Paging.all { try TenantStorage.list(account: account.id, $0, in: tx) }
        let names = Dictionary(tenants.map { ($0.id, $0.name) }) { first, _ in first }
        let stored = try Paging.all { try SubscriptionStorage.list(account: account.id, $0, in: tx) }
        let histories = try Self.histories(of: stored, in: tx)
        self.histories = histories
        subscriptions = try stored.map { subscription in
            // What an unreadable version asks for beside prices is not known: an invoice without it would be wrong.
            if let bad = histories[subscription.plan]?.unreadable.first {
                throw StorageError.corrupt("version \(bad.number) of plan \(subscription.plan): \(bad.reason)")
            }
            // Without its plan a subscription would owe no fee and promise nothing.
            guard let history = histories[subscription.plan], !history.versions.isEmpty else {
                throw BooksError.planMissing(subscription: subscription.id, plan: subscription.plan)
            }
            return SubscriptionTerms(
                subscription: subscription, tenantName: names[subscription.tenantID] ?? "", history: history,
                clock: account.clock)
        }
    }

    /// The account, with a calendar that holds what is kept of the months that a run of this one can have to do with.
    package static func account(
        _ id: AccountID, for month: CivilMonth, in tx: DatabaseTransaction
    ) throws -> Account {
        guard let closed = try ClosingStorage.closedThrough(of: id, in: tx) else {
            return try AccountStorage.require(id, in: tx)
        }
        let day: Int64 = 86_400_000
        let past = Timestamp(milliseconds: (month.advanced(by: 1).firstDay.daysSince1970 + 1) * day)
        let open = try UsagePeriodStorage.open(of: id, before: past, in: tx).map {
            CivilMonth(of: CivilDate(daysSince1970: $0.start.milliseconds / day + 14))
        }
        let first = min(month, CivilMonth(of: closed), open.min() ?? month)
        return try AccountStorage.require(id, months: .from(first.advanced(by: -1)), in: tx)
    }

    /// The versions of every plan that the account was ever subscribed to.
    private static func histories(
        of subscriptions: [Subscription], in tx: DatabaseTransaction
    ) throws -> [String: PlanHistory] {
        var histories: [String: PlanHistory] = [:]
        for plan in Set(subscriptions.map(\.plan)).sorted() {
            histories[plan] = try PlanStorage.history(of: plan, in: tx)
        }
        return histories
    }

    var period: BillingPeriod { BillingPeriod(start: month.start, end: month.end) }

    /// The month and everything before it.
    var upToItsEnd: BillingPeriod { BillingPeriod(start: Timestamp(milliseconds: 0), end: month.end) }

    // MARK: the invoice's input

    /// What the month's draft is computed from.
    func input(in tx: DatabaseTransaction) throws -> InvoiceInput {
        let earlier = openPeriods.filter { $0 < month.start }
        // All that is open, whatever instant it is summed under, so that nothing is on no invoice unseen.
        let rated = try InvoiceStorage.ratedSums(
            of: account, periods: Set(openPeriods).union([month.start]), in: tx)
        try requireKnownPeriods(rated)
        let final = try InvoiceStorage.finalPeriods(of: account.id, among: earlier, in: tx)
        let invoiced = try InvoiceStorage.invoicedSums(of: account, periods: final, in: tx)
        return InvoiceInput(
            accountID: account.id, currency: account.currency, month: month, generation: voidCount,
            subscriptions: subscriptions,
            usage: try rated.filter { $0.periodStart == month.start }.map(ratedUsage),
            earlierUsage: try earlierUsage(
                rated: rated.filter { final.contains($0.periodStart) }, invoiced: invoiced),
            credits: try ServiceLevelStorage.unsettled(to: account, before: month.start, in: tx).map(creditDue))
    }

    private func requireKnownPeriods(_ sums: [ChargeSum]) throws(BooksError) {
        for start in Set(sums.map(\.periodStart)) where !account.calendar.isPeriodStart(start) {
            throw .periodUnknown(start: start, zone: account.calendar.zoneName)
        }
    }

    private struct ChargeInPeriod: Hashable {
        let periodStart: Timestamp
        let charge: UsageCharge
        init(_ sum: ChargeSum) {
            periodStart = sum.periodStart
            charge = sum.charge
        }
    }

    /// Both sides of every charge of the months whose invoice is final.
    private func earlierUsage(rated: [ChargeSum], invoiced: [ChargeSum]) throws -> [EarlierUsage] {
        let zero = 0 as Int64
        var sides: [ChargeInPeriod: (rated: ChargeSum?, invoiced: ChargeSum?)] = [:]
        for sum in rated { sides[ChargeInPeriod(sum), default: (nil, nil)].rated = sum }
        for sum in invoiced { sides[ChargeInPeriod(sum), default: (nil, nil)].invoiced = sum }
        return try sides.compactMap { key, side in
            guard let known = side.rated ?? side.invoiced else { return nil }
            let now = RatedUsage(
                charge: known.charge, price: .perUnit(PerUnitPrice(unitPrice: known.unitPrice)),
                rounding: try rounding(of: known.charge), quantity: side.rated?.quantity ?? zero,
                rolledUp: side.rated?.amount ?? .zero(account.currency))
            return EarlierUsage(
                period: servicePeriod(account.calendar.period(containing: key.periodStart)), rated: now,
                invoicedQuantity: side.invoiced?.quantity ?? zero,
                invoicedExact: side.invoiced?.amount ?? .zero(account.currency),
                invoicedAmount: side.invoiced?.rounded ?? .zero(account.currency))
        }
    }

    private func ratedUsage(_ sum: ChargeSum) throws -> RatedUsage {
        RatedUsage(
            charge: sum.charge, price: .perUnit(PerUnitPrice(unitPrice: sum.unitPrice)),
            rounding: try rounding(of: sum.charge), quantity: sum.quantity, rolledUp: sum.amount)
    }

    private func rounding(of charge: UsageCharge) throws(BooksError) -> Rounding {
        guard let version = histories[charge.plan]?.version(numbered: charge.planVersion) else {
            throw .versionMissing(plan: charge.plan, version: charge.planVersion)
        }
        return version.rounding
    }

    private func creditDue(_ granted: GrantedResult) -> CreditDue {
        let result = granted.result
        return CreditDue(
            resultID: result.id, subscriptionID: result.subscriptionID, period: servicePeriod(result.period),
            plan: result.plan, planVersion: result.planVersion, tier: result.tier, objective: result.objective,
            promised: result.promised, attainment: result.attainment, creditPercent: result.creditPercent,
            base: result.base, exactCredit: result.exactCredit, credit: result.credit, applied: granted.applied,
            appliedExact: granted.appliedExact, evidence: result.evidence)
    }

    private func servicePeriod(_ period: BillingPeriod) -> ServicePeriod {
        ServicePeriod(
            start: period.start, end: period.end, firstDay: account.calendar.month(ofPeriodAt: period.start).firstDay,
            lastDay: account.calendar.lastDay(ofPeriodAt: period.start))
    }

    // MARK: earlier months

    /// The first earlier month that has something to bill and no final invoice. Usage is looked for in open months,
    /// fees in those after the newest closed one: before that was closed there were none.
    func earlierMonthNotInvoiced(in tx: DatabaseTransaction) throws -> CivilMonth? {
        let rated = try InvoiceStorage.ratedSums(
            of: account, periods: openPeriods.filter { $0 < month.start }, in: tx)
        try requireKnownPeriods(rated)
        let used = Set(rated.map(\.periodStart))
        let mayOweFees = try monthsAfterClosing(in: tx).map { BillingMonth($0, calendar: account.calendar) }
        let final = try InvoiceStorage.finalPeriods(
            of: account.id, among: used.union(mayOweFees.map(\.start)), in: tx)
        let unbilled = used.subtracting(final).min().map { account.calendar.month(ofPeriodAt: $0) }
        for candidate in mayOweFees where !final.contains(candidate.start) {
            if let unbilled, unbilled <= candidate.month { return unbilled }
            let fees = try InvoiceDraft(
                InvoiceInput(
                    accountID: account.id, currency: account.currency, month: candidate, subscriptions: subscriptions,
                    usage: []))
            if !fees.isEmpty { return candidate.month }
        }
        return unbilled
    }

    private func monthsAfterClosing(in tx: DatabaseTransaction) throws -> [CivilMonth] {
        guard let first = subscriptions.map(\.subscription.startsAt).min() else { return [] }
        var candidate = max(
            account.calendar.month(containing: first), month.month.advanced(by: -AccountMonth.monthsBackMax))
        if let closed = try ClosingStorage.closedThrough(of: account.id, in: tx) {
            candidate = max(candidate, CivilMonth(of: closed).advanced(by: 1))
        }
        var months: [CivilMonth] = []
        while candidate < month.month {
            months.append(candidate)
            candidate = candidate.advanced(by: 1)
        }
        return months
    }
}
