public import Engines
public import Identity
public import Logging
import Metering
public import Storage
import Synchronization
public import UsageJournal

/// Why ingest ends for good; the process has to end with it, because its journal is no longer its own.
public enum IngestError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The database's position is not where this ingester left it.
    case fenced(String)
    /// The journal was opened again: go on with what it is now.
    case superseded

    public var description: String {
        switch self {
        case .fenced(let text): "ingest stops: \(text)"
        case .superseded: "the gateway opened its journal again"
        }
    }
}

/// Takes one gateway's journal into the database: each closed request exactly once.
///
/// It follows the journal's durable end, rates what it reads, and stores each batch in one transaction that begins with
/// a compare-and-set of the position. While Postgres is away it tries again and again; the gateway does not notice.
public actor Ingester {
    /// Bounds of a batch, and times.
    public struct Configuration: Sendable {
        /// The gateway's name, as operators know it.
        public var gateway: String
        public var entriesMax = 2000
        /// Bytes of journal in one batch; a single entry may exceed it.
        public var bytesMax: Int64 = 1 << 20
        /// Between two looks at a journal that has nothing new, or less than a batch: a transaction costs as much for
        /// one record as for a hundred.
        public var pollMilliseconds: Int64 = 100
        public var retryMillisecondsMin: Int64 = 100
        public var retryMillisecondsMax: Int64 = 5_000
        /// Between two looks for segments that may go.
        public var retentionMilliseconds: Int64 = 3_600_000
        /// Told of all that does not read, whenever that changes; usage that depends on it is held.
        public var showFaults: @Sendable (Set<ServiceFault>) -> Void = { _ in }

        /// The usual bounds.
        public init(gateway: String) {
            self.gateway = gateway
        }
    }

    private let journal: any IngestedJournal
    private let database: Database
    private let configuration: Configuration
    private let logger: Logger
    private let now: @Sendable () -> Timestamp
    private var book = RatingContext()
    /// What does not read, as it was told last.
    private var faults: Set<ServiceFault> = []
    /// Where a batch ended whose commit nobody confirmed.
    private var unknownCommit: JournalPosition?
    private let isFinishing = Atomic<Bool>(false)

    /// How far it is.
    public nonisolated let status: IngestStatus

    /// An ingester of this journal; `now` is real time.
    public init(
        journal: any IngestedJournal, database: Database, configuration: Configuration, logger: Logger,
        status: IngestStatus = IngestStatus(), now: @escaping @Sendable () -> Timestamp
    ) {
        self.status = status
        self.journal = journal
        self.database = database
        self.configuration = configuration
        self.logger = logger
        self.now = now
    }

    /// Lets `run` return once everything that the journal has synced is in the database; for an orderly end.
    public nonisolated func finish() { isFinishing.store(true, ordering: .releasing) }

    /// Ingests until the task is cancelled, or `finish` was called and all is in.
    /// - Throws: `IngestError` when another ingester works on the journal or its gateway began again, `JournalError`
    ///   when it cannot be read; both are final. `CancellationError` on cancellation.
    public func run() async throws {
        let (row, inherited) = try await retrying("register the journal") { try await self.register() }
        var mark = row.mark
        var open = OpenRequests(inherited: inherited)
        var reader: JournalReader?
        var retentionLooked: ContinuousClock.Instant?
        status.update { $0.ingestedThrough = row.ingestedThrough }
        while true {
            try Task.checkCancellation()
            // Asked at every turn: a busy journal is never read to its end. Nothing is lost: the mark is in the
            // database.
            if journal.isSuperseded { throw IngestError.superseded }
            if retentionLooked.map({ ContinuousClock.now - $0 > .milliseconds(configuration.retentionMilliseconds) })
                ?? true
            {
                removeOldSegments(before: mark)
                retentionLooked = .now
            }
            let isLast = isFinishing.load(ordering: .acquiring)
            let durable = journal.durablePosition
            if let batch = try await readPatiently(&reader, from: mark, upTo: durable, open: &open) {
                let standing = open.standing(at: batch.to)
                try await retrying("store a batch") { [mark] in
                    try await self.store(batch, expecting: mark, open: standing)
                }
                mark = batch.to
                status.note(position: mark, durable: durable)
                if !batch.isFull, !isLast { try await pause() }
                continue
            }
            status.noteIdle(position: mark, durable: durable)
            if isLast { return }
            try await pause()
        }
    }

    private func pause() async throws { try await Task.sleep(for: .milliseconds(configuration.pollMilliseconds)) }

    // MARK: reading

    /// Reads on, and begins anew at `mark` where the process had no file descriptor or memory left: that passes, and
    /// the running requests must not end for it. What was noted in `open` before is only noted again.
    private func readPatiently(
        _ reader: inout JournalReader?, from mark: JournalPosition, upTo durable: JournalPosition,
        open: inout OpenRequests
    ) async throws -> JournalBatch? {
        var pause = configuration.retryMillisecondsMin
        while true {
            do throws(JournalError) {
                var current =
                    if let reader { reader } else {
                        try JournalReader(directory: journal.directory, from: mark)
                    }
                let batch = try read(&current, from: mark, upTo: durable, open: &open)
                reader = current
                return batch
            } catch {
                guard error.isPassing else { throw error }
                reader = nil
                logger.warning("ingest waits", metadata: ["step": "read the journal", "error": "\(error)"])
                status.update { $0.trouble = "\(error)" }
            }
            try await Task.sleep(for: .milliseconds(pause))
            pause = min(pause * 2, configuration.retryMillisecondsMax)
        }
    }

    /// The next batch, bounded in entries and bytes; nil when there is nothing new.
    private func read(
        _ reader: inout JournalReader, from mark: JournalPosition, upTo durable: JournalPosition,
        open: inout OpenRequests
    ) throws(JournalError) -> JournalBatch? {
        var batch = JournalBatch(from: mark)
        var count = 0
        while count < configuration.entriesMax {
            // In small steps, because the bytes of an entry are known only when it was read.
            let items = try reader.next(limit: min(32, configuration.entriesMax - count), upTo: durable)
            if items.isEmpty { break }
            for item in items { batch.add(item, open: &open) }
            count += items.count
            let isLarge = batch.to.segment != mark.segment || batch.to.offset - mark.offset > configuration.bytesMax
            if isLarge || count >= configuration.entriesMax {
                batch.isFull = true
                break
            }
        }
        return count == 0 ? nil : batch
    }

    // MARK: storing

    private func register() async throws -> (RegisteredJournal, OpenRequests.Inherited) {
        let until = journal.durablePosition
        let (id, epoch, gateway, time) = (journal.id, journal.epoch, configuration.gateway, now())
        do {
            return try await database.write { tx in
                let row = try JournalStorage.register(id, gateway: gateway, epoch: epoch, now: time, in: tx)
                let inherited = OpenRequests.Inherited(
                    byAccount: try JournalStorage.openByAccount(id, in: tx),
                    ofAnybody: row.opensByAccount ? nil : row.oldestOpenAt, until: until)
                return (row, inherited)
            }
        } catch let error as StorageError {
            throw IngestError.fenced("\(error)")
        }
    }

    private func store(_ batch: JournalBatch, expecting mark: JournalPosition, open: OpenStanding) async throws {
        book = try await RatingContext.reading(
            accounts: Set(batch.closed.map(\.entry.request.accountID)),
            subscriptions: Set(batch.closed.map(\.entry.request.subscriptionID)), startingFrom: book, from: database)
        tellFaults()
        let rated = batch.rated(
            journal: journal.id, epoch: journal.epoch, book: book, open: open, now: now())
        guard case .stored(let requests, let attempts, let dropped) = try await commit(rated) else {
            throw try await fenced(rated)
        }
        KillPoint.reach(.afterCommit)
        unknownCommit = nil
        if !dropped.isEmpty {
            logger.info(
                "requests of deleted test accounts were dropped",
                metadata: ["accounts": "\(dropped.count)", "requests": "\(dropped.values.reduce(0, +))"])
        }
        let suspended = attempts > 0 ? rated.suspended(except: Set(dropped.keys)) : []
        for group in suspended {
            logger.warning("usage waits in suspense and holds up its account's invoice", metadata: group.metadata)
        }
        status.update {
            $0.batches += 1
            $0.suspended += Int64(suspended.reduce(0) { $0 + $1.count })
            $0.requests += Int64(requests)
            $0.attempts += Int64(attempts)
            if let through = rated.heartbeat?.through {
                $0.ingestedThrough = max(through, $0.ingestedThrough ?? through)
            }
        }
    }

    private func tellFaults() {
        let found = book.faults
        guard found != faults else { return }
        for fault in found.subtracting(faults) {
            logger.error(
                "a row does not read: usage that depends on it is held, in suspense, and all other usage is stored",
                metadata: ["kind": "\(fault.kind.rawValue)", "name": "\(fault.name)", "reason": "\(fault.reason)"])
        }
        faults = found
        configuration.showFaults(found)
    }

    /// One transaction. When the outcome of its commit is unknown, the position tells: it moves with the records or not
    /// at all.
    private func commit(_ batch: IngestBatch) async throws -> IngestStorage.Outcome {
        do {
            let outcome = try await write(batch)
            // The commit that was given up for lost may have come through in the meantime.
            guard outcome == .fenced, unknownCommit == batch.to, try await isInPlace(batch) else { return outcome }
            return .stored(requests: 0, attempts: 0)
        } catch  where DatabaseFailure(error) == .commitUnknown {
            unknownCommit = batch.to
            throw error
        }
    }

    private func write(_ batch: IngestBatch) async throws -> IngestStorage.Outcome {
        do {
            return try await database.write { tx in
                try IngestStorage.store(batch, afterRecords: { KillPoint.reach(.midBatch) }, in: tx)
            }
        } catch  where IngestStorage.isRefusalOfValues(error) {
            logger.error(
                "the database refuses a record; it is set aside, in suspense, and the others are stored",
                metadata: ["from": "\(batch.from)", "to": "\(batch.to)", "error": "\(error)"])
            let time = now()
            return try await database.write { try IngestStorage.storeSingly(batch, now: time, in: $0) }
        }
    }

    private func isInPlace(_ batch: IngestBatch) async throws -> Bool {
        let row = try await database.read { try JournalStorage.require(batch.journalID, in: $0) }
        return row.mark == batch.to && row.epoch == batch.epoch && row.retiredAt == nil
    }

    private func fenced(_ batch: IngestBatch) async throws -> IngestError {
        let row = try await database.read { try JournalStorage.require(batch.journalID, in: $0) }
        if row.retiredAt != nil { return .fenced("journal \(row.id) was retired (\(row.retiredReason ?? ""))") }
        return .fenced(
            "the database has journal \(row.id) at \(row.mark) in epoch \(row.epoch), this process left it at "
                + "\(batch.from) in epoch \(batch.epoch): another process ingests it, or the database was restored. "
                + "Restart this process to go on from there")
    }

    // MARK: patience

    /// Tries until it succeeds, with growing pauses; says once what is wrong.
    private func retrying<Result: Sendable>(
        _ what: String, _ body: () async throws -> Result
    ) async throws -> Result {
        var pause = configuration.retryMillisecondsMin
        var logged: String?
        while true {
            do {
                let result = try await body()
                if logged != nil { logger.info("ingest goes on", metadata: ["step": "\(what)"]) }
                status.update { $0.trouble = nil }
                return result
            } catch {
                if error is IngestError || error is JournalError || error is CancellationError { throw error }
                let text = "\(error)"
                if text != logged {
                    logger.warning("ingest waits", metadata: ["step": "\(what)", "error": "\(text)"])
                    logged = text
                }
                status.update { $0.trouble = text }
                try await Task.sleep(for: .milliseconds(pause))
                pause = min(pause * 2, configuration.retryMillisecondsMax)
            }
        }
    }

    private func removeOldSegments(before position: JournalPosition) {
        do throws(JournalError) {
            let limit = now().advanced(byMilliseconds: -Journal.retentionMilliseconds)
            let count = try journal.removeSegments(before: position, lastWrittenBefore: limit)
            if count > 0 { logger.info("old journal segments removed", metadata: ["count": "\(count)"]) }
        } catch {
            logger.warning("old journal segments cannot be removed", metadata: ["error": "\(error)"])
        }
    }
}
