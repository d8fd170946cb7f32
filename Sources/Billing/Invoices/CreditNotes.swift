import Accounts
public import Identity
public import Invoicing
import Ledger
public import Storage

extension ReadSession {
    /// A page of credit notes; of an account or an invoice that there is, where one is named.
    public func creditNotes(
        _ filter: CreditNoteFilter, _ page: PageRequest = PageRequest()
    ) throws -> Page<StoredCreditNote> {
        try look(.read(.invoices)) { tx in
            if let account = filter.account { _ = try AccountStorage.require(account, in: tx) }
            if let invoice = filter.invoice { _ = try InvoiceStorage.require(invoice, in: tx) }
            return try CreditNoteStorage.list(filter, page, in: tx)
        }
    }

    public func creditNote(_ id: CreditNoteID) throws -> StoredCreditNote {
        try look(.read(.invoices)) { try CreditNoteStorage.require(id, in: $0) }
    }

    /// The note of that number; nil where there is none.
    public func creditNote(number: String) throws -> StoredCreditNote? {
        try look(.read(.invoices)) { try CreditNoteStorage.find(number: number, in: $0) }
    }

    /// The lines of a final invoice, with what credit notes gave back of each.
    public func creditableLines(of id: InvoiceID) throws -> [CreditableLine] {
        try look(.read(.invoices)) { tx in
            try CreditNoteStorage.creditableLines(of: try InvoiceStorage.require(id, in: tx), in: tx)
        }
    }
}

extension WriteSession {
    /// Gives back a final invoice, or lines of it, and books it. Of an unpaid invoice less is owed then; what is given
    /// back of a paid one is owed to the customer until it is refunded. The month stays invoiced: what is given back is
    /// not billed again.
    public func issueCreditNote(
        for invoiceID: InvoiceID, _ scope: CreditNoteScope, reason: String
    ) throws -> StoredCreditNote {
        try Self.requireReason(reason)
        return try change(.creditNoteIssued, reason: reason) { tx in
            let found = try InvoiceStorage.require(invoiceID, in: tx)
            let account = try AccountStorage.require(found.accountID, in: tx)
            let instant = account.billingTime(at: now)
            let day = account.calendar.day(of: instant)
            // In the order of invoice runs: the series, then the account.
            let series = InvoiceNumber.creditNoteSeries(of: account.mode, on: day)
            try InvoiceStorage.lockSeries(series, in: tx)
            try AccountStorage.lock(account.id, in: tx)
            let invoice = try InvoiceStorage.require(invoiceID, in: tx)
            let settlement = try Self.settlement(of: invoice)
            if scope == .full { try Self.requireCreditsNotPaidOut(invoice, in: tx) }
            let draft = try draft(of: invoice, scope, in: tx)
            let number = InvoiceNumber(
                series: series, value: try InvoiceStorage.takeNumbers(1, series: series, in: tx))
            let document = CreditNoteDocument(
                draft, number: number, issuedOn: day, of: try invoice.document(), reason: reason,
                seller: try SellerStorage.require(in: tx), account: account)
            let note = StoredCreditNote(
                draft, of: invoice, number: number, settlement: settlement, reason: reason,
                issuedBy: "\(actor.principal)", documentJSON: try document.canonicalJSON(), issuedAt: instant,
                issuedOn: day)
            try CreditNoteStorage.insert(note, lines: draft.lines, in: tx)
            let issued = CreditNoteIssued(
                try CreditNoteStorage.booked(note, in: tx), settledBy: settlement.ledgerAccount)
            try Self.book(try issued.transaction(on: day, at: instant), in: tx)
            return .made(note, .account(account.id, note.id, after: note.facts))
        }
    }

    /// Says that what a credit note gave back of a paid invoice was paid back. Doing it twice changes nothing.
    public func refundCreditNote(_ id: CreditNoteID) throws -> StoredCreditNote {
        try change(.creditNoteRefunded) { tx in
            let account = try AccountStorage.require(try CreditNoteStorage.require(id, in: tx).accountID, in: tx)
            try AccountStorage.lock(account.id, in: tx)
            let note = try CreditNoteStorage.require(id, in: tx)
            guard note.settlement == .customerBalance else {
                throw StorageError.conflict(
                    "\(note.number) lowered an invoice that was not paid: there is nothing to pay back")
            }
            guard note.refundedAt == nil else { return .nothing(note) }
            let instant = account.billingTime(at: now)
            try CreditNoteStorage.setRefunded(note, at: instant, in: tx)
            let refunded = CreditNoteRefunded(try CreditNoteStorage.booked(note, in: tx))
            try Self.book(try refunded.transaction(on: account.calendar.day(of: instant), at: instant), in: tx)
            let after = try CreditNoteStorage.require(id, in: tx)
            return .made(after, .account(account.id, id, before: note.facts, after: after.facts))
        }
    }

    private func draft(
        of invoice: StoredInvoice, _ scope: CreditNoteScope, in tx: DatabaseTransaction
    ) throws -> CreditNoteDraft {
        do {
            return try CreditNoteDraft(
                id: Randomness.id(at: now), of: invoice.total,
                lines: try CreditNoteStorage.creditableLines(of: invoice, in: tx), scope: scope)
        } catch InvoicingError.notCreditable(let reason) {
            guard case .lines = scope else { throw StorageError.conflict(reason) }
            throw StorageError.invalid(parameter: "lines", message: reason)
        }
    }

    private static func settlement(of invoice: StoredInvoice) throws -> CreditNoteSettlement {
        switch invoice.state {
        case .finalized: return .openInvoice
        case .paid: return .customerBalance
        case .draft, .void:
            throw StorageError.conflict(
                "an invoice that is \(invoice.state.rawValue) owes nothing: only a finalized or paid one can be given "
                    + "back")
        }
    }

    /// A credit of a broken promise that was paid out cannot be owed again.
    private static func requireCreditsNotPaidOut(_ invoice: StoredInvoice, in tx: DatabaseTransaction) throws {
        if try ServiceLevelStorage.isPaidOut(creditCarriedBy: invoice, in: tx) {
            throw StorageError.conflict(
                "a credit that this invoice carries was paid out, and a full credit note would owe it again: give back "
                    + "single lines")
        }
    }

    private static func book(_ transaction: LedgerTransaction?, in tx: DatabaseTransaction) throws {
        guard let transaction else { return }
        guard try LedgerStorage.insert(transaction, in: tx) else {
            throw StorageError.conflict("\(transaction.description) is booked already; run `tollgate reconcile`")
        }
    }
}
