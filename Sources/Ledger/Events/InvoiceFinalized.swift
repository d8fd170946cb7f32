public import Identity
import Monetary

/// An invoice became final: its total is receivable, accrued usage leaves unbilled receivables, base fees are earned,
/// applied credits are no longer owed, and the rest is what rounding moved.
public struct InvoiceFinalized: Hashable, Sendable {
    public let invoice: BookedInvoice

    public init(_ invoice: BookedInvoice) { self.invoice = invoice }

    /// Nil where all of it is zero.
    public func transaction(on day: CivilDate, at instant: Timestamp) throws(LedgerError) -> LedgerTransaction? {
        try invoice.transaction(
            .invoice, on: day, at: instant, description: "invoice \(invoice.number)", postings: postings())
    }

    func postings() throws(LedgerError) -> [Posting] {
        let amounts = invoice.amounts
        var postings = [Posting(.receivables, amounts.total)]
        do throws(MonetaryError) {
            var rounding = try amounts.total.negated()
            for account in amounts.sources {
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
}
