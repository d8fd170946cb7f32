import Accounts
import Postgres
import Storage
import TestSupport
import Testing

/// Where accounts are on other nodes, the number of a change may be seen before the row that it names.
@Suite(.database, .timeLimit(.minutes(10))) struct SettlingChangesTests {
    @Test func `what was changed a moment ago is read again on a cluster, and only there`() async throws {
        let made = try await StorageFixture.make()
        func difference() async throws -> SnapshotPart {
            try await made.database.read { tx in
                let newest = try ChangeStorage.newest(in: tx)
                return try #require(try SnapshotStorage.difference(since: newest, in: tx)).part
            }
        }
        #expect(try await difference().isEmpty)
        let pool = try TestDatabase.required.pool
        try await pool.execute("UPDATE installation SET is_distributed = true")
        let again = try await difference()
        #expect(again.keys.map(\.id) == [made.key.id])
        #expect(again.subscriptions.map(\.id) == [made.subscription.id])
        #expect(again.histories.keys.sorted() == ["pay-as-you-go"])
        try await pool.execute("UPDATE snapshot_changes SET changed_at = changed_at - interval '2 minutes'")
        #expect(try await difference().isEmpty)
    }
}
