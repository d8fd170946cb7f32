import Billing
import Identity
import Invoicing
import Metering
import Monetary
import PlanLanguage
import Postgres
import Pricing
import Reconciliation
import Storage
import TestSupport
import Testing

/// The largest, the smallest and the free: from the plan's text to the invoice and back.
@Suite(.database, .timeLimit(.minutes(10))) struct PriceEndsTests {
    private func plan(input: String, fee: String? = nil, currency: String = "USD") -> String {
        """
        plan: ends
        version: 1
        title: Ends
        currency: \(currency)
        effective_from: 2026-01-01T00:00:00Z
        \(fee.map { "base_fee:\n  amount: \"\($0)\"" } ?? "")
        models:
          sim:
            input: "\(input)"
            output: "1.00"
        """
    }

    @Test(arguments: [
        ("9223372036854.775807", 1, "9223372.036854775807"), ("9223372036854.775807", 3, "27670116.110564327421"),
        ("1000000000000.000001", 1, "1000000.000000000001"), ("1234567890123.456789", 7, "8641975.230864197523"),
        ("999999999999.999999", 1_000_000, "999999999999.999999"), ("0.000001", 1, "0.000000000001"),
        ("0.000001", 1_000_000_000_000, "1.00"), ("0", 1_000_000_000_000, "0.00"),
        ("9223372036854.775807", 1_000_000_000_000, "9223372036854775807.00"),
    ])
    func `a price comes back from the database as it was published`(
        price: String, quantity: Int64, exact: String
    ) async throws {
        let world = try await BillingWorld.make()
        try await world.publish(plan(input: price))
        let customer = try await world.customer(1, plan: "ends", from: "2026-11-01T00:00:00Z")
        try await world.ingest(
            [
                world.request(customer, at: "2026-11-03T10:00:00Z", input: quantity),
                world.request(customer, at: "2026-11-04T10:00:00Z", output: 1_000_000),
            ], heartbeat: "2026-12-01T00:00:10Z")
        let report = try await world.run("2026-11", now: "2026-12-02T09:00:00Z").run()
        let invoice = try #require(report.finalized.first, "\(report.word(customer.id))")
        let document = try await world.document(invoice.id)
        let line = try #require(document.lines.first { $0.meter == "input_tokens" })
        #expect(line.exactAmount == exact && line.unitPricePerMillion == price)
        // A month later the same charge is read from the invoice's line, and a late record is an adjustment of it.
        try await world.ingest(
            [world.request(customer, at: "2026-11-05T10:00:00Z", input: 1)], heartbeat: "2027-01-01T00:00:10Z")
        let next = try await world.run("2026-12", now: "2027-01-02T09:00:00Z").run()
        #expect(next.isComplete, "\(next.word(customer.id))")
        try await world.expectSoundBooks()
    }

    @Test(arguments: ["9223372036854.775808", "10000000000000", "-1", "0.0000001"])
    func `a price beyond the ends is refused with the plan`(price: String) {
        #expect(!PlanLint(yaml: plan(input: price)).isPublishable)
    }

    @Test(arguments: ["0.01", "0.00", "99999999999.99"])
    func `fees of every size are billed`(fee: String) async throws {
        let world = try await BillingWorld.make()
        try await world.publish(plan(input: "1.00", fee: fee))
        let customer = try await world.customer(1, plan: "ends", from: "2026-11-01T00:00:00Z")
        try await world.ingest(
            [world.request(customer, at: "2026-11-03T10:00:00Z", input: 1_000_000)], heartbeat: "2026-12-01T00:00:10Z")
        let report = try await world.run("2026-11", now: "2026-12-02T09:00:00Z").run()
        let document = try await world.document(try #require(report.finalized.first?.id))
        #expect(document.lines.filter { $0.kind == "base_fee" }.map(\.amount) == (fee == "0.00" ? [] : [fee]))
    }
}
