public import Identity

/// A final invoice is not owed after all: the opposite of its becoming final.
public struct InvoiceVoided: Hashable, Sendable {
    public let invoice: BookedInvoice

    public init(_ invoice: BookedInvoice) { self.invoice = invoice }

    /// Nil where all of it is zero.
    public func transaction(on day: CivilDate, at instant: Timestamp) throws(LedgerError) -> LedgerTransaction? {
        var postings: [Posting] = []
        for posting in try InvoiceFinalized(invoice).postings() {
            postings.append(Posting(posting.ledgerAccount, try posting.amount.opposite()))
        }
        return try invoice.transaction(
            .void, on: day, at: instant, description: "void \(invoice.number)", postings: postings)
    }
}
