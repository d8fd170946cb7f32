import Accounts
import Billing
import Identity
import Invoicing
import Postgres
import Storage
import TestSupport
import Testing

/// Bytes of a journal that nobody can read.
@Suite(.database, .timeLimit(.minutes(10))) struct DamagedJournalTests {
    private let found = BillingWorld.instant("2026-11-20T00:00:00Z")
    private static let now = "2026-12-02T09:00:00Z"

    /// Two customers with usage in the world's journal, and one without any.
    private func world() async throws -> (BillingWorld, [Customer], other: Customer) {
        let world = try await BillingWorld.make()
        let customers = [
            try await world.customer(1, plan: "beta", from: "2026-11-01T00:00:00Z"),
            try await world.customer(2, plan: "beta", from: "2026-11-01T00:00:00Z"),
        ]
        let other = try await world.customer(3, plan: "alpha", from: "2026-11-01T00:00:00Z")
        var requests: [IngestRequest] = []
        for customer in customers {
            requests.append(try await world.request(customer, at: "2026-11-03T10:00:00Z", input: 2_000_000))
        }
        try await world.ingest(requests, heartbeat: "2026-12-01T00:00:10Z")
        return (world, customers, other)
    }

    private func damage(
        _ world: BillingWorld, at offset: Int64, account: AccountID? = nil
    ) async throws {
        try await world.pool.execute(
            """
            INSERT INTO journal_quarantines (journal_id, segment, byte_offset, length, reason, found_at, account_id)
            VALUES (\(world.journalID), 1, \(offset), 4096, 'checksum', \(found), \(account))
            """)
    }

    private func release(_ world: BillingWorld, at mark: JournalPosition?, reason: String = "looked") async throws
        -> Int
    {
        let (journal, found) = (world.journalID, found)
        return try await world.database.write {
            try QuarantineStorage.release(journal, at: mark, reason: reason, actor: "a test", now: found, in: $0)
        }
    }

    @Test func `damage of unknown content holds every account that could have used it until someone looked`()
        async throws
    {
        let (world, customers, other) = try await world()
        let later = try await world.customer(4, plan: "alpha", from: "2026-11-20T00:00:00.001Z")
        try await damage(world, at: 512)
        let report = try await world.run("2026-11", now: Self.now).run()
        for customer in customers + [other] {
            #expect(
                report.word(customer.id).hasPrefix("not closed: journal \(world.journalID) cannot be read at 1:512"))
        }
        #expect(report.word(later.id).hasPrefix("finalized"), "it was no customer yet when the damage was found")
        #expect(report.damagedPlaces.map(\.mark) == [JournalPosition(segment: 1, offset: 512)])
        #expect(try await release(world, at: JournalPosition(segment: 1, offset: 512), reason: "an empty page") == 1)
        let after = try await world.run("2026-11", now: Self.now).run()
        for customer in customers + [other] { #expect(after.word(customer.id).hasPrefix("finalized")) }
        #expect(after.damagedPlaces.map(\.releaseReason) == ["an empty page"], "the run still names it")
    }

    @Test(arguments: [
        ("2026-11-19T23:59:59.999Z", 0, true), ("2026-11-20T00:00:00Z", 0, true),
        ("2026-11-20T00:00:00.001Z", 0, false),
        ("2026-11-25T00:00:00Z", 5 * 86_400_000, true), ("2026-11-25T00:00:00.001Z", 5 * 86_400_000, false),
    ])
    func `a subscription had begun by its account's own clock`(
        start: String, offset: Int64, isHeld: Bool
    ) async throws {
        let world = try await BillingWorld.make()
        let customer = try await world.customer(1, plan: "beta", from: start, mode: .test)
        try await world.ingest(heartbeat: "2026-11-20T00:00:00Z")
        try await damage(world, at: 512)
        let sandbox = try #require(customer.account.sandboxID)
        _ = try await BillingService(world.database, now: { BillingWorld.beginning }).change(by: .clerk) {
            try $0.advanceClock(of: sandbox, .byMilliseconds(offset))
        }
        let holding = try await world.database.read { try QuarantineStorage.holding(customer.id, in: $0) }
        #expect(holding.count == (isHeld ? 1 : 0))
    }

    @Test func `damage that names its account holds nobody else`() async throws {
        let (world, customers, other) = try await world()
        try await damage(world, at: 512, account: other.id)
        let report = try await world.run("2026-11", now: Self.now).run()
        #expect(report.word(other.id).hasPrefix("not closed: journal"))
        for customer in customers { #expect(report.word(customer.id).hasPrefix("finalized")) }
    }

    @Test func `each place is released by itself, or all of a journal at once`() async throws {
        let (world, customers, _) = try await world()
        for offset in [0, 512, 8192] as [Int64] { try await damage(world, at: offset) }
        #expect(try await release(world, at: JournalPosition(segment: 1, offset: 0)) == 1)
        let held = try await world.run("2026-11", now: Self.now).run()
        #expect(held.word(customers[0].id).contains("at 1:512") && held.word(customers[0].id).contains("at 1:8192"))
        #expect(try await release(world, at: nil) == 2)
        await #expect(throws: StorageError.self) { try await release(world, at: nil) }
        await #expect(throws: StorageError.self) {
            try await release(world, at: JournalPosition(segment: 7, offset: 0))
        }
        let free = try await world.run("2026-11", now: Self.now).run()
        #expect(free.isComplete)
    }

    @Test func `damage that is found after the draft was made holds it, too`() async throws {
        let (world, customers, _) = try await world()
        let run = try world.run("2026-11", now: Self.now, accounts: customers.map(\.id))
        let drafts = try await run.prepareDrafts().draftIDs
        #expect(drafts.count == 2)
        try await damage(world, at: 4096)
        await #expect {
            try await InvoiceActions(database: world.database, by: .clerk).finalize(
                drafts[0], now: BillingWorld.instant(Self.now))
        } throws: {
            "\($0)".contains("cannot be read at 1:4096")
        }
        let outcomes = try await run.finalizeDrafts(drafts)
        for customer in customers {
            guard case .notClosed? = outcomes[customer.id] else {
                Issue.record("\(String(describing: outcomes[customer.id]))")
                continue
            }
        }
        _ = try await release(world, at: nil)
        let finished = try await run.finalizeDrafts(drafts)
        let final = finished.values.filter { result in
            if case .finalized = result { return true }
            return false
        }
        #expect(final.count == 2)
    }

    @Test(arguments: ["", " "])
    func `nothing is released without a reason`(reason: String) async throws {
        let (world, _, _) = try await world()
        try await damage(world, at: 512)
        await #expect(throws: StorageError.self) { try await release(world, at: nil, reason: reason) }
    }

    @Test(arguments: ["release_reason = 'other'", "released_at = NULL, released_by = NULL, release_reason = NULL"])
    func `a release stays as it was said`(change: String) async throws {
        let (world, _, _) = try await world()
        try await damage(world, at: 512)
        _ = try await release(world, at: nil)
        await world.pool.expectRefused("UPDATE journal_quarantines SET \(change)")
        await world.pool.expectRefused("DELETE FROM journal_quarantines")
    }

    @Test(arguments: ["3:4096", "0:0", "9223372036854775807:1"])
    func `a place is read as it is written`(text: String) throws {
        #expect(JournalPosition(text)?.description == text)
        for wrong in ["", "3", "3:", ":3", "3:4:5", "-1:4", "a:b", "3 :4", "9223372036854775808:1"] {
            #expect(JournalPosition(wrong) == nil, "\(wrong)")
        }
    }
}
