import Accounts
import Identity
import Invoicing
import Ledger
import Monetary
import Storage

/// Credit notes against their own lines and documents, their invoices and the ledger.
extension Comparison {
    func creditNotes(in tx: DatabaseTransaction) throws -> ReconciliationCheck {
        var check = ReconciliationCheck("credit notes = lines, documents and ledger")
        for account in accounts {
            try Self.guarding(label(account), &check, in: tx) { check in
                let ids = try period(of: account).map {
                    Set(try InvoiceStorage.all(of: account.id, periodStart: $0.start, in: tx).map(\.id))
                }
                let notes = try CreditNoteStorage.all(of: account.id, correcting: ids, in: tx)
                for note in notes { try compareParts(of: note, account, &check, in: tx) }
                for id in Set(notes.map(\.invoiceID)).sorted() {
                    try compareBounds(of: try InvoiceStorage.require(id, in: tx), &check, in: tx)
                }
            }
        }
        return check
    }

    private func compareParts(
        of note: StoredCreditNote, _ account: Account, _ check: inout ReconciliationCheck, in tx: DatabaseTransaction
    ) throws {
        let lines = try CreditNoteStorage.lines(of: note, in: tx)
        let sum = try Money.sum(lines.map(\.amount), currency: note.currency)
        let exact = try Money.sum(lines.map(\.exactAmount), currency: note.currency)
        check.add(left: sum, right: note.total)
        if sum != note.total || exact != note.exactTotal {
            check.report(
                "\(note.number): its lines sum to \(sum), \(exact) before rounding; it says \(note.total) and "
                    + "\(note.exactTotal)")
        }
        guard let document = try? note.document() else {
            check.report("\(note.number): its document cannot be read")
            return
        }
        let shown = document.lines.map { "\($0.id) \($0.invoiceLineID) \($0.exactAmount) \($0.amount)" }
        let stored = lines.map { "\($0.id) \($0.invoiceLineID) \($0.exactAmount) \($0.amount)" }
        if shown != stored || document.totals.total != "\(note.total)" || document.number != note.number
            || document.totals.exactTotal != "\(note.exactTotal)" || document.invoice.id != "\(note.invoiceID)"
            || document.reason != note.reason || document.issuedOn != "\(note.issuedOn)"
            || document.creditNoteID != "\(note.id)" || document.currency != note.currency.code
            || document.customer.accountID != "\(account.id)" || document.isTest != (account.mode == .test)
        {
            check.report("\(note.number): its document shows something else than its lines and total")
        }
        let expected = try CreditNoteIssued(
            CreditNoteStorage.booked(note, in: tx), settledBy: note.settlement.ledgerAccount
        ).transaction(on: note.issuedOn, at: note.issuedAt)
        let booked = try? LedgerStorage.transactions(
            of: account, kind: .creditNote, invoice: note.invoiceID, in: tx
        ).first { $0.identity.subject == .creditNote(note.id) }
        if booked?.postings != expected?.postings {
            check.report("\(note.number): the ledger books something else than its lines say")
        }
    }

    /// No line gives back more than it was, and none more than the invoice was.
    private func compareBounds(
        of invoice: StoredInvoice, _ check: inout ReconciliationCheck, in tx: DatabaseTransaction
    ) throws {
        let name = invoice.number ?? "\(invoice.id)"
        if invoice.state != .finalized && invoice.state != .paid {
            check.report("\(name) is \(invoice.state.rawValue) and has a credit note")
        }
        if try invoice.total.isLess(than: invoice.credited) {
            check.report("\(name): \(invoice.credited) of \(invoice.total) was given back")
        }
        for line in try CreditNoteStorage.creditableLines(of: invoice, in: tx) {
            let left = try line.amount.subtracting(line.credited).picounits
            let isWithin = line.amount.isNegative ? left <= 0 : left >= 0
            if !isWithin || line.credited.picounits.signum() * line.amount.picounits.signum() < 0 {
                check.report("\(name): \(line.credited) was given back of line \(line.id) over \(line.amount)")
            }
            if line.credited == line.amount, line.creditedExact != line.exactAmount, !line.amount.isZero {
                check.report("\(name): line \(line.id) was given back, but for what it was rounded by")
            }
        }
    }
}
