import Accounts
import Billing
import Identity
import Invoicing
import Metering
import Postgres
import Storage
import TestSupport
import Testing

@Suite(.database, .timeLimit(.minutes(10))) struct ClosingTests {
    private func world() async throws -> (BillingWorld, Customer) {
        let world = try await BillingWorld.make()
        let beta = try await world.customer(2, plan: "beta", from: "2026-10-01T00:00:00Z")
        return (world, beta)
    }

    private func usage(_ world: BillingWorld, _ customer: Customer, at: String) async throws -> [IngestRequest] {
        [try await world.request(customer, at: at, input: 1_000_000)]
    }

    @Test func `a month that is not over is refused`() async throws {
        let (world, beta) = try await world()
        try await world.ingest(usage(world, beta, at: "2026-11-03T10:00:00Z"), heartbeat: "2026-12-01T00:00:10Z")
        let report = try await world.run("2026-11", now: "2026-11-30T23:59:59Z").run()
        #expect(report.word(beta.id).hasPrefix("not closed: the month is not over: it closes at 2026-12-01T00:00:00"))
        #expect(!report.isComplete)
    }

    @Test func `a journal that is not ingested past the end and the grace is named`() async throws {
        let (world, beta) = try await world()
        try await world.ingest(usage(world, beta, at: "2026-11-03T10:00:00Z"), heartbeat: "2026-11-30T23:59:59Z")
        let early = try await world.run("2026-11", now: "2026-12-01T01:00:00Z").run()
        #expect(
            early.word(beta.id).contains("gateway gw-1 (\(world.journalID)) is ingested through 2026-11-30T23:59:59"))
        try await world.ingest(heartbeat: "2026-12-01T00:00:00Z")
        let grace = try await world.run("2026-11", now: "2026-12-01T01:00:00Z", graceMilliseconds: 3_600_000).run()
        #expect(grace.word(beta.id).contains("2026-12-01T01:00:00.000Z is needed"))
        let report = try await world.run("2026-11", now: "2026-12-01T01:00:00Z").run()
        #expect(report.word(beta.id) == "finalized INV-2026-000001 0.15")
    }

    @Test func `a clock move that a gateway has not confirmed is waited for`() async throws {
        let world = try await BillingWorld.make()
        let beta = try await world.customer(2, plan: "beta", from: "2026-10-01T00:00:00Z", mode: .test)
        try await world.ingest(usage(world, beta, at: "2026-11-03T10:00:00Z"), heartbeat: "2026-11-03T10:00:10Z")
        let now = BillingWorld.instant("2026-11-04T00:00:00Z")
        let moved = try await BillingService(world.database, now: { now }).change(by: .clerk) {
            try $0.advanceClock(of: beta.id, to: BillingWorld.instant("2026-12-03T00:00:00Z"))
        }
        try await world.ingest(heartbeat: "2026-11-04T00:00:10Z", snapshotChange: moved.clockChange - 1)
        let unconfirmed = try await world.run("2026-11", now: "2026-11-04T00:01:00Z").run()
        #expect(unconfirmed.word(beta.id).contains("has not confirmed the account's last clock move"))
        try await world.ingest(heartbeat: "2026-11-04T00:00:20Z", snapshotChange: moved.clockChange)
        let report = try await world.run("2026-11", now: "2026-11-04T00:01:00Z").run()
        #expect(report.word(beta.id) == "finalized INV-TEST-2026-000001 0.15")
        #expect(report.finalized.first?.issuedOn?.description == "2026-12-03")
    }

    @Test func `an open request of the month is waited for`() async throws {
        let (world, beta) = try await world()
        try await world.ingest(
            usage(world, beta, at: "2026-11-03T10:00:00Z"), heartbeat: "2026-12-01T00:00:10Z",
            open: [beta.id: "2026-11-30T23:59:00Z"])
        let report = try await world.run("2026-11", now: "2026-12-01T01:00:00Z").run()
        #expect(report.word(beta.id).contains("has a request open that was accepted at 2026-11-30T23:59:00.000Z"))
        try await world.ingest(heartbeat: "2026-12-01T00:00:20Z", open: [beta.id: "2026-12-01T00:00:00Z"])
        #expect(try await world.run("2026-11", now: "2026-12-01T01:00:00Z").run().isComplete)
    }

    @Test func `an open request holds its own account's month and no other`() async throws {
        let (world, beta) = try await world()
        let others = [
            try await world.customer(3, plan: "beta", from: "2026-11-01T00:00:00Z"),
            try await world.customer(4, plan: "beta", from: "2026-11-01T00:00:00Z"),
            try await world.customer(5, plan: "beta", from: "2026-11-01T00:00:00Z"),
        ]
        var usage = try await usage(world, beta, at: "2026-11-03T10:00:00Z")
        for other in others { usage += try await self.usage(world, other, at: "2026-11-03T10:00:00Z") }
        try await world.ingest(
            usage, heartbeat: "2026-12-01T00:00:10Z", oldestOpenAt: "2026-11-02T00:00:00Z",
            open: [beta.id: "2026-11-02T00:00:00Z", others[1].id: "2026-11-30T10:00:00Z"])
        let report = try await world.run("2026-11", now: "2026-12-01T01:00:00Z").run()
        #expect(report.word(beta.id).contains("accepted at 2026-11-02T00:00:00.000Z"))
        #expect(report.word(others[0].id).hasPrefix("finalized"))
        #expect(report.word(others[1].id).contains("accepted at 2026-11-30T10:00:00.000Z"))
        #expect(report.word(others[2].id).hasPrefix("finalized"))
        try await world.ingest(heartbeat: "2026-12-01T00:00:20Z", open: [beta.id: nil])
        let later = try await world.run("2026-11", now: "2026-12-01T01:00:00Z").run()
        #expect(later.word(beta.id).hasPrefix("finalized"))
        #expect(later.word(others[1].id).contains("has a request open"))
    }

    @Test func `what an earlier release left open, of an unknown account, holds every month until it has ended`()
        async throws
    {
        let (world, beta) = try await world()
        try await world.ingest(
            usage(world, beta, at: "2026-11-03T10:00:00Z"), heartbeat: "2026-12-01T00:00:10Z",
            oldestOpenAt: "2026-11-30T23:59:00Z", opensByAccount: false)
        let report = try await world.run("2026-11", now: "2026-12-01T01:00:00Z").run()
        #expect(report.word(beta.id).contains("has a request open that was accepted at 2026-11-30T23:59:00.000Z"))
        try await world.ingest(heartbeat: "2026-12-01T00:00:20Z", oldestOpenAt: "2026-11-30T23:59:00Z")
        #expect(try await world.run("2026-11", now: "2026-12-01T01:00:00Z").run().isComplete)
    }

    @Test(arguments: [
        ("2026-12-01T00:00:05Z", "2026-11-30T23:00:00Z"), ("2026-11-30T23:00:00Z", "2026-12-01T00:00:05Z"),
    ])
    func `what is known to be open hides nothing of what is not`(known: String, unknown: String) async throws {
        let (world, beta) = try await world()
        try await world.ingest(
            usage(world, beta, at: "2026-11-03T10:00:00Z"), heartbeat: "2026-12-01T00:00:10Z", oldestOpenAt: unknown,
            open: [beta.id: known], opensByAccount: false)
        let report = try await world.run("2026-11", now: "2026-12-01T01:00:00Z").run()
        #expect(report.word(beta.id).contains("has a request open that was accepted at 2026-11-30T23:00:00.000Z"))
    }

    @Test func `an earlier month is invoiced first`() async throws {
        let (world, beta) = try await world()
        try await world.ingest(
            usage(world, beta, at: "2026-10-03T10:00:00Z") + usage(world, beta, at: "2026-11-03T10:00:00Z"),
            heartbeat: "2026-12-01T00:00:10Z")
        let report = try await world.run("2026-11", now: "2026-12-01T01:00:00Z").run()
        #expect(report.word(beta.id).contains("2026-10 has something to bill and no final invoice: run it first"))
        _ = try await world.run("2026-10", now: "2026-12-01T01:00:00Z").run()
        #expect(try await world.run("2026-11", now: "2026-12-01T01:00:00Z").run().isComplete)
    }

    @Test func `an earlier month that owes only a base fee is invoiced first too`() async throws {
        let world = try await BillingWorld.make()
        let alpha = try await world.customer(1, plan: "alpha", from: "2026-10-16T00:00:00Z")
        try await world.ingest(heartbeat: "2026-12-01T00:00:10Z")
        let report = try await world.run("2026-11", now: "2026-12-01T01:00:00Z").run()
        #expect(report.word(alpha.id).contains("2026-10 has something to bill"))
        let october = try await world.run("2026-10", now: "2026-12-01T01:00:00Z").run()
        #expect(october.word(alpha.id) == "finalized INV-2026-000001 15.48")
    }

    @Test func `usage in suspense blocks its account alone until someone resolves it`() async throws {
        let (world, beta) = try await world()
        let other = try await world.customer(3, plan: "beta", from: "2026-11-01T00:00:00Z")
        var stuck = try await world.request(beta, at: "2026-11-03T10:00:00Z", input: 1_000_000)
        stuck.attempts[0].rating = .suspended
        stuck.attempts[0].lines = []
        stuck.attempts[0].suspense = IngestAttempt.Suspense(reason: "no_price", detail: "no price for it")
        try await world.ingest(
            usage(world, beta, at: "2026-11-03T10:00:00Z") + usage(world, other, at: "2026-11-03T10:00:00Z") + [stuck],
            heartbeat: "2026-12-01T00:00:10Z")
        let report = try await world.run("2026-11", now: "2026-12-01T01:00:00Z").run()
        #expect(report.word(beta.id).hasPrefix("not closed: 1 usage records wait in suspense"))
        #expect(report.word(other.id) == "finalized INV-2026-000001 0.15")
        let attempt = stuck.attempts[0].record.id
        try await world.database.write {
            _ = try SuspenseStorage.waive(
                account: beta.id, attempts: [attempt], reason: "free of charge", actor: "a test",
                now: BillingWorld.beginning, in: $0)
        }
        let after = try await world.run("2026-11", now: "2026-12-01T01:00:00Z").run()
        #expect(after.word(beta.id) == "finalized INV-2026-000002 0.15")
    }

    @Test func `books that contradict themselves put their account on hold and the batch goes on`() async throws {
        let (world, beta) = try await world()
        let other = try await world.customer(3, plan: "beta", from: "2026-11-01T00:00:00Z")
        try await world.ingest(
            usage(world, beta, at: "2026-11-03T10:00:00Z") + usage(world, other, at: "2026-11-03T10:00:00Z"),
            heartbeat: "2026-12-01T00:00:10Z")
        try await world.pool.execute(
            "UPDATE usage_rollups SET amount = amount + 0.000000000001 WHERE account_id = \(beta.id)")
        let report = try await world.run("2026-11", now: "2026-12-01T01:00:00Z").run()
        #expect(
            report.word(beta.id).hasPrefix("on hold: invoice 2026-11: sim-model: input tokens, standard: the rollups"))
        #expect(report.word(other.id) == "finalized INV-2026-000001 0.15")
        // Mended, it stays on hold until someone releases it.
        try await world.pool.execute(
            "UPDATE usage_rollups SET amount = amount - 0.000000000001 WHERE account_id = \(beta.id)")
        let again = try await world.run("2026-11", now: "2026-12-01T01:00:00Z").run()
        #expect(again.word(beta.id).hasPrefix("on hold: invoice 2026-11"))
        try await world.database.write { try AccountStorage.putOnHold(beta.id, reason: nil, in: $0) }
        let released = try await world.run("2026-11", now: "2026-12-01T01:00:00Z").run()
        #expect(released.word(beta.id) == "finalized INV-2026-000002 0.15")
    }

    @Test func `a retired journal is not waited for and the report names it`() async throws {
        let (world, beta) = try await world()
        try await world.ingest(usage(world, beta, at: "2026-11-03T10:00:00Z"), heartbeat: "2026-11-05T00:00:00Z")
        let journal = world.journalID
        try await world.database.write {
            let now = BillingWorld.instant("2026-11-05T00:01:00Z")
            try JournalStorage.retire(journal, reason: "disk burnt", now: now, in: $0)
        }
        let report = try await world.run("2026-11", now: "2026-12-01T01:00:00Z").run()
        #expect(report.word(beta.id) == "finalized INV-2026-000001 0.15")
        #expect(report.retiredJournals.map(\.retiredReason) == ["disk burnt"])
    }
}
