public import Identity
public import Invoicing
public import Ledger
import Metering
import Monetary
public import Postgres

/// From draft to finalized, paid or void.
extension InvoiceStorage {
    /// What storing a draft did.
    public enum DraftOutcome: Hashable, Sendable {
        case stored
        /// The same draft was there already.
        case unchanged
        /// The invoice is final; nothing was changed.
        case final(InvoiceState)
    }

    /// Stores a draft, in the place of an earlier draft of the same id.
    public static func storeDraft(
        _ draft: InvoiceDraft, documentJSON: String, positions: JournalVector, now: Timestamp, in tx: Transaction
    ) throws -> DraftOutcome {
        let vector = try positions.json()
        var outcome = DraftOutcome.stored
        if let existing = try find(draft.id, in: tx) {
            guard existing.state == .draft else { return .final(existing.state) }
            if existing.documentJSON == documentJSON, existing.positions == positions { outcome = .unchanged }
            // The same or not, it is written anew: what somebody changed in the database does not outlive a run.
            try tx.execute(
                """
                DELETE FROM invoice_lines WHERE account_id = \(draft.accountID) AND invoice_id = \(draft.id)
                """)
            try tx.execute(
                """
                UPDATE invoices SET total = \(draft.total), exact_total = \(draft.exactTotal),
                    currency = \(draft.currency), period_end = \(draft.period.end),
                    journal_positions = \(vector), document = \(documentJSON),
                    document_version = \(InvoiceDocument.currentVersion), created_at = \(now)
                WHERE account_id = \(draft.accountID) AND invoice_id = \(draft.id)
                """)
        } else {
            let inserted = try tx.execute(
                """
                INSERT INTO invoices (
                    account_id, invoice_id, period_start, period_end, state, currency, total, exact_total,
                    journal_positions, document, document_version, created_at
                ) VALUES (
                    \(draft.accountID), \(draft.id), \(draft.period.start), \(draft.period.end), 'draft',
                    \(draft.currency), \(draft.total), \(draft.exactTotal), \(vector), \(documentJSON),
                    \(InvoiceDocument.currentVersion), \(now)
                )
                ON CONFLICT DO NOTHING
                """)
            // At REPEATABLE READ a row of another run that this one cannot see fails the statement and the whole
            // transaction is run again; at a weaker level it would end here.
            guard inserted == 1 else {
                throw StorageError.conflict("another run is preparing the invoice of this month: run again")
            }
        }
        try insertLines(of: draft, in: tx)
        return outcome
    }

    private static func insertLines(of draft: InvoiceDraft, in tx: Transaction) throws {
        var batch = InsertBatch(columns: [
            .init("account_id", "uuid"), .init("line_id", "uuid"), .init("invoice_id", "uuid"),
            .init("ordinal", "integer"), .init("kind", "text"), .init("charge", "text"),
            .init("subscription_id", "uuid"), .init("plan", "text"), .init("plan_version", "integer"),
            .init("model", "text"),
            .init("price_key", "text"), .init("meter", "text"), .init("tier", "text"), .init("variant", "text"),
            .init("service_level_result_id", "uuid"), .init("description", "text"),
            .init("period_start", "timestamptz"), .init("period_end", "timestamptz"), .init("quantity", "numeric"),
            .init("unit_price", "numeric"), .init("exact_amount", "numeric"), .init("amount", "numeric"),
        ])
        for (index, line) in draft.lines.enumerated() {
            let (usage, credit) = (line.charge.usage, line.charge.credit)
            try batch.append([
                draft.accountID, line.id, draft.id,
                index + 1, line.kind.rawValue, line.charge.description, line.subscriptionID,
                line.charge.plan, line.charge.planVersion, usage?.model,
                usage?.priceKey, usage?.meter.rawValue, usage?.tier ?? credit?.tier, usage?.variant ?? "",
                credit?.resultID, line.description,
                line.period.start, line.period.end, line.quantity,
                line.unitPrice?.description, line.exactAmount, line.amount,
            ])
        }
        if !batch.isEmpty { try tx.execute(batch.insert(into: "invoice_lines")) }
    }

    /// Removes an account's drafts: of one period, those of periods that end after an instant, or all. The caller holds
    /// the account, or sees one moment: a draft that becomes final meanwhile would lose its lines.
    public static func deleteDrafts(
        of account: AccountID, periodStart: Timestamp? = nil, endingAfter instant: Timestamp? = nil,
        in tx: Transaction
    ) throws {
        var period: SQL = periodStart.map { "AND period_start = \($0)" } ?? ""
        if let instant { period += " AND period_end > \(instant)" }
        let drafts: [InvoiceID] = try tx.query(
            "SELECT invoice_id FROM invoices WHERE account_id = \(account) AND state = 'draft' \(period)"
        ).decodeAll()
        if drafts.isEmpty { return }
        try tx.execute(
            "DELETE FROM invoice_lines WHERE account_id = \(account) AND invoice_id = ANY(\(drafts)::uuid[])")
        try tx.execute(
            """
            DELETE FROM invoices
            WHERE account_id = \(account) AND invoice_id = ANY(\(drafts)::uuid[]) AND state = 'draft'
            """)
    }

    /// Takes `count` numbers of a series and returns the first. The series stays locked until the transaction ends, so
    /// what is rolled back leaves no gap.
    public static func takeNumbers(_ count: Int, series: String, in tx: Transaction) throws -> Int64 {
        try tx.query(
            """
            INSERT INTO number_series (series, next_number) VALUES (\(series), \(count) + 1)
            ON CONFLICT (series) DO UPDATE SET next_number = number_series.next_number + \(count)
            RETURNING next_number - \(count)
            """
        ).onlyValue()
    }

    /// Waits for, and holds until the transaction ends, the right to number invoices of a series.
    public static func lockSeries(_ series: String, in tx: Transaction) throws {
        try tx.execute("INSERT INTO number_series (series, next_number) VALUES (\(series), 1) ON CONFLICT DO NOTHING")
        _ = try tx.query("SELECT 1 FROM number_series WHERE series = \(series) FOR UPDATE")
        if try InstallationStorage.isDistributed(in: tx) { try passNumbersOnInvoices(of: series, in: tx) }
    }

    /// Where accounts are on other nodes, a document may have been committed with its number and the series not: a
    /// coordinator that died between the two would give the number again (decision 12).
    private static func passNumbersOnInvoices(of series: String, in tx: Transaction) throws {
        let highest = try numbersOnDocuments(of: series, in: tx).highest
        try tx.execute(
            """
            UPDATE number_series SET next_number = \(highest + 1)
            WHERE series = \(series) AND next_number <= \(highest)
            """)
    }

    /// How many invoices and credit notes carry a number of the series, and the highest of them; 0 where none does.
    /// Those of some accounts are left out.
    static func numbersOnDocuments(
        of series: String, except accounts: [AccountID] = [], in tx: Transaction
    ) throws -> (count: Int64, highest: Int64) {
        let row = try tx.query(
            """
            SELECT count(*) AS count,
                coalesce(max(substring(number FROM length(\(series)::text) + 2)::bigint), 0) AS highest
            FROM (
                SELECT account_id, number FROM invoices UNION ALL SELECT account_id, number FROM credit_notes
            ) AS documents
            WHERE starts_with(number, \(series + "-")) AND account_id <> ALL(\(accounts)::uuid[])
            """
        ).only()
        return (try row.decode("count"), try row.decode("highest"))
    }

    /// Makes a locked draft final. The caller has taken the number in the same transaction.
    public static func finalize(
        _ invoice: StoredInvoice, number: InvoiceNumber, documentJSON: String, issuedAt: Timestamp,
        issuedOn: CivilDate, dueOn: CivilDate, in tx: Transaction
    ) throws {
        try tx.execute(
            """
            UPDATE invoices SET state = 'finalized', number = \(number.description), document = \(documentJSON),
                issued_at = \(issuedAt), issued_on = \(issuedOn), due_on = \(dueOn)
            WHERE account_id = \(invoice.accountID) AND invoice_id = \(invoice.id) AND state = 'draft'
            """)
    }

    /// Sets the state of a locked, final invoice.
    public static func setState(
        _ state: InvoiceState, of invoice: StoredInvoice, at instant: Timestamp, in tx: Transaction
    ) throws {
        let paidAt = state == .paid ? instant : nil
        let voidedAt = state == .void ? instant : nil
        try tx.execute(
            """
            UPDATE invoices SET state = \(state.rawValue), paid_at = coalesce(\(paidAt)::timestamptz, paid_at),
                voided_at = coalesce(\(voidedAt)::timestamptz, voided_at)
            WHERE account_id = \(invoice.accountID) AND invoice_id = \(invoice.id)
            """)
    }

    /// What the ledger is told of an invoice.
    public static func booked(_ invoice: StoredInvoice, in tx: Transaction) throws -> BookedInvoice {
        BookedInvoice(
            accountID: invoice.accountID, invoiceID: invoice.id, number: invoice.number ?? "",
            amounts: try amounts(of: invoice, in: tx))
    }

    /// The sums of an invoice's stored lines that the ledger is told.
    public static func amounts(of invoice: StoredInvoice, in tx: Transaction) throws -> InvoiceAmounts {
        try amounts(
            of: tx.query(
                """
                SELECT kind, sum(exact_amount)::numeric(38, 12) AS exact, sum(amount)::numeric(38, 12) AS total
                FROM invoice_lines WHERE account_id = \(invoice.accountID) AND invoice_id = \(invoice.id) GROUP BY kind
                """), invoice.currency)
    }

    /// Of sums by kind, of an invoice's lines or a credit note's.
    static func amounts(of sums: Rows, _ currency: Currency) throws -> InvoiceAmounts {
        var exact: [InvoiceLineKind: Money] = [:]
        for row in sums { exact[try row.value("kind")] = try row.money("exact", currency) }
        let totals = try sums.map { try $0.money("total", currency) }
        return try InvoiceAmounts(exact: exact, total: Money.sum(totals, currency: currency))
    }
}
