public import Identity
public import Postgres

/// A gateway's journal and how far it is ingested.
public struct RegisteredJournal: Hashable, Sendable, Identifiable {
    public let id: JournalID
    /// The gateway's name.
    public let gateway: String
    public let epoch: Int64
    public let mark: JournalPosition
    /// Real time of the last heartbeat inside the mark.
    public let ingestedThrough: Timestamp?
    /// Real time at which the mark last moved; nil where it did not since an earlier release.
    public let markMovedAt: Timestamp?
    /// Real time at which a gateway last said that it lives, where another process ingests its journal.
    public let announcedAt: Timestamp?
    /// The newest change that the gateway had applied by then.
    public let snapshotChange: Int64
    /// Billing time of acceptance of the oldest request that is open at the mark.
    public let oldestOpenAt: Timestamp?
    /// Whether what is open is known by account, so that `oldestOpenAt` holds nobody else's month.
    public let opensByAccount: Bool
    public let registeredAt: Timestamp
    public let retiredAt: Timestamp?
    public let retiredReason: String?

    /// How long a gateway that lives is never silent: six of its heartbeats.
    public static let silenceMillisecondsMin: Int64 = 60_000

    /// The last sign of life (the mark moved, its gateway said so, or it was registered), where that is not long enough
    /// ago to think the gateway gone. Heartbeats of a backlog are old, but whoever works it off is alive.
    func signOfLife(at now: Timestamp) -> Timestamp? {
        let signs = [markMovedAt, ingestedThrough, announcedAt].compactMap { $0 }
        let last = signs.reduce(registeredAt) { max($0, $1) }
        return last > now.advanced(byMilliseconds: -Self.silenceMillisecondsMin) ? last : nil
    }
}

/// The journals of all gateways. Ingest moves their marks; see `IngestStorage`.
public enum JournalStorage {
    /// Makes a journal known, or begins its next epoch; returns the mark from which to ingest.
    public static func register(
        _ id: JournalID, gateway: String, epoch: Int64, now: Timestamp, in tx: Transaction
    ) throws -> RegisteredJournal {
        try shareNewJournals(in: tx)
        try tx.execute(
            """
            INSERT INTO journals (journal_id, gateway, epoch, registered_at)
            VALUES (\(id), \(gateway), \(epoch), \(now))
            ON CONFLICT (journal_id) DO UPDATE SET epoch = excluded.epoch, gateway = excluded.gateway
            WHERE journals.epoch < excluded.epoch AND journals.retired_at IS NULL
            """)
        let journal = try living(id, in: tx)
        guard journal.epoch == epoch else {
            throw StorageError.conflict(
                "journal \(id) is in epoch \(journal.epoch), this process opened it in epoch \(epoch): another gateway "
                    + "works on a newer copy of this directory")
        }
        return journal
    }

    /// Says that a gateway lives whose journal another process ingests, and makes the journal known, so that no month
    /// closes without it. Its epoch is for its ingester to move. `process` is the gateway's, which takes the journal
    /// over with its first word (`isFirst`). Refused where the journal was retired, or another process has taken it
    /// over: one of the two works on a copy of the directory. Returns how far the journal is ingested.
    public static func announce(
        _ id: JournalID, gateway: String, epoch: Int64, by process: UUIDv7, isFirst: Bool, now: Timestamp,
        in tx: Transaction
    ) throws -> JournalPosition {
        try shareNewJournals(in: tx)
        let row = try tx.query(
            """
            INSERT INTO journals (journal_id, gateway, epoch, registered_at, announced_at, announced_by)
            VALUES (\(id), \(gateway), \(epoch), \(now), \(now), \(process))
            ON CONFLICT (journal_id) DO UPDATE
            SET announced_at = excluded.announced_at, announced_by = excluded.announced_by
            WHERE journals.retired_at IS NULL AND (\(isFirst) OR journals.announced_by = excluded.announced_by)
            RETURNING segment, byte_offset
            """
        ).first
        if let row { return JournalPosition(segment: try row.decode("segment"), offset: try row.decode("byte_offset")) }
        _ = try living(id, in: tx)
        throw StorageError.conflict(
            "journal \(id) is written by another process that began later: one of the two works on a copy of the "
                + "directory. Give each gateway a directory of its own")
    }

    /// The journal, if it was not retired.
    private static func living(_ id: JournalID, in tx: Transaction) throws -> RegisteredJournal {
        let journal = try require(id, in: tx)
        guard journal.retiredAt == nil else {
            throw StorageError.conflict(
                "journal \(id) was retired (\(journal.retiredReason ?? "")): its gateway must begin a new one in an "
                    + "empty directory")
        }
        return journal
    }

    /// Held by whoever makes a journal known, so that `lockAll` misses none.
    private static func shareNewJournals(in tx: Transaction) throws {
        _ = try tx.query("SELECT pg_advisory_xact_lock_shared(hashtext('tollgate.journals'))")
    }

    /// Waits for the transactions of ingest that are running, of every journal, and lets the next ones begin after this
    /// one is committed.
    static func lockAll(in tx: Transaction) throws {
        _ = try tx.query("SELECT pg_advisory_xact_lock(hashtext('tollgate.journals'))")
        _ = try tx.query("SELECT 1 FROM journals WHERE retired_at IS NULL ORDER BY journal_id FOR UPDATE")
    }

    /// The journal, or nil.
    public static func find(_ id: JournalID, in tx: Transaction) throws -> RegisteredJournal? {
        try tx.query("\(select) WHERE journal_id = \(id)").first.map(journal)
    }

    /// The journal; `.notFound` when there is none.
    public static func require(_ id: JournalID, in tx: Transaction) throws -> RegisteredJournal {
        guard let journal = try find(id, in: tx) else { throw StorageError.notFound("journal \(id)") }
        return journal
    }

    /// All journals, the first registered one first.
    public static func list(includingRetired: Bool = true, in tx: Transaction) throws -> [RegisteredJournal] {
        try tx.query(
            "\(select) WHERE \(includingRetired) OR retired_at IS NULL ORDER BY registered_at, journal_id"
        ).map(journal)
    }

    /// Says by hand that a journal is lost for good, so that periods close without it. Not while its gateway gives
    /// signs of life: it would end with its next record, and could not start again. `now` is real time.
    public static func retire(_ id: JournalID, reason: String, now: Timestamp, in tx: Transaction) throws {
        guard reason.contains(where: { !$0.isWhitespace }) else {
            throw StorageError.invalid(parameter: "reason", message: "say why the journal is lost; invoices show it")
        }
        // Ingest moves the sign of life under the same lock.
        _ = try tx.query("SELECT 1 FROM journals WHERE journal_id = \(id) FOR UPDATE")
        let journal = try require(id, in: tx)
        guard journal.retiredAt == nil else { throw StorageError.conflict("journal \(id) is retired already") }
        if let sign = journal.signOfLife(at: now) {
            throw StorageError.conflict(
                "gateway \(journal.gateway) is alive (last seen at \(sign)). Stop it, wait "
                    + "\(RegisteredJournal.silenceMillisecondsMin / 1000) s, then retire its journal")
        }
        try tx.execute(
            "UPDATE journals SET retired_at = \(now), retired_reason = \(reason) WHERE journal_id = \(id)")
    }

    private static let select: SQL = """
        SELECT journal_id, gateway, epoch, segment, byte_offset, ingested_through, snapshot_change, oldest_open_at,
            opens_by_account, mark_moved_at, announced_at, registered_at, retired_at, retired_reason
        FROM journals
        """

    private static func journal(_ row: Row) throws -> RegisteredJournal {
        RegisteredJournal(
            id: try row.decode("journal_id"), gateway: try row.decode("gateway"), epoch: try row.decode("epoch"),
            mark: JournalPosition(segment: try row.decode("segment"), offset: try row.decode("byte_offset")),
            ingestedThrough: try row.decode("ingested_through"), markMovedAt: try row.decode("mark_moved_at"),
            announcedAt: try row.decode("announced_at"),
            snapshotChange: try row.decode("snapshot_change"),
            oldestOpenAt: try row.decode("oldest_open_at"), opensByAccount: try row.decode("opens_by_account"),
            registeredAt: try row.decode("registered_at"), retiredAt: try row.decode("retired_at"),
            retiredReason: try row.decode("retired_reason"))
    }
}
