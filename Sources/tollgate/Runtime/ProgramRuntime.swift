import AdminAPI
import CatalogueLanguage
import Foundation
import Gateway
import Identity
import Postgres
import Storage
import Telemetry

/// The parts of the program that run in this process, joined.
final class ProgramRuntime: Sendable {
    enum Part: Sendable, Hashable {
        case gateway, ingest, admin, jobs
    }

    private let gateway: GatewayRuntime?
    /// Of a gateway in another process.
    private let ingest: IngestRuntime?
    private let admin: AdminServer?
    private let jobs: Task<Void, Never>?
    private let watch: Task<Void, Never>?
    private let pool: ConnectionPool
    let adminPort: Int?

    private init(
        gateway: GatewayRuntime?, ingest: IngestRuntime?, admin: AdminServer?, adminPort: Int?,
        jobs: Task<Void, Never>?, watch: Task<Void, Never>?, pool: ConnectionPool
    ) {
        self.gateway = gateway
        self.ingest = ingest
        self.admin = admin
        self.adminPort = adminPort
        self.jobs = jobs
        self.watch = watch
        self.pool = pool
    }

    var gatewayPort: Int? { gateway?.server.port }

    /// Starts the parts; when one cannot start, none is left running.
    static func start(_ configuration: Configuration, parts: Set<Part>) async throws -> ProgramRuntime {
        if parts.contains(.ingest) { try requireApart(configuration, parts) }
        let instruments = Instruments(level: try configuration.required("log.level"))
        let postgres = try PostgresConfiguration(url: configuration.required("database.url"))
        try await requireSchema(configuration, of: postgres)
        let pool = ConnectionPool(postgres, connectionCountMax: 8)
        let database = Database(pool)
        var gateway: GatewayRuntime?
        var ingest: IngestRuntime?
        var admin: AdminServer?
        do {
            if parts.contains(.gateway) {
                gateway = try await GatewayRuntime.start(configuration, database: database, instruments: instruments)
            }
            if parts.contains(.ingest) {
                let runtime = try IngestRuntime.apart(configuration, database: database, instruments: instruments)
                runtime.begin()
                ingest = runtime
            }
            var adminPort: Int?
            if parts.contains(.admin) {
                let server = try adminServer(configuration, database: database, instruments: instruments)
                adminPort = try await server.start()
                admin = server
            }
            var jobs: Task<Void, Never>?
            if parts.contains(.jobs) {
                let runtime = JobsRuntime(
                    database: database, intervalSeconds: try configuration.integer("jobs.interval_seconds"),
                    logger: instruments.logger("jobs"))
                jobs = Task { await runtime.run() }
            }
            var watch: Task<Void, Never>?
            if parts.contains(.admin) || parts.contains(.jobs) {
                let runtime = SuspenseWatch(
                    database: database, intervalSeconds: try configuration.integer("jobs.interval_seconds"),
                    metrics: instruments.metrics)
                watch = Task { await runtime.run() }
            }
            return ProgramRuntime(
                gateway: gateway, ingest: ingest, admin: admin, adminPort: adminPort, jobs: jobs, watch: watch,
                pool: pool)
        } catch {
            await admin?.stop()
            await ingest?.stop()
            await gateway?.stop()
            await pool.close()
            throw error
        }
    }

    /// A database that is not migrated stops the start; one that is away does not, as a gateway can serve without it.
    /// Nor does a newer schema: programs are replaced one after the other.
    private static func requireSchema(_ configuration: Configuration, of postgres: PostgresConfiguration) async throws {
        guard let directory = try? configuration.migrationsDirectory() else { return }
        do {
            guard case .pending(let names) = try await Migrator(directory: directory, configuration: postgres).check()
            else { return }
            throw ConfigurationError(complaints: [
                "the database lacks the migrations \(names.joined(separator: ", ")): run `tollgate migrate`"
            ])
        } catch MigrationError.newerSchema {
            return
        } catch  where DatabaseFailure(error) == .unavailable {
            return
        }
    }

    /// Stops the parts: the gateway lets running answers end and hands its journal on before the rest goes.
    func stop() async {
        await admin?.stop()
        watch?.cancel()
        jobs?.cancel()
        await jobs?.value
        await watch?.value
        await gateway?.stop()
        await ingest?.stop()
        await pool.close()
    }

    /// Gateway and ingest read one configuration, and have to agree.
    private static func requireApart(_ configuration: Configuration, _ parts: Set<Part>) throws {
        guard configuration.isIngestApart else {
            throw ConfigurationError(complaints: [
                "gateway.ingest is inside: the gateway ingests its journal itself. Set it to apart, for both"
            ])
        }
        guard !parts.contains(.gateway) else {
            throw ConfigurationError(complaints: [
                "gateway and ingest in one process: set gateway.ingest to inside and leave `ingest` out"
            ])
        }
    }

    private static func adminServer(
        _ configuration: Configuration, database: Database, instruments: Instruments
    ) throws -> AdminServer {
        let metrics = instruments.metrics
        let grace = Int64(try configuration.integer("billing.grace_minutes")) * 60_000
        let services = AdminServices(
            database: database, now: { now() },
            graceMilliseconds: grace, environment: ProcessInfo.processInfo.environment,
            secretKeyring: { try configuration.secretKeyring() }, metrics: { metrics.text() })
        let address = AdminConfiguration(
            host: try configuration.required("admin.host"), port: try configuration.integer("admin.port"))
        return AdminServer(configuration: address, services: services, log: instruments.log)
    }
}
