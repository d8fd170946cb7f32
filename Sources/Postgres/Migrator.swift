/// Brings a database's schema to what the migration files say, forward only.
///
/// Files are plain SQL, `NNNN_snake_name.sql`, each applied in one transaction together with its row in
/// `schema_migration`. A lock makes migrators that start together run one after the other.
public struct Migrator: Sendable {
    /// What `check` found.
    public enum Status: Sendable, Hashable {
        case current(version: Int)
        /// Files not yet applied, in order.
        case pending([String])
    }

    /// How long to wait for another migrator.
    static let lockTimeoutMilliseconds = 120_000
    /// How long a migration waits for a table's lock before it gives up, so that it does not hold up the traffic.
    static let tableLockTimeoutMilliseconds = 5_000

    private let directory: String
    private let configuration: PostgresConfiguration

    /// - Parameter directory: the path of the migration files.
    public init(directory: String, configuration: PostgresConfiguration) {
        self.directory = directory
        var own = configuration
        own.statementTimeoutMilliseconds = 0
        own.idleInTransactionTimeoutMilliseconds = 0
        own.applicationName = "tollgate migrate"
        self.configuration = own
    }

    /// Applies what is pending; returns the names of the files applied.
    /// - Throws: ``MigrationError``, or ``PostgresError`` when the database cannot be reached.
    public func migrate(report: @Sendable (String) -> Void = { _ in }) async throws -> [String] {
        let files = try MigrationFile.readAll(in: directory)
        let connection = try await PostgresConnection.connect(configuration)
        try await lock(connection)
        // Where tables are distributed, a file may change several that refer to each other; elsewhere it means nothing.
        try await connection.script("SET citus.multi_shard_modify_mode TO 'sequential'")
        try await connection.script(
            """
            CREATE TABLE IF NOT EXISTS schema_migration (
                version int PRIMARY KEY,
                name text NOT NULL,
                sha256 text NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT now(),
                duration_ms bigint NOT NULL
            )
            """
        )
        let applied = try await verify(files, on: connection)
        var names: [String] = []
        for file in files.dropFirst(applied) {
            report(file.name)
            try await apply(file, on: connection)
            names.append(file.name)
        }
        await connection.close()
        return names
    }

    /// Compares without changing anything.
    /// - Throws: as ``migrate(report:)`` for a changed file, a gap, or a schema newer than the files.
    public func check() async throws -> Status {
        let files = try MigrationFile.readAll(in: directory)
        let connection = try await PostgresConnection.connect(configuration)
        let exists = try await connection.query("SELECT to_regclass('schema_migration') IS NOT NULL")
        var applied = 0
        if try exists.onlyValue(as: Bool.self) { applied = try await verify(files, on: connection) }
        await connection.close()
        return applied == files.count ? .current(version: applied) : .pending(files.dropFirst(applied).map(\.name))
    }

    private func lock(_ connection: PostgresConnection) async throws {
        do {
            try await connection.script("SET lock_timeout = \(Self.lockTimeoutMilliseconds)")
            _ = try await connection.query("SELECT pg_advisory_lock(hashtext('tollgate'))")
            try await connection.script("SET lock_timeout = \(Self.tableLockTimeoutMilliseconds)")
        } catch {
            throw error.sqlState == "55P03" ? MigrationError.locked : error
        }
    }

    /// Checks that what was applied is what the files say; returns how many files were applied.
    private func verify(_ files: [MigrationFile], on connection: PostgresConnection) async throws -> Int {
        let applied = try await connection.query("SELECT version, name, sha256 FROM schema_migration ORDER BY version")
        let texts = files.map { Bytes(Array($0.text.utf8)) }
        let checksums = try await connection.query(
            """
            SELECT encode(sha256(text), 'hex') FROM unnest(\(texts)::bytea[]) WITH ORDINALITY AS file (text, version)
            ORDER BY version
            """
        )
        let known = zip(files, try checksums.decodeAll(as: String.self)).map { file, checksum in
            AppliedMigration(
                version: file.version, name: file.name, checksum: checksum, replaced: file.replaced)
        }
        return try AppliedMigration.compare(try applied.map(AppliedMigration.init), with: known)
    }

    private func apply(_ file: MigrationFile, on connection: PostgresConnection) async throws {
        do {
            if file.runsInTransaction {
                try await applyInTransaction(file, on: connection)
            } else {
                let began = ContinuousClock.now
                try await connection.script(file.text)
                try await connection.execute(record(file, since: began))
            }
        } catch let error as PostgresError {
            throw MigrationError.failed(file: file.name, error)
        }
    }

    private func applyInTransaction(_ file: MigrationFile, on connection: PostgresConnection) async throws {
        let began = ContinuousClock.now
        try await connection.transaction(attempts: 1) { transaction in
            try transaction.script(file.text)
            if !transaction.isStillOpen { throw MigrationError.endedTransaction(file.name) }
            try transaction.execute(record(file, since: began))
        }
    }

    private func record(_ file: MigrationFile, since began: ContinuousClock.Instant) -> SQL {
        let duration = (ContinuousClock.now - began) / .milliseconds(1)
        return """
            INSERT INTO schema_migration (version, name, sha256, duration_ms)
            VALUES (\(file.version), \(file.name),
                    encode(sha256(\(Bytes(Array(file.text.utf8)))::bytea), 'hex'), \(Int(duration)))
            """
    }
}

/// A row of `schema_migration`.
struct AppliedMigration: Hashable {
    var version: Int
    var name: String
    var checksum: String
    /// Of a file: checksums of earlier texts that count as this one.
    var replaced: Set<String> = []

    /// Throws unless the applied ones are the beginning of the known ones; returns how many they are.
    static func compare(_ applied: [Self], with known: [Self]) throws(MigrationError) -> Int {
        if let last = applied.last, last.version > known.count {
            throw .newerSchema(found: last.version, known: known.count)
        }
        for (index, migration) in applied.enumerated() {
            if migration.version != index + 1 { throw .gap(expected: index + 1, found: migration.name) }
            let file = known[index]
            guard migration.checksum == file.checksum || file.replaced.contains(migration.checksum) else {
                throw .changed(file.name)
            }
        }
        return applied.count
    }
}

extension AppliedMigration {
    fileprivate init(_ row: Row) throws {
        version = try row.decode("version")
        name = try row.decode("name")
        checksum = try row.decode("sha256")
    }
}
