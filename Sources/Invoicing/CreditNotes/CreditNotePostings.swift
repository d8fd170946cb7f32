public import Identity
public import Ledger
import Monetary

/// How a credit note is settled.
public enum CreditNoteSettlement: String, CaseIterable, Hashable, Sendable {
    /// The invoice was not paid: less of it is owed.
    case openInvoice = "open_invoice"
    /// The invoice was paid: the customer is owed the money until it is paid back.
    case customerBalance = "customer_balance"

    /// Where the books have it.
    var ledgerAccount: LedgerAccount {
        switch self {
        case .openInvoice: .receivables
        case .customerBalance: .customerBalance
        }
    }
}

/// The ledger transactions in a credit note's life. Each is the only one of its kind for its note.
public struct CreditNotePostings: Sendable {
    public let accountID: AccountID
    public let invoiceID: InvoiceID
    public let creditNoteID: CreditNoteID
    /// `CN-2026-000001`, for descriptions.
    public let number: String
    public let settlement: CreditNoteSettlement
    /// Sums over the note's lines: what is given back is positive.
    public let amounts: InvoiceAmounts

    public init(
        accountID: AccountID, invoiceID: InvoiceID, creditNoteID: CreditNoteID, number: String,
        settlement: CreditNoteSettlement, amounts: InvoiceAmounts
    ) {
        self.accountID = accountID
        self.invoiceID = invoiceID
        self.creditNoteID = creditNoteID
        self.number = number
        self.settlement = settlement
        self.amounts = amounts
    }

    /// Issued: usage and fees are given back, credits that the invoice carried are owed again, rounding goes back, and
    /// the customer owes less or is owed more. Usage stays invoiced: what is given back is not billed again. Nil where
    /// all of that is zero.
    public func issued(on day: CivilDate, at instant: Timestamp) throws(InvoicingError) -> LedgerTransaction? {
        var postings: [Posting] = []
        do throws(MonetaryError) {
            postings.append(Posting(settlement.ledgerAccount, try amounts.total.negated()))
            var rounding = amounts.total
            for account in Set(InvoiceLineKind.allCases.map(\.ledgerAccount)).sorted() {
                let exact = amounts.leaving(account)
                postings.append(Posting(account == .serviceLevelCreditsOwed ? account : .refunds, exact))
                rounding = try rounding.subtracting(exact)
            }
            postings.append(Posting(.rounding, rounding))
        } catch {
            throw .money(error)
        }
        return try transaction(
            .creditNote, on: day, at: instant, description: "credit note \(number)", postings: postings)
    }

    /// Paid back: the customer is owed nothing of it any more.
    public func refunded(on day: CivilDate, at instant: Timestamp) throws(InvoicingError) -> LedgerTransaction? {
        let postings: [Posting]
        do throws(MonetaryError) {
            postings = [Posting(.customerBalance, amounts.total), Posting(.cash, try amounts.total.negated())]
        } catch {
            throw .money(error)
        }
        return try transaction(.refund, on: day, at: instant, description: "refund of \(number)", postings: postings)
    }

    private func transaction(
        _ kind: TransactionKind, on day: CivilDate, at instant: Timestamp, description: String, postings: [Posting],
    ) throws(InvoicingError) -> LedgerTransaction? {
        let identity = TransactionIdentity(accountID: accountID, kind: kind, product: "\(creditNoteID)", day: day)
        do throws(LedgerError) {
            return try LedgerTransaction(
                identity, currency: amounts.total.currency, bookedAt: instant, invoiceID: invoiceID,
                description: description, postings: postings)
        } catch .empty {
            return nil
        } catch {
            throw .unbalanced(error.description)
        }
    }
}
