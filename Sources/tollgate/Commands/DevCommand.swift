import Accounts
import ArgumentParser
import EngineSimulator
import Foundation
import Identity
import Postgres
import Storage
import Telemetry

struct DevCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dev",
        abstract: "Everything on loopback, over a private Postgres cluster that it starts and stops itself.",
        discussion: """
            Plans from pricing-plans/ are published, an account with a key is made, and the gateway stands before the
            engine simulator or an engine of yours. Ctrl-C stops it all; the data stays for the next time.
            """)

    @Option(help: "Where its data stands.") var data = ".tollgate/dev"
    @Option(help: "`simulator`, or the URL of an OpenAI-compatible engine.") var engine = "simulator"
    @Option(help: "The key that the engine at that URL asks for.") var engineKey: String?
    @Option(help: "The model that the engine at that URL serves; default: the simulator's models.")
    var engineModel: String?
    @Option(help: "What accounts are unless told otherwise: test or live.", transform: readMode) var mode = AccountMode
        .test
    @Option(help: "Port of the inference API; 0 takes a free one.") var gatewayPort = 0
    @Option(help: "Port of the admin API; 0 takes a free one.") var adminPort = 0
    @Flag(help: "Print one JSON line when ready, for scripts.") var json = false

    func run() async throws {
        let signals = TerminationSignals()
        let directory = URL(fileURLWithPath: data).standardizedFileURL.path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        if !json { say("starting a private Postgres in \(directory)") }
        let cluster = try ClusterDirectory.cluster(for: directory)
        if ClusterDirectory.isLeftOver(cluster, from: directory) { try await cluster.remove() }
        try await cluster.start()
        do {
            try await serve(cluster, directory, until: signals)
        } catch {
            try await cluster.stop()
            throw error
        }
        try await cluster.stop()
    }

    private func serve(_ cluster: PrivateCluster, _ directory: String, until signals: TerminationSignals) async throws {
        let migrations = try ResourceDirectory.path("migrations")
        _ = try await Migrator(directory: migrations, configuration: cluster.configuration()).migrate()
        let keyFile = "\(directory)/secrets.key"
        if !FileManager.default.fileExists(atPath: keyFile) {
            _ = FileManager.default.createFile(
                atPath: keyFile, contents: Data((SecretsCommand.freshKeyText() + "\n").utf8),
                attributes: [.posixPermissions: 0o600])
        }
        let configuration = try Configuration.load(file: nil, environment: [:]).setting([
            "database.url": ClusterDirectory.url(of: cluster), "database.migrations": migrations,
            "secrets.key_file": keyFile,
            "journal.directory": "\(directory)/journal", "gateway.port": "\(gatewayPort)", "gateway.name": "dev",
            "admin.port": "\(adminPort)", "jobs.interval_seconds": "5", "billing.grace_minutes": "0",
            "log.level": "warning",
        ])
        let simulator =
            engine == "simulator"
            ? try await SimulatedEngine.start(SimulatedEngine.Configuration(models: DemoCatalogue.models)) : nil
        let source = DevelopmentEngine(url: simulator?.url ?? engine, apiKey: engineKey, model: engineModel)
        let pool = ConnectionPool(cluster.configuration(), connectionCountMax: 2)
        let keys = try await DevelopmentSeed(
            database: Database(pool), plansDirectory: try ResourceDirectory.path("pricing-plans"), engine: source,
            keysPath: "\(directory)/keys.json", keyring: try configuration.secretKeyring(), mode: mode
        ).plant()
        await pool.close()
        let program = try await ProgramRuntime.start(configuration, parts: [.gateway, .admin, .jobs])
        announce(program, source, keys, directory, databaseURL: ClusterDirectory.url(of: cluster))
        await signals.wait()
        if !json { say("stopping") }
        await program.stop()
        try await simulator?.stop()
    }

    private func announce(
        _ program: ProgramRuntime, _ engine: DevelopmentEngine, _ keys: DevelopmentKeys, _ directory: String,
        databaseURL: String
    ) {
        let gateway = "http://127.0.0.1:\(program.gatewayPort ?? 0)"
        let admin = "http://127.0.0.1:\(program.adminPort ?? 0)"
        if json {
            print(
                JSONText.object(
                    [
                        ("gateway", gateway), ("admin", admin), ("engine", engine.url), ("admin_key", keys.adminKey),
                        ("demo_key", keys.demoKey), ("data", directory), ("database_url", databaseURL),
                        ("journal", "\(directory)/journal"), ("secret_key_file", "\(directory)/secrets.key"),
                    ].map { ($0.0, JSONText.string($0.1)) }))
        } else {
            let model = engine.model ?? DemoCatalogue.models[0]
            print(
                """
                Tollgate is ready.
                  inference API  \(gateway)/v1   key \(keys.demoKey)
                  admin API      \(admin)/v1   key \(keys.adminKey)
                  engine         \(engine.url)
                  database       \(databaseURL)

                Try it:
                  curl \(gateway)/v1/chat/completions -H 'authorization: Bearer \(keys.demoKey)' \\
                    -H 'content-type: application/json' \\
                    -d '{"model":"\(model)","messages":[{"role":"user","content":"Hello"}]}'

                Other commands reach the same database with  TOLLGATE_DATABASE_URL='\(databaseURL)'
                and its secrets with                         TOLLGATE_SECRETS_KEY_FILE='\(directory)/secrets.key'
                Ctrl-C stops everything.
                """)
        }
        flushOutput()
    }
}

/// Where the cluster of a data directory stands.
enum ClusterDirectory {
    /// The cluster.
    static func cluster(for directory: String) throws -> PrivateCluster {
        try PrivateCluster(directory: path(for: directory), durability: .durable)
    }

    /// Inside it; elsewhere when the account that Postgres runs under could not enter there (a root user's home).
    private static func path(for directory: String) -> String {
        guard geteuid() == 0, !isEnterableByAll(directory) else { return "\(directory)/postgres" }
        let digest = SHA256Digest(of: directory).hexadecimal.prefix(16)
        return "/var/tmp/tollgate-\(digest)"
    }

    /// Whether the cluster stands elsewhere and belongs to a data directory that was removed since.
    static func isLeftOver(_ cluster: PrivateCluster, from directory: String) -> Bool {
        !cluster.directory.hasPrefix(directory + "/")
            && ["keys.json", "journal"].allSatisfy { !FileManager.default.fileExists(atPath: "\(directory)/\($0)") }
    }

    /// How other commands reach the cluster, through its socket.
    static func url(of cluster: PrivateCluster) -> String {
        var allowed = CharacterSet.alphanumerics
        allowed.insert(charactersIn: "/-_.")
        let socket = cluster.socketDirectory.addingPercentEncoding(withAllowedCharacters: allowed)
        return "postgresql:///postgres?host=\(socket ?? cluster.socketDirectory)&port=5432&user=postgres"
    }

    private static func isEnterableByAll(_ path: String) -> Bool {
        var current = path
        while current != "/" {
            var status = stat()
            guard stat(current, &status) == 0, status.st_mode & 0o001 != 0 else { return false }
            current = (current as NSString).deletingLastPathComponent
        }
        return true
    }
}
