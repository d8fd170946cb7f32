public import Identity
public import Ledger
public import Monetary

/// What a finalized invoice moves in the books, as sums over its lines.
public struct InvoiceAmounts: Hashable, Sendable {
    /// Exact sum of the usage and adjustment lines: leaves the unbilled receivables.
    public let usage: Money
    /// Exact sum of the base fees: earned with the invoice.
    public let baseFees: Money
    /// Exact sum of the credit lines, zero or negative: leaves what is owed.
    public let credits: Money
    /// Sum of the rounded lines.
    public let total: Money

    /// Sums that were read back from stored lines.
    public init(usage: Money, baseFees: Money, credits: Money, total: Money) {
        self.usage = usage
        self.baseFees = baseFees
        self.credits = credits
        self.total = total
    }

    /// Sums a draft's lines.
    public init(_ draft: InvoiceDraft) throws(InvoicingError) {
        func sum(_ kinds: Set<InvoiceLineKind>) throws(InvoicingError) -> Money {
            do throws(MonetaryError) {
                let amounts = draft.lines.filter { kinds.contains($0.kind) }.map(\.exactAmount)
                return try Money.sum(amounts, currency: draft.currency)
            } catch {
                throw .money(error)
            }
        }
        usage = try sum([.usage, .adjustment])
        baseFees = try sum([.baseFee])
        credits = try sum([.serviceLevelCredit])
        total = draft.total
    }
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

    /// Paid in full: receivable becomes cash.
    public func paid(on day: CivilDate, at instant: Timestamp) throws(InvoicingError) -> LedgerTransaction? {
        let postings = [Posting(.cash, amounts.total), Posting(.receivables, try negate(amounts.total))]
        return try transaction(.payment, on: day, at: instant, description: "payment of \(number)", postings: postings)
    }

    private func issued() throws(InvoicingError) -> [Posting] {
        let exact: Money
        let rounding: Money
        do throws(MonetaryError) {
            exact = try amounts.usage.adding(amounts.baseFees).adding(amounts.credits)
            rounding = try exact.subtracting(amounts.total)
        } catch {
            throw .money(error)
        }
        return [
            Posting(.receivables, amounts.total),
            Posting(.unbilledReceivables, try negate(amounts.usage)),
            Posting(.revenue, try negate(amounts.baseFees)),
            Posting(.serviceLevelCreditsOwed, try negate(amounts.credits)),
            Posting(.rounding, rounding),
        ]
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
