import Accounts
import Billing
import Identity
import Invoicing
import Ledger
import Metering
import Monetary
import ServiceLevels
import Storage
import TestSupport
import Testing

@Suite(.database, .timeLimit(.minutes(10))) struct CreditOnNextInvoiceTests {
    /// November: 100 priority requests of which `failures` fail and `late` begin late.
    private func november(
        _ world: BillingWorld, failures: Int, late: Int = 0, tokens: Int64 = 1_234_567
    ) async throws -> Customer {
        let alpha = try await world.customer(1, plan: "alpha", from: "2026-11-01T00:00:00Z")
        var requests: [IngestRequest] = []
        for number in 0..<100 {
            let time = "2026-11-03T10:00:\(10 + number % 50).\(100 + number)Z"
            requests.append(
                try await world.request(
                    alpha, at: time, input: number < failures ? 0 : tokens, tier: "priority",
                    outcome: number < failures ? .providerError : .success,
                    firstToken: number < failures ? nil : number < failures + late ? 700_000 : 100_000))
        }
        try await world.ingest(requests, heartbeat: "2026-12-01T00:00:10Z")
        return alpha
    }

    private func invoice(_ world: BillingWorld, _ month: String, now: String) async throws -> InvoiceDocument {
        let report = try await world.run(month, now: now).run()
        #expect(report.isComplete, "\(report.accounts.map(\.result))")
        return try await world.document(try #require(report.finalized.first?.id))
    }

    @Test func `a broken promise is a credit on the next invoice, with its evidence`() async throws {
        let world = try await BillingWorld.make()
        let alpha = try await november(world, failures: 5)
        let first = try await invoice(world, "2026-11", now: "2026-12-02T09:00:00Z")
        // 95 × 1 234 567 tokens at 2 USD a million.
        #expect(first.lines.map(\.exactAmount) == ["30.00", "234.56773"])
        #expect(first.serviceLevels.isEmpty)

        let owed = try await world.database.read { try LedgerStorage.balances(of: alpha.account, in: $0) }
        #expect(owed[.serviceLevelCredits]?.description == "23.456773")
        #expect(owed[.serviceLevelCreditsOwed]?.description == "-23.456773")

        try await world.ingest(heartbeat: "2027-01-01T00:00:10Z")
        let second = try await invoice(world, "2026-12", now: "2027-01-02T09:00:00Z")
        #expect(second.lines.map(\.exactAmount) == ["30.00", "-23.456773"])
        #expect(second.lines.map(\.amount) == ["30.00", "-23.46"])
        #expect(second.totals.total == "6.54")
        let evidence = try #require(second.serviceLevels.first)
        #expect(second.serviceLevels.count == 1)
        #expect(evidence.month == "2026-11")
        #expect(evidence.objective == "availability")
        #expect(evidence.attainedPercent == "95")
        #expect(evidence.promisedPercent == "99")
        #expect(evidence.creditPercent == "10")
        #expect(evidence.base == "234.56773")
        #expect(evidence.evidence.counted == 100)
        #expect(evidence.evidence.bad == ["provider_error": 5])
        #expect(evidence.evidence.worst.count == 5)

        let settled = try await world.database.read { try LedgerStorage.balances(of: alpha.account, in: $0) }
        #expect(settled[.serviceLevelCreditsOwed]?.isZero == true)
        #expect(try await world.ledgerImbalance() == "0.00 0")
    }

    @Test func `a month without a breach has no credit`() async throws {
        let world = try await BillingWorld.make()
        let alpha = try await november(world, failures: 1)
        _ = try await invoice(world, "2026-11", now: "2026-12-02T09:00:00Z")
        try await world.ingest(heartbeat: "2027-01-01T00:00:10Z")
        let second = try await invoice(world, "2026-12", now: "2027-01-02T09:00:00Z")
        #expect(second.lines.map(\.kind) == ["base_fee"])
        let results = try await world.database.read {
            try ServiceLevelStorage.results(
                of: alpha.id, periodStart: BillingWorld.instant("2026-11-01T00:00:00Z"), in: $0)
        }
        #expect(results.map(\.status) == [.kept, .kept])
        #expect(results.map(\.attainment) == [Attainment(good: 99, counted: 100), Attainment(good: 99, counted: 99)])
    }

    @Test func `two broken promises of a tier give the larger credit once`() async throws {
        let world = try await BillingWorld.make()
        let alpha = try await november(world, failures: 5, late: 10)
        _ = try await invoice(world, "2026-11", now: "2026-12-02T09:00:00Z")
        let results = try await world.database.read { try ServiceLevelStorage.results(of: alpha.id, in: $0) }
        #expect(results.map(\.objective.name) == ["availability", "time_to_first_token"])
        #expect(results.map(\.creditPercent.description) == ["10", "15"])
        #expect(results.map(\.exactCredit.description) == ["0.00", "35.1851595"])
    }

    @Test func `a credit larger than the invoice is spread over the next ones`() async throws {
        let world = try await BillingWorld.make()
        // 50 of 100 fail: 25 % of 50 × 10 000 000 × 2 USD a million = 250 USD, and 30 USD a month to take it from.
        let alpha = try await november(world, failures: 50, tokens: 10_000_000)
        let first = try await invoice(world, "2026-11", now: "2026-12-02T09:00:00Z")
        #expect(first.totals.total == "1030.00")
        try await world.ingest(heartbeat: "2027-01-01T00:00:10Z")
        let second = try await invoice(world, "2026-12", now: "2027-01-02T09:00:00Z")
        #expect(second.totals.total == "0.00")
        #expect(second.totals.credits == "-30.00")
        #expect(second.totals.creditsCarriedOver == "220.00")
        try await world.ingest(heartbeat: "2027-02-01T00:00:10Z")
        let third = try await invoice(world, "2027-01", now: "2027-02-02T09:00:00Z")
        #expect(third.serviceLevels.first?.appliedBefore == "30.00")
        #expect(third.totals.creditsCarriedOver == "190.00")
        let balances = try await world.database.read { try LedgerStorage.balances(of: alpha.account, in: $0) }
        #expect(balances[.serviceLevelCreditsOwed]?.description == "-190.00")
        #expect(try await world.ledgerImbalance() == "0.00 0")
    }

    @Test func `usage that arrives before the number changes draft, credit and books together`() async throws {
        let world = try await BillingWorld.make()
        let alpha = try await november(world, failures: 5)
        _ = try await world.run("2026-11", now: "2026-12-02T09:00:00Z").prepareDrafts()
        try await world.ingest(
            [world.request(alpha, at: "2026-11-09T10:00:00Z", input: 1_000_000, tier: "priority")],
            heartbeat: "2026-12-02T10:00:00Z")
        let first = try await invoice(world, "2026-11", now: "2026-12-02T11:00:00Z")
        #expect(first.lines.last?.exactAmount == "236.56773")
        let results = try await world.database.read { try ServiceLevelStorage.results(of: alpha.id, in: $0) }
        #expect(results.first?.exactCredit.description == "23.656773")
        let balances = try await world.database.read { try LedgerStorage.balances(of: alpha.account, in: $0) }
        #expect(balances[.serviceLevelCreditsOwed]?.description == "-23.656773")
        #expect(balances[.unbilledReceivables]?.isZero == true)
        #expect(try await world.ledgerImbalance() == "0.00 0")
    }

    @Test func `the report of a month in progress equals what closing it gives`() async throws {
        let world = try await BillingWorld.make()
        let alpha = try await november(world, failures: 5)
        let month = try #require(CivilMonth("2026-11"))
        let open = try await BillingService(world.database, now: { BillingWorld.instant("2026-11-20T00:00:00Z") })
            .serviceLevels(of: alpha.id, month: month, by: .clerk)
        #expect(!open.isFinal)
        _ = try await invoice(world, "2026-11", now: "2026-12-02T09:00:00Z")
        let closed = try await BillingService(world.database, now: { BillingWorld.instant("2026-12-20T00:00:00Z") })
            .serviceLevels(of: alpha.id, month: month, by: .clerk)
        #expect(closed.isFinal)
        #expect(open.results.map(\.exactCredit) == closed.results.map(\.exactCredit))
        #expect(open.results.map(\.evidence) == closed.results.map(\.evidence))
    }

    /// docs/invoicing.md, "One month by hand".
    @Test func `the month by hand in the documentation is what the program makes of it`() async throws {
        let world = try await BillingWorld.make()
        let alpha = try await world.customer(1, plan: "alpha", from: "2026-11-01T00:00:00Z")
        var requests = [
            try await world.request(alpha, at: "2026-11-03T10:00:00Z", input: 1_234_567, output: 100_000)
        ]
        for number in 0..<100 {
            let fails = number < 5
            requests.append(
                try await world.request(
                    alpha, at: "2026-11-04T10:00:00.\(100 + number)Z", input: fails ? 0 : 1_000_000, tier: "priority",
                    outcome: fails ? .providerError : .success, firstToken: fails ? nil : 100_000))
        }
        try await world.ingest(requests, heartbeat: "2026-12-01T00:00:10Z")
        let november = try await invoice(world, "2026-11", now: "2026-12-02T09:00:00Z")
        #expect(november.lines.map(\.exactAmount) == ["30.00", "190.00", "1.234567", "0.20"])
        #expect(november.totals.exactTotal == "221.434567")
        #expect(november.totals.total == "221.43")
        try await world.ingest(heartbeat: "2027-01-01T00:00:10Z")
        let december = try await invoice(world, "2026-12", now: "2027-01-02T09:00:00Z")
        #expect(december.lines.map(\.amount) == ["30.00", "-19.00"])
        #expect(december.totals.total == "11.00")
        let balances = try await world.database.read { try LedgerStorage.balances(of: alpha.account, in: $0) }
        #expect(balances[.receivables]?.description == "232.43")
        #expect(balances[.unbilledReceivables]?.isZero == true)
        #expect(balances[.revenue]?.description == "-251.434567")
        #expect(balances[.serviceLevelCredits]?.description == "19.00")
        #expect(balances[.serviceLevelCreditsOwed]?.isZero == true)
        #expect(balances[.rounding]?.description == "0.004567")
    }
}
