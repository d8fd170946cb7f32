import Accounts
import Foundation
import Identity
import Postgres
import Storage
import TestSupport
import Testing

/// The database as the release before live and test accounts left it.
@Suite(.emptyDatabase, .timeLimit(.minutes(10))) struct ModeMigrationTests {
    private static let first = "0032_live_and_test.sql"

    private func migrate(upTo isWanted: (String) -> Bool) async throws {
        let directory = FileManager.default.temporaryDirectory.path + "/tollgate-migrations-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let all = repositoryRoot + "/migrations"
        for file in try FileManager.default.contentsOfDirectory(atPath: all) where isWanted(file) {
            try FileManager.default.copyItem(atPath: "\(all)/\(file)", toPath: "\(directory)/\(file)")
        }
        _ = try await Migrator(directory: directory, configuration: TestDatabase.required.configuration).migrate()
        try FileManager.default.removeItem(atPath: directory)
    }

    @Test func `an account whose clock was ever moved is a test account afterwards, all others are live`() async throws
    {
        try await migrate { $0 < Self.first }
        let pool = try TestDatabase.required.pool
        let clocks: [(ahead: Int64, change: Int64)] = [(0, 0), (86_400_000, 3), (31_536_000_000, 9), (0, 4), (0, 0)]
        for (number, clock) in clocks.enumerated() {
            let id = StorageFixture.id(UInt64(number + 1), as: IDKinds.Account.self)
            _ = try await pool.query(
                """
                INSERT INTO accounts (account_id, name, currency, time_zone, clock_offset_ms, clock_change, created_at)
                VALUES (\(id), \("Account \(number)"), 'EUR', 'UTC', \(clock.ahead), \(clock.change), now())
                """)
        }
        try await migrate { $0.hasSuffix(".sql") }
        let database = Database(pool)
        let accounts = try await database.read { try AccountStorage.list(in: $0).items }
        #expect(accounts.map(\.mode) == [.live, .test, .test, .test, .live])
        #expect(accounts.map(\.clockOffsetMilliseconds) == clocks.map(\.ahead))
        #expect(accounts.map(\.clockChange) == clocks.map(\.change))
        for account in accounts where account.mode == .test {
            let id = try #require(account.sandboxID)
            let moves = try await database.read { try SandboxStorage.moves(of: id, in: $0) }
            #expect(moves.map(\.toMilliseconds) == [account.clockOffsetMilliseconds].filter { $0 > 0 })
            #expect(moves.allSatisfy { $0.movedBy == "migration" })
            #expect(try await database.read { try SandboxStorage.accounts(of: id, in: $0) } == [account.id])
        }
        // What was published before counts from its date for them, as it did.
        let published = EffectiveDate(
            from: StorageFixture.now, publishedAt: StorageFixture.now.advanced(byMilliseconds: -60_000))
        #expect(accounts.allSatisfy { published.instant(under: $0.clock) == published.from })
    }
}
