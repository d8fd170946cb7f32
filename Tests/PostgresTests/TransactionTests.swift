import Synchronization
import TestSupport
import Testing

@testable import Postgres

@Suite(.emptyDatabase, .timeLimit(.minutes(10))) struct TransactionTests {
    @Test func `a transaction that throws leaves nothing`() async throws {
        struct Stop: Error {}
        let pool = try TestDatabase.required.pool
        try await pool.execute("CREATE TABLE thing (a int)")
        await #expect(throws: Stop.self) {
            try await pool.withTransaction { transaction in
                try transaction.execute("INSERT INTO thing VALUES (1)")
                throw Stop()
            }
        }
        let count = try await pool.withTransaction(readOnly: true) { transaction in
            try transaction.query("SELECT count(*) FROM thing").onlyValue(as: Int.self)
        }
        #expect(count == 0)
        let error = await #expect(throws: PostgresError.self) {
            try await pool.withTransaction(readOnly: true) { try $0.execute("INSERT INTO thing VALUES (1)") }
        }
        #expect(error?.sqlState == "25006")
    }

    @Test func `a swallowed error does not pass for a commit`() async throws {
        let pool = try TestDatabase.required.pool
        let error = await #expect(throws: PostgresError.self) {
            try await pool.withTransaction { transaction in _ = try? transaction.query("SELECT 1/0") }
        }
        #expect(error?.sqlState == "25P02")
    }

    @Test func `a savepoint undoes only its own work`() async throws {
        let pool = try TestDatabase.required.pool
        try await pool.execute("CREATE TABLE thing (a int UNIQUE)")
        try await pool.withTransaction { transaction in
            try transaction.execute("INSERT INTO thing VALUES (1)")
            _ = try? transaction.savepoint { try $0.execute("INSERT INTO thing VALUES (2), (1)") }
            try transaction.savepoint { try $0.execute("INSERT INTO thing VALUES (3)") }
        }
        #expect(try await pool.query("SELECT a FROM thing ORDER BY a").decodeAll(as: Int.self) == [1, 3])
    }

    @Test func `serialization failures are tried again until the sum is right`() async throws {
        let database = try TestDatabase.required
        try await database.pool.execute("CREATE TABLE counter (value bigint)")
        try await database.pool.execute("INSERT INTO counter VALUES (0)")
        let pool = ConnectionPool(database.configuration, connectionCountMax: 4)
        let runs = Counter()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    for _ in 0..<5 {
                        try await pool.withTransaction(isolation: .serializable, attempts: 50) { transaction in
                            runs.increment()
                            let value = try transaction.query("SELECT value FROM counter").onlyValue(as: Int64.self)
                            _ = try transaction.query("SELECT pg_sleep(0.002)")
                            try transaction.execute("UPDATE counter SET value = \(value + 1)")
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await pool.query("SELECT value FROM counter").onlyValue(as: Int.self) == 20)
        #expect(runs.value > 20)
        await pool.close()
    }

    @Test func `retries end`() async throws {
        let pool = try TestDatabase.required.pool
        let runs = Counter()
        let error = await #expect(throws: PostgresError.self) {
            try await pool.withTransaction(attempts: 3) { transaction in
                runs.increment()
                try transaction.execute("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$")
            }
        }
        #expect(error?.isRetryable == true)
        #expect(runs.value == 3)
    }

    @Test func `a connection lost at commit leaves the outcome unknown`() async throws {
        let pool = try TestDatabase.required.pool
        // The deferred trigger ends its own connection's server process in the middle of COMMIT.
        try await pool.withConnection { connection in
            try await connection.script(
                """
                CREATE TABLE thing (a int);
                CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS
                    $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5); RETURN NULL; END $$;
                CREATE CONSTRAINT TRIGGER die AFTER INSERT ON thing DEFERRABLE INITIALLY DEFERRED
                    FOR EACH ROW EXECUTE FUNCTION die();
                """
            )
        }
        let error = await #expect(throws: PostgresError.self) {
            try await pool.withTransaction { try $0.execute("INSERT INTO thing VALUES (1)") }
        }
        #expect(error?.kind == .commitUnknown)
        #expect(try await pool.query("SELECT count(*) FROM thing").onlyValue(as: Int.self) == 0)
    }

    @Test func `a connection lost before commit is known to be rolled back`() async throws {
        let pool = try TestDatabase.required.pool
        let error = await #expect(throws: PostgresError.self) {
            try await pool.withTransaction { transaction in
                _ = try transaction.query("SELECT pg_terminate_backend(pg_backend_pid())")
                _ = try transaction.query("SELECT 1")
            }
        }
        #expect(error?.kind == .connectionLost)
        #expect(try await pool.query("SELECT 1").onlyValue(as: Int.self) == 1)
    }
}

/// A count that closures on several threads share.
private final class Counter: Sendable {
    private let count = Atomic<Int>(0)
    var value: Int { count.load(ordering: .relaxed) }
    func increment() { count.add(1, ordering: .relaxed) }
}
