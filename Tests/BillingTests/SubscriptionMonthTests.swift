import Accounts
import Billing
import Identity
import Invoicing
import Reconciliation
import Storage
import TestSupport
import Testing

/// Months in which subscriptions begin, end and follow each other, at the edges of local days.
@Suite(.database, .timeLimit(.minutes(10))) struct SubscriptionMonthTests {
    private func subscribe(
        _ world: BillingWorld, _ customer: Customer, _ number: UInt64, plan: String, from: String, to: String? = nil
    ) async throws -> Customer {
        let subscription = Subscription(
            id: BillingWorld.id(number), accountID: customer.id, tenantID: customer.subscription.tenantID, plan: plan,
            startsAt: BillingWorld.instant(from), endsAt: to.map(BillingWorld.instant),
            createdAt: BillingWorld.beginning)
        try await world.database.write { try SubscriptionStorage.insert(subscription, in: $0) }
        return Customer(account: customer.account, subscription: subscription)
    }

    @Test func `a subscription cannot begin in a month that is invoiced`() async throws {
        let world = try await BillingWorld.make()
        let beta = try await world.customer(2, plan: "beta", from: "2026-10-01T00:00:00Z")
        try await world.ingest(
            [world.request(beta, at: "2026-11-03T10:00:00Z", input: 1_000_000)], heartbeat: "2026-12-01T00:00:10Z")
        try await world.end(
            beta, at: "2026-12-01T00:00:00Z", now: BillingWorld.instant("2026-11-20T00:00:00Z"))
        #expect(try await world.run("2026-11", now: "2026-12-02T09:00:00Z").run().isComplete)
        let other = Tenant(
            id: BillingWorld.id(77), accountID: beta.id, name: "Second", createdAt: BillingWorld.beginning)
        try await world.database.write { try TenantStorage.insert(other, in: $0) }
        let late = Subscription(
            id: BillingWorld.id(78), accountID: beta.id, tenantID: other.id, plan: "alpha",
            startsAt: BillingWorld.instant("2026-11-30T00:00:00Z"), createdAt: BillingWorld.beginning)
        await #expect {
            try await world.database.write { try SubscriptionStorage.insert(late, in: $0) }
        } throws: {
            "\($0)".contains("is invoiced up to 2026-12-01T00:00:00.000Z")
        }
        _ = try await subscribe(world, beta, 79, plan: "alpha", from: "2026-12-01T00:00:00Z")
        try await world.ingest(heartbeat: "2027-01-01T00:00:10Z")
        let december = try await world.run("2026-12", now: "2027-01-02T09:00:00Z").run()
        #expect(december.word(beta.id) == "finalized INV-2027-000001 30.00")
    }

    @Test(arguments: ["Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Berlin", "America/Santiago"])
    func `plans that follow each other within a month tile it, at local midnights`(zone: String) async throws {
        let world = try await BillingWorld.make()
        let calendar = try BillingCalendar(zoneName: zone)
        let months = try ["2026-09", "2026-10"].map { calendar.period(of: try #require(CivilMonth($0))) }
        func at(_ period: BillingPeriod, hours: Int64) -> String {
            "\(period.start.advanced(byMilliseconds: hours * 3_600_000))"
        }
        let first = try await world.customer(1, plan: "alpha", zone: zone, from: "\(months[0].start)")
        let change = at(months[0], hours: 10 * 24 + 5)
        try await world.end(first, at: change, now: BillingWorld.instant("2026-08-01T00:00:00Z"))
        let second = try await subscribe(
            world, first, 50, plan: "alpha", from: change, to: "\(months[1].end)")
        let edges = [
            months[0].start, months[0].end.advanced(byMilliseconds: -1), months[1].start,
            months[1].end.advanced(byMilliseconds: -1),
        ]
        let requests = try await [
            world.request(first, at: "\(edges[0])", input: 1_000_000),
            world.request(second, at: "\(edges[1])", input: 2_000_000),
            world.request(second, at: "\(edges[2])", input: 4_000_000),
            world.request(second, at: "\(edges[3])", input: 8_000_000),
        ]
        try await world.ingest(requests, heartbeat: "2026-11-03T00:00:00Z")
        let september = try await world.run("2026-09", now: "2026-11-03T00:00:00Z").run()
        #expect(september.word(first.id) == "finalized INV-2026-000001 33.00")
        let october = try await world.run("2026-10", now: "2026-11-03T00:00:00Z").run()
        #expect(october.word(first.id) == "finalized INV-2026-000002 42.00")
        #expect(try await world.run("2026-11", now: "2026-12-03T00:00:00Z").run().isComplete == false)
        try await world.ingest(heartbeat: "2026-12-03T00:00:00Z")
        #expect(try await world.run("2026-11", now: "2026-12-03T00:00:00Z").run().word(first.id) == "nothing")
        try await world.expectSoundBooks()
    }

    @Test func `a month whose usage comes after the next month's invoice is invoiced late`() async throws {
        let world = try await BillingWorld.make()
        let beta = try await world.customer(2, plan: "beta", from: "2026-10-01T00:00:00Z")
        try await world.ingest(
            [world.request(beta, at: "2026-12-03T10:00:00Z", input: 2_000_000)], heartbeat: "2027-01-01T00:00:10Z")
        let december = try await world.run("2026-12", now: "2027-01-02T09:00:00Z").run()
        #expect(december.word(beta.id) == "finalized INV-2027-000001 0.30")
        try await world.ingest(
            [world.request(beta, at: "2026-11-03T10:00:00Z", input: 1_000_000)], heartbeat: "2027-02-01T00:00:10Z")
        let january = try await world.run("2027-01", now: "2027-02-02T09:00:00Z").run()
        #expect(january.word(beta.id).contains("2026-11 has something to bill and no final invoice"))
        let november = try await world.run("2026-11", now: "2027-02-02T09:00:00Z").run()
        #expect(november.word(beta.id) == "finalized INV-2027-000002 0.15")
        try await world.expectSoundBooks()
    }
}
