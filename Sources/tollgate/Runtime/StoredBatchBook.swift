import Gateway
import Identity
import Storage

/// The batches that the database has the records of.
struct StoredBatchBook: BatchBook {
    let database: Database

    func recorded(_ creations: [BatchCreation]) async throws -> Set<RequestID> {
        try await database.read { tx in
            try RecordStorage.recorded(creations.map { ($0.accountID, $0.requestID) }, in: tx)
        }
    }
}
