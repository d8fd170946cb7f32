public import Accounts
public import Identity
public import Invoicing
public import Monetary
public import Postgres

/// A row of a rollup, or what records add up to under the same key.
public struct RollupRow: Hashable, Sendable {
    /// What tells rows of one account apart.
    public struct Key: Hashable, Sendable {
        public let periodStart: Timestamp
        public let hourStart: Timestamp
        public let tenantID: TenantID
        public let projectID: ProjectID
        public let keyID: KeyID
        public let subscriptionID: SubscriptionID
        public let model: String
        /// The effective price of a usage rollup, the tier of a request rollup.
        public let last: String

        public init(
            periodStart: Timestamp, hourStart: Timestamp, tenantID: TenantID, projectID: ProjectID, keyID: KeyID,
            subscriptionID: SubscriptionID, model: String, last: String
        ) {
            self.periodStart = periodStart
            self.hourStart = hourStart
            self.tenantID = tenantID
            self.projectID = projectID
            self.keyID = keyID
            self.subscriptionID = subscriptionID
            self.model = model
            self.last = last
        }
    }

    public let key: Key
    /// The row's numbers, in the order of its columns; amounts in 10⁻¹² of the currency's unit.
    public let numbers: [Int128]
}

/// What of a period's records lies inside a vector of positions, and what came later.
public struct VectorSplit: Hashable, Sendable {
    /// Billed by records inside.
    public let inside: Money
    /// Billed by records that came later.
    public let outside: Money
    /// Requests that came later.
    public let requestsOutside: Int64
}

/// Sums and rows as they are stored, for reconcile to compare.
public enum ReconcileStorage {
    /// `records, quantity, amount, waived_quantity, waived_amount` of each usage rollup.
    public static func usageRollups(
        of account: Account, in period: BillingPeriod?, in tx: Transaction
    ) throws -> [RollupRow] {
        try tx.query(
            """
            SELECT \(keyColumns), price_id AS last, ARRAY[
                records::numeric, quantity, amount * 1000000000000, waived_quantity, waived_amount * 1000000000000
            ]::numeric(38, 0)[] AS numbers
            FROM usage_rollups WHERE account_id = \(account.id) \(within(period))
            """
        ).map(row)
    }

    /// `requests, successes, client_errors, client_aborts, provider_errors, gateway_losses` of each request rollup.
    public static func requestRollups(
        of account: Account, in period: BillingPeriod?, in tx: Transaction
    ) throws -> [RollupRow] {
        try tx.query(
            """
            SELECT \(keyColumns), tier AS last, ARRAY[
                requests, successes, client_errors, client_aborts, provider_errors, gateway_losses
            ]::numeric(38, 0)[] AS numbers
            FROM request_rollups WHERE account_id = \(account.id) \(within(period))
            """
        ).map(row)
    }

    private static let keyColumns: SQL =
        "period_start, hour_start, tenant_id, project_id, key_id, subscription_id, model"

    private static func within(_ period: BillingPeriod?) -> SQL {
        period.map { "AND period_start >= \($0.start) AND period_start < \($0.end)" } ?? ""
    }

    private static func row(_ row: Row) throws -> RollupRow {
        RollupRow(
            key: RollupRow.Key(
                periodStart: try row.decode("period_start"), hourStart: try row.decode("hour_start"),
                tenantID: try row.decode("tenant_id"), projectID: try row.decode("project_id"),
                keyID: try row.decode("key_id"), subscriptionID: try row.decode("subscription_id"),
                model: try row.decode("model"), last: try row.decode("last")),
            numbers: try row.decode("numbers", as: [Int128].self))
    }

    /// The instants that the account's usage, or that of these days, is summed under.
    public static func periodStarts(
        of account: Account, days: ClosedRange<CivilDate>? = nil, in tx: Transaction
    ) throws -> [Timestamp] {
        try tx.query(
            """
            SELECT DISTINCT u.period_start FROM usage_rollups u
            WHERE u.account_id = \(account.id) AND \(LocalDays.hours("u", in: days, account.calendar.zoneName))
            ORDER BY u.period_start
            """
        ).decodeAll()
    }

    /// What final invoices hold together of the usage of a period: its own, and later ones as adjustments.
    public static func invoicedUsage(
        of account: Account, periodStart: Timestamp, in tx: Transaction
    ) throws -> Money {
        let row = try tx.query(
            """
            SELECT coalesce(sum(l.exact_amount), 0)::numeric(38, 12) AS amount
            FROM invoice_lines l JOIN invoices i ON i.account_id = l.account_id AND i.invoice_id = l.invoice_id
            WHERE l.account_id = \(account.id) AND l.period_start = \(periodStart)
                AND l.kind = ANY(\(InvoiceLineKind.ofUsage.map(\.rawValue))::text[])
                AND i.state IN ('finalized', 'paid')
            """
        ).only()
        return try row.money("amount", account.currency)
    }

    /// Attempts of the account's period: all, those that wait in suspense, and those that were waived out of it.
    public static func attemptCounts(
        of account: AccountID, in period: BillingPeriod?, in tx: Transaction
    ) throws -> (attempts: Int64, suspended: Int64, waived: Int64) {
        let span: SQL = period.map { "AND accepted_at >= \($0.start) AND accepted_at < \($0.end)" } ?? ""
        let row = try tx.query(
            """
            SELECT (SELECT count(*) FROM attempt_records WHERE account_id = \(account) \(span)) AS attempts,
                (
                    SELECT count(*) FROM suspense WHERE account_id = \(account) AND resolved_at IS NULL \(span)
                ) AS suspended,
                (
                    SELECT count(*) FROM suspense WHERE account_id = \(account) AND outcome = 'waived' \(span)
                ) AS waived
            """
        ).only()
        return (try row.decode("attempts"), try row.decode("suspended"), try row.decode("waived"))
    }

    /// Requests and attempts that a journal's part from `segment` up to `mark` gave, but for these accounts.
    public static func recordCounts(
        of journal: JournalID, fromSegment segment: Int64, upTo mark: JournalPosition,
        except accounts: [AccountID] = [],
        in tx: Transaction
    ) throws -> (requests: Int64, attempts: Int64) {
        func count(_ table: String) throws -> Int64 {
            try tx.query(
                """
                SELECT count(*) FROM \(unescaped: table)
                WHERE journal_id = \(journal) AND journal_segment >= \(segment)
                    AND (journal_segment, journal_offset) <= (\(mark.segment), \(mark.offset))
                    AND account_id <> ALL(\(accounts)::uuid[])
                """
            ).onlyValue()
        }
        return (try count("request_records"), try count("attempt_records"))
    }

    /// The rollups' amounts and what of them is booked, by local day; the sums over `days`, or over all.
    public static func accrualSums(
        of account: Account, days: ClosedRange<CivilDate>?, in tx: Transaction
    ) throws -> (rated: Money, booked: Money) {
        let ratedDays = LocalDays.hours("u", in: days, account.calendar.zoneName)
        let bookedDays: SQL =
            days.map { "AND t.day BETWEEN \($0.lowerBound)::date AND \($0.upperBound)::date" } ?? ""
        let row = try tx.query(
            """
            SELECT (
                SELECT coalesce(sum(u.amount), 0)::numeric(38, 12) FROM usage_rollups u
                WHERE u.account_id = \(account.id) AND \(ratedDays)
            ) AS rated, (
                SELECT coalesce(sum(p.amount), 0)::numeric(38, 12)
                FROM ledger_transactions t JOIN ledger_postings p USING (account_id, transaction_id)
                WHERE t.account_id = \(account.id) AND t.kind = 'accrual'
                    AND p.ledger_account = 'unbilled_receivables' \(bookedDays)
            ) AS booked
            """
        ).only()
        return (try row.money("rated", account.currency), try row.money("booked", account.currency))
    }

    /// A period's billed records, by whether they lie inside the vector.
    public static func split(
        _ period: BillingPeriod, by vector: JournalVector, account: Account, in tx: Transaction
    ) throws -> VectorSplit {
        let row = try tx.query(
            """
            WITH v AS (SELECT * FROM \(vector.rows) AS v(journal_id, segment, byte_offset))
            SELECT coalesce(sum(t.amount) FILTER (WHERE \(inside("t"))), 0)::numeric(38, 12) AS inside,
                coalesce(sum(t.amount) FILTER (WHERE NOT \(inside("t"))), 0)::numeric(38, 12) AS outside,
                (
                    SELECT count(*) FROM request_records r LEFT JOIN v USING (journal_id)
                    WHERE r.account_id = \(account.id) AND r.accepted_at >= \(period.start)
                        AND r.accepted_at < \(period.end) AND NOT \(inside("r"))
                ) AS requests
            FROM attempt_records t LEFT JOIN v USING (journal_id)
            WHERE t.account_id = \(account.id) AND t.accepted_at >= \(period.start) AND t.accepted_at < \(period.end)
                AND t.rating = 'rated'
            """
        ).only()
        return VectorSplit(
            inside: try row.money("inside", account.currency), outside: try row.money("outside", account.currency),
            requestsOutside: try row.decode("requests"))
    }

    private static func inside(_ table: String) -> SQL {
        let columns = "\(table).journal_segment, \(table).journal_offset"
        return "coalesce((\(unescaped: columns)) <= (v.segment, v.byte_offset), false)"
    }

    /// A stored line as reconcile compares it.
    public struct LineRow: Hashable, Sendable {
        public let id: InvoiceLineID
        public let kind: InvoiceLineKind
        public let subscriptionID: SubscriptionID
        public let plan: String
        public let planVersion: Int
        public let model: String?
        public let meter: String?
        public let tier: String?
        public let description: String
        /// Of a credit line.
        public let resultID: ServiceLevelResultID?
        public let periodStart: Timestamp
        public let periodEnd: Timestamp
        /// Nil on lines without a unit price.
        public let quantity: Int64?
        /// In 10⁻¹² of the currency's unit; nil on lines without one.
        public let unitPrice: Int128?
        public let exactAmount: Money
        public let amount: Money
    }

    /// An invoice's stored lines, in order.
    public static func lines(of invoice: StoredInvoice, in tx: Transaction) throws -> [LineRow] {
        try tx.query(
            """
            SELECT line_id, kind, subscription_id, plan, plan_version, model, meter, tier, description,
                service_level_result_id, period_start, period_end, quantity,
                (unit_price * 1000000)::numeric(38, 0) AS picounits_per_unit, exact_amount, amount
            FROM invoice_lines
            WHERE account_id = \(invoice.accountID) AND invoice_id = \(invoice.id) ORDER BY ordinal
            """
        ).map { row in
            LineRow(
                id: try row.decode("line_id"), kind: try row.value("kind"),
                subscriptionID: try row.decode("subscription_id"), plan: try row.decode("plan", as: String?.self) ?? "",
                planVersion: try row.decode("plan_version", as: Int?.self) ?? 0,
                model: try row.decode("model", as: String?.self),
                meter: try row.decode("meter", as: String?.self), tier: try row.decode("tier", as: String?.self),
                description: try row.decode("description"),
                resultID: try row.decode("service_level_result_id", as: ServiceLevelResultID?.self),
                periodStart: try row.decode("period_start"), periodEnd: try row.decode("period_end"),
                quantity: try row.decode("quantity", as: Int64?.self),
                unitPrice: try row.decode("picounits_per_unit", as: Int128?.self),
                exactAmount: try row.money("exact_amount", invoice.currency),
                amount: try row.money("amount", invoice.currency))
        }
    }

    /// Each number series: the next number, how many invoices or credit notes carry one of its numbers, the highest of
    /// them, and how many of them were deleted with their sandbox: those the audit trail knows.
    public static func numberSeries(
        in tx: Transaction
    ) throws -> [(series: String, next: Int64, count: Int64, highest: Int64, deleted: Int64)] {
        let notEmpty = try DeletionStorage.notEmpty(in: tx)
        return try tx.query("SELECT series, next_number FROM number_series ORDER BY series").map { row in
            let series: String = try row.decode("series")
            let there = try InvoiceStorage.numbersOnDocuments(of: series, except: notEmpty, in: tx)
            let gone = try tx.query(
                """
                SELECT count(*) AS count,
                    coalesce(max(substring(e.after->>'number' FROM length(\(series)::text) + 2)::bigint), 0) AS highest
                FROM audit_entries e JOIN deleted_accounts d ON d.account_id = e.account_id
                WHERE e.action = ANY(ARRAY['invoice.finalized', 'credit_note.issued'])
                    AND starts_with(e.after->>'number', \(series + "-"))
                """
            ).only()
            let deleted: Int64 = try gone.decode("count")
            return (
                series, try row.decode("next_number"), there.count + deleted,
                max(there.highest, try gone.decode("highest")), deleted
            )
        }
    }
}
