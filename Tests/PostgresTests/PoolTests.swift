import TestSupport
import Testing

@testable import Postgres

@Suite(.emptyDatabase, .timeLimit(.minutes(10))) struct PoolTests {
    @Test func `many tasks share few connections`() async throws {
        let database = try TestDatabase.required
        let pool = ConnectionPool(database.configuration, connectionCountMax: 3)
        try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<100 {
                group.addTask { try await pool.query("SELECT \(number)::int").onlyValue(as: Int.self) }
            }
            let sum = try await group.reduce(0, +)
            #expect(sum == 4_950)
        }
        let statistics = await pool.statistics
        #expect(statistics.idle <= 3 && statistics.leased == 0 && statistics.waiting == 0)
        await pool.close()
        let error = await #expect(throws: PostgresError.self) { try await pool.query("SELECT 1") }
        #expect(error?.kind == .closed)
    }

    @Test func `who waits too long is told, and a cancelled waiter goes away`() async throws {
        let database = try TestDatabase.required
        var limits = PoolLimits(connectionCountMax: 1)
        limits.acquireTimeout = .milliseconds(100)
        let pool = ConnectionPool(database.configuration, limits: limits)
        try await pool.withConnection { _ in
            let error = await #expect(throws: PostgresError.self) { try await pool.query("SELECT 1") }
            #expect(error?.kind == .acquireTimedOut)
            let waiter = Task { try await pool.query("SELECT 1") }
            waiter.cancel()
            await #expect(throws: CancellationError.self) { try await waiter.value }
        }
        #expect(try await pool.query("SELECT 1").onlyValue(as: Int.self) == 1)
        await pool.close()
    }

    @Test func `cancelling a task cancels its statement`() async throws {
        let pool = try TestDatabase.required.pool
        let began = ContinuousClock.now
        let task = Task { try await pool.query("SELECT pg_sleep(20)") }
        try await Task.sleep(for: .milliseconds(200))
        task.cancel()
        let error = await #expect(throws: PostgresError.self) { try await task.value }
        #expect(error?.sqlState == "57014")
        #expect(ContinuousClock.now - began < .seconds(10))
        #expect(try await pool.query("SELECT 1").onlyValue(as: Int.self) == 1)
    }

    @Test func `a connection left inside a transaction is not lent again`() async throws {
        let pool = ConnectionPool(try TestDatabase.required.configuration, connectionCountMax: 1)
        let identity: SQL = "SELECT pg_backend_pid()"
        let first = try await pool.withConnection { connection in
            try await connection.script("BEGIN")
            return try await connection.query(identity).onlyValue(as: Int.self)
        }
        let second = try await pool.query(identity).onlyValue(as: Int.self)
        #expect(first != second)
        #expect(try await pool.query(identity).onlyValue(as: Int.self) == second)
        await pool.close()
    }

    @Test func `connections end on the server when nobody holds them any more`() async throws {
        let database = try TestDatabase.required
        var configuration = database.configuration
        configuration.applicationName = "dropped"
        do {
            let connection = try await PostgresConnection.connect(configuration)
            #expect(try await connection.query("SELECT 1").onlyValue(as: Int.self) == 1)
        }
        let count: SQL = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dropped'"
        var remaining = 1
        for _ in 0..<500 where remaining > 0 {
            remaining = try await database.pool.query(count).onlyValue()
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(remaining == 0)
    }
}
