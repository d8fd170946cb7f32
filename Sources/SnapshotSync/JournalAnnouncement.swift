public import Identity
public import Logging
public import Storage
public import UsageJournal

/// Makes the gateway's journal known where another process ingests it: a month must not close without one that nobody
/// has begun to read yet.
public struct JournalAnnouncement: Sendable {
    /// Between two tries while Postgres is away.
    static let pauseMilliseconds: Int64 = 1_000

    private let journal: Journal
    private let gateway: String
    private let database: Database
    private let logger: Logger
    private let now: @Sendable () -> Timestamp

    public init(
        journal: Journal, gateway: String, database: Database, logger: Logger, now: @escaping @Sendable () -> Timestamp
    ) {
        self.journal = journal
        self.gateway = gateway
        self.database = database
        self.logger = logger
        self.now = now
    }

    /// Runs until the journal is known, or the task is cancelled.
    public func run() async {
        var isWaiting = false
        repeat {
            do {
                let (id, epoch, time) = (journal.id, journal.epoch, now())
                try await database.write { [gateway] tx in
                    try JournalStorage.announce(id, gateway: gateway, epoch: epoch, now: time, in: tx)
                }
                return
            } catch {
                if !isWaiting { logger.warning("the journal is not known yet", metadata: ["error": "\(error)"]) }
                isWaiting = true
            }
        } while (try? await Task.sleep(for: .milliseconds(Self.pauseMilliseconds))) != nil
    }
}
