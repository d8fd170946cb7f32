public import Identity
public import Ledger
import Metering
public import Monetary
import Pricing

/// What a line charges or gives back. The raw value is stored and part of the line's identity. This is the only list of
/// kinds: what is stored, booked, shown and described asks it.
public enum InvoiceLineKind: String, CaseIterable, Hashable, Sendable {
    /// A plan's fee for the days covered.
    case baseFee = "base_fee"
    /// The month's own usage of one meter of one model in one tier.
    case usage
    /// Usage of an earlier month that arrived after its invoice was final.
    case adjustment
    /// A credit for a broken promise of an earlier month.
    case serviceLevelCredit = "sla_credit"

    /// The ledger account that the exact amount leaves when the invoice becomes final: what was accrued is billed, what
    /// was owed is given, and what is earned only now is revenue.
    public var ledgerAccount: LedgerAccount {
        switch self {
        case .usage, .adjustment: .unbilledReceivables
        case .baseFee: .revenue
        case .serviceLevelCredit: .serviceLevelCreditsOwed
        }
    }

    /// The kinds whose sums are what of a month's usage is invoiced.
    public static let ofUsage: [InvoiceLineKind] = [.usage, .adjustment]
}

/// Names a charge of one version of a plan, as lines carry it: readable, and the same for ever.
public enum LineCharge: Hashable, Sendable, CustomStringConvertible {
    /// An event price: `pay-as-you-go@1/sim-small/priority/input_tokens`, which is also the id of the price row.
    case event(UsageCharge)
    /// A charge of the period: `team@3/base_fee`.
    case period(name: String, plan: String, planVersion: Int)
    /// What a broken promise gives back: `team@3/sla_credit`.
    case credit(CreditDue)

    public var plan: String {
        switch self {
        case .event(let usage): usage.plan
        case .period(_, let plan, _): plan
        case .credit(let due): due.plan
        }
    }

    public var planVersion: Int {
        switch self {
        case .event(let usage): usage.planVersion
        case .period(_, _, let version): version
        case .credit(let due): due.planVersion
        }
    }

    /// What the usage was of; nil where the charge is not about usage.
    public var usage: UsageCharge? {
        if case .event(let usage) = self { usage } else { nil }
    }

    /// What is given back and why; nil where nothing is.
    public var credit: CreditDue? {
        if case .credit(let due) = self { due } else { nil }
    }

    public var description: String {
        switch self {
        case .event(let usage):
            EffectivePrice.id(
                planID: plan, version: planVersion, priceKey: usage.priceKey, tier: usage.tier, meter: usage.meter,
                variant: usage.variant)
        case .period(let name, _, _): "\(plan)@\(planVersion)/\(name)"
        case .credit: "\(plan)@\(planVersion)/\(InvoiceLineKind.serviceLevelCredit.rawValue)"
        }
    }

    /// Part of the identity of its lines; never changes.
    var identityText: String {
        switch self {
        case .event(let usage):
            "usage/\(plan)/\(planVersion)/\(usage.priceKey)/\(usage.model)/\(usage.tier)/\(usage.meter.rawValue)"
                + (usage.variant.isEmpty ? "" : "/" + usage.variant)
        case .period(let name, _, _): "\(name)/\(plan)/\(planVersion)"
        case .credit(let due): "sla_credit/\(due.resultID)"
        }
    }
}

/// A line. Its amount is rounded to the minor unit, once; the invoice's total is the sum of these amounts.
public struct InvoiceLine: Hashable, Sendable {
    public let id: InvoiceLineID
    public let kind: InvoiceLineKind
    public let subscriptionID: SubscriptionID
    public let tenantName: String
    public let charge: LineCharge
    /// For people.
    public let description: String
    public let period: ServicePeriod
    /// Base units; nil on lines without a unit price.
    public let quantity: Int64?
    public let unitPrice: UnitPrice?
    /// Before rounding.
    public let exactAmount: Money
    /// What is charged; negative where it is given back.
    public let amount: Money
}

/// What makes a line *this* line: computed again, it has the same id.
struct InvoiceLineIdentity {
    let invoiceID: InvoiceID
    let subscriptionID: SubscriptionID
    let kind: InvoiceLineKind
    let charge: LineCharge
    let period: ServicePeriod

    var lineID: InvoiceLineID {
        let parts = [
            "invoice-line", "\(invoiceID)", "\(subscriptionID)", kind.rawValue, charge.identityText,
            "\(period.start)", "\(period.end)",
        ]
        return InvoiceLineID(UUIDv7(derivedFrom: SHA256Digest(of: parts.joined(separator: "\n"))))
    }
}
