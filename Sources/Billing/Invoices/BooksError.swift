public import Identity

/// Books that do not agree with themselves. The account is put on hold; `tollgate reconcile` shows where.
public enum BooksError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A draft whose lines, total and document say different things.
    case contradictory(invoice: InvoiceID, String)
    /// The ledger holds the transaction of an invoice that was not in that state.
    case bookedBefore(invoice: InvoiceID)
    /// A subscription's plan has no version in the database.
    case planMissing(subscription: SubscriptionID, plan: String)
    /// Usage is summed under an instant at which no billing month of the account begins: it would be on no invoice.
    case periodUnknown(start: Timestamp, zone: String)
    /// Usage is rated by a version of a plan that no subscription of the account is to, or that is not there.
    case versionMissing(plan: String, version: Int)

    public var description: String {
        switch self {
        case .contradictory(let invoice, let contradiction):
            "\(invoice) contradicts itself: \(contradiction)"
        case .bookedBefore(let invoice):
            "the ledger already holds the transaction of \(invoice)"
        case .planMissing(let subscription, let plan):
            "subscription \(subscription) is to plan \(plan), of which there is no version"
        case .periodUnknown(let start, let zone):
            "usage is summed under a month that begins at \(start), which is none of \(zone): the zone's rules changed"
        case .versionMissing(let plan, let version):
            "usage is rated by version \(version) of plan \(plan), which no subscription of the account is to"
        }
    }
}
