import Foundation
import Identity
import Ingest
import Logging
import Storage
import Telemetry
import UsageJournal

/// Takes a journal into the database: that of the gateway in this process, or of one in another process beside it.
final class IngestRuntime: Sendable {
    private let lock: IngestLock
    private let current = Locked<Ingester?>(nil)
    private let isStopping = Locked(false)
    private let task: Locked<Task<Void, Never>?> = Locked(nil)
    private let make: @Sendable (any IngestedJournal) -> Ingester
    private let work: @Sendable (IngestRuntime) async throws -> Void
    private let log: StructuredLog

    private init(
        _ configuration: Configuration, directory: String, database: Database, instruments: Instruments,
        work: @escaping @Sendable (IngestRuntime) async throws -> Void
    ) throws {
        self.work = work
        lock = try IngestLock(directory: directory)
        log = instruments.log
        let status = IngestStatus()
        registerGauges(status, in: instruments.metrics)
        let faults = ServiceFaultGauges(instruments.metrics)
        let logger = instruments.logger("ingest")
        var settings = Ingester.Configuration(gateway: try configuration.required("gateway.name"))
        settings.showFaults = { faults.show($0) }
        make = { [settings] journal in
            Ingester(
                journal: journal, database: database, configuration: settings, logger: logger, status: status, now: now)
        }
    }

    /// Of the gateway's own journal. Nothing is ingested before `begin`, but from here on nobody else can.
    static func inside(
        _ journal: Journal, _ configuration: Configuration, database: Database, instruments: Instruments
    ) throws -> IngestRuntime {
        try IngestRuntime(
            configuration, directory: journal.directory, database: database, instruments: instruments
        ) { try await $0.run(journal) }
    }

    /// Of the journal that a gateway in another process writes into the same directory, from its first opening on.
    static func apart(
        _ configuration: Configuration, database: Database, instruments: Instruments
    ) throws -> IngestRuntime {
        let directory = try configuration.required("journal.directory")
        guard FileManager.default.fileExists(atPath: directory) else {
            throw ConfigurationError(complaints: [
                "journal.directory \(directory) does not exist: name the gateway's, on the same machine"
            ])
        }
        return try IngestRuntime(
            configuration, directory: directory, database: database, instruments: instruments
        ) { try await $0.follow(directory) }
    }

    func begin() {
        let task = Task {
            do {
                try await work(self)
            } catch is CancellationError {
                return
            } catch {
                log.error("ingest stopped; shutting down", ["error": "\(error)"])
                exit(EXIT_FAILURE)
            }
        }
        self.task.withLock { $0 = task }
    }

    private func run(_ journal: any IngestedJournal) async throws {
        let ingester = make(journal)
        current.withLock { $0 = ingester }
        if isStopping.withLock({ $0 }) { ingester.finish() }
        try await ingester.run()
    }

    private func follow(_ directory: String) async throws {
        var secondsWaited = 0
        while !isStopping.withLock({ $0 }) {
            do {
                let journal = try FollowedJournal(directory: directory)
                secondsWaited = 0
                try await run(journal)
                return
            } catch IngestError.superseded {
                log.info("the journal was opened anew; it is followed on")
            } catch let error as JournalError where error.isOfMissingFile {
                // Again each minute: nothing else tells that nothing is ingested.
                if secondsWaited % 60 == 0 {
                    log.warning(
                        "nothing is ingested: ingest waits for a gateway with gateway.ingest: apart to start on this "
                            + "directory", ["directory": "\(directory)"])
                }
                secondsWaited += 1
                try await Task.sleep(for: .seconds(1))
            }
        }
    }

    /// Ends once all that the journal has synced is in the database, or after 10 s.
    func stop() async {
        isStopping.withLock { $0 = true }
        current.withLock { $0 }?.finish()
        let task = task.withLock { $0 }
        let limit = Task {
            // Cancelled below when ingest was faster.
            if (try? await Task.sleep(for: .seconds(10))) != nil { task?.cancel() }
        }
        await task?.value
        limit.cancel()
        lock.release()
    }
}

private func registerGauges(_ status: IngestStatus, in metrics: MetricsRegistry) {
    metrics.gauge("tollgate_ingest_lag_bytes", help: "Bytes of the journal that are not in the database yet.") {
        status.current.lagBytes
    }
    metrics.counter("tollgate_ingested_requests_total", help: "Request records stored.") {
        status.current.requests
    }
    metrics.counter("tollgate_suspended_attempts_total", help: "Attempts that went into suspense.") {
        status.current.suspended
    }
}
