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

    /// Reads what does not depend on sums. `histories` are the plans' versions.
    init(
        _ account: Account, month: CivilMonth, histories: [String: PlanHistory], in tx: DatabaseTransaction
    ) throws {
        self.account = account
        self.month = BillingMonth(month, calendar: account.calendar)
        self.histories = histories
        invoices = try InvoiceStorage.all(of: account.id, in: tx)
        let tenants = try Paging.all { try TenantStorage.list(account: account.id, $0, in: tx) }
        let names = Dictionary(tenants.map { ($0.id, $0.name) }) { first, _ in first }
        let plans = try Paging.all { try SubscriptionStorage.list(account: account.id, $0, in: tx) }.map(\.plan)
        for plan in plans {
            // What the version asks for beside prices is not known: an invoice without it would be wrong.
            guard let bad = histories[plan]?.unreadable.first else { continue }
            throw StorageError.corrupt("version \(bad.number) of plan \(plan): \(bad.reason)")
        }
        subscriptions = try Paging.all { try SubscriptionStorage.list(account: account.id, $0, in: tx) }.map {
            SubscriptionTerms(
                subscription: $0, tenantName: names[$0.tenantID] ?? "",
                history: histories[$0.plan] ?? PlanHistory())
        }
    }

    /// The month's invoice that is not void, if there is one.
    var current: StoredInvoice? { invoice(ofPeriodAt: month.start) }

    var period: BillingPeriod { BillingPeriod(start: month.start, end: month.end) }

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
        let invoiced = try InvoiceStorage.invoicedSums(of: account, in: tx)
        return InvoiceInput(
            accountID: account.id, currency: account.currency, month: month,
            generation: invoices.count { $0.period.start == month.start && $0.state == .void },
            subscriptions: subscriptions,
            usage: rated.filter { $0.periodStart == month.start }.map(ratedUsage),
            earlierUsage: try earlierUsage(rated: rated, invoiced: invoiced),
            credits: try ServiceLevelStorage.granted(to: account.id, before: month.start, in: tx).map(creditDue))
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
        return sides.compactMap { key, side in
            guard key.periodStart < month.start, isFinal(periodAt: key.periodStart),
                let known = side.rated ?? side.invoiced
            else { return nil }
            let now = RatedUsage(
                charge: known.charge, price: .perUnit(PerUnitPrice(unitPrice: known.unitPrice)),
                rounding: rounding(of: known.charge), quantity: side.rated?.quantity ?? zero,
                rolledUp: side.rated?.amount ?? .zero(account.currency))
            return EarlierUsage(
                period: servicePeriod(account.calendar.period(containing: key.periodStart)), rated: now,
                invoicedQuantity: side.invoiced?.quantity ?? zero,
                invoicedExact: side.invoiced?.amount ?? .zero(account.currency),
                invoicedAmount: side.invoiced?.rounded ?? .zero(account.currency))
        }
    }

    private func ratedUsage(_ sum: ChargeSum) -> RatedUsage {
        RatedUsage(
            charge: sum.charge, price: .perUnit(PerUnitPrice(unitPrice: sum.unitPrice)),
            rounding: rounding(of: sum.charge), quantity: sum.quantity, rolledUp: sum.amount)
    }

    private func rounding(of charge: UsageCharge) -> Rounding {
        histories[charge.plan]?.version(numbered: charge.planVersion)?.rounding ?? .halfEven
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
            start: period.start, end: period.end, firstDay: account.calendar.day(of: period.start),
            lastDay: account.calendar.day(of: period.end.advanced(byMilliseconds: -1)))
    }

    // MARK: earlier months

    /// The first earlier month that has something to bill and no final invoice.
    func earlierMonthNotInvoiced(in tx: DatabaseTransaction) throws -> CivilMonth? {
        let rated = try InvoiceStorage.ratedSums(of: account, before: month.start, in: tx)
        let used = Set(rated.map(\.periodStart))
        let first = (subscriptions.map(\.subscription.startsAt) + used).min()
        guard let first else { return nil }
        let oldest = max(
            CivilMonth(of: account.calendar.day(of: first)), month.month.advanced(by: -AccountMonth.monthsBackMax))
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
