public import Identity
import Metering
public import Postgres

/// The one transaction of ingest: the journal's position, records, rollups, suspense, refusals.
public enum IngestStorage {
    /// What storing a batch did.
    public enum Outcome: Hashable, Sendable {
        /// Stored; how much of it was new, and how many requests of deleted accounts were left out.
        case stored(requests: Int, attempts: Int, dropped: [AccountID: Int] = [:])
        /// The database stands elsewhere, in another epoch, or the journal is retired: nothing was stored.
        case fenced
    }

    /// Stores a batch. The compare-and-set of the position comes first, so that of two ingesters one stops before it
    /// wrote anything. `afterRecords` runs between records and rollups; tests die there.
    public static func store(
        _ batch: IngestBatch, afterRecords: () -> Void = {}, in tx: Transaction
    ) throws -> Outcome {
        guard try moveMark(batch, in: tx) else { return .fenced }
        let (batch, dropped) = try batch.withoutDeletedAccounts(in: tx)
        // Of what many nodes have to do, the making of tables comes first.
        try ensurePartitions(for: batch.requests, in: tx)
        try JournalStorage.storeOpen(batch.openChanges, of: batch.journalID, in: tx)
        try PositionStorage.move(by: batch, in: tx)
        let stored = try storeRecords(batch.requests, of: batch, afterRecords: afterRecords, in: tx)
        try RefusalStorage.add(batch.refusals, in: tx)
        try QuarantineStorage.insert(batch.quarantines, in: tx)
        return .stored(requests: stored.requests, attempts: stored.attempts, dropped: dropped)
    }

    /// Records, rollups and suspense of these requests, whose partitions are there; how many requests and attempts were
    /// new.
    static func storeRecords(
        _ entries: [IngestRequest], of batch: IngestBatch, afterRecords: () -> Void = {}, in tx: Transaction
    ) throws -> (requests: Int, attempts: Int) {
        try PeriodStorage.keep(monthsOf: entries, in: tx)
        let requests = try insertRequests(entries, journal: batch.journalID, in: tx)
        let attempts = try insertAttempts(entries, journal: batch.journalID, in: tx)
        afterRecords()
        let newAttempts = entries.flatMap { entry in
            entry.attempts.filter { attempts.contains($0.record.id) }.map { (entry, $0) }
        }
        try RollupStorage.add(requests: entries.filter { requests.contains($0.request.id) }, in: tx)
        try RollupStorage.add(attempts: newAttempts, in: tx)
        try suspend(newAttempts, in: tx)
        return (requests.count, attempts.count)
    }

    static func moveMark(_ batch: IngestBatch, in tx: Transaction) throws -> Bool {
        let moved = try tx.execute(
            """
            UPDATE journals SET segment = \(batch.to.segment), byte_offset = \(batch.to.offset),
                oldest_open_at = \(batch.oldestOpenAt), opens_by_account = \(batch.opensByAccount),
                ingested_through = greatest(ingested_through, \(batch.heartbeat?.through)::timestamptz),
                snapshot_change = greatest(snapshot_change, \(batch.heartbeat?.snapshotChange)::bigint),
                mark_moved_at = greatest(mark_moved_at, \(batch.storedAt)::timestamptz)
            WHERE journal_id = \(batch.journalID) AND epoch = \(batch.epoch) AND segment = \(batch.from.segment)
                AND byte_offset = \(batch.from.offset) AND retired_at IS NULL
            """)
        return moved == 1
    }

    /// Partitions are made in their own months' order, which every ingester keeps.
    static func ensurePartitions(for requests: [IngestRequest], in tx: Transaction) throws {
        // Of a batch the days are few, and only they are worth a text.
        let days = Set(requests.map { $0.request.acceptedAt.milliseconds / 86_400_000 })
        var months: [String: Timestamp] = [:]
        for day in days.sorted() {
            let instant = Timestamp(milliseconds: day * 86_400_000)
            months[String(instant.description.prefix(7))] = instant
        }
        for (_, instant) in months.sorted(by: { $0.key < $1.key }) {
            try tx.execute("SELECT ensure_usage_partitions(\(instant))")
        }
    }

    private static func insertRequests(
        _ entries: [IngestRequest], journal: JournalID, in tx: Transaction
    ) throws -> Set<RequestID> {
        var rows = BinaryBatch(columns: RecordColumns.request)
        for entry in entries { try RecordColumns.append(entry, journal: journal, to: &rows) }
        guard !rows.isEmpty else { return [] }
        let sql = rows.insert(into: "request_records", "ON CONFLICT DO NOTHING RETURNING record_id")
        return Set(try tx.query(sql).decodeAll(as: RequestID.self))
    }

    private static func insertAttempts(
        _ entries: [IngestRequest], journal: JournalID, in tx: Transaction
    ) throws -> Set<AttemptID> {
        var rows = BinaryBatch(columns: RecordColumns.attempt)
        for entry in entries {
            for attempt in entry.attempts {
                try RecordColumns.append(attempt, in: entry, journal: journal, to: &rows)
            }
        }
        guard !rows.isEmpty else { return [] }
        let sql = rows.insert(into: "attempt_records", "ON CONFLICT DO NOTHING RETURNING record_id")
        return Set(try tx.query(sql).decodeAll(as: AttemptID.self))
    }

    static func suspend(_ attempts: [(IngestRequest, IngestAttempt)], in tx: Transaction) throws {
        var rows = InsertBatch(columns: [
            .init("account_id", "uuid"), .init("record_id", "uuid"), .init("accepted_at", "timestamptz"),
            .init("period_start", "timestamptz"), .init("reason", "text"), .init("detail", "text"),
        ])
        for (entry, attempt) in attempts {
            guard let suspense = attempt.suspense else { continue }
            try rows.append([
                entry.request.accountID, attempt.record.id, entry.request.acceptedAt, entry.periodStart,
                suspense.reason, suspense.detail.storable,
            ])
        }
        if !rows.isEmpty { try tx.execute(rows.insert(into: "suspense", "ON CONFLICT DO NOTHING")) }
    }
}

extension String {
    /// The text without NUL characters, which no Postgres text can hold: a record must never stop ingest.
    var storable: String {
        utf8.contains(0) ? String(map { $0 == "\0" ? "\u{FFFD}" : $0 }) : self
    }
}
