import Accounts
import Billing
import Identity
import Invoicing
import Postgres
import Storage
import TestSupport
import Testing

/// A run that had to wait works with the plans as they are then.
@Suite(.database, .timeLimit(.minutes(10))) struct FreshPlansTests {
    private static let gamma = BillingWorld.alpha.replacing("plan: alpha", with: "plan: gamma")
        .replacing("\"30.00\"", with: "\"45.00\"")

    private func subscribe(_ beta: Customer, to plan: String, in world: BillingWorld) async throws {
        try await world.database.write { tx in
            let tenant = Tenant(
                id: BillingWorld.id(77), accountID: beta.id, name: "New", createdAt: BillingWorld.beginning)
            try TenantStorage.insert(tenant, in: tx)
            try SubscriptionStorage.insert(
                Subscription(
                    id: BillingWorld.id(77), accountID: beta.id, tenantID: tenant.id, plan: plan,
                    startsAt: BillingWorld.instant("2026-11-01T00:00:00Z"), createdAt: BillingWorld.beginning),
                in: tx)
        }
    }

    @Test func `a subscription that meets a waiting run is on its invoice, or refused`() async throws {
        let world = try await BillingWorld.make()
        let beta = try await world.customer(2, plan: "beta", from: "2026-11-01T00:00:00Z")
        try await world.ingest(
            [world.request(beta, at: "2026-11-03T10:00:00Z", input: 2_000_000)], heartbeat: "2026-12-01T00:00:10Z")
        let gate = try await LockGate(
            world.pool,
            "UPDATE accounts SET parked_reason = parked_reason WHERE account_id = '\(beta.id.uuid.hexadecimal)'")
        async let running = world.run("2026-11", now: "2026-12-02T09:00:00Z").run()
        try await gate.waitsFor(1)
        try await world.publish(Self.gamma)
        async let subscribing: Void = subscribe(beta, to: "gamma", in: world)
        try await gate.waitsFor(2)
        try await gate.open()
        let report = try await running
        let isSubscribed: Bool
        do {
            try await subscribing
            isSubscribed = true
        } catch {
            // The run was first: then the month is closed to new subscriptions.
            #expect("\(error)".contains("is invoiced up to"))
            isSubscribed = false
        }
        #expect(report.isComplete)
        let invoices = try await world.database.read { try InvoiceStorage.all(of: beta.id, in: $0) }
        #expect(invoices.map { "\($0.state.rawValue) \($0.total)" } == ["finalized \(isSubscribed ? "45.30" : "0.30")"])
    }

    @Test(arguments: ["run", "preview", "service levels"])
    func `a plan that is missing is an error, never a plan without fee`(reader: String) async throws {
        let world = try await BillingWorld.make()
        let alpha = try await world.customer(1, plan: "alpha", from: "2026-11-01T00:00:00Z")
        try await world.ingest(heartbeat: "2026-12-01T00:00:10Z")
        try await world.pool.execute("ALTER TABLE effective_prices DISABLE TRIGGER effective_prices_frozen")
        try await world.pool.execute("DELETE FROM effective_prices WHERE plan = 'alpha'")
        try await world.pool.execute("DELETE FROM plan_versions WHERE plan = 'alpha'")
        let month = try #require(CivilMonth("2026-11"))
        let now = BillingWorld.instant("2026-12-02T09:00:00Z")
        switch reader {
        case "run":
            let report = try await world.run("2026-11", now: "2026-12-02T09:00:00Z").run()
            #expect(report.word(alpha.id).contains("is to plan alpha, of which there is no version"))
        case "preview":
            await #expect(throws: BooksError.self) {
                try await InvoiceActions(database: world.database, by: .clerk).preview(account: alpha.id, month: month)
            }
        default:
            await #expect(throws: BooksError.self) {
                try await BillingService(world.database, now: { now }).serviceLevels(
                    of: alpha.id, month: month, by: .clerk)
            }
        }
    }
}
