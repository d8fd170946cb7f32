import Accounts
import Billing
import Identity
import Invoicing
import Monetary
import Postgres
import Pricing
import Storage
import TestSupport
import Testing

/// Prices under conditions from the record to the invoice, and back.
@Suite(.database, .timeLimit(.minutes(10))) struct ConditionalPriceTests {
    private static let plan = """
        plan: frontier
        version: 1
        title: Frontier
        currency: USD
        effective_from: 2026-01-01T00:00:00Z
        models:
          sim:
            input: "1.00"
            output: "2.00"
            context:
              - {above: 1000, multiplier: "2"}
        regions:
          - {region: us-*, multiplier: "1.1"}
        times:
          - {name: night, zone: Europe/Berlin, when: [{from: "22:00", to: "06:00"}], multiplier: "0.5"}
        """

    @Test func `each condition is a line of its own, exact to the last digit`() async throws {
        let world = try await BillingWorld.make()
        try await world.publish(Self.plan)
        let customer = try await world.customer(1, plan: "frontier", from: "2026-02-01T00:00:00Z")
        try await world.ingest(
            [
                try await world.request(customer, at: "2026-02-03T12:00:00Z", input: 1000, output: 10),
                try await world.request(customer, at: "2026-02-03T12:00:00Z", input: 1001, output: 10),
                try await world.request(customer, at: "2026-02-03T20:59:59Z", input: 10, region: "us-west-2"),
                try await world.request(customer, at: "2026-02-03T21:00:00Z", input: 5_000_000, region: "us-west-2"),
                try await world.request(customer, at: "2026-02-04T05:00:00Z", input: 10, region: "eu-west-1"),
            ], heartbeat: "2026-03-02T00:00:00Z")
        let report = try await world.run("2026-02", now: "2026-03-02T00:00:00Z").run()
        let document = try await world.document(try #require(report.finalized.first?.id))
        try await world.expectSoundBooks()
        #expect(
            document.lines.map { "\($0.description): \($0.quantity ?? "") at \($0.unitPricePerMillion ?? "")" } == [
                "sim-model: input tokens, standard: 1010 at 1", "sim-model: output tokens, standard: 10 at 2",
                "sim-model: input tokens, standard, over 1000 input tokens: 1001 at 2",
                "sim-model: output tokens, standard, over 1000 input tokens: 10 at 4",
                "sim-model: input tokens, standard, over 1000 input tokens, region us-*, night: 5000000 at 1.1",
                "sim-model: input tokens, standard, region us-*: 10 at 1.1",
            ])
        #expect(document.lines.map(\.exactAmount).last == "0.000011")
        let billing = BillingService(world.database, now: { BillingWorld.instant("2026-03-03T00:00:00Z") })
        let line = try #require(InvoiceLineID(document.lines[4].id))
        let explained = try await billing.read(by: .clerk) { try $0.explain(line) }
        #expect(
            explained.steps.map { $0.explanation?.text }
                == ["1 × 2 (context_above_1000) × 1.1 (region_us-*) × 0.5 (time_night) = 1.1"])
        #expect(explained.exact.description == "5.50" && explained.outcome == "5.50 on the invoice, rounded half_even")
        let stored: [String] = try await world.pool.query(
            "SELECT variant FROM effective_prices WHERE variant <> '' ORDER BY price_id"
        ).decodeAll()
        #expect(
            Set(stored) == ["context_above_1000", "context_above_1000+region_us-*+time_night", "region_us-*"])
    }
}
