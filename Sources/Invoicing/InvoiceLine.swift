public import Identity
public import Monetary

/// What a line charges or gives back. The raw value is stored and part of the line's identity.
public enum InvoiceLineKind: String, CaseIterable, Hashable, Sendable {
    /// A plan's fee for the days covered.
    case baseFee = "base_fee"
    /// The month's own usage of one meter of one model in one tier.
    case usage
    /// Usage of an earlier month that arrived after its invoice was final.
    case adjustment
    /// A credit for a broken promise of an earlier month.
    case serviceLevelCredit = "sla_credit"
}

/// A line. Its amount is rounded to the minor unit, once; the invoice's total is the sum of these amounts.
public struct InvoiceLine: Hashable, Sendable {
    public let id: InvoiceLineID
    public let kind: InvoiceLineKind
    public let subscriptionID: SubscriptionID
    public let tenantName: String
    public let plan: String
    public let planVersion: Int
    /// What the usage was of; nil on lines that are not about usage.
    public let charge: UsageCharge?
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
    /// What a credit line gives back and why; nil on all others.
    public let credit: CreditDue?
}

/// What makes a line *this* line: computed again, it has the same id.
struct InvoiceLineIdentity {
    let invoiceID: InvoiceID
    let subscriptionID: SubscriptionID
    let kind: InvoiceLineKind
    /// The charge with the plan's version inside.
    let charge: String
    let period: ServicePeriod

    var lineID: InvoiceLineID {
        let parts = [
            "invoice-line", "\(invoiceID)", "\(subscriptionID)", kind.rawValue, charge, "\(period.start)",
            "\(period.end)",
        ]
        return InvoiceLineID(UUIDv7(derivedFrom: SHA256Digest(of: parts.joined(separator: "\n"))))
    }
}
