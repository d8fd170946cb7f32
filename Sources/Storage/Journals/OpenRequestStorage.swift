public import Identity
public import Postgres

/// What is open at a journal's position, by account.
extension JournalStorage {
    /// The oldest open request of each account that has one in this journal.
    public static func openByAccount(_ id: JournalID, in tx: Transaction) throws -> [AccountID: Timestamp] {
        let rows = try tx.query(
            "SELECT account_id, oldest_open_at FROM journal_open_requests WHERE journal_id = \(id)")
        return Dictionary(
            uniqueKeysWithValues: try rows.map { (try $0.decode("account_id"), try $0.decode("oldest_open_at")) })
    }

    /// The account's oldest open request in each journal that has one.
    public static func open(of account: AccountID, in tx: Transaction) throws -> [JournalID: Timestamp] {
        let rows = try tx.query(
            "SELECT journal_id, oldest_open_at FROM journal_open_requests WHERE account_id = \(account)")
        return Dictionary(
            uniqueKeysWithValues: try rows.map { (try $0.decode("journal_id"), try $0.decode("oldest_open_at")) })
    }

    static func storeOpen(
        _ changes: [AccountID: Timestamp?], of journal: JournalID, in tx: Transaction
    ) throws {
        guard !changes.isEmpty else { return }
        var rows = InsertBatch(columns: [
            .init("account_id", "uuid"), .init("journal_id", "uuid"), .init("oldest_open_at", "timestamptz"),
        ])
        var gone: [AccountID] = []
        for (account, oldest) in changes.sorted(by: { $0.key < $1.key }) {
            if let oldest { try rows.append([account, journal, oldest]) } else { gone.append(account) }
        }
        if !rows.isEmpty {
            try tx.execute(
                rows.insert(
                    into: "journal_open_requests",
                    "ON CONFLICT (account_id, journal_id) DO UPDATE SET oldest_open_at = excluded.oldest_open_at"))
        }
        if !gone.isEmpty {
            try tx.execute(
                """
                DELETE FROM journal_open_requests
                WHERE account_id = ANY(\(gone)::uuid[]) AND journal_id = \(journal)
                """)
        }
    }
}
