public import Postgres
public import Testing

/// A database of one test, on the process's private Postgres.
public struct TestDatabase: Sendable {
    /// How to connect.
    public let configuration: PostgresConfiguration
    /// A pool of two connections, closed after the test.
    public let pool: ConnectionPool
    private let cluster: TestCluster

    /// As libpq reads it: what the program takes as `database.url`.
    public var url: String {
        let keywords = configuration.keywords
        let query = ["host", "port", "user"].map { "\($0)=\(keywords[$0] ?? "")" }.joined(separator: "&")
        return "postgresql:///\(configuration.database ?? "")?\(query)"
    }

    /// The database that `.database` or `.emptyDatabase` made for the running test. Detached tasks do not see it.
    @TaskLocal public static var current: TestDatabase?

    /// The running test's database.
    /// - Throws: when the test or its suite carries no database trait.
    public static var required: TestDatabase {
        get throws {
            guard let current else { throw MissingTrait() }
            return current
        }
    }

    /// Makes a database without the trait; whoever makes it drops it.
    public static func create(migrated: Bool = true, on cluster: TestCluster = .shared) async throws -> TestDatabase {
        let configuration = try await cluster.createDatabase(migrated: migrated)
        var limits = PoolLimits(connectionCountMax: 2)
        limits.acquireTimeout = .seconds(60)
        return TestDatabase(
            configuration: configuration, pool: ConnectionPool(configuration, limits: limits), cluster: cluster)
    }

    /// Closes the pool and drops the database, also under connections that are still open.
    public func drop() async throws {
        await pool.close()
        try await cluster.dropDatabase(configuration.database ?? "")
    }

    struct MissingTrait: Error, CustomStringConvertible {
        var description: String { "this test has no database: write @Test(.database) or @Suite(.database)" }
    }
}

/// Gives each test a database of its own.
public struct DatabaseTrait: TestTrait, SuiteTrait, TestScoping {
    let migrated: Bool
    public var isRecursive: Bool { true }

    public func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void,
    ) async throws {
        guard testCase != nil else { return try await function() }
        let database = try await TestDatabase.create(migrated: migrated)
        do {
            try await TestDatabase.$current.withValue(database) { try await function() }
        } catch {
            try await database.drop()
            throw error
        }
        try await database.drop()
    }
}

extension Trait where Self == DatabaseTrait {
    /// A database with the repository's migrations applied; read it with `try TestDatabase.required`.
    public static var database: Self { DatabaseTrait(migrated: true) }
    /// A database with nothing in it.
    public static var emptyDatabase: Self { DatabaseTrait(migrated: false) }
}

extension ConnectionPool {
    /// Runs one statement as someone does who switched the triggers off.
    public func executePastTriggers(_ sql: SQL) async throws {
        try await withTransaction { tx in
            try tx.execute("SET LOCAL session_replication_role = replica")
            try tx.execute(sql)
        }
    }

    /// Runs statements, divided by semicolons, in the same way and all or none.
    public func executePastTriggers(script: String) async throws {
        try await withConnection { try await $0.script("SET LOCAL session_replication_role = replica; \(script)") }
    }

    /// A rule of the schema refuses the statement; a mistake in it is none. The rules' own state is 23001: a test that
    /// means a key or a check says so.
    public func expectRefused(
        _ statement: String, by states: Set<String> = ["23001"], sourceLocation: SourceLocation = #_sourceLocation
    ) async {
        do {
            try await withConnection { try await $0.script(statement) }
            Issue.record("was not refused: \(statement)", sourceLocation: sourceLocation)
        } catch {
            let state = (error as? PostgresError)?.sqlState
            guard !states.contains(state ?? "none") else { return }
            Issue.record("\(statement): \(error)", sourceLocation: sourceLocation)
        }
    }
}
