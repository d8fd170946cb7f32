import Accounts
import Engines
import Foundation
import Gateway
import Identity
import SnapshotSync
import Storage
import Telemetry
import UsageJournal

/// A gateway and the control plane that keeps it supplied, in one process.
final class GatewayRuntime: Sendable {
    let server: GatewayServer
    private let journal: Journal
    /// Nil where another process ingests.
    private let ingest: IngestRuntime?
    private let following: Task<Void, Never>
    private let drainSeconds: Int

    private init(
        server: GatewayServer, journal: Journal, ingest: IngestRuntime?, following: Task<Void, Never>,
        drainSeconds: Int
    ) {
        self.server = server
        self.journal = journal
        self.ingest = ingest
        self.following = following
        self.drainSeconds = drainSeconds
    }

    /// Opens the journal, recovers what the last process left, loads the snapshot and listens.
    ///
    /// When the journal fails later, the process ends with an error: nothing may be served that cannot be metered.
    static func start(
        _ configuration: Configuration, database: Database, instruments: Instruments
    ) async throws -> GatewayRuntime {
        let log = instruments.log
        let directory = try configuration.required("journal.directory")
        var settings = JournalConfiguration(directory: directory)
        settings.segmentBytes = try configuration.integer("journal.segment_bytes")
        settings.onFailure = { error in
            log.error(
                "journal failed; shutting down so that nothing is served unmetered", ["error": "\(error)"])
            exit(EXIT_FAILURE)
        }
        let (journal, report) = try Journal.open(settings)
        if !report.isClean { log.warning("journal recovered", ["report": "\(report)"]) }

        // Before anybody is served: where another process ingests this journal, this one does not start.
        let ingest =
            try configuration.isIngestApart
            ? nil : IngestRuntime.inside(journal, configuration, database: database, instruments: instruments)
        if ingest == nil { log.info("this process does not ingest its journal: run `tollgate serve ingest` beside it") }
        let announcement = JournalAnnouncement(
            journal: journal, gateway: try configuration.required("gateway.name"), process: fresh(LimitID.self).uuid,
            database: database, logger: instruments.logger("journal"), now: now)

        let holder = ServerHolder(metrics: instruments.metrics)
        var supplying = SnapshotSupplier.Configuration(filePath: "\(directory)/snapshot")
        supplying.keyring = {
            do throws(ConfigurationError) {
                return try configuration.secretKeyring()
            } catch {
                log.error("the key file of secrets cannot be read", ["error": "\(error)"])
                return nil
            }
        }
        let supplier = SnapshotSupplier(
            database: database, configuration: supplying, logger: instruments.logger("snapshot"), now: now,
            confirm: { holder.confirm(at: $0) }, apply: { holder.take($0) })
        try await supplier.start()
        let leases = LimitLeases(
            database: database, gateway: fresh(LimitID.self).uuid, logger: instruments.logger("limits"))
        let history = try IdempotencyHistory.read(
            directory: directory, since: now().advanced(byMilliseconds: -IdempotencyTable.rememberedMilliseconds),
            countMax: IdempotencyTable.entriesMaxDefault)
        let server = try await GatewayServer.start(
            configuration: try GatewayConfiguration(configuration), journal: journal, snapshot: holder.first,
            sliceSource: leases, idempotency: IdempotencyTable(remembering: history),
            batchBook: StoredBatchBook(database: database), log: log, metrics: instruments.metrics)
        holder.serve(server)
        await server.resume(report.runningWork, in: journal)
        ingest?.begin()

        let heartbeat = HeartbeatLoop(
            journal: journal, appliedChange: supplier.appliedChange, logger: instruments.logger("heartbeat"), now: now,
            settle: { await server.settle() })
        let following = Task {
            await withTaskGroup(of: Void.self) { group in
                if ingest == nil {
                    group.addTask {
                        do {
                            try await announcement.run()
                        } catch {
                            log.error("the journal is not this gateway's; shutting down", ["error": "\(error)"])
                            exit(EXIT_FAILURE)
                        }
                    }
                }
                group.addTask { await supplier.run() }
                group.addTask { await heartbeat.run() }
                group.addTask { await leases.run { server.recall($0) } }
            }
        }
        return GatewayRuntime(
            server: server, journal: journal, ingest: ingest, following: following,
            drainSeconds: try configuration.integer("gateway.drain_seconds_max"))
    }

    /// Lets running answers end, then stops; what the journal holds reaches the database unless that is away.
    func stop() async {
        _ = await server.drain(deadline: .seconds(drainSeconds))
        await server.stop()
        following.cancel()
        await following.value
        await ingest?.stop()
        journal.close()
    }
}

/// Takes snapshots before there is a server to hand them to.
private final class ServerHolder: Sendable {
    private struct State {
        var newest: GatewaySnapshot?
        var confirmedAt: Timestamp?
        var server: GatewayServer?
    }
    private let state = Locked(State())
    private let faults: ServiceFaultGauges

    init(metrics: MetricsRegistry) { faults = ServiceFaultGauges(metrics) }

    func take(_ supplied: SuppliedSnapshot) {
        faults.show(supplied.faults)
        let snapshot = GatewaySnapshot(
            change: supplied.change, keys: supplied.keys, catalogue: supplied.catalogue,
            prices: supplied.prices, limits: supplied.limits, tokenizers: supplied.tokenizers,
            sealingSecret: supplied.sealingSecret)
        state.withLock {
            $0.newest = snapshot
            $0.server?.update(snapshot)
        }
    }

    func confirm(at time: Timestamp) {
        state.withLock {
            $0.confirmedAt = time
            $0.server?.confirmSnapshot(at: time)
        }
    }

    /// What `SnapshotSupplier.start` handed over.
    var first: GatewaySnapshot {
        state.withLock { $0.newest }
            ?? GatewaySnapshot(change: 0, keys: .init(grants: [:]), catalogue: .init(models: []))
    }

    func serve(_ server: GatewayServer) {
        state.withLock {
            $0.server = server
            if let newest = $0.newest { server.update(newest) }
            if let time = $0.confirmedAt { server.confirmSnapshot(at: time) }
        }
    }
}

extension GatewayConfiguration {
    /// The gateway's part of the program's configuration.
    init(_ configuration: Configuration) throws {
        self.init(
            host: try configuration.required("gateway.host"), port: try configuration.integer("gateway.port"),
            eventLoopCount: try configuration.text("gateway.threads").map { _ in
                try configuration.integer("gateway.threads")
            } ?? Processors.usableCount)
        switch (configuration.text("gateway.tls_certificate"), configuration.text("gateway.tls_key")) {
        case (let certificate?, let key?): tls = TLSFiles(certificateChain: certificate, privateKey: key)
        case (nil, nil): tls = nil
        default:
            throw ConfigurationError(complaints: ["gateway.tls_certificate and gateway.tls_key go together: set both"])
        }
        upstreamTrustRootsFile = configuration.text("gateway.upstream_ca")
        limits.bodyBytes = try configuration.integer("gateway.body_bytes_max")
        if configuration.text("gateway.memory_bytes_max") != nil {
            limits.memoryBytes = try configuration.integer("gateway.memory_bytes_max")
            guard limits.memoryBytes >= limits.bodyBytes else {
                throw ConfigurationError(complaints: [
                    "gateway.memory_bytes_max is less than gateway.body_bytes_max: the largest body would never fit"
                ])
            }
        }
        metricsKey = configuration.text("gateway.metrics_key")
        if configuration.text("gateway.metrics_port") != nil {
            metricsAddress = Address(
                host: try configuration.required("gateway.metrics_host"),
                port: try configuration.integer("gateway.metrics_port"))
        }
        limits.connections = try configuration.integer("gateway.connections_max")
        times.firstByteMilliseconds = Int64(try configuration.integer("gateway.first_byte_seconds_max")) * 1000
        times.answerIdleMilliseconds = Int64(try configuration.integer("gateway.idle_seconds_max")) * 1000
        times.limitWaitMilliseconds = Int64(try configuration.integer("gateway.limit_wait_milliseconds_max"))
        times.totalMilliseconds = Int64(try configuration.integer("gateway.total_seconds_max")) * 1000
    }
}
