import Accounts
import Billing
import Identity
import Invoicing
import Metering
import Postgres
import Storage
import TestSupport
import Testing

/// What runs and invoice actions leave in the trail.
@Suite(.database, .timeLimit(.minutes(10)))
struct AuditTests {
    private let now = BillingWorld.instant("2026-12-03T09:00:00Z")

    private func entries(_ world: BillingWorld, _ account: AccountID) async throws -> [AuditEntry] {
        try await world.database.read {
            try AuditStorage.entries(of: .account(account), after: 0, limit: 1000, in: $0)
        }
    }

    /// Entries and events are of these kinds, the events as the document says, and the trail is whole.
    private func expect(_ kinds: [ChangeKind], _ world: BillingWorld, _ account: AccountID) async throws {
        let entries = try await entries(world, account)
        #expect(entries.map(\.action) == kinds.map(\.rawValue))
        #expect(entries.allSatisfy { $0.principal.id == "clerk" && $0.principal.origin == "desk-1" })
        let events = try await world.database.read { try OutboxStorage.events(of: .account(account), in: $0) }
        #expect(events.map(\.name) == kinds.map(\.rawValue))
        let document = try EventDocument()
        for event in events {
            let members = document.events.first { $0.name == event.name }?.members
            #expect(try EventDocument.members(of: event.payload) == members, "\(event.name)")
        }
        let service = BillingService(world.database, now: { [now] in now })
        // Accounts of these tests were made below the use cases, so some have no chain yet.
        let report = try await service.read(by: .clerk) { try $0.verifyAuditTrail(.account(account)) }
        #expect(report.faults.isEmpty, "\(report.faults)")
    }

    @Test func `suspense, a final invoice, its void and a payment are there once, whoever repeats them`() async throws {
        let world = try await BillingWorld.make()
        let one = try await world.customer(1, plan: "beta", from: "2026-11-01T00:00:00Z")
        try await world.publish(BillingWorld.selling("beta", "new", input: "4.00", from: "2026-11-20T00:00:00Z"))
        let sold = try await world.unpriced(one, at: "2026-11-03T10:00:00Z")
        let unsold = try await world.unpriced(one, at: "2026-11-04T10:00:00Z", priceKey: "other")
        try await world.ingest([sold, unsold], heartbeat: "2026-12-01T00:00:10Z")
        for outcome in [SuspenseOutcome.rated, .rated, .waived, .waived] {
            let order = SuspenseOrder(outcome, SuspenseFilter(), reason: "agreed")
            _ = try await SuspenseActions(database: world.database, by: .clerk).resolve(order, now: now)
        }
        for _ in 0..<2 { _ = try await world.run("2026-11", now: "2026-12-02T09:00:00Z").run() }
        let actions = InvoiceActions(database: world.database, by: .clerk)
        let first = try #require(
            try await world.database.read { try InvoiceStorage.all(of: one.id, in: $0) }.first)
        let voiding = InvoiceActions(database: world.database, by: .clerk.because("sent twice"))
        for _ in 0..<2 { _ = try await voiding.void(first.id, now: now) }
        let again = try await world.run("2026-11", now: "2026-12-02T09:00:00Z").run()
        let second = try #require(again.finalized.first)
        for _ in 0..<2 { _ = try await actions.markPaid(second.id, now: now) }
        try await expect(
            [
                .suspenseRated, .suspenseWaived, .invoiceFinalized, .invoiceVoided, .invoiceFinalized, .invoicePaid,
            ], world, one.id)
        let entries = try await entries(world, one.id)
        #expect(entries[0].reason == "agreed")
        #expect(entries[0].after?.contains("\"attempts\":[\"\(sold.attempts[0].record.id)\"]") == true)
        #expect(entries[1].after?.contains("\"attempts\":[\"\(unsold.attempts[0].record.id)\"]") == true)
        #expect(entries[2].before?.contains("\"state\":\"draft\"") == true)
        #expect(entries[2].after?.contains("\"number\":\"INV-2026-000001\"") == true)
        #expect(entries[3].reason == "sent twice" && entries[4].reason.isEmpty)
        #expect(entries[5].subject == "\(second.id)")
    }

    @Test func `books that contradict themselves and a payout are there once`() async throws {
        let world = try await BillingWorld.make()
        let credits = CreditSettlementTests()
        let customer = try await credits.november(world, tokens: 1_000_000)
        try await world.end(customer, at: "2026-12-05T00:00:00Z")
        let later = BillingWorld.instant("2026-12-10T09:00:00Z")
        for _ in 0..<2 {
            _ = try await CreditActions(database: world.database, by: .clerk).payOut(
                to: customer.id, reason: "left", now: later)
        }
        try await world.ingest(
            [world.request(customer, at: "2026-12-03T10:00:00Z", input: 1000)], heartbeat: "2027-01-01T00:00:10Z")
        try await world.pool.execute(
            """
            UPDATE usage_rollups SET amount = amount + 0.000000000001
            WHERE account_id = \(customer.id) AND period_start >= '2026-12-01T00:00:00Z'
            """)
        for _ in 0..<2 { _ = try await world.run("2026-12", now: "2027-01-02T09:00:00Z").run() }
        try await expect([.invoiceFinalized, .creditsPaidOut, .accountPutOnHold], world, customer.id)
        let entries = try await entries(world, customer.id)
        #expect(entries[1].after?.contains("\"amount\":\"7.50\",\"currency\":\"USD\"") == true)
        #expect(entries[2].after?.contains("the rollups") == true)
    }

    @Test func `a run and an action need their permissions`() async throws {
        let world = try await BillingWorld.make()
        let one = try await world.customer(1, plan: "beta", from: "2026-11-01T00:00:00Z")
        try await world.ingest(
            [world.request(one, at: "2026-11-03T10:00:00Z", input: 1_000_000)], heartbeat: "2026-12-01T00:00:10Z")
        let nobody = Actor.job("nothing", on: "here", may: [.read(.invoices)])
        let month = try #require(CivilMonth("2026-11"))
        await #expect(throws: PermissionDenied.self) {
            try await InvoiceRun(
                database: world.database, by: nobody, options: InvoiceRun.Options(month: month, now: now)
            ).run()
        }
        let order = SuspenseOrder(.waived, SuspenseFilter(), reason: "agreed")
        await #expect(throws: PermissionDenied.self) {
            try await SuspenseActions(database: world.database, by: nobody).resolve(order, now: now)
        }
        await #expect(throws: PermissionDenied.self) {
            try await CreditActions(database: world.database, by: nobody).payOut(to: one.id, reason: "left", now: now)
        }
        #expect(try await world.database.read { try InvoiceStorage.all(of: one.id, in: $0) }.isEmpty)
    }
}
