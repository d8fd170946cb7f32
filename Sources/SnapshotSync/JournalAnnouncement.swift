public import Identity
public import Logging
public import Storage
public import UsageJournal

/// Says to the database that the gateway lives, where another process ingests its journal: a month must not close
/// without one that nobody has begun to read yet, and nobody must take the gateway for gone because ingest stands
/// still.
public struct JournalAnnouncement: Sendable {
    /// Between two tries while Postgres is away.
    static let pauseMilliseconds: Int64 = 1_000

    private let journal: Journal
    private let gateway: String
    private let process: UUIDv7
    private let database: Database
    private let logger: Logger
    private let now: @Sendable () -> Timestamp

    /// `process` is new at each start of a gateway.
    public init(
        journal: Journal, gateway: String, process: UUIDv7, database: Database, logger: Logger,
        now: @escaping @Sendable () -> Timestamp
    ) {
        self.journal = journal
        self.gateway = gateway
        self.process = process
        self.database = database
        self.logger = logger
        self.now = now
    }

    /// Runs until the task is cancelled; or throws `StorageError.conflict` once the journal is not the gateway's any
    /// more: it was retired, another process writes a copy of it, or its files are older than the database, which would
    /// wait for ever for what it has read already.
    public func run() async throws {
        var (isFirst, isWaiting) = (true, false)
        repeat {
            do {
                let (id, epoch, time) = (journal.id, journal.epoch, now())
                let ingested = try await database.write { [gateway, process, isFirst] tx in
                    try JournalStorage.announce(
                        id, gateway: gateway, epoch: epoch, by: process, isFirst: isFirst, now: time, in: tx)
                }
                // Read after the answer: what ingest read, the journal had written by then.
                let end = journal.durablePosition
                guard ingested <= end else {
                    throw StorageError.conflict(
                        "journal \(id) ends at \(end), but is ingested up to \(ingested): its files are older than the "
                            + "database, and what it takes from now on would never be billed. Put the newest state of "
                            + "the directory back, or begin a new journal in an empty one and retire this")
                }
                (isFirst, isWaiting) = (false, false)
            } catch let error as StorageError {
                if case .conflict = error { throw error }
                warn(error, &isWaiting)
            } catch {
                warn(error, &isWaiting)
            }
        } while (try? await Task.sleep(
            for: .milliseconds(isWaiting ? Self.pauseMilliseconds : HeartbeatLoop.intervalMilliseconds))) != nil
    }

    private func warn(_ error: any Error, _ isWaiting: inout Bool) {
        if !isWaiting { logger.warning("the database was not told of the journal", metadata: ["error": "\(error)"]) }
        isWaiting = true
    }
}
