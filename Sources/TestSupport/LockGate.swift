public import Postgres
import Storage

/// A lock that another session holds: whoever needs it waits, so that a test decides what meets what.
public struct LockGate: Sendable {
    private let configuration: PostgresConfiguration
    private let holder: PostgresConnection

    /// Runs the statement, which takes the lock, in a transaction that stays open.
    public init(_ pool: ConnectionPool, _ statement: String) async throws {
        configuration = pool.configuration
        holder = try await PostgresConnection.connect(configuration)
        try await holder.script("BEGIN; \(statement)")
    }

    /// Returns once so many sessions of this database wait for a lock.
    public func waitsFor(_ count: Int) async throws { try await Self.waits(for: count, on: configuration) }

    /// Lets everybody through.
    public func open() async throws { try await holder.script("COMMIT") }

    /// Returns once so many sessions of the database wait for a lock, whoever holds it.
    public static func waits(for count: Int, on configuration: PostgresConfiguration) async throws {
        let watcher = try await PostgresConnection.connect(configuration)
        let deadline = ContinuousClock.now + .seconds(120)
        while ContinuousClock.now < deadline {
            let waiting: Int = try await watcher.query(
                """
                SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock'
                """
            ).onlyValue()
            if waiting >= count { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw StorageError.conflict("nobody waits at the gate")
    }
}
