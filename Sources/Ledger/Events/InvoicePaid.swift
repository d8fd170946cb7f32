public import Identity
public import Monetary

/// An invoice was paid in full: what was still owed of it becomes cash.
public struct InvoicePaid: Hashable, Sendable {
    public let invoice: BookedInvoice
    /// The total less what credit notes gave back before.
    public let owed: Money

    public init(_ invoice: BookedInvoice, owed: Money) {
        self.invoice = invoice
        self.owed = owed
    }

    /// Nil where nothing was owed.
    public func transaction(on day: CivilDate, at instant: Timestamp) throws(LedgerError) -> LedgerTransaction? {
        try invoice.transaction(
            .payment, on: day, at: instant, description: "payment of \(invoice.number)",
            postings: [Posting(.cash, owed), Posting(.receivables, try owed.opposite())])
    }
}
