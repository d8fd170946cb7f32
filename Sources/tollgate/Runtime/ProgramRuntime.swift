import Gateway
import Identity
import Postgres
import Storage
import Telemetry

/// The parts of the program that run in this process, joined.
final class ProgramRuntime: Sendable {
    enum Part: Sendable, Hashable {
        case gateway, admin, jobs
    }

    private let gateway: GatewayRuntime?
    private let jobs: Task<Void, Never>?
    private let pool: ConnectionPool

    private init(gateway: GatewayRuntime?, jobs: Task<Void, Never>?, pool: ConnectionPool) {
        self.gateway = gateway
        self.jobs = jobs
        self.pool = pool
    }

    var gatewayPort: Int? { gateway?.server.port }
    var adminPort: Int? { nil }

    static func start(_ configuration: Configuration, parts: Set<Part>) async throws -> ProgramRuntime {
        let instruments = Instruments(level: try configuration.required("log.level"))
        let postgres = try PostgresConfiguration(url: configuration.required("database.url"))
        let pool = ConnectionPool(postgres, connectionCountMax: 8)
        let database = Database(pool)
        var gateway: GatewayRuntime?
        if parts.contains(.gateway) {
            gateway = try await GatewayRuntime.start(configuration, database: database, instruments: instruments)
        }
        return ProgramRuntime(gateway: gateway, jobs: nil, pool: pool)
    }

    func stop() async {
        jobs?.cancel()
        await jobs?.value
        await gateway?.stop()
        await pool.close()
    }
}
