import Glibc
import TestSupport
import Testing

@testable import Postgres

@Suite(.emptyDatabase, .timeLimit(.minutes(10))) struct MigratorTests {
    @Test func `files are applied once and in order`() async throws {
        let (database, directory) = (try TestDatabase.required, try TemporaryDirectory())
        try directory.write("0001_first.sql", "CREATE TABLE first (a int); INSERT INTO first VALUES (1);")
        try directory.write("0002_second.sql", "ALTER TABLE first ADD b text;")
        try directory.write("README.md", "not a migration")
        let migrator = Migrator(directory: directory.path, configuration: database.configuration)
        #expect(try await migrator.check() == .pending(["0001_first.sql", "0002_second.sql"]))
        #expect(try await migrator.migrate() == ["0001_first.sql", "0002_second.sql"])
        #expect(try await migrator.migrate() == [])
        #expect(try await migrator.check() == .current(version: 2))
        #expect(try await database.pool.query("SELECT a, b FROM first").count == 1)

        try directory.write(
            "0003_index.sql", "-- tollgate: no-transaction\nCREATE INDEX CONCURRENTLY by_a ON first (a);")
        #expect(try await migrator.check() == .pending(["0003_index.sql"]))
        #expect(try await migrator.migrate() == ["0003_index.sql"])
    }

    @Test func `a file that fails leaves nothing of itself`() async throws {
        let (database, directory) = (try TestDatabase.required, try TemporaryDirectory())
        try directory.write("0001_first.sql", "CREATE TABLE first (a int);")
        try directory.write("0002_broken.sql", "CREATE TABLE second (a int); SELECT 1/0;")
        let migrator = Migrator(directory: directory.path, configuration: database.configuration)
        let error = await #expect(throws: MigrationError.self) { try await migrator.migrate() }
        #expect(error?.description.hasPrefix("0002_broken.sql failed") == true)
        #expect(try await migrator.check() == .pending(["0002_broken.sql"]))
        #expect(try await database.pool.query("SELECT to_regclass('second')").onlyValue(as: String?.self) == nil)

        try directory.write("0002_broken.sql", "CREATE TABLE second (a int); COMMIT;")
        await #expect(throws: MigrationError.endedTransaction("0002_broken.sql")) { try await migrator.migrate() }
    }

    @Test func `a file that names the text it replaces is not applied again where that was`() async throws {
        let (database, directory) = (try TestDatabase.required, try TemporaryDirectory())
        let migrator = Migrator(directory: directory.path, configuration: database.configuration)
        try directory.write("0001_first.sql", "CREATE TABLE first (a int);")
        _ = try await migrator.migrate()
        let applied = try await database.pool.query("SELECT sha256 FROM schema_migration").onlyValue(as: String.self)
        for replaced in [String(applied.dropLast()), "x" + applied, ""] {
            try directory.write(
                "0001_first.sql", "-- tollgate: replaces \(replaced)\nCREATE TABLE first (a bigint);")
            await #expect(throws: MigrationError.changed("0001_first.sql")) { try await migrator.check() }
        }
        try directory.write("0001_first.sql", "-- tollgate: replaces \(applied)\nCREATE TABLE first (a bigint);")
        try directory.write("0002_second.sql", "SELECT 1;")
        #expect(try await migrator.migrate() == ["0002_second.sql"])
    }

    @Test func `a changed file, a gap, a bad name and a newer schema are refused`() async throws {
        let (database, directory) = (try TestDatabase.required, try TemporaryDirectory())
        let migrator = Migrator(directory: directory.path, configuration: database.configuration)
        try directory.write("0001_first.sql", "CREATE TABLE first (a int);")
        try directory.write("0002_second.sql", "CREATE TABLE second (a int);")
        _ = try await migrator.migrate()

        try directory.write("0002_second.sql", "CREATE TABLE second (a bigint);")
        await #expect(throws: MigrationError.changed("0002_second.sql")) { try await migrator.migrate() }
        await #expect(throws: MigrationError.changed("0002_second.sql")) { try await migrator.check() }

        directory.remove("0002_second.sql")
        await #expect(throws: MigrationError.newerSchema(found: 2, known: 1)) { try await migrator.migrate() }

        try directory.write("0003_third.sql", "SELECT 1;")
        await #expect(throws: MigrationError.gap(expected: 2, found: "0003_third.sql")) { try await migrator.check() }

        directory.remove("0003_third.sql")
        try directory.write("2_second.sql", "SELECT 1;")
        await #expect(throws: MigrationError.badName("2_second.sql")) { try await migrator.check() }

        let nowhere = Migrator(directory: "/nowhere", configuration: database.configuration)
        await #expect(throws: MigrationError.unreadable("/nowhere")) { try await nowhere.migrate() }
    }

    @Test func `migrators that start together apply each file once`() async throws {
        let (database, directory) = (try TestDatabase.required, try TemporaryDirectory())
        for number in 1...5 {
            try directory.write("000\(number)_step.sql", "CREATE TABLE step_\(number) (a int); SELECT pg_sleep(0.02);")
        }
        let migrator = Migrator(directory: directory.path, configuration: database.configuration)
        let applied = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<4 { group.addTask { try await migrator.migrate().count } }
            return try await group.reduce(0, +)
        }
        #expect(applied == 5)
    }
}

@Suite(.database) struct RepositoryMigrationTests {
    @Test func `the repository's own migrations apply to an empty database`() async throws {
        let database = try TestDatabase.required
        let migrator = Migrator(directory: "\(repositoryRoot)/migrations", configuration: database.configuration)
        guard case .current = try await migrator.check() else {
            Issue.record("the template database is not up to date")
            return
        }
    }

    @Test func `a database that has the first text of a mended migration goes on`() async throws {
        let database = try TestDatabase.required
        let migrator = Migrator(directory: "\(repositoryRoot)/migrations", configuration: database.configuration)
        let current = try await migrator.check()
        try await database.pool.execute(
            """
            UPDATE schema_migration SET sha256 = '16a2acc1b84cac63ffe2524519d0aed2e0e0b892739e38a417cf18e3ac45ec00'
            WHERE name = '0015_limits_by_own_name.sql'
            """)
        #expect(try await migrator.check() == current)
        #expect(try await migrator.migrate() == [])
    }
}

extension TemporaryDirectory {
    fileprivate func write(_ name: String, _ text: String) throws {
        let file = try #require(fopen("\(path)/\(name)", "w"))
        defer { fclose(file) }
        try #require(fputs(text, file) >= 0)
    }

    fileprivate func remove(_ name: String) { unlink("\(path)/\(name)") }
}
