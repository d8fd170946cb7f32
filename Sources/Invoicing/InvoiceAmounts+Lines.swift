public import Ledger
public import Monetary

extension InvoiceAmounts {
    /// Exact sums by kind, such as those of stored lines; kinds that leave the same ledger account are one there.
    public init(exact sums: [InvoiceLineKind: Money], total: Money) throws(MonetaryError) {
        var exact: [LedgerAccount: Money] = [:]
        for (kind, sum) in sums {
            exact[kind.ledgerAccount] = try (exact[kind.ledgerAccount] ?? .zero(total.currency)).adding(sum)
        }
        self.init(leaving: exact, total: total)
    }
}
