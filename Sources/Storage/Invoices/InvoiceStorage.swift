public import Accounts
public import Identity
public import Invoicing
public import Monetary
public import Postgres

/// An invoice as it is stored.
public struct StoredInvoice: Hashable, Sendable, Identifiable {
    public let id: InvoiceID
    public let accountID: AccountID
    /// The account's.
    public let mode: AccountMode
    public let period: BillingPeriod
    public let state: InvoiceState
    /// `INV-2026-000001`; nil on a draft.
    public let number: String?
    public let currency: Currency
    /// What is to be paid.
    public let total: Money
    public let exactTotal: Money
    /// What credit notes gave back of it.
    public let credited: Money
    /// Of that, what was given back before it was paid: so much less was, or is, to be paid.
    public let creditedBeforePayment: Money
    /// How far the journals were ingested when it was computed.
    public let positions: JournalVector
    /// All that is shown, as canonical JSON; `InvoiceDocument(json:)` reads it.
    public let documentJSON: String
    /// Billing time, as all times here.
    public let createdAt: Timestamp
    public let issuedAt: Timestamp?
    /// Local day of the account's zone.
    public let issuedOn: CivilDate?
    public let dueOn: CivilDate?
    public let paidAt: Timestamp?
    public let voidedAt: Timestamp?

    /// What is still to be paid: nothing of a draft, a paid and a void invoice.
    public func amountDue() throws -> Money {
        state == .finalized ? try payable() : .zero(currency)
    }

    /// What was to be paid in the end: the total less what credit notes gave back before the payment.
    public func payable() throws -> Money { try total.subtracting(creditedBeforePayment) }

    /// Reads the document.
    public func document() throws -> InvoiceDocument { try InvoiceDocument(json: documentJSON) }
}

/// Which invoices are asked for.
public struct InvoiceFilter: Hashable, Sendable {
    public var account: AccountID?
    /// Of accounts of that mode; nil for both.
    public var mode: AccountMode?
    public var state: InvoiceState?
    /// The first instant of the period.
    public var periodStart: Timestamp?
    /// The billing month, of each account in its zone.
    public var month: CivilMonth?
    /// `INV-2026-000001`
    public var number: String?

    public init(
        account: AccountID? = nil, state: InvoiceState? = nil, periodStart: Timestamp? = nil, number: String? = nil
    ) {
        self.account = account
        self.state = state
        self.periodStart = periodStart
        self.number = number
    }
}

/// Invoices and their lines.
public enum InvoiceStorage {
    /// The invoice, or nil.
    public static func find(_ id: InvoiceID, in tx: Transaction) throws -> StoredInvoice? {
        try tx.query("\(select) WHERE invoice_id = \(id)").first.map(invoice)
    }

    /// The invoice of that number, or nil.
    public static func find(number: String, in tx: Transaction) throws -> StoredInvoice? {
        try tx.query("\(select) WHERE number = \(number)").first.map(invoice)
    }

    /// The invoice; `.notFound` when there is none.
    public static func require(_ id: InvoiceID, in tx: Transaction) throws -> StoredInvoice {
        guard let invoice = try find(id, in: tx) else { throw StorageError.notFound("invoice \(id)") }
        return invoice
    }

    /// The invoice, its row locked until the transaction ends.
    public static func locked(_ id: InvoiceID, in tx: Transaction) throws -> StoredInvoice {
        let account = try require(id, in: tx).accountID
        let row = try tx.query("\(select) WHERE account_id = \(account) AND invoice_id = \(id) FOR UPDATE").first
        guard let row else { throw StorageError.notFound("invoice \(id)") }
        return try invoice(row)
    }

    /// A page of invoices in the order of their ids.
    public static func list(
        _ filter: InvoiceFilter = InvoiceFilter(), _ page: PageRequest = PageRequest(), in tx: Transaction
    ) throws -> Page<StoredInvoice> {
        let rows = try tx.query(
            """
            \(select) WHERE invoice_id > \(page.afterOrZero) \(conditions(filter))
            ORDER BY invoice_id LIMIT \(page.limitAndOne)
            """)
        return Page(try rows.map(invoice), page)
    }

    /// The invoice of an account's period that is not void, or nil.
    public static func current(
        of account: AccountID, periodStart: Timestamp, in tx: Transaction
    ) throws -> StoredInvoice? {
        try tx.query(
            "\(select) WHERE account_id = \(account) AND period_start = \(periodStart) AND state <> 'void'"
        ).first.map(invoice)
    }

    /// How many invoices of the period are void.
    public static func voidCount(of account: AccountID, periodStart: Timestamp, in tx: Transaction) throws -> Int {
        try tx.query(
            """
            SELECT count(*) FROM invoices
            WHERE account_id = \(account) AND period_start = \(periodStart) AND state = 'void'
            """
        ).onlyValue()
    }

    /// Those of the periods that have a final invoice.
    public static func finalPeriods(
        of account: AccountID, among starts: some Collection<Timestamp>, in tx: Transaction
    ) throws -> Set<Timestamp> {
        if starts.isEmpty { return [] }
        let rows = try tx.query(
            """
            SELECT period_start FROM invoices
            WHERE account_id = \(account) AND period_start = ANY(\(Array(starts))::timestamptz[])
                AND state IN ('finalized', 'paid')
            """)
        return Set(try rows.decodeAll(as: Timestamp.self))
    }

    /// The final invoice of the first period after this one's; nil where there is none.
    public static func next(after invoice: StoredInvoice, in tx: Transaction) throws -> StoredInvoice? {
        try tx.query(
            """
            \(select)
            WHERE account_id = \(invoice.accountID) AND period_start > \(invoice.period.start)
                AND state IN ('finalized', 'paid')
            ORDER BY period_start LIMIT 1
            """
        ).first.map(self.invoice)
    }

    /// The final invoice of the latest period, or nil.
    public static func newestFinal(of account: AccountID, in tx: Transaction) throws -> StoredInvoice? {
        try tx.query(
            """
            \(select) WHERE account_id = \(account) AND state IN ('finalized', 'paid')
            ORDER BY period_start DESC LIMIT 1
            """
        ).first.map(invoice)
    }

    /// A draft of the account, or nil.
    public static func draft(of account: AccountID, in tx: Transaction) throws -> StoredInvoice? {
        try tx.query("\(select) WHERE account_id = \(account) AND state = 'draft' ORDER BY period_start LIMIT 1")
            .first.map(invoice)
    }

    /// All invoices of an account, or of one of its periods, by period, void ones too: for reconcile, which compares
    /// all.
    public static func all(
        of account: AccountID, periodStart: Timestamp? = nil, in tx: Transaction
    ) throws -> [StoredInvoice] {
        let only: SQL = periodStart.map { "AND period_start = \($0)" } ?? ""
        return try tx.query(
            "\(select) WHERE account_id = \(account) \(only) ORDER BY period_start, created_at, invoice_id"
        ).map(invoice)
    }

    /// The final invoices of a period and of those after it, which can hold its usage as adjustments.
    public static func final(
        of account: AccountID, from period: BillingPeriod, in tx: Transaction
    ) throws -> [StoredInvoice] {
        try tx.query(
            """
            \(select) WHERE account_id = \(account) AND period_start >= \(period.start)
                AND state IN ('finalized', 'paid')
            ORDER BY period_start
            """
        ).map(invoice)
    }

    private static func conditions(_ filter: InvoiceFilter) -> SQL {
        var sql: SQL = ""
        if let account = filter.account { sql += "AND account_id = \(account) " }
        sql += AccountStorage.rowsOfAccounts(filter.mode)
        if let state = filter.state { sql += "AND state = \(state.rawValue) " }
        if let start = filter.periodStart { sql += "AND period_start = \(start) " }
        if let month = filter.month {
            // In whatever zone, a month begins within a day of the same month in UTC, and no other one does.
            let day: Int64 = 86_400_000
            let begin = Timestamp(milliseconds: month.firstDay.daysSince1970 * day)
            sql += "AND period_start > \(begin.advanced(byMilliseconds: -day)) "
            sql += "AND period_start < \(begin.advanced(byMilliseconds: day)) "
        }
        if let number = filter.number { sql += "AND number = \(number) " }
        return sql
    }

    /// What each credit note gave back, in 10⁻¹² of the unit. Gathered, not summed, since many accounts are listed.
    private static func credited(_ condition: SQL) -> SQL {
        """
        ARRAY(
            SELECT (c.total * 1000000000000)::numeric(38, 0) FROM credit_notes c
            WHERE c.account_id = invoices.account_id AND c.invoice_id = invoices.invoice_id AND \(condition)
        )
        """
    }

    private static func sum(_ column: String, _ row: Row, _ currency: Currency) throws -> Money {
        let amounts = try row.decode(column, as: [Int128].self).map { Money(picounits: $0, currency: currency) }
        return try Money.sum(amounts, currency: currency)
    }

    private static let select: SQL = """
        SELECT account_id, invoice_id, period_start, period_end, state, number, currency, total, exact_total,
            journal_positions, document, created_at, issued_at, issued_on, due_on, paid_at, voided_at,
            \(credited("true")) AS credited,
            \(credited("c.settlement = 'open_invoice'")) AS credited_before_payment,
            (SELECT a.mode FROM accounts a WHERE a.account_id = invoices.account_id) AS mode
        FROM invoices
        """

    private static func invoice(_ row: Row) throws -> StoredInvoice {
        let currency = try row.decode("currency", as: Currency.self)
        return StoredInvoice(
            id: try row.decode("invoice_id"), accountID: try row.decode("account_id"), mode: try row.value("mode"),
            period: BillingPeriod(start: try row.decode("period_start"), end: try row.decode("period_end")),
            state: try row.value("state"), number: try row.decode("number"), currency: currency,
            total: try row.money("total", currency), exactTotal: try row.money("exact_total", currency),
            credited: try sum("credited", row, currency),
            creditedBeforePayment: try sum("credited_before_payment", row, currency),
            positions: try JournalVector(json: try row.decode("journal_positions")),
            documentJSON: try row.decode("document"), createdAt: try row.decode("created_at"),
            issuedAt: try row.decode("issued_at"), issuedOn: try row.decode("issued_on"),
            dueOn: try row.decode("due_on"), paidAt: try row.decode("paid_at"),
            voidedAt: try row.decode("voided_at"))
    }
}
