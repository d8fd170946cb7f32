import Accounts
import Identity
import Invoicing
import Monetary
import Pricing
import Storage

/// What an invoice of one account and month is made of, read in one transaction.
struct AccountMonth: Sendable {
    let account: Account
    let month: BillingMonth
    let subscriptions: [SubscriptionTerms]
    /// The account's invoices of all months, void ones too.
    let invoices: [StoredInvoice]
    private let histories: [String: PlanHistory]

    /// The most months that are looked back for something not invoiced.
    static let monthsBackMax: Int64 = 240

    /// Reads what does not depend on sums, the plans' versions among it: whoever changes something afterwards has to
    /// read them in the transaction that holds the account, or a run that waited would bill by old ones.
    init(_ account: Account, month: CivilMonth, in tx: DatabaseTransaction) throws {
        self.account = account
        self.month = BillingMonth(month, calendar: account.calendar)
        invoices = try InvoiceStorage.all(of: account.id, in: tx)
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
                subscription: subscription, tenantName: names[subscription.tenantID] ?? "", history: history)
        }
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

    /// The month's invoice that is not void, if there is one.
    var current: StoredInvoice? { invoice(ofPeriodAt: month.start) }

    var period: BillingPeriod { BillingPeriod(start: month.start, end: month.end) }

    /// The month and everything before it.
    var upToItsEnd: BillingPeriod { BillingPeriod(start: Timestamp(milliseconds: 0), end: month.end) }

    private func invoice(ofPeriodAt start: Timestamp) -> StoredInvoice? {
        invoices.first { $0.period.start == start && $0.state != .void }
    }

    private func isFinal(periodAt start: Timestamp) -> Bool {
        invoice(ofPeriodAt: start).map { $0.state != .draft } ?? false
    }

    // MARK: the invoice's input

    /// What the month's draft is computed from.
    func input(in tx: DatabaseTransaction) throws -> InvoiceInput {
        let rated = try InvoiceStorage.ratedSums(of: account, before: month.end, in: tx)
        try requireKnownPeriods(rated)
        let invoiced = try InvoiceStorage.invoicedSums(of: account, in: tx)
        return InvoiceInput(
            accountID: account.id, currency: account.currency, month: month,
            generation: invoices.count { $0.period.start == month.start && $0.state == .void },
            subscriptions: subscriptions,
            usage: try rated.filter { $0.periodStart == month.start }.map(ratedUsage),
            earlierUsage: try earlierUsage(rated: rated, invoiced: invoiced),
            credits: try ServiceLevelStorage.granted(to: account.id, before: month.start, in: tx).map(creditDue))
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
            guard key.periodStart < month.start, isFinal(periodAt: key.periodStart),
                let known = side.rated ?? side.invoiced
            else { return nil }
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
        let month = account.calendar.month(containing: period.start)
        let next = month.advanced(by: 1).firstDay
        return ServicePeriod(
            start: period.start, end: period.end, firstDay: month.firstDay,
            lastDay: CivilDate(daysSince1970: next.daysSince1970 - 1))
    }

    // MARK: earlier months

    /// The first earlier month that has something to bill and no final invoice.
    func earlierMonthNotInvoiced(in tx: DatabaseTransaction) throws -> CivilMonth? {
        let rated = try InvoiceStorage.ratedSums(of: account, before: month.start, in: tx)
        try requireKnownPeriods(rated)
        let used = Set(rated.map(\.periodStart))
        let first = (subscriptions.map(\.subscription.startsAt) + used).min()
        guard let first else { return nil }
        let oldest = max(
            account.calendar.month(containing: first), month.month.advanced(by: -AccountMonth.monthsBackMax))
        var candidate = oldest
        while candidate < month.month {
            let earlier = BillingMonth(candidate, calendar: account.calendar)
            if !isFinal(periodAt: earlier.start) {
                if used.contains(earlier.start) { return candidate }
                let fees = try InvoiceDraft(
                    InvoiceInput(
                        accountID: account.id, currency: account.currency, month: earlier,
                        subscriptions: subscriptions, usage: []))
                if !fees.isEmpty { return candidate }
            }
            candidate = candidate.advanced(by: 1)
        }
        return nil
    }
}

/// Walks over all pages of a list.
enum Paging {
    static func all<Item: Identifiable>(
        _ page: (PageRequest) throws -> Page<Item>
    ) throws -> [Item] where Item.ID: PagedID {
        var items: [Item] = []
        var request = PageRequest(limit: PageRequest.limitMax)
        while true {
            let page = try page(request)
            items += page.items
            guard page.hasMore, let last = page.items.last else { return items }
            request = PageRequest(limit: PageRequest.limitMax, after: last.id.uuid)
        }
    }
}

/// An id that lists are ordered by.
protocol PagedID {
    var uuid: UUIDv7 { get }
}

extension TypedID: PagedID {}
