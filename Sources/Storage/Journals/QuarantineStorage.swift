public import Identity
public import Postgres

/// Bytes of a journal that could not be read, or a record of it that could not be stored.
public struct StoredQuarantine: Hashable, Sendable {
    public let journalID: JournalID
    public let mark: JournalPosition
    public let length: Int64
    public let reason: String
    public let foundAt: Timestamp
    /// Whose usage it holds; nil where nobody can say.
    public let accountID: AccountID?
    /// When someone said that nothing is missing because of it, or that what is missing is given up.
    public let releasedAt: Timestamp?
    public let releasedBy: String?
    public let releaseReason: String?

    public init(
        journalID: JournalID, mark: JournalPosition, length: Int64, reason: String, foundAt: Timestamp,
        accountID: AccountID? = nil, releasedAt: Timestamp? = nil, releasedBy: String? = nil,
        releaseReason: String? = nil
    ) {
        self.journalID = journalID
        self.mark = mark
        self.length = length
        self.reason = reason
        self.foundAt = foundAt
        self.accountID = accountID
        self.releasedAt = releasedAt
        self.releasedBy = releasedBy
        self.releaseReason = releaseReason
    }
}

/// Places of journals that could not be read. Each holds the invoices of the accounts that it could concern until
/// someone releases it, with a reason.
public enum QuarantineStorage {
    /// Stores places that were found; those that are known stay as they are.
    static func insert(_ quarantines: [StoredQuarantine], in tx: Transaction) throws {
        for range in quarantines {
            try tx.execute(
                """
                INSERT INTO journal_quarantines (
                    journal_id, segment, byte_offset, length, reason, found_at, account_id, released_at, released_by,
                    release_reason
                ) VALUES (
                    \(range.journalID), \(range.mark.segment), \(range.mark.offset), \(range.length), \(range.reason),
                    \(range.foundAt), \(range.accountID), \(range.releasedAt), \(range.releasedBy),
                    \(range.releaseReason)
                )
                ON CONFLICT DO NOTHING
                """)
        }
    }

    /// All of a journal or of every one, at most `PageRequest.limitMax`.
    public static func list(
        journal: JournalID? = nil, unreleasedOnly: Bool = false, in tx: Transaction
    ) throws -> [StoredQuarantine] {
        try tx.query(
            """
            \(select)
            WHERE (\(journal)::uuid IS NULL OR journal_id = \(journal))
                AND (released_at IS NULL OR NOT \(unreleasedOnly))
            ORDER BY journal_id, segment, byte_offset LIMIT \(PageRequest.limitMax)
            """
        ).map(quarantine)
    }

    /// What nobody released and could hold usage of the account: what names it, and what names nobody where a
    /// subscription of the account had begun when it was found and had not ended before its journal was there. A test
    /// clock only moves ahead, so its offset of today holds too much rather than too little.
    public static func holding(_ account: AccountID, in tx: Transaction) throws -> [StoredQuarantine] {
        // The account's rows and the journals' may be on different nodes: no statement joins them.
        let spans = try tx.query(
            """
            SELECT s.starts_at - a.clock_offset_ms * interval '1 millisecond' AS begins,
                s.ends_at + interval '1 minute' AS ends
            FROM subscriptions s JOIN accounts a USING (account_id) WHERE s.account_id = \(account)
            """
        ).map {
            (begins: try $0.decode("begins", as: Timestamp.self), ends: try $0.decode("ends", as: Timestamp?.self))
        }
        return try tx.query(
            """
            \(select) q
            WHERE released_at IS NULL AND (
                account_id = \(account) OR account_id IS NULL AND EXISTS (
                    SELECT 1 FROM journals j, unnest(
                        \(spans.map(\.begins))::timestamptz[], \(spans.map(\.ends))::timestamptz[]
                    ) AS s(begins, ends)
                    WHERE j.journal_id = q.journal_id AND s.begins <= q.found_at
                        AND (s.ends IS NULL OR s.ends >= j.registered_at)
                )
            )
            ORDER BY journal_id, segment, byte_offset LIMIT \(PageRequest.limitMax)
            """
        ).map(quarantine)
    }

    /// Says that someone looked: of one place, or of all places of a journal. Returns how many were held.
    @discardableResult
    public static func release(
        _ journal: JournalID, at mark: JournalPosition?, reason: String, actor: String, now: Timestamp,
        in tx: Transaction
    ) throws -> Int {
        guard reason.contains(where: { !$0.isWhitespace }) else {
            throw StorageError.invalid(parameter: "reason", message: "say what was found: it stays with the journal")
        }
        let place: SQL = mark.map { "AND segment = \($0.segment) AND byte_offset = \($0.offset)" } ?? ""
        let count = try tx.execute(
            """
            UPDATE journal_quarantines SET released_at = \(now), released_by = \(actor), release_reason = \(reason)
            WHERE journal_id = \(journal) AND released_at IS NULL \(place)
            """)
        if count == 0 {
            _ = try JournalStorage.require(journal, in: tx)
            let text = mark.map { " at \($0)" } ?? ""
            throw StorageError.notFound("damaged place\(text) of journal \(journal) that is not released")
        }
        return count
    }

    private static let select: SQL = """
        SELECT journal_id, segment, byte_offset, length, reason, found_at, account_id, released_at, released_by,
            release_reason
        FROM journal_quarantines
        """

    private static func quarantine(_ row: Row) throws -> StoredQuarantine {
        StoredQuarantine(
            journalID: try row.decode("journal_id"),
            mark: JournalPosition(segment: try row.decode("segment"), offset: try row.decode("byte_offset")),
            length: try row.decode("length"), reason: try row.decode("reason"), foundAt: try row.decode("found_at"),
            accountID: try row.decode("account_id"), releasedAt: try row.decode("released_at"),
            releasedBy: try row.decode("released_by"), releaseReason: try row.decode("release_reason"))
    }
}
