public import Identity
public import Ledger
public import Monetary

/// What a finalized invoice moves in the books, as sums over its lines.
public struct InvoiceAmounts: Hashable, Sendable {
    /// Sum of the rounded lines.
    public let total: Money
    /// Exact sums by the ledger account that they leave.
    private let exact: [LedgerAccount: Money]

    /// Sums by kind, such as those of stored lines.
    public init(exact sums: [InvoiceLineKind: Money], total: Money) throws(MonetaryError) {
        var exact: [LedgerAccount: Money] = [:]
        for (kind, sum) in sums {
            exact[kind.ledgerAccount] = try (exact[kind.ledgerAccount] ?? .zero(total.currency)).adding(sum)
        }
        self.exact = exact
        self.total = total
    }

    /// Sums a draft's lines.
    public init(_ draft: InvoiceDraft) throws(InvoicingError) {
        do throws(MonetaryError) {
            var sums: [InvoiceLineKind: Money] = [:]
            for line in draft.lines {
                sums[line.kind] = try (sums[line.kind] ?? .zero(draft.currency)).adding(line.exactAmount)
            }
            try self.init(exact: sums, total: draft.total)
        } catch {
            throw .money(error)
        }
    }

    /// What leaves a ledger account: of credits, zero or negative.
    public func leaving(_ account: LedgerAccount) -> Money { exact[account] ?? .zero(total.currency) }
}

/// The ledger transactions in an invoice's life. Each is the only one of its kind for its invoice.
public struct InvoicePostings: Sendable {
    public let accountID: AccountID
    public let invoiceID: InvoiceID
    /// `INV-2026-000001`, for descriptions.
    public let number: String
    public let amounts: InvoiceAmounts

    /// The transactions of one invoice.
    public init(accountID: AccountID, invoiceID: InvoiceID, number: String, amounts: InvoiceAmounts) {
        self.accountID = accountID
        self.invoiceID = invoiceID
        self.number = number
        self.amounts = amounts
    }

    /// Finalized: the total becomes receivable, accrued usage leaves unbilled receivables, base fees are earned,
    /// applied credits are no longer owed, and the rest is what rounding moved. Nil where all of that is zero.
    public func finalized(on day: CivilDate, at instant: Timestamp) throws(InvoicingError) -> LedgerTransaction? {
        try transaction(.invoice, on: day, at: instant, description: "invoice \(number)", postings: issued())
    }

    /// Void: the opposite of `finalized`.
    public func voided(on day: CivilDate, at instant: Timestamp) throws(InvoicingError) -> LedgerTransaction? {
        let opposite = try issued().map { posting throws(InvoicingError) in
            Posting(posting.ledgerAccount, try negate(posting.amount))
        }
        return try transaction(.void, on: day, at: instant, description: "void \(number)", postings: opposite)
    }

    /// Paid in full: what was still owed of it becomes cash.
    public func paid(
        _ owed: Money, on day: CivilDate, at instant: Timestamp
    ) throws(InvoicingError) -> LedgerTransaction? {
        let postings = [Posting(.cash, owed), Posting(.receivables, try negate(owed))]
        return try transaction(.payment, on: day, at: instant, description: "payment of \(number)", postings: postings)
    }

    private func issued() throws(InvoicingError) -> [Posting] {
        var postings = [Posting(.receivables, amounts.total)]
        do throws(MonetaryError) {
            var rounding = try amounts.total.negated()
            for account in Set(InvoiceLineKind.allCases.map(\.ledgerAccount)).sorted() {
                let exact = amounts.leaving(account)
                postings.append(Posting(account, try exact.negated()))
                rounding = try rounding.adding(exact)
            }
            postings.append(Posting(.rounding, rounding))
        } catch {
            throw .money(error)
        }
        return postings
    }

    private func negate(_ amount: Money) throws(InvoicingError) -> Money {
        do throws(MonetaryError) {
            return try amount.negated()
        } catch {
            throw .money(error)
        }
    }

    private func transaction(
        _ kind: TransactionKind, on day: CivilDate, at instant: Timestamp, description: String, postings: [Posting],
    ) throws(InvoicingError) -> LedgerTransaction? {
        let identity = TransactionIdentity(accountID: accountID, kind: kind, product: "\(invoiceID)", day: day)
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
