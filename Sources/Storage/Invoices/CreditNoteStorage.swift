public import Accounts
public import Identity
public import Invoicing
public import Ledger
public import Monetary
public import Postgres

/// A credit note as it is stored.
public struct StoredCreditNote: Hashable, Sendable, Identifiable {
    public let id: CreditNoteID
    public let accountID: AccountID
    public let invoiceID: InvoiceID
    /// `CN-2026-000001`
    public let number: String
    public let currency: Currency
    /// What the customer is given back.
    public let total: Money
    public let exactTotal: Money
    public let settlement: CreditNoteSettlement
    public let reason: String
    public let issuedBy: String
    /// All that is shown, as canonical JSON; `CreditNoteDocument(json:)` reads it.
    public let documentJSON: String
    /// Billing time.
    public let issuedAt: Timestamp
    /// Local day of the account's zone.
    public let issuedOn: CivilDate
    /// When the money went back, where the invoice had been paid.
    public let refundedAt: Timestamp?

    public init(
        _ draft: CreditNoteDraft, of invoice: StoredInvoice, number: InvoiceNumber, settlement: CreditNoteSettlement,
        reason: String, issuedBy: String, documentJSON: String, issuedAt: Timestamp, issuedOn: CivilDate
    ) {
        id = draft.id
        accountID = invoice.accountID
        invoiceID = invoice.id
        self.number = "\(number)"
        currency = invoice.currency
        total = draft.total
        exactTotal = draft.exactTotal
        self.settlement = settlement
        self.reason = reason
        self.issuedBy = issuedBy
        self.documentJSON = documentJSON
        self.issuedAt = issuedAt
        self.issuedOn = issuedOn
        refundedAt = nil
    }

    fileprivate init(_ row: Row) throws {
        currency = try row.decode("currency", as: Currency.self)
        id = try row.decode("credit_note_id")
        accountID = try row.decode("account_id")
        invoiceID = try row.decode("invoice_id")
        number = try row.decode("number")
        total = try row.money("total", currency)
        exactTotal = try row.money("exact_total", currency)
        settlement = try row.value("settlement")
        reason = try row.decode("reason")
        issuedBy = try row.decode("issued_by")
        documentJSON = try row.decode("document")
        issuedAt = try row.decode("issued_at")
        issuedOn = try row.decode("issued_on")
        refundedAt = try row.decode("refunded_at")
    }

    /// Reads the document.
    public func document() throws -> CreditNoteDocument { try CreditNoteDocument(json: documentJSON) }
}

/// Which credit notes are asked for.
public struct CreditNoteFilter: Hashable, Sendable {
    public var account: AccountID?
    public var invoice: InvoiceID?
    /// Of accounts of that mode; nil for both.
    public var mode: AccountMode?
    /// `CN-2026-000001`
    public var number: String?

    public init(account: AccountID? = nil, invoice: InvoiceID? = nil, number: String? = nil) {
        self.account = account
        self.invoice = invoice
        self.number = number
    }
}

/// Credit notes and their lines.
public enum CreditNoteStorage {
    public static func find(_ id: CreditNoteID, in tx: Transaction) throws -> StoredCreditNote? {
        try tx.query("\(select) WHERE credit_note_id = \(id)").first.map(StoredCreditNote.init)
    }

    public static func find(number: String, in tx: Transaction) throws -> StoredCreditNote? {
        try tx.query("\(select) WHERE number = \(number)").first.map(StoredCreditNote.init)
    }

    /// The note; `.notFound` when there is none.
    public static func require(_ id: CreditNoteID, in tx: Transaction) throws -> StoredCreditNote {
        guard let note = try find(id, in: tx) else { throw StorageError.notFound("credit note \(id)") }
        return note
    }

    /// A page in the order of their ids.
    public static func list(
        _ filter: CreditNoteFilter = CreditNoteFilter(), _ page: PageRequest = PageRequest(), in tx: Transaction
    ) throws -> Page<StoredCreditNote> {
        var conditions: SQL = ""
        if let account = filter.account { conditions += "AND account_id = \(account) " }
        if let invoice = filter.invoice { conditions += "AND invoice_id = \(invoice) " }
        conditions += AccountStorage.rowsOfAccounts(filter.mode)
        if let number = filter.number { conditions += "AND number = \(number) " }
        let rows = try tx.query(
            """
            \(select) WHERE credit_note_id > \(page.afterOrZero) \(conditions)
            ORDER BY credit_note_id LIMIT \(page.limitAndOne)
            """)
        return Page(try rows.map(StoredCreditNote.init), page)
    }

    /// The notes of one invoice, in the order in which they were issued.
    public static func all(of invoice: StoredInvoice, in tx: Transaction) throws -> [StoredCreditNote] {
        try tx.query(
            """
            \(select) WHERE account_id = \(invoice.accountID) AND invoice_id = \(invoice.id)
            ORDER BY issued_at, credit_note_id
            """
        ).map(StoredCreditNote.init)
    }

    /// The notes of an account: all, or those of these invoices.
    public static func all(
        of account: AccountID, correcting invoices: Set<InvoiceID>? = nil, in tx: Transaction
    ) throws -> [StoredCreditNote] {
        let only: SQL = invoices.map { "AND invoice_id = ANY(\(Array($0))::uuid[])" } ?? ""
        return try tx.query("\(select) WHERE account_id = \(account) \(only) ORDER BY issued_at, credit_note_id")
            .map(StoredCreditNote.init)
    }

    /// The lines of a final invoice, in order, with what notes gave back of each. Their words are the document's.
    public static func creditableLines(of invoice: StoredInvoice, in tx: Transaction) throws -> [CreditableLine] {
        let shown = Dictionary(try invoice.document().lines.map { ($0.id, $0) }) { first, _ in first }
        return try tx.query(
            """
            SELECT l.line_id, l.kind, l.description, l.exact_amount, l.amount,
                coalesce(sum(c.amount), 0)::numeric(38, 12) AS credited,
                coalesce(sum(c.exact_amount), 0)::numeric(38, 12) AS credited_exact
            FROM invoice_lines l LEFT JOIN credit_note_lines c
                ON c.account_id = l.account_id AND c.invoice_line_id = l.line_id
            WHERE l.account_id = \(invoice.accountID) AND l.invoice_id = \(invoice.id)
            GROUP BY l.line_id, l.kind, l.description, l.exact_amount, l.amount, l.ordinal
            ORDER BY l.ordinal
            """
        ).map { row in
            let id: InvoiceLineID = try row.decode("line_id")
            guard let line = shown["\(id)"] else {
                throw StorageError.corrupt("the document of invoice \(invoice.id) does not show its line \(id)")
            }
            return CreditableLine(
                id: id, kind: try row.value("kind"), description: try row.decode("description"),
                tenantName: line.tenant, from: line.from, through: line.through,
                amount: try row.money("amount", invoice.currency),
                exactAmount: try row.money("exact_amount", invoice.currency),
                credited: try row.money("credited", invoice.currency),
                creditedExact: try row.money("credited_exact", invoice.currency))
        }
    }

    /// A stored line as reconcile compares it.
    public struct LineRow: Hashable, Sendable {
        public let id: CreditNoteLineID
        public let invoiceLineID: InvoiceLineID
        public let exactAmount: Money
        public let amount: Money
    }

    /// A note's stored lines, in order.
    public static func lines(of note: StoredCreditNote, in tx: Transaction) throws -> [LineRow] {
        try tx.query(
            """
            SELECT line_id, invoice_line_id, exact_amount, amount FROM credit_note_lines
            WHERE account_id = \(note.accountID) AND credit_note_id = \(note.id) ORDER BY ordinal
            """
        ).map { row in
            LineRow(
                id: try row.decode("line_id"), invoiceLineID: try row.decode("invoice_line_id"),
                exactAmount: try row.money("exact_amount", note.currency),
                amount: try row.money("amount", note.currency))
        }
    }

    /// Stores a note with its lines. The caller has locked the account and taken the number in the same transaction.
    public static func insert(_ note: StoredCreditNote, lines: [CreditNoteLine], in tx: Transaction) throws {
        try tx.execute(
            """
            INSERT INTO credit_notes (
                account_id, credit_note_id, invoice_id, number, currency, total, exact_total, settlement, reason,
                issued_by, document, issued_at, issued_on
            ) VALUES (
                \(note.accountID), \(note.id), \(note.invoiceID), \(note.number), \(note.currency), \(note.total),
                \(note.exactTotal), \(note.settlement.rawValue), \(note.reason), \(note.issuedBy),
                \(note.documentJSON), \(note.issuedAt), \(note.issuedOn)
            )
            """)
        var batch = InsertBatch(columns: [
            .init("account_id", "uuid"), .init("line_id", "uuid"), .init("credit_note_id", "uuid"),
            .init("invoice_line_id", "uuid"), .init("ordinal", "integer"), .init("kind", "text"),
            .init("exact_amount", "numeric"), .init("amount", "numeric"),
        ])
        for (index, line) in lines.enumerated() {
            try batch.append([
                note.accountID, line.id, note.id, line.of.id, index + 1, line.of.kind.rawValue, line.exactAmount,
                line.amount,
            ])
        }
        try tx.execute(batch.insert(into: "credit_note_lines"))
    }

    /// Says when the money went back.
    public static func setRefunded(_ note: StoredCreditNote, at instant: Timestamp, in tx: Transaction) throws {
        try tx.execute(
            """
            UPDATE credit_notes SET refunded_at = \(instant)
            WHERE account_id = \(note.accountID) AND credit_note_id = \(note.id)
            """)
    }

    /// The sums of a note's stored lines that the ledger is told.
    private static func amounts(of note: StoredCreditNote, in tx: Transaction) throws -> InvoiceAmounts {
        try InvoiceStorage.amounts(
            of: tx.query(
                """
                SELECT kind, sum(exact_amount)::numeric(38, 12) AS exact, sum(amount)::numeric(38, 12) AS total
                FROM credit_note_lines
                WHERE account_id = \(note.accountID) AND credit_note_id = \(note.id) GROUP BY kind
                """), note.currency)
    }

    /// What the ledger is told of a note.
    public static func booked(_ note: StoredCreditNote, in tx: Transaction) throws -> BookedCreditNote {
        BookedCreditNote(
            accountID: note.accountID, invoiceID: note.invoiceID, creditNoteID: note.id, number: note.number,
            amounts: try amounts(of: note, in: tx))
    }

    private static let select: SQL = """
        SELECT account_id, credit_note_id, invoice_id, number, currency, total, exact_total, settlement, reason,
            issued_by, document, issued_at, issued_on, refunded_at
        FROM credit_notes
        """
}
