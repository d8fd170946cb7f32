public import Accounts
public import Identity
public import Ledger
public import Postgres

/// Usage that the ledger has still to be told of. Triggers mark every change of the rollups in the transaction that
/// makes it; who books takes the marks away in the transaction that books.
public enum UnpostedStorage {
    /// The accounts with usage that is not posted, by id.
    public static func accounts(in tx: Transaction) throws -> [AccountID] {
        try tx.query("SELECT DISTINCT account_id FROM unposted_usage ORDER BY account_id").decodeAll()
    }

    /// The local days of usage that waits to be booked, by model, and is of no earlier hour than that of an instant.
    public static func days(
        of account: Account, since instant: Timestamp, in tx: Transaction
    ) throws -> [String: Set<CivilDate>] {
        let rows = try tx.query(
            """
            SELECT DISTINCT model, (hour_start AT TIME ZONE \(account.calendar.zoneName))::date AS day
            FROM unposted_usage
            WHERE account_id = \(account.id) AND hour_start > \(instant)::timestamptz - interval '1 hour'
            """)
        var days: [String: Set<CivilDate>] = [:]
        for row in rows { days[try row.decode("model"), default: []].insert(try row.decode("day")) }
        return days
    }

    /// Takes the marks of a deleted account away: nothing of it is booked any more.
    public static func forget(_ account: AccountID, in tx: Transaction) throws {
        try tx.execute("DELETE FROM unposted_usage WHERE account_id = \(account)")
    }

    /// Takes the account's marks away and returns what is not booked of the local days that they are about. The months
    /// of these days are open from now on (`UsagePeriodStorage`).
    ///
    /// All of it is one statement, so it sees the usage of just the marks that it removes: what is marked meanwhile
    /// stays for the next pass.
    public static func take(of account: Account, in tx: Transaction) throws -> [Accrual] {
        let zone = account.calendar.zoneName
        return try tx.query(
            """
            WITH marks AS (
                DELETE FROM unposted_usage WHERE account_id = \(account.id) RETURNING period_start, hour_start, model
            ), periods AS (
                INSERT INTO usage_periods (account_id, period_start, version)
                SELECT DISTINCT \(account.id)::uuid, period_start, 1 FROM marks
                ON CONFLICT (account_id, period_start) DO UPDATE SET version = usage_periods.version + 1
            ), days AS (
                SELECT DISTINCT model, (hour_start AT TIME ZONE \(zone))::date AS day FROM marks
            )
            SELECT d.model, d.day, r.amount AS rated, b.amount AS booked,
                b.revisions
            FROM days d CROSS JOIN LATERAL (
                SELECT coalesce(sum(u.amount), 0)::numeric(38, 12) AS amount FROM usage_rollups u
                WHERE u.account_id = \(account.id) AND u.model = d.model AND \(LocalDays.hours("u", of: "d", zone))
            ) r CROSS JOIN LATERAL (
                SELECT coalesce(sum(p.amount), 0)::numeric(38, 12) AS amount,
                    coalesce(max(t.revision), 0) AS revisions
                FROM ledger_transactions t JOIN ledger_postings p USING (account_id, transaction_id)
                WHERE t.account_id = \(account.id) AND t.kind = \(TransactionKind.accrual.rawValue)
                    AND t.product = \(LedgerSubject.usagePrefix) || d.model AND t.day = d.day
                    AND p.ledger_account = \(LedgerAccount.unbilledReceivables.rawValue)
            ) b
            WHERE r.amount <> b.amount ORDER BY model, day
            """
        ).map { try LedgerStorage.accrual($0, of: account) }
    }
}

/// Local days as spans of hours that an index finds.
enum LocalDays {
    /// Whether the hours of a rollup lie in the column `day` of a row. Where clocks change about midnight, the day's
    /// own hours may begin before what Postgres makes of its midnight: clocks are put back or on by three hours at
    /// most.
    static func hours(_ rollup: String, of row: String, _ zone: String) -> SQL {
        """
        \(unescaped: rollup).hour_start >= \(unescaped: row).day::timestamp AT TIME ZONE \(zone) - interval '3 hours'
            AND \(unescaped: rollup).hour_start
                < (\(unescaped: row).day + 1)::timestamp AT TIME ZONE \(zone) + interval '3 hours'
            AND (\(unescaped: rollup).hour_start AT TIME ZONE \(zone))::date = \(unescaped: row).day
        """
    }

    /// The same for a range of days; everything where there is none.
    static func hours(_ rollup: String, in days: ClosedRange<CivilDate>?, _ zone: String) -> SQL {
        guard let days else { return "true" }
        return """
            \(unescaped: rollup).hour_start
                >= \(days.lowerBound)::date::timestamp AT TIME ZONE \(zone) - interval '3 hours'
                AND \(unescaped: rollup).hour_start
                    < (\(days.upperBound)::date + 1)::timestamp AT TIME ZONE \(zone) + interval '3 hours'
                AND (\(unescaped: rollup).hour_start AT TIME ZONE \(zone))::date
                    BETWEEN \(days.lowerBound)::date AND \(days.upperBound)::date
            """
    }
}
