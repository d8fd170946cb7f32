public import Accounts
public import Identity
public import Ledger
public import Monetary
public import Postgres

/// Closed periods of accounts' books, and the balances at their ends. Nothing is booked in a closed period any more, so
/// a balance is that at the end of the newest one and what was booked since.
public enum ClosingStorage {
    /// The last local day of the newest closed period; nil where none is.
    public static func closedThrough(of account: AccountID, in tx: Transaction) throws -> CivilDate? {
        try tx.query("SELECT max(last_day) FROM ledger_closings WHERE account_id = \(account)").onlyValue()
    }

    /// What is closed, for something that is booked at an instant of billing time.
    public static func bookingDays(
        of account: Account, at instant: Timestamp, in tx: Transaction
    ) throws -> BookingDays {
        BookingDays(
            closedThrough: try closedThrough(of: account.id, in: tx), today: account.calendar.day(of: instant))
    }

    /// Closes an account's books up to a day, because an invoice became final, and keeps the balances. Nothing happens
    /// where they are closed that far. The caller holds the account.
    public static func close(
        _ account: AccountID, through day: CivilDate, by invoice: InvoiceID, at instant: Timestamp, in tx: Transaction
    ) throws {
        let before = try closedThrough(of: account, in: tx)
        if let before, before >= day { return }
        try tx.execute(
            """
            INSERT INTO ledger_closings (account_id, last_day, invoice_id, closed_at)
            VALUES (\(account), \(day), \(invoice), \(instant))
            """)
        try tx.execute(
            """
            INSERT INTO ledger_checkpoints (account_id, last_day, ledger_account, balance)
            SELECT \(account)::uuid, \(day)::date, ledger_account, sum(amount)
            FROM (\(movements(of: account, after: before, through: day))) m GROUP BY ledger_account
            """)
    }

    /// Opens again what an invoice closed, because it is void now. The caller holds the account.
    public static func reopen(closedBy invoice: InvoiceID, of account: AccountID, in tx: Transaction) throws {
        try tx.execute("DELETE FROM ledger_closings WHERE account_id = \(account) AND invoice_id = \(invoice)")
    }

    /// Amounts by ledger account that sum to the balances at the end of `through` (now, where it is nil): those at the
    /// end of the closed day `before`, and everything booked after it.
    static func movements(of account: AccountID, after before: CivilDate?, through: CivilDate?) -> SQL {
        """
        SELECT ledger_account, balance AS amount FROM ledger_checkpoints
        WHERE account_id = \(account) AND last_day = \(before)
        UNION ALL
        SELECT p.ledger_account, p.amount
        FROM ledger_transactions t JOIN ledger_postings p USING (account_id, transaction_id)
        WHERE t.account_id = \(account) AND t.booked_on > coalesce(\(before)::date, '-infinity')
            AND t.booked_on <= coalesce(\(through)::date, 'infinity')
        """
    }

    /// A kept balance that is not what was booked sums to.
    public struct Difference: Hashable, Sendable {
        public let lastDay: CivilDate
        public let ledgerAccount: String
        public let kept: Money
        public let booked: Money
    }

    /// Kept balances that are wrong. Each is held against the one before it and what was booked in between, so all of
    /// them against everything; with days, only those that end within them.
    public static func differences(
        of account: Account, days: ClosedRange<CivilDate>? = nil, in tx: Transaction
    ) throws -> [Difference] {
        let closings: [CivilDate] = try tx.query(
            """
            SELECT last_day FROM ledger_closings
            WHERE account_id = \(account.id) AND last_day <= coalesce(\(days?.upperBound)::date, 'infinity')
                AND last_day >= coalesce(
                    (
                        SELECT max(last_day) FROM ledger_closings
                        WHERE account_id = \(account.id) AND last_day < \(days?.lowerBound)::date
                    ), '-infinity')
            ORDER BY last_day
            """
        ).decodeAll()
        var differences: [Difference] = []
        for (index, day) in closings.enumerated() where days.map({ $0.contains(day) }) ?? true {
            let before = index == 0 ? nil : closings[index - 1]
            let rows = try tx.query(
                """
                SELECT ledger_account, coalesce(kept.amount, 0)::numeric(38, 12) AS kept,
                    coalesce(booked.amount, 0)::numeric(38, 12) AS booked
                FROM (
                    SELECT ledger_account, balance AS amount FROM ledger_checkpoints
                    WHERE account_id = \(account.id) AND last_day = \(day)
                ) kept FULL JOIN (
                    SELECT ledger_account, sum(amount) AS amount
                    FROM (\(movements(of: account.id, after: before, through: day))) m GROUP BY ledger_account
                ) booked USING (ledger_account)
                WHERE coalesce(kept.amount, 0) <> coalesce(booked.amount, 0) ORDER BY ledger_account
                """)
            for row in rows {
                differences.append(
                    Difference(
                        lastDay: day, ledgerAccount: try row.decode("ledger_account"),
                        kept: try row.money("kept", account.currency),
                        booked: try row.money("booked", account.currency)))
            }
        }
        return differences
    }
}
