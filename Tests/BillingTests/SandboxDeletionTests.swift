import Accounts
import Identity
import Invoicing
import Metering
import Monetary
import Postgres
import Reconciliation
import Storage
import TestSupport
import Testing

@testable import Billing

/// What was tried out can go, and nothing else.
@Suite(.database, .timeLimit(.minutes(10))) struct SandboxDeletionTests {
    private static let now = BillingWorld.instant("2027-01-06T09:00:00Z")

    private func service(_ world: BillingWorld) -> BillingService { BillingService(world.database, now: { Self.now }) }

    private struct Trial {
        let world: BillingWorld
        let live: Customer
        let test: Customer
        var sandbox: SandboxID { SandboxID(test.id.uuid) }
    }

    /// A live and a test account with the same life: usage, a broken promise, suspense, invoices, a credit note, a
    /// draft, a key and a limit.
    private func trial() async throws -> Trial {
        let world = try await BillingWorld.make()
        let live = try await world.customer(1, plan: "alpha", from: "2026-11-01T00:00:00Z")
        let test = try await world.customer(2, plan: "alpha", from: "2026-11-01T00:00:00Z", mode: .test)
        for customer in [live, test] {
            var requests: [IngestRequest] = [try await world.unpriced(customer, at: "2026-11-03T10:00:00Z")]
            for number in 10..<30 {
                requests.append(
                    try await world.request(
                        customer, at: "2026-11-04T\(number % 24 < 10 ? "0" : "")\(number % 24):00:00Z", input: 123_456,
                        tier: "priority", outcome: number < 14 ? .providerError : .success))
            }
            try await world.ingest(requests, heartbeat: "2026-12-01T00:00:10Z")
        }
        let december = BillingWorld.instant("2026-12-02T09:00:00Z")
        _ = try await SuspenseActions(database: world.database, by: .clerk).resolve(
            SuspenseOrder(.waived, SuspenseFilter(), reason: "agreed"), now: december)
        #expect(try await world.run("2026-11", now: "2026-12-02T09:00:00Z").run().finalized.count == 2)
        try await world.ingest(
            [
                world.request(live, at: "2026-12-04T10:00:00Z", input: 9),
                world.request(test, at: "2026-12-04T10:00:00Z"),
            ],
            heartbeat: "2027-01-01T00:00:10Z")
        for customer in [live, test] {
            let invoice = try #require(
                try await world.database.read { try InvoiceStorage.newestFinal(of: customer.id, in: $0) })
            _ = try await service(world).change(by: .clerk) { session in
                let (_, project) = try session.createTenant(name: "more", account: customer.id)
                _ = try session.createAPIKey(name: "key", project: project.id)
                return try session.issueCreditNote(for: invoice.id, .full, reason: "a trial")
            }
        }
        try await world.pool.execute(
            """
            INSERT INTO limits
            SELECT account_id, gen_random_uuid(), 'account', account_id, '', 'requests_per_minute', 60, false, now(),
                now()
            FROM accounts
            """)
        _ = try await world.run("2026-12", now: "2027-01-02T09:00:00Z").prepareDrafts()
        return Trial(world: world, live: live, test: test)
    }

    private func delete(_ trial: Trial) async throws {
        _ = try await service(trial.world).change(by: .clerk) { try $0.deleteSandbox(trial.sandbox) }
    }

    /// Rows of an account by table, of all tables that have any.
    private func rows(of account: AccountID, _ world: BillingWorld) async throws -> [String: Int64] {
        let tables: [String] = try await world.pool.query(
            """
            SELECT c.table_name::text FROM information_schema.columns c
            JOIN pg_class k ON k.relname = c.table_name AND NOT k.relispartition
            WHERE c.table_schema = current_schema() AND c.column_name = 'account_id' ORDER BY 1
            """
        ).decodeAll()
        var counts: [String: Int64] = [:]
        for table in tables {
            counts[table] = try await world.pool.query(
                "SELECT count(*) FROM \(identifier: table) WHERE account_id = \(account)"
            ).onlyValue()
        }
        return counts.filter { $0.value > 0 }
    }

    @Test func `everything of a sandbox goes but its trail, and nothing of anybody else`() async throws {
        let trial = try await trial()
        try await trial.world.expectSoundBooks()
        let before = try await rows(of: trial.live.id, trial.world)
        #expect(before.count > 18, "\(before)")
        try await delete(trial)
        // From the first moment on, before a row is removed.
        try await trial.world.expectSoundBooks()
        #expect(try await service(trial.world).removeDeletedAccounts(rowsAtATime: 7).count == 1)
        let left = try await rows(of: trial.test.id, trial.world)
        #expect(Set(left.keys) == ["audit_entries", "audit_heads", "deleted_accounts", "outbox_events"], "\(left)")
        #expect(try await rows(of: trial.live.id, trial.world) == before)
        let report = try await trial.world.expectSoundBooks()
        let numbers = try #require(report.checks.first { $0.name == "numbers without a gap" })
        #expect(
            numbers.notes == [
                "CN-TEST-2027: 1 of its documents were deleted with their sandboxes",
                "INV-TEST-2026: 1 of its documents were deleted with their sandboxes",
            ])
        #expect(try await service(trial.world).removeDeletedAccounts().count == 0)
        // The series goes on behind the gap.
        let next = try await trial.world.customer(3, plan: "beta", from: "2026-12-01T00:00:00Z", mode: .test)
        try await trial.world.ingest(
            [trial.world.request(next, at: "2026-12-05T10:00:00Z", input: 1_000_000)], heartbeat: "2027-01-01T01:00:00Z"
        )
        let run = try await trial.world.run("2026-12", now: "2026-12-31T23:59:00Z", accounts: [next.id]).run()
        #expect(run.word(next.id).hasPrefix("not closed"))
        let later = try await trial.world.run("2026-12", now: "2027-01-03T00:00:00Z", accounts: [next.id]).run()
        #expect(later.word(next.id) == "finalized INV-TEST-2027-000001 0.15")
    }

    @Test func `who deleted it, and what went, stays on record`() async throws {
        let trial = try await trial()
        try await delete(trial)
        try await delete(trial)
        _ = try await service(trial.world).removeDeletedAccounts()
        let (seller, own, events) = try await trial.world.database.read { tx in
            (
                try AuditStorage.entries(of: .seller, after: 0, limit: 100, in: tx),
                try AuditStorage.entries(of: .account(trial.test.id), after: 0, limit: 100, in: tx),
                try OutboxStorage.events(of: .account(trial.test.id), in: tx)
            )
        }
        #expect(seller.filter { $0.action == "sandbox.deleted" }.count == 1)
        #expect(seller.last?.before?.contains("\(trial.test.id)") == true && seller.last?.after == nil)
        #expect(own.last?.action == "account.deleted" && events.last?.name == "account.deleted")
        #expect(own.contains { $0.action == "invoice.finalized" })
        let (sandbox, tombstones) = try await service(trial.world).read(by: .clerk) {
            (try $0.sandbox(trial.sandbox), try $0.tombstones(of: trial.sandbox))
        }
        #expect(sandbox.deletedAt == Self.now)
        #expect(tombstones.map(\.accountID) == [trial.test.id] && tombstones.allSatisfy { $0.emptiedAt != nil })
        await #expect(throws: StorageError.self) {
            try await service(trial.world).change(by: .clerk) {
                try $0.openAccount(
                    name: "again", currency: .usd, calendar: BillingCalendar(zoneName: "UTC"), mode: .test,
                    joining: trial.sandbox)
            }
        }
        await #expect(throws: StorageError.self) {
            try await service(trial.world).change(by: .clerk) {
                try $0.advanceClock(of: trial.sandbox, .byMilliseconds(1))
            }
        }
    }

    @Test func `keys are refused from the deletion on`() async throws {
        let trial = try await trial()
        let mark = try await trial.world.database.read { try ChangeStorage.newest(in: $0) }
        try await delete(trial)
        let difference = try await trial.world.database.read { try SnapshotStorage.difference(since: mark, in: $0) }
        let part = try #require(difference).part
        #expect(part.removedKeys.count == 1 && part.removedLimits.count == 1)
        _ = try await service(trial.world).removeDeletedAccounts()
        let later = try await trial.world.database.read { try SnapshotStorage.difference(since: mark, in: $0) }
        let gone = try #require(later, "keys without rows make no gateway load everything").part
        #expect(gone.goneKeys == part.readKeys && gone.removedKeys.isEmpty && gone.removedLimits.count == 1)
    }

    // MARK: what still comes in

    @Test func `what comes in later is dropped and counted, and holds up nobody`() async throws {
        let trial = try await trial()
        let entries = [
            try await trial.world.request(trial.test, at: "2027-01-05T10:00:00Z", input: 1_000_000),
            try await trial.world.request(trial.live, at: "2027-01-05T10:00:00Z", input: 1_000_000),
            try await trial.world.unpriced(trial.test, at: "2027-01-05T11:00:00Z"),
        ]
        try await delete(trial)
        try await trial.world.ingest(
            entries, heartbeat: "2027-01-06T00:00:00Z",
            open: [trial.test.id: "2027-01-05T12:00:00Z", trial.live.id: "2027-01-05T12:00:00Z"])
        _ = try await service(trial.world).removeDeletedAccounts()
        let again = try await trial.world.request(trial.test, at: "2027-01-05T13:00:00Z", input: 1_000_000)
        try await trial.world.ingest([again], heartbeat: "2027-01-06T01:00:00Z", open: [trial.test.id: nil])
        let left = try await rows(of: trial.test.id, trial.world)
        #expect(Set(left.keys) == ["audit_entries", "audit_heads", "deleted_accounts", "outbox_events"], "\(left)")
        let dropped = try await service(trial.world).read(by: .clerk) { try $0.tombstones(of: trial.sandbox) }
        #expect(dropped.map(\.droppedRequests) == [3])
        let stored = try await trial.world.database.read { try RecordStorage.find(entries[1].request.id, in: $0) }
        #expect(stored != nil)
        try await trial.world.expectSoundBooks()
    }

    @Test(arguments: 0..<6 as Range<UInt64>)
    func `ingest that meets the deletion leaves nothing behind`(seed: UInt64) async throws {
        let world = try await BillingWorld.make()
        let test = try await world.customer(2, plan: "beta", from: "2026-11-01T00:00:00Z", mode: .test)
        let trial = Trial(world: world, live: test, test: test)
        var batches: [[IngestRequest]] = []
        for second in 10..<30 {
            batches.append([try await world.request(test, at: "2026-11-03T10:00:\(second)Z", input: 10)])
        }
        var random = SeededGenerator(seed: seed)
        let before = Int.random(in: 0..<20, using: &random)
        try await withThrowingTaskGroup(of: Void.self) { [batches] group in
            group.addTask {
                for batch in batches { try await world.ingest(batch, heartbeat: "2026-11-04T00:00:00Z") }
            }
            group.addTask {
                for _ in 0..<before { _ = try await world.pool.query("SELECT 1") }
                try await delete(trial)
                _ = try await service(world).removeDeletedAccounts(rowsAtATime: 3)
            }
            try await group.waitForAll()
        }
        let left = try await rows(of: test.id, world)
        #expect(Set(left.keys) == ["audit_entries", "audit_heads", "deleted_accounts", "outbox_events"], "\(left)")
        try await world.expectSoundBooks()
    }

    @Test func `a run whose account is deleted on its way goes on with the others`() async throws {
        let trial = try await trial()
        let run = try trial.world.run("2026-11", now: "2026-12-02T09:00:00Z")
        let ids = try await run.readContext().accounts
        #expect(ids.contains(trial.test.id) && ids.count > 1)
        try await delete(trial)
        _ = try await service(trial.world).removeDeletedAccounts()
        let gone = try await run.failed(trial.test.id, StorageError.notFound("account"))
        #expect(gone.result.word == "deleted" && !gone.result.reason.isEmpty)
        var report = InvoiceRunReport(month: run.options.month, isDryRun: false)
        report.accounts = [gone]
        #expect(report.isComplete)
    }

    @Test func `a deletion waits for the batch that is being stored`() async throws {
        let trial = try await trial()
        // Idle ones before and behind the one that it comes through.
        try await trial.world.database.write { tx in
            for number in [899, 901] as [UInt64] {
                _ = try JournalStorage.register(
                    BillingWorld.id(number), gateway: "gw-\(number)", epoch: 1, now: Self.now, in: tx)
            }
        }
        let late = [try await trial.world.request(trial.test, at: "2027-01-05T10:00:00Z", input: 10)]
        let gate = try await LockGate(trial.world.pool, "LOCK TABLE request_records IN EXCLUSIVE MODE")
        async let ingesting: Void = trial.world.ingest(late, heartbeat: "2027-01-05T11:00:00Z")
        try await gate.waitsFor(1)
        async let deleting: Void = delete(trial)
        // The batch holds its journal, and the deletion its place behind it: no tombstone is set meanwhile.
        try await gate.waitsFor(2)
        try await gate.open()
        try await ingesting
        try await deleting
        let dropped = try await service(trial.world).read(by: .clerk) { try $0.tombstones(of: trial.sandbox) }
        #expect(dropped.map(\.droppedRequests) == [0], "it was stored before the account was deleted")
        _ = try await service(trial.world).removeDeletedAccounts()
        let left = try await rows(of: trial.test.id, trial.world)
        #expect(Set(left.keys) == ["audit_entries", "audit_heads", "deleted_accounts", "outbox_events"], "\(left)")
        try await trial.world.expectSoundBooks()
    }

    @Test func `who is cut short is followed by the next one`() async throws {
        let trial = try await trial()
        try await delete(trial)
        let removing = Task {
            try await service(trial.world).removeDeletedAccounts(rowsAtATime: 1)
        }
        while try await rows(of: trial.test.id, trial.world)["invoices"] != nil { await Task.yield() }
        removing.cancel()
        let first = await removing.result
        #expect(try await rows(of: trial.test.id, trial.world)["accounts"] == 1, "something was left to do: \(first)")
        #expect(try await service(trial.world).removeDeletedAccounts().count == 1)
        let left = try await rows(of: trial.test.id, trial.world)
        #expect(Set(left.keys) == ["audit_entries", "audit_heads", "deleted_accounts", "outbox_events"], "\(left)")
        try await trial.world.expectSoundBooks()
    }

    // MARK: what is refused

    @Test func `a sandbox with documents of the legal series stays`() async throws {
        let trial = try await trial()
        try await trial.world.pool.executePastTriggers(
            script: "UPDATE invoices SET number = 'INV-2026-000007' WHERE number = 'INV-TEST-2026-000001'")
        await #expect {
            try await delete(trial)
        } throws: {
            "\($0)".contains("has INV-2026-000007, a number of the legal series")
        }
        let sandbox = try await service(trial.world).read(by: .clerk) { try $0.sandbox(trial.sandbox) }
        #expect(sandbox.deletedAt == nil)
        await #expect(throws: PermissionDenied.self) {
            try await service(trial.world).change(by: .job("nothing", on: "here", may: [.read(.accounts)])) {
                try $0.deleteSandbox(trial.sandbox)
            }
        }
    }

    /// What somebody could try in the database, before and after the sandbox was deleted.
    static let attempts = [
        "INSERT INTO deleted_accounts SELECT account_id, account_id, now() FROM accounts WHERE mode = 'live'",
        """
        INSERT INTO deleted_accounts
        SELECT a.account_id, s.sandbox_id, now() FROM accounts a, sandboxes s WHERE a.mode = 'live'
        """,
        "DELETE FROM sandboxes", "UPDATE sandboxes SET name = 'x'", "TRUNCATE deleted_accounts",
        "DELETE FROM accounts WHERE mode = 'live'",
        "DELETE FROM invoices WHERE number LIKE 'INV-2026-%'",
        "DELETE FROM invoice_lines WHERE account_id = (SELECT account_id FROM accounts WHERE mode = 'live')",
        "DELETE FROM ledger_postings WHERE account_id = (SELECT account_id FROM accounts WHERE mode = 'live')",
        "DELETE FROM ledger_transactions WHERE account_id = (SELECT account_id FROM accounts WHERE mode = 'live')",
        "DELETE FROM credit_note_lines WHERE account_id = (SELECT account_id FROM accounts WHERE mode = 'live')",
        "DELETE FROM credit_notes WHERE account_id = (SELECT account_id FROM accounts WHERE mode = 'live')",
        "DELETE FROM suspense WHERE account_id = (SELECT account_id FROM accounts WHERE mode = 'live')",
        "DELETE FROM ledger_closings WHERE account_id = (SELECT account_id FROM accounts WHERE mode = 'live')",
        "DELETE FROM service_level_results WHERE account_id = (SELECT account_id FROM accounts WHERE mode = 'live')",
        "DELETE FROM audit_entries", "DELETE FROM outbox_events", "DELETE FROM audit_heads",
        "UPDATE invoices SET total = total + 1", "UPDATE ledger_postings SET amount = amount + 1",
        "UPDATE credit_note_lines SET amount = amount + 1", "UPDATE suspense SET reason = 'x'",
    ]

    @Test(arguments: attempts)
    func `nothing else goes, whatever is deleted`(statement: String) async throws {
        let trial = try await trial()
        await trial.world.pool.expectRefused(statement)
        try await delete(trial)
        await trial.world.pool.expectRefused(statement)
    }

    @Test(arguments: [
        """
        INSERT INTO deleted_accounts SELECT account_id, sandbox_id, now() FROM accounts WHERE mode = 'test'
        """,
        "DELETE FROM invoices WHERE number LIKE 'INV-TEST-%'", "DELETE FROM accounts WHERE mode = 'test'",
    ])
    func `rows of a test account stay until its sandbox is deleted`(statement: String) async throws {
        let trial = try await trial()
        await trial.world.pool.expectRefused(statement)
    }

    @Test(arguments: [
        "DELETE FROM deleted_accounts", "UPDATE deleted_accounts SET deleted_at = now()",
        "UPDATE deleted_accounts SET dropped_requests = -1", "UPDATE deleted_accounts SET emptied_at = NULL",
        "UPDATE sandboxes SET deleted_at = NULL", "UPDATE sandboxes SET deleted_at = now()",
        """
        INSERT INTO accounts (account_id, name, currency, time_zone, created_at)
        SELECT account_id, 'again', 'USD', 'UTC', now() FROM deleted_accounts
        """,
        """
        INSERT INTO tenants (account_id, tenant_id, name, created_at)
        SELECT account_id, gen_random_uuid(), 'again', now() FROM deleted_accounts
        """,
    ])
    func `a tombstone stays, and nothing comes back`(statement: String) async throws {
        let trial = try await trial()
        try await delete(trial)
        if !statement.contains("tenants") { _ = try await service(trial.world).removeDeletedAccounts() }
        await trial.world.pool.expectRefused(statement)
    }

    // MARK: reconcile

    @Test(arguments: [
        "DELETE FROM accounts WHERE mode = 'live'", "DELETE FROM deleted_accounts",
        """
        INSERT INTO deleted_accounts SELECT account_id, account_id, now(), now(), 0 FROM accounts WHERE mode = 'live'
        """,
    ])
    func `an account that is gone without a deletion is reported`(statement: String) async throws {
        let trial = try await trial()
        try await delete(trial)
        _ = try await service(trial.world).removeDeletedAccounts()
        try await trial.world.expectSoundBooks()
        try await trial.world.pool.executePastTriggers(script: statement)
        let report = try await ReconciliationTests.reconcile(trial.world)
        let check = try #require(report.checks.first { $0.name == "audit trail = its chains of digests" })
        #expect(!check.isEqual)
    }
}
