import Accounts
public import Documents
import Identity
import Invoicing
public import Storage

extension ReadSession {
    /// An invoice with what has become of it since.
    public func page(of invoice: StoredInvoice) throws -> InvoicePage {
        try look(.read(.invoices)) { tx in
            let account = try AccountStorage.require(invoice.accountID, in: tx)
            let notes = try CreditNoteStorage.all(of: invoice, in: tx)
            let since = invoice.voidedAt ?? invoice.paidAt
            var standing = InvoiceStatus(
                invoice.state, since: since.map { "\(account.calendar.day(of: $0))" })
            standing.creditNotes = notes.map { InvoiceStatus.Credited(number: $0.number, amount: "\($0.total)") }
            if !notes.isEmpty, invoice.state == .finalized || invoice.state == .paid {
                standing.payable = "\(try invoice.payable())"
            }
            return InvoicePage(document: try invoice.document(), standing: standing)
        }
    }

    /// A credit note with what has become of it since.
    public func page(of note: StoredCreditNote) throws -> CreditNotePage {
        try look(.read(.invoices)) { tx in
            let account = try AccountStorage.require(note.accountID, in: tx)
            return CreditNotePage(
                document: try note.document(),
                standing: CreditNoteStanding(
                    note.settlement, refundedOn: note.refundedAt.map { "\(account.calendar.day(of: $0))" }))
        }
    }
}
