/// The accounts of the double entry: docs/invoicing.md has the chart, with what books on each. Each exists once per
/// billing account; the seller's totals are sums over them.
///
/// Debits are positive and credits negative. An asset's balance is therefore positive, a liability's and revenue's
/// negative.
public enum LedgerAccount: String, CaseIterable, Hashable, Sendable {
    /// Asset: usage rated and accrued, not yet on a finalized invoice.
    case unbilledReceivables = "unbilled_receivables"
    /// Asset: finalized invoices not yet paid.
    case receivables
    /// Asset: money that came in.
    case cash
    /// Income: what usage and base fees earned, before credits.
    case revenue
    /// Contra income: credits granted for broken promises.
    case serviceLevelCredits = "sla_credits"
    /// Liability: credits granted and not yet on an invoice.
    case serviceLevelCreditsOwed = "sla_credits_owed"
    /// Contra income: usage and fees given back by credit notes.
    case refunds
    /// Liability: credited after the invoice was paid, not yet paid back.
    case customerBalance = "customer_balance"
    /// Income or expense: what rounding each invoice line to the minor unit gained or lost.
    case rounding
    /// Liability: money for usage to come, in prepaid wallets. Reserved for their top-ups and burn-down.
    case deferredRevenue = "deferred_revenue"
    /// Liability: tax that invoices ask for and that is owed to the state. Reserved for invoices with tax lines.
    case taxPayable = "tax_payable"
    /// Expense: receivables that will not be paid. Reserved for invoices that are given up.
    case writeOffs = "write_offs"
}

extension LedgerAccount: Comparable {
    /// The order in which a transaction lists its postings: that of the cases.
    public static func < (left: LedgerAccount, right: LedgerAccount) -> Bool { left.order < right.order }

    private var order: Int {
        switch self {
        case .unbilledReceivables: 0
        case .receivables: 1
        case .cash: 2
        case .revenue: 3
        case .serviceLevelCredits: 4
        case .serviceLevelCreditsOwed: 5
        case .refunds: 6
        case .customerBalance: 7
        case .rounding: 8
        case .deferredRevenue: 9
        case .taxPayable: 10
        case .writeOffs: 11
        }
    }
}
