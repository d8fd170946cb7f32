public import Accounts
public import Identity
import Metering
import Monetary
public import Postgres

/// What waits in suspense.
public enum SuspenseStorage {
    /// A page in the order of attempt ids.
    public static func list(
        _ filter: SuspenseFilter = SuspenseFilter(), unresolvedOnly: Bool = true, _ page: PageRequest = PageRequest(),
        in tx: Transaction
    ) throws -> Page<SuspendedUsage> {
        let rows = try tx.query(
            """
            \(select)
            WHERE s.record_id > \(page.afterOrZero) AND (s.resolved_at IS NULL OR NOT \(unresolvedOnly))
                \(conditions(filter))
            ORDER BY s.record_id LIMIT \(page.limitAndOne)
            """)
        return Page(try rows.map(suspended), page)
    }

    /// The accounts for which some of it waits, by id.
    public static func accounts(_ filter: SuspenseFilter, in tx: Transaction) throws -> [AccountID] {
        try tx.query(
            """
            SELECT DISTINCT s.account_id \(tables) WHERE s.resolved_at IS NULL \(conditions(filter))
            ORDER BY s.account_id
            """
        ).decodeAll()
    }

    /// How much of a period waits; above zero blocks the period's invoice.
    public static func unresolvedCount(
        account: AccountID, period: BillingPeriod, in tx: Transaction
    ) throws -> Int {
        try unresolvedByReason(account: account, period: period, in: tx).values.reduce(0) { $0 + Int($1) }
    }

    /// The same, by stable code.
    public static func unresolvedByReason(
        account: AccountID, period: BillingPeriod, in tx: Transaction
    ) throws -> [String: Int64] {
        try counts(
            tx.query(
                """
                SELECT reason, count(*) AS count FROM suspense
                WHERE account_id = \(account) AND resolved_at IS NULL
                    AND period_start >= \(period.start) AND period_start < \(period.end)
                GROUP BY reason
                """))
    }

    /// How much waits of accounts of a mode, by stable code. An account that nobody knows is taken for one that pays.
    public struct Waiting: Hashable, Sendable {
        public let mode: AccountMode
        public let reason: String
        public let count: Int64
    }

    /// All that waits.
    public static func waiting(in tx: Transaction) throws -> [Waiting] {
        try tx.query(
            """
            SELECT coalesce(a.mode, 'live') AS mode, s.reason, count(*) AS count
            FROM suspense s LEFT JOIN accounts a ON a.account_id = s.account_id
            WHERE s.resolved_at IS NULL GROUP BY coalesce(a.mode, 'live'), s.reason ORDER BY 1, 2
            """
        ).map { row in
            Waiting(
                mode: try row.value("mode"), reason: try row.decode("reason"), count: try row.decode("count"))
        }
    }

    private static func counts(_ rows: Rows) throws -> [String: Int64] {
        var counts: [String: Int64] = [:]
        for row in rows { counts[try row.decode("reason")] = try row.decode("count", as: Int64.self) }
        return counts
    }

    /// What waits in suspense, or was in it; `.notFound` where it never was.
    public static func require(
        _ attempt: AttemptID, of account: AccountID, in tx: Transaction
    ) throws -> SuspendedUsage {
        let rows = try tx.query("\(select) WHERE s.account_id = \(account) AND s.record_id = \(attempt)")
        guard let row = rows.first else { throw StorageError.notFound("suspended attempt \(attempt) of \(account)") }
        return try suspended(row)
    }

    /// How much waits of accounts that the database does not know: made after the dump that it was restored from.
    public static func waitingOfUnknownAccounts(in tx: Transaction) throws -> Int64 {
        try tx.query(
            """
            SELECT count(*) FROM suspense s LEFT JOIN accounts a USING (account_id)
            WHERE s.resolved_at IS NULL AND a.account_id IS NULL
            """
        ).onlyValue()
    }

    /// Accepts that these attempts of an account are not billed; returns how many were waiting. The caller holds the
    /// account.
    public static func waive(
        account: AccountID, attempts: [AttemptID], reason: String, actor: String, now: Timestamp, in tx: Transaction
    ) throws -> Int {
        try tx.execute(
            """
            UPDATE suspense SET resolved_at = \(now), resolution = \(reason), resolved_by = \(actor), outcome = 'waived'
            WHERE account_id = \(account) AND record_id = ANY(\(attempts)::uuid[]) AND resolved_at IS NULL
            """)
    }

    /// Stores what rating made of attempts of one account that were in suspense: their amounts, the rollups, and how
    /// they came out of it. The caller holds the account.
    public static func storeRated(
        _ attempts: [(request: IngestRequest, attempt: IngestAttempt)], reason: String, actor: String, now: Timestamp,
        in tx: Transaction
    ) throws {
        for (request, attempt) in attempts {
            assert(attempt.rating == .rated || attempt.rating == .waived, "only what has a price leaves suspense so")
            let (account, accepted, id) = (request.request.accountID, request.request.acceptedAt, attempt.record.id)
            let updated = try tx.execute(
                """
                UPDATE attempt_records SET rating = \(attempt.rating.rawValue), plan = \(attempt.plan),
                    plan_version = \(attempt.planVersion), tier = \(attempt.tier), price_variant = \(attempt.variant),
                    amount = \(attempt.amount),
                    currency = \(attempt.amount.currency)
                WHERE account_id = \(account) AND accepted_at = \(accepted) AND record_id = \(id)
                    AND rating = 'suspended'
                """)
            let released = try tx.execute(
                """
                UPDATE suspense SET resolved_at = \(now), resolution = \(reason), resolved_by = \(actor),
                    outcome = 'rated', period_start = \(request.periodStart), plan = \(attempt.plan),
                    plan_version = \(attempt.planVersion)
                WHERE account_id = \(account) AND record_id = \(id) AND resolved_at IS NULL
                """)
            guard updated == 1, released == 1 else { throw StorageError.conflict("attempt \(id) is resolved already") }
        }
        try PeriodStorage.keep(monthsOf: attempts.map(\.request), in: tx)
        try RollupStorage.add(attempts: attempts.map { ($0.request, $0.attempt) }, in: tx)
    }

    /// Puts the account's requests that were counted by UTC, because its own calendar was not known when they were
    /// stored, under its own hours and months. The caller holds the account.
    public static func moveRequestsCountedByUTC(
        of account: Account, because usage: [SuspendedUsage], in tx: Transaction
    ) throws {
        guard usage.contains(where: { UnknownTerms(rawValue: $0.reason)?.isOfCalendar == true }) else { return }
        try RollupStorage.moveRequestsCountedByUTC(of: account, in: tx)
    }

    /// The same where no usage of the period waited, because all its requests failed. The caller holds the account, and
    /// the period's month is kept.
    public static func moveRequestsCountedByUTC(of account: Account, in period: BillingPeriod, in tx: Transaction)
        throws
    {
        // UTC's month begins at most a day before or after the account's own.
        let day: Int64 = 86_400_000
        let span = BillingPeriod(
            start: period.start.advanced(byMilliseconds: -day), end: period.end.advanced(byMilliseconds: day))
        guard try RollupStorage.countsStrayRequests(of: account.id, in: span, in: tx) else { return }
        try RollupStorage.moveRequestsCountedByUTC(of: AccountStorage.require(account.id, in: tx), in: tx)
    }

    /// Why an attempt was in suspense, and the version by which it was rated when it left; nil where it was not.
    public struct Standing: Hashable, Sendable {
        public let reason: String
        public let plan: String?
        public let planVersion: Int?
        /// Nil while it waits.
        public let outcome: SuspenseOutcome?
    }

    /// Every attempt of the account that was ever in suspense.
    public static func standings(of account: AccountID, in tx: Transaction) throws -> [AttemptID: Standing] {
        var standings: [AttemptID: Standing] = [:]
        let rows = try tx.query(
            "SELECT record_id, plan, plan_version, reason, outcome FROM suspense WHERE account_id = \(account)")
        for row in rows {
            standings[try row.decode("record_id")] = Standing(
                reason: try row.decode("reason"), plan: try row.decode("plan"),
                planVersion: try row.decode("plan_version"), outcome: try outcome(row))
        }
        return standings
    }

    // MARK: statements

    private static func conditions(_ filter: SuspenseFilter) -> SQL {
        var sql: SQL = ""
        if let account = filter.account { sql += "AND s.account_id = \(account) " }
        sql += AccountStorage.rowsOfAccounts(filter.mode, named: "s.account_id")
        if let attempts = filter.attempts { sql += "AND s.record_id = ANY(\(attempts)::uuid[]) " }
        if let reason = filter.reason { sql += "AND s.reason = \(reason) " }
        if let model = filter.model { sql += "AND r.model = \(model) " }
        if let priceKey = filter.priceKey { sql += "AND t.price_key = \(priceKey) " }
        if let from = filter.from { sql += "AND s.accepted_at >= \(from) " }
        if let to = filter.to { sql += "AND s.accepted_at < \(to) " }
        return sql
    }

    private static let tables: SQL = """
        FROM suspense s
        LEFT JOIN attempt_records t ON t.account_id = s.account_id AND t.accepted_at = s.accepted_at
            AND t.record_id = s.record_id
        LEFT JOIN request_records r ON r.account_id = t.account_id AND r.accepted_at = t.accepted_at
            AND r.record_id = t.request_id
        """

    private static let select: SQL = """
        SELECT s.account_id, s.record_id, s.accepted_at, s.period_start, s.reason, s.detail, s.resolved_at,
            s.resolution, s.outcome, s.resolved_by, s.plan, s.plan_version, t.request_id, t.price_key, r.model
        \(tables)
        """

    private static func suspended(_ row: Row) throws -> SuspendedUsage {
        SuspendedUsage(
            accountID: try row.decode("account_id"), attemptID: try row.decode("record_id"),
            requestID: try row.decode("request_id"), acceptedAt: try row.decode("accepted_at"),
            periodStart: try row.decode("period_start"), reason: try row.decode("reason"),
            detail: try row.decode("detail"), model: try row.decode("model"), priceKey: try row.decode("price_key"),
            resolvedAt: try row.decode("resolved_at"),
            outcome: try outcome(row),
            resolution: try row.decode("resolution"), resolvedBy: try row.decode("resolved_by"),
            plan: try row.decode("plan"), planVersion: try row.decode("plan_version"))
    }

    private static func outcome(_ row: Row) throws -> SuspenseOutcome? {
        try row.decode("outcome", as: String?.self) == nil ? nil : try row.value("outcome")
    }
}
