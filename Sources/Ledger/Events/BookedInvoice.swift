public import Identity
public import Monetary

/// An invoice that became final, as its transactions name it, and what of it moves in the books.
public struct BookedInvoice: Hashable, Sendable {
    public let accountID: AccountID
    public let invoiceID: InvoiceID
    /// `INV-2026-000001`, for descriptions.
    public let number: String
    public let amounts: InvoiceAmounts

    public init(accountID: AccountID, invoiceID: InvoiceID, number: String, amounts: InvoiceAmounts) {
        self.accountID = accountID
        self.invoiceID = invoiceID
        self.number = number
        self.amounts = amounts
    }

    /// The only transaction of its kind for the invoice; nil where nothing of it moves.
    func transaction(
        _ kind: TransactionKind, on day: CivilDate, at instant: Timestamp, description: String, postings: [Posting],
    ) throws(LedgerError) -> LedgerTransaction? {
        try .ifAnythingMoves(
            TransactionIdentity(accountID: accountID, kind: kind, subject: .invoice(invoiceID), day: day),
            currency: amounts.total.currency, bookedAt: instant, invoiceID: invoiceID, description: description,
            postings: postings)
    }
}

/// What an invoice or a credit note moves in the books, as sums over its lines.
public struct InvoiceAmounts: Hashable, Sendable {
    /// Sum of the rounded lines.
    public let total: Money
    /// Exact sums by the ledger account that they leave.
    private let exact: [LedgerAccount: Money]

    /// Sums of lines; those of credits are zero or negative.
    public init(leaving exact: [LedgerAccount: Money], total: Money) {
        self.exact = exact
        self.total = total
    }

    /// What leaves a ledger account.
    public func leaving(_ account: LedgerAccount) -> Money { exact[account] ?? .zero(total.currency) }

    /// The ledger accounts that something leaves, in their order.
    var sources: [LedgerAccount] { exact.keys.sorted() }
}

extension LedgerTransaction {
    /// The transaction; nil where no posting is left once those of zero are dropped.
    static func ifAnythingMoves(
        _ identity: TransactionIdentity, currency: Currency, bookedAt: Timestamp, invoiceID: InvoiceID? = nil,
        description: String, postings: [Posting],
    ) throws(LedgerError) -> LedgerTransaction? {
        do throws(LedgerError) {
            return try LedgerTransaction(
                identity, currency: currency, bookedAt: bookedAt, invoiceID: invoiceID, description: description,
                postings: postings)
        } catch .empty {
            return nil
        }
    }
}

extension Money {
    /// The opposite, with the ledger's error.
    func opposite() throws(LedgerError) -> Money {
        do throws(MonetaryError) {
            return try negated()
        } catch {
            throw .money(error)
        }
    }
}
