import Accounts
import Billing
import Dispatch
import Identity
import Invoicing
import Metering
import Postgres
import TestSupport
import Testing

@testable import Storage

/// What a run does where accounts are on several nodes: there a commit is not seen everywhere at one moment.
@Suite(.database, .timeLimit(.minutes(10))) struct ClusterCommitTests {
    private func world(isDistributed: Bool = true) async throws -> (BillingWorld, Customer) {
        let world = try await BillingWorld.make()
        if isDistributed { try await world.pool.execute("UPDATE installation SET is_distributed = true") }
        return (world, try await world.customer(2, plan: "beta", from: "2026-10-01T00:00:00Z"))
    }

    private func positions(_ world: BillingWorld, _ account: AccountID) async throws -> [JournalID: JournalPosition] {
        try await world.database.read { try PositionStorage.positions(of: account, in: $0) }
    }

    @Test func `an account's position moves with its own records and open requests, and with nobody else's`()
        async throws
    {
        let (world, beta) = try await world()
        let other = try await world.customer(3, plan: "beta", from: "2026-10-01T00:00:00Z")
        #expect(try await positions(world, beta.id) == [:])
        try await world.ingest(
            [try await world.request(beta, at: "2026-11-03T10:00:00Z", input: 1)], heartbeat: "2026-11-03T10:00:10Z")
        let first = try #require(try await positions(world, beta.id)[world.journalID])
        #expect(try await positions(world, other.id) == [:])

        try await world.ingest(heartbeat: "2026-11-03T10:00:20Z", open: [other.id: "2026-11-03T10:00:15Z"])
        let second = try #require(try await positions(world, other.id)[world.journalID])
        #expect(second > first)
        #expect(try await positions(world, beta.id)[world.journalID] == first)

        try await world.ingest(heartbeat: "2026-11-03T10:00:30Z")
        #expect(try await positions(world, other.id)[world.journalID] == second)
    }

    @Test func `an invoice keeps the positions of its account, and they hold exactly its records`() async throws {
        let (world, beta) = try await world(isDistributed: false)
        try await world.ingest(
            [try await world.request(beta, at: "2026-11-03T10:00:00Z", input: 1_000_000)],
            heartbeat: "2026-11-03T10:00:10Z")
        try await world.ingest(heartbeat: "2026-12-01T00:00:10Z")
        _ = try await world.run("2026-11", now: "2026-12-01T01:00:00Z").run()
        try await world.ingest(
            [try await world.request(beta, at: "2026-11-30T10:00:00Z", input: 1_000_000)],
            heartbeat: "2026-12-01T02:00:10Z")
        let invoice = try #require(try await world.database.read { try InvoiceStorage.all(of: beta.id, in: $0) }.first)
        let split = try await world.database.read {
            try ReconcileStorage.split(invoice.period, by: invoice.positions, account: beta.account, in: $0)
        }
        #expect("\(split.inside) \(split.outside) \(split.requestsOutside)" == "0.15 0.15 1")
    }

    @Test func `a run waits for records that are committed and not yet to be seen`() async throws {
        let (world, beta) = try await world()
        // The coordinator shows that the journal was ingested past the month's end …
        try await world.ingest(heartbeat: "2026-12-01T00:00:10Z")
        let late = try await world.request(beta, at: "2026-11-30T23:59:00Z", input: 1_000_000)
        let mark = JournalPosition(segment: 1, offset: 1)
        var batch = IngestBatch(journalID: world.journalID, epoch: 1, from: mark, to: mark)
        batch.requests = [late]
        // … and the account's node has its part of that still to do.
        let (isWritten, mayCommit) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let node = ConnectionPool(try TestDatabase.required.configuration)
        async let commit: Void = Database(node).write { [batch] tx in
            try IngestStorage.ensurePartitions(for: batch.requests, in: tx)
            try PositionStorage.move(by: batch, in: tx)
            _ = try IngestStorage.storeRecords(batch.requests, of: batch, in: tx)
            isWritten.signal()
            mayCommit.wait()
        }
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                isWritten.wait()
                continuation.resume()
            }
        }
        let run = Task { try await world.run("2026-11", now: "2026-12-01T01:00:00Z").run() }
        do {
            defer { mayCommit.signal() }
            try await LockGate.waits(for: 1, on: world.pool.configuration)
        }
        try await commit
        #expect(try await run.value.word(beta.id) == "finalized INV-2026-000001 0.15")
        await node.close()
    }

    @Test func `a number that an invoice carries is not given again, though its series did not move`() async throws {
        let (world, beta) = try await world()
        let other = try await world.customer(3, plan: "beta", from: "2026-10-01T00:00:00Z")
        for customer in [beta, other] {
            try await world.ingest(
                [try await world.request(customer, at: "2026-11-03T10:00:00Z", input: 1_000_000)],
                heartbeat: "2026-12-01T00:00:10Z")
        }
        _ = try await world.run("2026-11", now: "2026-12-01T01:00:00Z", accounts: [beta.id]).run()
        try await world.pool.withConnection {
            try await $0.script(
                """
                ALTER TABLE number_series DISABLE TRIGGER number_series_forward;
                UPDATE number_series SET next_number = 1;
                ALTER TABLE number_series ENABLE TRIGGER number_series_forward;
                """)
        }
        let report = try await world.run("2026-11", now: "2026-12-01T01:00:00Z").run()
        #expect(report.word(beta.id) == "already INV-2026-000001")
        #expect(report.word(other.id) == "finalized INV-2026-000002 0.15")
    }
}
