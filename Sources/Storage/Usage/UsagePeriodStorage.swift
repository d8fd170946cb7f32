public import Identity
public import Postgres

/// A month whose usage changed since a final invoice last took all of it.
public struct OpenUsagePeriod: Hashable, Sendable {
    public let start: Timestamp
    /// How often its usage had changed when it was read; 0 where that is still to be posted.
    public let version: Int64
}

/// Which months of usage invoices have still to look at. What a final invoice took in is settled; usage that comes
/// later, and the invoice being made void, open its months again.
public enum UsagePeriodStorage {
    /// The open months of the account that begin before `end`, those among them whose usage is not posted yet.
    public static func open(
        of account: AccountID, before end: Timestamp, in tx: Transaction
    ) throws -> [OpenUsagePeriod] {
        try tx.query(
            """
            SELECT period_start, max(version) AS version FROM (
                SELECT period_start, version FROM usage_periods
                WHERE account_id = \(account) AND period_start < \(end) AND settled_version < version
                UNION ALL
                SELECT DISTINCT period_start, 0::bigint FROM unposted_usage
                WHERE account_id = \(account) AND period_start < \(end)
            ) p GROUP BY period_start ORDER BY period_start
            """
        ).map { OpenUsagePeriod(start: try $0.decode("period_start"), version: try $0.decode("version")) }
    }

    /// Says what a draft takes in: these months, as they are. In the place of what was said of it before.
    public static func store(
        _ periods: [OpenUsagePeriod], takenInBy draft: InvoiceID, of account: AccountID, in tx: Transaction
    ) throws {
        try tx.execute(
            "DELETE FROM invoice_usage_periods WHERE account_id = \(account) AND invoice_id = \(draft)")
        try tx.execute(
            """
            INSERT INTO invoice_usage_periods (account_id, invoice_id, period_start, version)
            SELECT \(account)::uuid, \(draft)::uuid, p.period_start, p.version
            FROM unnest(\(periods.map(\.start))::timestamptz[], \(periods.map(\.version))::bigint[])
                AS p(period_start, version)
            """)
    }

    /// The draft became final: what it took in is settled.
    public static func settle(by invoice: InvoiceID, of account: AccountID, in tx: Transaction) throws {
        try tx.execute(
            """
            UPDATE usage_periods p SET settled_version = greatest(p.settled_version, i.version)
            FROM invoice_usage_periods i
            WHERE p.account_id = \(account) AND i.account_id = p.account_id AND i.invoice_id = \(invoice)
                AND i.period_start = p.period_start
            """)
    }

    /// The invoice is void: what it took in is open again.
    public static func reopen(takenInBy invoice: InvoiceID, of account: AccountID, in tx: Transaction) throws {
        try tx.execute(
            """
            UPDATE usage_periods p SET settled_version = 0
            FROM invoice_usage_periods i
            WHERE p.account_id = \(account) AND i.account_id = p.account_id AND i.invoice_id = \(invoice)
                AND i.period_start = p.period_start
            """)
    }
}
