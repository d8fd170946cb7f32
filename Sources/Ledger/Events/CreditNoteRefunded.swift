public import Identity
import Monetary

/// What a credit note gave back of a paid invoice was paid back: the customer is owed nothing of it any more.
public struct CreditNoteRefunded: Hashable, Sendable {
    public let note: BookedCreditNote

    public init(_ note: BookedCreditNote) { self.note = note }

    /// Nil where nothing was owed.
    public func transaction(on day: CivilDate, at instant: Timestamp) throws(LedgerError) -> LedgerTransaction? {
        let total = note.amounts.total
        return try note.transaction(
            .refund, on: day, at: instant, description: "refund of \(note.number)",
            postings: [Posting(.customerBalance, total), Posting(.cash, try total.opposite())])
    }
}
