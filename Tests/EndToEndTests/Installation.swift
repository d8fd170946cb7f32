import Foundation
import Glibc
import Postgres
import TestSupport

/// An installation of Tollgate with an engine simulator, made by the program's own commands.
///
/// The database is on the test process's durable private cluster; simulator and gateway are processes of their own.
final class Installation: Sendable {
    let files: TemporaryDirectory
    let database: TestDatabase
    let engine: EngineSimulator
    /// Where the inference API will be, whenever a gateway runs.
    let gatewayPort: Int
    private let settings: [String: String]

    var journalDirectory: String { "\(files.path)/journal" }
    var gatewayURL: String { "http://127.0.0.1:\(gatewayPort)" }

    /// Makes database and schema, publishes the plans, and loads the catalogue of the simulator's models.
    /// - Parameters:
    ///   - plans: files of plans.
    ///   - settings: variables of the environment for every command.
    ///   - catalogue: what the catalogue's file says of an engine at a URL; nil for one backend with all its models.
    static func make(
        plans: [String] = ["\(repositoryRoot)/pricing-plans/pay-as-you-go.yaml"], settings: [String: String] = [:],
        catalogue makeCatalogue: ((_ engineURL: String) -> String)? = nil
    ) async throws -> Installation {
        try await TestCluster.durable.cluster().start()
        let files = try TemporaryDirectory()
        let database = try await TestDatabase.create(migrated: false, on: .durable)
        let engine = try await EngineSimulator.start(directory: files.path)
        let installation = Installation(
            files: files, database: database, engine: engine, gatewayPort: try freePort(), settings: settings)
        _ = try await installation.tollgate("migrate").successful("migrate")
        _ = try await installation.tollgate("seller", "set", "Seller Ltd").successful("seller set")
        _ = try await installation.tollgate(["plans", "apply"] + plans).successful("plans apply")
        let catalogue = "\(files.path)/catalogue.yaml"
        let text = makeCatalogue?(engine.url) ?? Self.catalogue(engineURL: engine.url)
        try text.write(toFile: catalogue, atomically: true, encoding: .utf8)
        _ = try await installation.tollgate("backends", "apply", catalogue).successful("backends apply")
        return installation
    }

    private init(
        files: TemporaryDirectory, database: TestDatabase, engine: EngineSimulator, gatewayPort: Int,
        settings: [String: String]
    ) {
        self.files = files
        self.database = database
        self.engine = engine
        self.gatewayPort = gatewayPort
        self.settings = settings
    }

    /// Stops the simulator and drops the database.
    func remove() async throws {
        engine.program.send(SIGTERM)
        try await engine.program.ended()
        try await database.drop()
    }

    // MARK: commands

    /// The environment that every command and server of this installation runs in.
    var environment: [String: String] {
        [
            "TOLLGATE_DATABASE_URL": database.url,
            "TOLLGATE_DATABASE_MIGRATIONS": "\(repositoryRoot)/migrations",
            "TOLLGATE_JOURNAL_DIRECTORY": journalDirectory,
            // Small segments, so that a test has several.
            "TOLLGATE_JOURNAL_SEGMENT_BYTES": "1048576",
            "TOLLGATE_GATEWAY_PORT": "\(gatewayPort)",
            "TOLLGATE_ADMIN_PORT": "0",
            "TOLLGATE_BILLING_GRACE_MINUTES": "0",
            "TOLLGATE_JOBS_INTERVAL_SECONDS": "1",
            "TOLLGATE_GATEWAY_DRAIN_SECONDS_MAX": "20",
        ].merging(settings) { $1 }
    }

    /// Runs a command to its end.
    func tollgate(_ arguments: String...) async throws -> ProgramRun { try await tollgate(arguments) }

    /// Runs a command to its end.
    func tollgate(_ arguments: [String]) async throws -> ProgramRun {
        try await ProgramRun.run(
            [ProgramFiles.tollgate] + arguments, environment: environment, directory: files.path,
            name: arguments.first ?? "tollgate")
    }

    /// Runs a command to its end in a changed environment.
    func run(_ arguments: String..., environment extra: [String: String]) async throws -> ProgramRun {
        try await ProgramRun.run(
            [ProgramFiles.tollgate] + arguments, environment: environment.merging(extra) { $1 }, directory: files.path,
            name: arguments.first ?? "tollgate")
    }

    /// Runs a command that must succeed, and reads the JSON that it prints.
    func created(_ arguments: String...) async throws -> JSONValue {
        try await tollgate(arguments + ["--json"]).successful(arguments.joined(separator: " ")).json()
    }

    /// Opens an account with one tenant, one key and a subscription.
    /// - Parameter from: when the subscription starts, RFC 3339; nil for now.
    func customer(
        _ name: String, plan: String = "pay-as-you-go", from: String? = nil, mode: String = "live"
    ) async throws -> Customer {
        let account = try await created("accounts", "create", name, "--mode", mode).text("account")
        let tenant = try await created("tenants", "create", name, "--account", account)
        let tenantID = try tenant.text("tenant")
        let key = try await created("keys", "create", name, "--project", try tenant.text("project"))
        var arguments = ["subscriptions", "create", "--tenant", tenantID, "--plan", plan]
        if let from { arguments += ["--from", from] }
        let subscription = try await tollgate(arguments + ["--json"]).successful("subscriptions create").json()
        return Customer(
            name: name, account: account, tenant: tenantID, project: try tenant.text("project"),
            key: try key.text("key"), secret: try key.text("secret"),
            subscription: try subscription.text("subscription"))
    }

    /// Holds the books against each other, the journal and the simulator's own count.
    func reconcile() async throws -> ProgramRun {
        try await tollgate("reconcile", "--post-first", "--simulator", engine.url)
    }

    /// Starts parts of the program; returns at once.
    func serve(_ part: String = "gateway", environment extra: [String: String] = [:]) throws -> RunningProgram {
        try RunningProgram.start(
            [ProgramFiles.tollgate, "serve", part, "--json"], environment: environment.merging(extra) { $1 },
            directory: files.path, name: "serve-\(part)")
    }

    /// Starts parts of the program and waits until they answer.
    func served(_ part: String = "gateway", environment extra: [String: String] = [:]) async throws -> RunningProgram {
        let program = try serve(part, environment: extra)
        _ = try await program.firstLine()
        return program
    }

    /// Tells a program to stop, lets it finish what runs, and expects a clean end.
    func stop(_ program: RunningProgram) async throws {
        program.send(SIGTERM)
        let end = try await program.ended(within: .seconds(60))
        guard end == .exited(0) else {
            throw ProgramFailure("the program did not stop cleanly: \(end)\n\(program.errors.suffix(4000))")
        }
    }

    /// Asks the database.
    func query(_ sql: SQL) async throws -> Rows {
        try await database.pool.query(sql)
    }

    private static func catalogue(engineURL: String) -> String {
        let models = EngineSimulator.models.map {
            "  - {name: \($0), backend: simulator, context_tokens: 131072, output_tokens: 32768}\n"
        }
        return "backends:\n  - {name: simulator, url: \"\(engineURL)\"}\nmodels:\n" + models.joined()
    }
}

/// Who sends requests and gets the invoice.
struct Customer: Sendable {
    let name: String
    let account: String
    let tenant: String
    let project: String
    /// The key's id.
    let key: String
    /// What the client sends.
    let secret: String
    let subscription: String
}

/// A port that nothing listens on, outside the range that the kernel gives to outgoing connections: while a gateway is
/// down, no client may happen to connect to itself there.
func freePort() throws -> Int {
    for _ in 0..<200 {
        let port = Int.random(in: 18_000..<30_000)
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard socket >= 0 else { break }
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if result == 0 { return port }
    }
    throw ProgramFailure("no free port was found")
}
