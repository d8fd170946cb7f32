import Billing
import Identity
import Invoicing
import Monetary
import Postgres
import Reconciliation
import Storage
import TestSupport
import Testing

/// What is done to one account's invoices at the same moment.
@Suite(.database, .timeLimit(.minutes(10))) struct InvoiceRaceTests {
    private let now = BillingWorld.instant("2027-01-03T09:00:00Z")

    /// November final; usage and a passed end of December.
    private func november() async throws -> (BillingWorld, Customer, InvoiceID) {
        let world = try await BillingWorld.make()
        let alpha = try await world.customer(1, plan: "alpha", from: "2026-11-01T00:00:00Z")
        try await world.ingest(
            [world.request(alpha, at: "2026-11-03T10:00:00Z", input: 1_000_000)], heartbeat: "2026-12-01T00:00:10Z")
        let report = try await world.run("2026-11", now: "2026-12-02T09:00:00Z").run()
        try await world.ingest(
            [world.request(alpha, at: "2026-12-03T10:00:00Z", input: 2_000_000)], heartbeat: "2027-01-01T00:00:10Z")
        return (world, alpha, try #require(report.finalized.first?.id))
    }

    @Test func `an invoice is not made void while the next one becomes final`() async throws {
        let (world, alpha, first) = try await november()
        let run = try world.run("2026-12", now: "2027-01-02T09:00:00Z")
        let drafts = try await run.prepareDrafts().draftIDs
        let gate = try await LockGate(world.pool, "LOCK TABLE ledger_transactions IN EXCLUSIVE MODE")
        async let finalizing = run.finalizeDrafts(drafts)
        try await gate.waitsFor(1)
        async let voiding = InvoiceActions(database: world.database, by: .clerk).void(first, now: now)
        try await gate.waitsFor(2)
        try await gate.open()
        guard case .finalized(let december)? = try await finalizing[alpha.id] else {
            Issue.record("December is not final")
            return
        }
        do {
            _ = try await voiding
            Issue.record("November was made void under December's invoice")
        } catch {
            #expect("\(error)".contains("is later"))
        }
        #expect(december.total.description == "32.00")
        try await world.expectSoundBooks()
    }

    @Test func `a void and the next month's run at once leave no invoice above a void one`() async throws {
        let (world, alpha, first) = try await november()
        let run = try world.run("2026-12", now: "2027-01-02T09:00:00Z")
        let gate = try await LockGate(world.pool, "LOCK TABLE service_level_results IN EXCLUSIVE MODE")
        async let running = run.run()
        try await gate.waitsFor(1)
        async let voiding = InvoiceActions(database: world.database, by: .clerk).void(first, now: now)
        // The run has the account: void waits for it.
        try await gate.waitsFor(2)
        try await gate.open()
        let void = try? await voiding.changed
        let word = try await running.word(alpha.id)
        if void == true {
            #expect(!word.hasPrefix("finalized"), "November is void, and December is \(word)")
        } else {
            #expect(word.hasPrefix("finalized"))
        }
        #expect(!word.hasPrefix("on hold"), "\(word)")
        for month in ["2026-11", "2026-12"] {
            #expect(try await world.run(month, now: "2027-01-04T09:00:00Z").run().isComplete)
        }
        try await world.expectSoundBooks()
    }

    @Test func `a draft that is gone when its number comes is said and puts nobody on hold`() async throws {
        let (world, alpha, _) = try await november()
        let run = try world.run("2026-12", now: "2027-01-02T09:00:00Z")
        let drafts = try await run.prepareDrafts().draftIDs
        let gate = try await LockGate(
            world.pool, "INSERT INTO number_series VALUES ('INV-2027', 1)")
        async let finalizing = run.finalizeDrafts(drafts)
        try await gate.waitsFor(1)
        try await world.database.write { try InvoiceStorage.deleteDrafts(of: alpha.id, in: $0) }
        try await gate.open()
        guard case .failed(let reason)? = try await finalizing[alpha.id] else {
            Issue.record("\(try await finalizing)")
            return
        }
        #expect(reason.contains("run again"))
        let again = try await world.run("2026-12", now: "2027-01-02T10:00:00Z").run()
        #expect(again.word(alpha.id) == "finalized INV-2027-000001 32.00")
        try await world.expectSoundBooks()
    }
}
