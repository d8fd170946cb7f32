public import Accounts
public import Identity
public import Storage

extension ReadSession {
    /// A page of invoices; of an account that there is, where one is named.
    public func invoices(_ filter: InvoiceFilter, _ page: PageRequest = PageRequest()) throws -> Page<StoredInvoice> {
        try look(.read(.invoices)) { tx in
            if let account = filter.account { _ = try AccountStorage.require(account, in: tx) }
            return try InvoiceStorage.list(filter, page, in: tx)
        }
    }

    public func invoice(_ id: InvoiceID) throws -> StoredInvoice {
        try look(.read(.invoices)) { try InvoiceStorage.require(id, in: $0) }
    }

    /// The invoice of that number; nil where there is none.
    public func invoice(number: String) throws -> StoredInvoice? {
        try look(.read(.invoices)) { try InvoiceStorage.find(number: number, in: $0) }
    }

    /// Credits of broken promises that are owed, of an account, of those of a mode or of all.
    public func owedCredits(
        of account: AccountID? = nil, mode: AccountMode? = nil, _ page: PageRequest = PageRequest()
    ) throws -> Page<GrantedResult> {
        try look(.read(.credits)) { try ServiceLevelStorage.owed(account: account, mode: mode, page, in: $0) }
    }
}
