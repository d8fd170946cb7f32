public import Identity
import Metering
import Monetary
public import Postgres

/// What happens when the database does not take a record's values: it must not stop those behind it.
extension IngestStorage {
    /// The code under which such a record stands in suspense, and its place among the journal's unread ones.
    static let refusedReason = "refused_by_database"

    /// Whether the values themselves were refused: the same again would be refused again, and other records may not be.
    public static func isRefusalOfValues(_ error: any Error) -> Bool {
        if error is MonetaryError { return true }
        guard let error = error as? PostgresError else { return false }
        switch error.kind {
        case .invalidParameter: return true
        // SQLSTATE classes: data exception, constraint violation, program limit exceeded.
        case .server: return ["22", "23", "54"].contains(error.sqlState?.prefix(2))
        case .unavailable, .connectionLost, .commitUnknown, .acquireTimedOut, .tooManyWaiters, .closed, .decoding:
            return false
        }
    }

    /// Stores a batch that was refused as a whole, request by request. What is refused again is set aside in sight: as
    /// a place of the journal that was not read, and in suspense, which blocks its account's invoice until someone has
    /// looked.
    public static func storeSingly(_ batch: IngestBatch, now: Timestamp, in tx: Transaction) throws -> Outcome {
        guard try moveMark(batch, in: tx) else { return .fenced }
        let (batch, dropped) = try batch.withoutDeletedAccounts(in: tx)
        try JournalStorage.storeOpen(batch.openChanges, of: batch.journalID, in: tx)
        try PositionStorage.move(by: batch, in: tx)
        var stored = (requests: 0, attempts: 0)
        for entry in batch.requests {
            do {
                let one = try tx.savepoint { tx in
                    try ensurePartitions(for: [entry], in: tx)
                    return try storeRecords([entry], of: batch, in: tx)
                }
                stored.requests += one.requests
                stored.attempts += one.attempts
            } catch  where isRefusalOfValues(error) {
                try setAside(entry, of: batch, because: error, now: now, in: tx)
            }
        }
        try RefusalStorage.add(batch.refusals, in: tx)
        try QuarantineStorage.insert(batch.quarantines, in: tx)
        return .stored(requests: stored.requests, attempts: stored.attempts, dropped: dropped)
    }

    private static func setAside(
        _ entry: IngestRequest, of batch: IngestBatch, because error: any Error, now: Timestamp, in tx: Transaction
    ) throws {
        let isSuspended = try isSuspended(entry, because: error, in: tx)
        try QuarantineStorage.insert(
            [
                StoredQuarantine(
                    journalID: batch.journalID, mark: entry.mark, length: 0, reason: refusedReason, foundAt: now,
                    accountID: entry.request.accountID, releasedAt: isSuspended ? now : nil,
                    releasedBy: isSuspended ? "ingest" : nil,
                    releaseReason: isSuspended ? "it waits in suspense" : nil)
            ], in: tx)
    }

    /// Puts the request's attempts into suspense. False where not even its ids and times can be stored, or it has none:
    /// then its place in the journal is what is left to show, and holds its account.
    private static func isSuspended(
        _ entry: IngestRequest, because error: any Error, in tx: Transaction
    ) throws -> Bool {
        let suspended = entry.attempts.map { attempt in
            var attempt = attempt
            attempt.suspense = IngestAttempt.Suspense(
                reason: refusedReason, detail: "request \(entry.request.id) was not stored: \(error)")
            return (entry, attempt)
        }
        do {
            try tx.savepoint { try suspend(suspended, in: $0) }
            return !suspended.isEmpty
        } catch  where isRefusalOfValues(error) {
            return false
        }
    }
}
