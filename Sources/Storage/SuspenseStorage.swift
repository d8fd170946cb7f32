public import Accounts
public import Identity
public import Postgres

/// Usage without a price, or that contradicts itself. It blocks its account's invoice until someone resolves it.
public struct SuspendedUsage: Hashable, Sendable {
    public let accountID: AccountID
    public let attemptID: AttemptID
    public let acceptedAt: Timestamp
    public let periodStart: Timestamp
    /// A stable code, such as `no_price`.
    public let reason: String
    public let detail: String
    public let resolvedAt: Timestamp?
    public let resolution: String?
}

/// What waits in suspense.
public enum SuspenseStorage {
    /// A page in the order of attempt ids.
    public static func list(
        account: AccountID? = nil, unresolvedOnly: Bool = true, _ page: PageRequest = PageRequest(),
        in tx: Transaction
    ) throws -> Page<SuspendedUsage> {
        let rows = try tx.query(
            """
            \(select)
            WHERE record_id > \(page.afterOrZero) AND (\(account)::uuid IS NULL OR account_id = \(account))
                AND (resolved_at IS NULL OR NOT \(unresolvedOnly))
            ORDER BY record_id LIMIT \(page.limitAndOne)
            """)
        return Page(try rows.map(suspended), page)
    }

    /// How much of a period waits; above zero blocks the period's invoice.
    public static func unresolvedCount(
        account: AccountID, period: BillingPeriod, in tx: Transaction
    ) throws -> Int {
        try tx.query(
            """
            SELECT count(*) FROM suspense
            WHERE account_id = \(account) AND resolved_at IS NULL
                AND period_start >= \(period.start) AND period_start < \(period.end)
            """
        ).onlyValue()
    }

    /// Accepts by hand that this usage is not billed, and says why. It stays visible.
    @discardableResult
    public static func resolve(
        account: AccountID, attempt: AttemptID, resolution: String, now: Timestamp, in tx: Transaction
    ) throws -> SuspendedUsage {
        guard !resolution.isEmpty else {
            throw StorageError.invalid(parameter: "resolution", message: "say why this usage is not billed")
        }
        let count = try tx.execute(
            """
            UPDATE suspense SET resolved_at = \(now), resolution = \(resolution)
            WHERE account_id = \(account) AND record_id = \(attempt) AND resolved_at IS NULL
            """)
        let rows = try tx.query("\(select) WHERE account_id = \(account) AND record_id = \(attempt)")
        guard let row = rows.first else { throw StorageError.notFound("suspended attempt \(attempt) of \(account)") }
        guard count == 1 else { throw StorageError.conflict("attempt \(attempt) is resolved already") }
        return try suspended(row)
    }

    private static let select: SQL = """
        SELECT account_id, record_id, accepted_at, period_start, reason, detail, resolved_at, resolution FROM suspense
        """

    private static func suspended(_ row: Row) throws -> SuspendedUsage {
        SuspendedUsage(
            accountID: try row.decode("account_id"), attemptID: try row.decode("record_id"),
            acceptedAt: try row.decode("accepted_at"), periodStart: try row.decode("period_start"),
            reason: try row.decode("reason"), detail: try row.decode("detail"),
            resolvedAt: try row.decode("resolved_at"), resolution: try row.decode("resolution"))
    }
}
