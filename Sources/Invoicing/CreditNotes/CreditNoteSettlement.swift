public import Ledger

/// How a credit note is settled.
public enum CreditNoteSettlement: String, CaseIterable, Hashable, Sendable {
    /// The invoice was not paid: less of it is owed.
    case openInvoice = "open_invoice"
    /// The invoice was paid: the customer is owed the money until it is paid back.
    case customerBalance = "customer_balance"

    /// Where the books have it.
    public var ledgerAccount: LedgerAccount {
        switch self {
        case .openInvoice: .receivables
        case .customerBalance: .customerBalance
        }
    }
}
