public import Identity
import Monetary

/// A credit note, as its transactions name it, and what of it moves in the books.
public struct BookedCreditNote: Hashable, Sendable {
    public let accountID: AccountID
    public let invoiceID: InvoiceID
    public let creditNoteID: CreditNoteID
    /// `CN-2026-000001`, for descriptions.
    public let number: String
    /// Sums over the note's lines: what is given back is positive.
    public let amounts: InvoiceAmounts

    public init(
        accountID: AccountID, invoiceID: InvoiceID, creditNoteID: CreditNoteID, number: String,
        amounts: InvoiceAmounts
    ) {
        self.accountID = accountID
        self.invoiceID = invoiceID
        self.creditNoteID = creditNoteID
        self.number = number
        self.amounts = amounts
    }

    /// The only transaction of its kind for the note; nil where nothing of it moves.
    func transaction(
        _ kind: TransactionKind, on day: CivilDate, at instant: Timestamp, description: String, postings: [Posting],
    ) throws(LedgerError) -> LedgerTransaction? {
        try .ifAnythingMoves(
            TransactionIdentity(accountID: accountID, kind: kind, subject: .creditNote(creditNoteID), day: day),
            currency: amounts.total.currency, bookedAt: instant, invoiceID: invoiceID, description: description,
            postings: postings)
    }
}

/// A credit note was issued: usage and fees are given back, credits that the invoice carried are owed again, rounding
/// goes back, and the customer owes less or is owed more. Usage stays invoiced: what is given back is not billed again.
public struct CreditNoteIssued: Hashable, Sendable {
    public let note: BookedCreditNote
    /// `receivables` where the invoice was not paid, else `customerBalance`.
    public let settlement: LedgerAccount

    public init(_ note: BookedCreditNote, settledBy settlement: LedgerAccount) {
        self.note = note
        self.settlement = settlement
    }

    /// Nil where all of it is zero.
    public func transaction(on day: CivilDate, at instant: Timestamp) throws(LedgerError) -> LedgerTransaction? {
        let amounts = note.amounts
        var postings = [Posting(settlement, try amounts.total.opposite())]
        do throws(MonetaryError) {
            var rounding = amounts.total
            for account in amounts.sources {
                let exact = amounts.leaving(account)
                postings.append(Posting(account == .serviceLevelCreditsOwed ? account : .refunds, exact))
                rounding = try rounding.subtracting(exact)
            }
            postings.append(Posting(.rounding, rounding))
        } catch {
            throw .money(error)
        }
        return try note.transaction(
            .creditNote, on: day, at: instant, description: "credit note \(note.number)", postings: postings)
    }
}
