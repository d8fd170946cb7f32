public import Identity
public import Monetary

/// Books that do not agree with themselves. The account is parked; `tollgate reconcile` shows where.
public enum BooksError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A draft's stored lines do not sum to its total.
    case linesDiffer(invoice: InvoiceID, lines: Money, total: Money)
    /// The ledger holds the transaction of an invoice that was not in that state.
    case bookedBefore(invoice: InvoiceID)

    public var description: String {
        switch self {
        case .linesDiffer(let invoice, let lines, let total):
            "the lines of \(invoice) sum to \(lines), its total is \(total)"
        case .bookedBefore(let invoice):
            "the ledger already holds the transaction of \(invoice)"
        }
    }
}
