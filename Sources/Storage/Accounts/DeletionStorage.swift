public import Identity
import Metering
public import Postgres

/// What is left of a deleted account.
public struct Tombstone: Hashable, Sendable {
    public let accountID: AccountID
    public let sandboxID: SandboxID
    /// Real time.
    public let deletedAt: Timestamp
    /// When the last of its rows was gone; nil until then.
    public let emptiedAt: Timestamp?
    /// Requests that came in afterwards, and were dropped.
    public let droppedRequests: Int64
}

/// Deleting sandboxes: first the tombstones, from which moment nothing of the accounts counts any more, then their rows
/// in transactions of bounded size.
public enum DeletionStorage {
    /// Rows that one transaction removes.
    public static let rowsMax = 5_000

    /// The tables of an account's rows, each before those that it refers to; the account itself is last. The audit
    /// trail and its events are not among them: they stay.
    static let tables = [
        "api_keys", "limit_slices", "limit_levels", "limits", "credit_note_lines", "credit_notes",
        "invoice_usage_periods", "ledger_checkpoints", "ledger_closings", "invoice_lines", "invoices",
        "ledger_postings", "ledger_transactions", "service_level_payouts", "service_level_results", "suspense",
        "attempt_records", "request_records", "usage_rollups", "request_rollups", "refusals", "unposted_usage",
        "usage_periods", "billing_periods", "journal_positions", "journal_open_requests", "subscriptions", "projects",
        "tenants", "accounts",
    ]

    /// Says that a locked sandbox is deleted.
    public static func markDeleted(_ id: SandboxID, at instant: Timestamp, in tx: Transaction) throws {
        try tx.execute("UPDATE sandboxes SET deleted_at = \(instant) WHERE sandbox_id = \(id)")
    }

    /// A document of the account with a number of a legal series; nil where there is none.
    public static func legalNumber(of account: AccountID, in tx: Transaction) throws -> String? {
        try tx.query(
            """
            SELECT number FROM invoices WHERE account_id = \(account) AND number NOT LIKE '%TEST-%'
            UNION ALL
            SELECT number FROM credit_notes WHERE account_id = \(account) AND number NOT LIKE '%TEST-%'
            ORDER BY number LIMIT 1
            """
        ).first.map { try $0.decode("number") }
    }

    /// Sets an account's tombstone. The caller holds the account, whose sandbox is marked.
    public static func bury(
        _ account: AccountID, of sandbox: SandboxID, at instant: Timestamp, in tx: Transaction
    ) throws {
        try tx.execute(
            """
            INSERT INTO deleted_accounts (account_id, sandbox_id, deleted_at)
            VALUES (\(account), \(sandbox), \(instant))
            """)
    }

    /// Waits for the transactions of ingest that are running; those that begin afterwards see the tombstones.
    public static func waitForIngest(in tx: Transaction) throws { try JournalStorage.lockAll(in: tx) }

    public static func tombstones(of sandbox: SandboxID, in tx: Transaction) throws -> [Tombstone] {
        try tx.query("\(select) WHERE sandbox_id = \(sandbox) ORDER BY account_id").map(tombstone)
    }

    /// Deleted accounts of which rows are left, of all sandboxes or of one.
    public static func notEmpty(of sandbox: SandboxID? = nil, in tx: Transaction) throws -> [AccountID] {
        try tx.query(
            """
            SELECT account_id FROM deleted_accounts
            WHERE emptied_at IS NULL AND (\(sandbox)::uuid IS NULL OR sandbox_id = \(sandbox)::uuid)
            ORDER BY account_id
            """
        ).decodeAll()
    }

    /// Those of these accounts that were deleted.
    public static func deleted(among accounts: some Collection<AccountID>, in tx: Transaction) throws -> Set<AccountID>
    {
        if accounts.isEmpty { return [] }
        return Set(
            try tx.query(
                "SELECT account_id FROM deleted_accounts WHERE account_id = ANY(\(Array(accounts))::uuid[])"
            ).decodeAll(as: AccountID.self))
    }

    /// All accounts that were ever deleted.
    public static func all(in tx: Transaction) throws -> Set<AccountID> {
        Set(try tx.query("SELECT account_id FROM deleted_accounts").decodeAll(as: AccountID.self))
    }

    /// Removes up to `rowsMax` rows of a deleted account, and the account itself after the last of them. True once
    /// nothing is left. Whoever still works on the account is waited for; afterwards there is none to work on.
    public static func empty(
        _ account: AccountID, rowsMax: Int = rowsMax, at instant: Timestamp, in tx: Transaction
    ) throws -> Bool {
        guard try AccountStorage.lockIfThere(account, in: tx) else {
            try setEmptied(account, at: instant, in: tx)
            return true
        }
        var left = rowsMax
        for table in tables where left > 0 {
            // The same place may be taken in several partitions: all of them are to be emptied.
            left -= try tx.execute(
                """
                DELETE FROM \(unescaped: table) WHERE account_id = \(account) AND ctid = ANY (ARRAY(
                    SELECT ctid FROM \(unescaped: table) WHERE account_id = \(account) LIMIT \(left)
                ))
                """)
        }
        guard left > 0 else { return false }
        try setEmptied(account, at: instant, in: tx)
        return true
    }

    /// Says that nothing is left of a deleted account.
    private static func setEmptied(_ account: AccountID, at instant: Timestamp, in tx: Transaction) throws {
        try tx.execute(
            """
            UPDATE deleted_accounts SET emptied_at = \(instant) WHERE account_id = \(account) AND emptied_at IS NULL
            """)
    }

    static func addDropped(_ counts: [AccountID: Int], in tx: Transaction) throws {
        for (account, count) in counts.sorted(by: { $0.key < $1.key }) {
            try tx.execute(
                """
                UPDATE deleted_accounts SET dropped_requests = dropped_requests + \(count) WHERE account_id = \(account)
                """)
        }
    }

    private static let select: SQL = """
        SELECT account_id, sandbox_id, deleted_at, emptied_at, dropped_requests FROM deleted_accounts
        """

    private static func tombstone(_ row: Row) throws -> Tombstone {
        Tombstone(
            accountID: try row.decode("account_id"), sandboxID: try row.decode("sandbox_id"),
            deletedAt: try row.decode("deleted_at"), emptiedAt: try row.decode("emptied_at"),
            droppedRequests: try row.decode("dropped_requests"))
    }
}

extension IngestBatch {
    /// The batch without what came in of accounts that were deleted, and how many requests of each that is: they are
    /// counted, and hold up nobody. The caller has moved the journal's mark, so that nobody deletes one meanwhile.
    func withoutDeletedAccounts(in tx: Transaction) throws -> (batch: IngestBatch, dropped: [AccountID: Int]) {
        var named = Set(requests.map(\.request.accountID))
        named.formUnion(openChanges.keys)
        named.formUnion(refusals.compactMap(\.accountID))
        let deleted = try DeletionStorage.deleted(among: named, in: tx)
        guard !deleted.isEmpty else { return (self, [:]) }
        var counts: [AccountID: Int] = [:]
        for entry in requests where deleted.contains(entry.request.accountID) {
            counts[entry.request.accountID, default: 0] += 1
        }
        try DeletionStorage.addDropped(counts, in: tx)
        var batch = self
        batch.requests.removeAll { deleted.contains($0.request.accountID) }
        batch.openChanges = batch.openChanges.filter { !deleted.contains($0.key) }
        batch.refusals.removeAll { refusal in refusal.accountID.map { deleted.contains($0) } ?? false }
        return (batch, counts)
    }
}
