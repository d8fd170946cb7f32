import TestSupport
import Testing

@testable import Postgres

@Suite(.emptyDatabase, .timeLimit(.minutes(10))) struct ListenerTests {
    @Test func `notifications arrive after the commit, and again after a reconnect`() async throws {
        let database = try TestDatabase.required
        let listener = try Listener(database.configuration, channels: ["Price-Book", "keys"])
        var events = listener.events.makeAsyncIterator()
        #expect(await events.next() == .connected)

        try await database.pool.withTransaction { transaction in
            try transaction.notify(channel: "Price-Book", payload: "7")
            try transaction.notify(channel: "other")
        }
        #expect(await events.next() == .notification(channel: "Price-Book", payload: "7"))

        try await database.pool.execute(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND query LIKE 'LISTEN%'
            """
        )
        #expect(await events.next() == .reconnected)
        try await database.pool.execute("SELECT pg_notify('keys', '')")
        #expect(await events.next() == .notification(channel: "keys", payload: ""))

        listener.stop()
        #expect(await events.next() == nil)
    }

    @Test func `a slow reader finds the newest events`() async throws {
        let database = try TestDatabase.required
        let listener = try Listener(database.configuration, channels: ["flood"])
        var events = listener.events.makeAsyncIterator()
        #expect(await events.next() == .connected)
        try await database.pool.execute("SELECT pg_notify('flood', n::text) FROM generate_series(1, 1000) AS n")
        try await Task.sleep(for: .milliseconds(500))
        var count = 0
        while let event = await events.next() {
            count += 1
            if event == .notification(channel: "flood", payload: "1000") { break }
        }
        #expect(count <= Listener.eventCountMax)
        listener.stop()
    }
}
