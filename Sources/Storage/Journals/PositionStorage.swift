public import Identity
public import Postgres

/// How far each journal was ingested when it last held something of an account. It is one of the account's own rows
/// and moves with its records, so that both are seen together wherever they are: all of the account's records up to
/// there are in, and none behind it.
public enum PositionStorage {
    static func move(by batch: IngestBatch, in tx: Transaction) throws {
        var accounts = Set(batch.requests.map(\.request.accountID))
        accounts.formUnion(batch.openChanges.keys)
        guard !accounts.isEmpty else { return }
        var rows = InsertBatch(columns: [
            .init("account_id", "uuid"), .init("journal_id", "uuid"), .init("segment", "bigint"),
            .init("byte_offset", "bigint"),
        ])
        for account in accounts.sorted() {
            try rows.append([account, batch.journalID, batch.to.segment, batch.to.offset])
        }
        try tx.execute(
            rows.insert(
                into: "journal_positions",
                """
                ON CONFLICT (account_id, journal_id) DO UPDATE SET segment = excluded.segment,
                    byte_offset = excluded.byte_offset
                """))
    }

    static func positions(of account: AccountID, in tx: Transaction) throws -> [JournalID: JournalPosition] {
        let rows = try tx.query(
            """
            SELECT journal_id, segment, byte_offset FROM journal_positions
            WHERE account_id = \(account) AND segment > 0
            """)
        var marks: [JournalID: JournalPosition] = [:]
        for row in rows {
            marks[try row.decode("journal_id")] = JournalPosition(
                segment: try row.decode("segment"), offset: try row.decode("byte_offset"))
        }
        return marks
    }

    /// Waits until what ingest of these journals committed for the account is in the account's own rows: between nodes
    /// a commit takes a moment, and longer when one of them is away. Commit it before the account's rows are read.
    public static func settle(
        _ account: AccountID, _ journals: [RegisteredJournal], in tx: Transaction
    ) throws {
        for journal in journals.sorted(by: { $0.id < $1.id }) {
            try tx.execute(
                """
                INSERT INTO journal_positions (account_id, journal_id, segment, byte_offset)
                VALUES (\(account), \(journal.id), 0, 0)
                ON CONFLICT (account_id, journal_id) DO UPDATE SET segment = journal_positions.segment
                """)
        }
    }
}
