import Glibc
public import Postgres
import Synchronization

/// The one private Postgres of a test process: started when a test first asks, gone when the process ends.
public actor TestCluster {
    /// The cluster that tests share.
    public static let shared = TestCluster(durability: .fast)
    /// One whose server keeps what it committed, for tests that stop it or look at what it promises.
    public static let durable = TestCluster(durability: .durable)

    /// The template that test databases are copied from: the repository's migrations, applied once.
    static let templateName = "tollgate_template"
    /// The template without anything in it.
    static let emptyTemplateName = "template0"

    private var starting: Task<PrivateCluster, any Error>?
    private var template: Task<Void, any Error>?
    private var databaseCount = 0
    private let durability: PrivateCluster.Durability

    private init(durability: PrivateCluster.Durability) { self.durability = durability }

    /// The running cluster.
    /// - Throws: `ClusterError`, which says what to install when Postgres is missing.
    public func cluster() async throws -> PrivateCluster {
        if let starting { return try await starting.value }
        let task = Task {
            removeLeftovers()
            let path = "\(temporaryDirectory)/\(directoryPrefix)\(getpid())-\(durability)"
            let cluster = try PrivateCluster(directory: path, durability: durability)
            try await cluster.start()
            clustersToRemove.withLock { $0.append(cluster) }
            atexit { clustersToRemove.withLock { $0.popLast() }?.removeAtExit() }
            return cluster
        }
        starting = task
        return try await task.value
    }

    /// How to connect to a database of that name.
    func configuration(database: String) async throws -> PostgresConfiguration {
        var configuration = try await cluster().configuration(database: database)
        // A busy machine is no failure of a test.
        configuration.connectTimeoutSeconds = 60
        return configuration
    }

    /// Makes a database, from the migrated template or empty, and returns how to connect to it.
    func createDatabase(migrated: Bool) async throws -> PostgresConfiguration {
        let administration = try await configuration(database: "postgres")
        if migrated { try await migrateTemplate() }
        databaseCount += 1
        let name = "test_\(databaseCount)"
        let template = migrated ? Self.templateName : Self.emptyTemplateName
        let connection = try await PostgresConnection.connect(administration)
        try await connection.execute("CREATE DATABASE \(identifier: name) TEMPLATE \(identifier: template)")
        await connection.close()
        return administration.database(name)
    }

    func dropDatabase(_ name: String) async throws {
        let connection = try await PostgresConnection.connect(try await configuration(database: "postgres"))
        try await connection.execute("DROP DATABASE IF EXISTS \(identifier: name) WITH (FORCE)")
        await connection.close()
    }

    private func migrateTemplate() async throws {
        if let template { return try await template.value }
        let task = Task {
            let administration = try await configuration(database: "postgres")
            let connection = try await PostgresConnection.connect(administration)
            try await connection.execute("CREATE DATABASE \(identifier: Self.templateName) TEMPLATE template0")
            await connection.close()
            let configuration = administration.database(Self.templateName)
            _ = try await Migrator(directory: "\(repositoryRoot)/migrations", configuration: configuration).migrate()
        }
        template = task
        try await task.value
    }
}

/// What the process's end has to remove.
private let clustersToRemove = Mutex<[PrivateCluster]>([])

private let directoryPrefix = "tollgate-test-"

private var temporaryDirectory: String {
    getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
}

/// The repository that this file is part of.
public let repositoryRoot: String = {
    let path = #filePath.split(separator: "/").dropLast(3)
    return "/" + path.joined(separator: "/")
}()

/// Directories of test processes that were killed: their servers ended with them, their files did not.
private func removeLeftovers() {
    guard let directory = opendir(temporaryDirectory) else { return }
    defer { closedir(directory) }
    while let entry = readdir(directory) {
        // An entry is only as long as its name: copying the whole array would read behind it.
        guard let offset = MemoryLayout<dirent>.offset(of: \.d_name) else { return }
        let name = String(cString: (UnsafeRawPointer(entry) + offset).assumingMemoryBound(to: CChar.self))
        guard name.hasPrefix(directoryPrefix),
            let id = pid_t(name.dropFirst(directoryPrefix.count).prefix { $0 != "-" }),
            kill(id, 0) != 0, errno == ESRCH,
            let cluster = try? PrivateCluster(directory: "\(temporaryDirectory)/\(name)", durability: .fast)
        else { continue }
        cluster.removeAtExit()
    }
}
