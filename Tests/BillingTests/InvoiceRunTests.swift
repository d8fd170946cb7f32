import Accounts
import Billing
import Identity
import Invoicing
import Ledger
import Monetary
import Postgres
import Storage
import TestSupport
import Testing

@Suite(.database, .timeLimit(.minutes(10))) struct InvoiceRunTests {
    /// Two customers in November: one with a fee and two tiers, one who pays only for tokens.
    private func november(_ world: BillingWorld) async throws -> (alpha: Customer, beta: Customer) {
        let alpha = try await world.customer(1, plan: "alpha", from: "2026-11-01T00:00:00Z")
        let beta = try await world.customer(2, plan: "beta", from: "2026-11-01T00:00:00Z")
        try await world.ingest(
            [
                world.request(alpha, at: "2026-11-03T10:00:00Z", input: 1_234_567, output: 100_000),
                world.request(alpha, at: "2026-11-04T10:00:00Z", input: 1, output: 333_333, tier: "priority"),
                world.request(beta, at: "2026-11-04T10:00:00Z", input: 1_234_567, output: 33_333),
            ], heartbeat: "2026-12-01T00:00:10Z")
        return (alpha, beta)
    }

    @Test func `an invoice is what one computes by hand`() async throws {
        let world = try await BillingWorld.make()
        let (alpha, beta) = try await november(world)
        let report = try await world.run("2026-11", now: "2026-12-02T09:00:00Z").run()
        #expect(report.isComplete)
        // 1.234567 + 0.20 + 0.000002 + 1.333332 + 30 fee; lines 30.00, 0.00, 1.33, 1.23, 0.20.
        #expect(report.word(alpha.id) == "finalized INV-2026-000001 32.76")
        // 0.18518505 + 0.0199998; lines 0.19, 0.02.
        #expect(report.word(beta.id) == "finalized INV-2026-000002 0.21")

        let document = try await world.document(try #require(report.finalized.first?.id))
        #expect(document.lines.map(\.exactAmount) == ["30.00", "0.000002", "1.333332", "1.234567", "0.20"])
        #expect(document.lines.map(\.amount) == ["30.00", "0.00", "1.33", "1.23", "0.20"])
        #expect(document.totals.exactTotal == "32.767901")
        #expect(document.issuedOn == "2026-12-02")
        #expect(document.dueOn == "2026-12-16")
        #expect(document.seller.name == "Tokens Ltd")
        #expect(document.period.from == "2026-11-01")
        #expect(document.period.through == "2026-11-30")

        let balances = try await world.database.read { try LedgerStorage.balances(of: alpha.account, in: $0) }
        #expect(balances[.receivables]?.description == "32.76")
        #expect(balances[.unbilledReceivables]?.isZero == true)
        #expect(balances[.revenue]?.description == "-32.767901")
        #expect(balances[.rounding]?.description == "0.007901")
        #expect(try await world.ledgerImbalance() == "0.00 0")
    }

    @Test func `running twice changes nothing and says so`() async throws {
        let world = try await BillingWorld.make()
        let (alpha, beta) = try await november(world)
        _ = try await world.run("2026-11", now: "2026-12-02T09:00:00Z").run()
        let before = try await world.fingerprint()
        let again = try await world.run("2026-11", now: "2026-12-05T09:00:00Z").run()
        #expect(again.word(alpha.id) == "already INV-2026-000001")
        #expect(again.word(beta.id) == "already INV-2026-000002")
        #expect(try await world.fingerprint() == before)
    }

    @Test func `two databases with the same history get the same bytes`() async throws {
        var texts: [String] = []
        for _ in 0..<2 {
            let database = try await TestDatabase.create()
            let text = try await TestDatabase.$current.withValue(database) {
                let world = try await BillingWorld.make()
                _ = try await november(world)
                _ = try await world.run("2026-11", now: "2026-12-02T09:00:00Z").run()
                return try await world.fingerprint()
            }
            try await database.drop()
            texts.append(text)
        }
        #expect(texts[0] == texts[1])
    }

    @Test func `a crash between draft and number is finished by the next run`() async throws {
        let world = try await BillingWorld.make()
        let (alpha, beta) = try await november(world)
        let first = try await world.run("2026-11", now: "2026-12-02T09:00:00Z").prepareDrafts()
        #expect(first.word(alpha.id) == "drafted 32.76")
        let second = try await world.run("2026-11", now: "2026-12-02T10:00:00Z").run()
        #expect(second.word(alpha.id) == "finalized INV-2026-000001 32.76")
        #expect(second.word(beta.id) == "finalized INV-2026-000002 0.21")
        #expect(try await world.ledgerImbalance() == "0.00 0")
    }

    @Test func `a dry run stores nothing`() async throws {
        let world = try await BillingWorld.make()
        let (alpha, beta) = try await november(world)
        let before = try await world.fingerprint()
        let report = try await world.run("2026-11", now: "2026-12-02T09:00:00Z", isDryRun: true).run()
        #expect(report.word(alpha.id) == "would invoice 32.76")
        #expect(report.word(beta.id) == "would invoice 0.21")
        #expect(try await world.fingerprint() == before)
    }

    @Test func `two runs at the same time give each invoice one number and leave no gap`() async throws {
        let world = try await BillingWorld.make()
        var requests: [IngestRequest] = []
        for number in 1...6 {
            let customer = try await world.customer(UInt64(number), plan: "beta", from: "2026-11-01T00:00:00Z")
            requests.append(try await world.request(customer, at: "2026-11-03T10:00:00Z", input: 1_000_000))
        }
        try await world.ingest(requests, heartbeat: "2026-12-01T00:00:10Z")
        async let one = world.run("2026-11", now: "2026-12-02T09:00:00Z").run()
        async let two = world.run("2026-11", now: "2026-12-02T09:00:00Z").run()
        let reports = try await [one, two]
        let numbers = reports.flatMap { $0.finalized.compactMap(\.number) }.sorted()
        #expect(numbers == (1...6).map { "INV-2026-00000\($0)" })
        #expect(reports.allSatisfy { $0.isComplete })
        let series = try await world.pool.query("SELECT next_number FROM number_series").onlyValue(as: Int.self)
        #expect(series == 7)
        #expect(try await world.ledgerImbalance() == "0.00 0")
    }

    @Test func `two runs at the same time agree on accounts that owe only a base fee`() async throws {
        let world = try await BillingWorld.make()
        for number in 1...5 {
            _ = try await world.customer(UInt64(number), plan: "alpha", from: "2026-11-01T00:00:00Z")
        }
        try await world.ingest(heartbeat: "2026-12-01T00:00:10Z")
        async let one = world.run("2026-11", now: "2026-12-02T09:00:00Z").run()
        async let two = world.run("2026-11", now: "2026-12-02T09:00:00Z").run()
        let reports = try await [one, two]
        for report in reports { #expect(report.isComplete, "\(report.accounts.map(\.result))") }
        let numbers = reports.flatMap { $0.finalized.compactMap(\.number) }.sorted()
        #expect(numbers == (1...5).map { "INV-2026-00000\($0)" })
        let results = try await world.pool.query("SELECT count(*) FROM service_level_results").onlyValue(as: Int.self)
        #expect(results == 10)
    }

    @Test func `an unknown account is said at once`() async throws {
        let world = try await BillingWorld.make()
        await #expect(throws: StorageError.notFound("account \(BillingWorld.id(5, as: IDKinds.Account.self))")) {
            try await world.run("2026-11", now: "2026-12-02T09:00:00Z", accounts: [BillingWorld.id(5)]).run()
        }
    }

    @Test func `an account without usage and fee gets no invoice`() async throws {
        let world = try await BillingWorld.make()
        let beta = try await world.customer(2, plan: "beta")
        try await world.ingest(heartbeat: "2026-12-01T00:00:10Z")
        let report = try await world.run("2026-11", now: "2026-12-02T09:00:00Z").run()
        #expect(report.word(beta.id) == "nothing")
        #expect(report.isComplete)
    }

    @Test func `usage that comes late is an adjustment on the next invoice`() async throws {
        let world = try await BillingWorld.make()
        let (_, beta) = try await november(world)
        _ = try await world.run("2026-11", now: "2026-12-02T09:00:00Z").run()
        try await world.ingest(
            [
                world.request(beta, at: "2026-11-30T23:59:59Z", input: 2_000_000),
                world.request(beta, at: "2026-12-01T00:00:00Z", input: 1_000_000),
            ], heartbeat: "2027-01-01T00:00:10Z")
        let report = try await world.run("2026-12", now: "2027-01-02T09:00:00Z").run()
        #expect(report.word(beta.id) == "finalized INV-2027-000002 0.45")
        let invoice = try #require(report.finalized.first { $0.accountID == beta.id })
        let lines = try await world.document(invoice.id).lines
        #expect(lines.map(\.kind) == ["usage", "adjustment"])
        #expect(lines.map(\.exactAmount) == ["0.15", "0.30"])
        #expect(lines.last?.from == "2026-11-01")
        let balances = try await world.database.read { try LedgerStorage.balances(of: beta.account, in: $0) }
        #expect(balances[.unbilledReceivables]?.isZero == true)
    }

    @Test func `local midnight decides the month`() async throws {
        let world = try await BillingWorld.make()
        let tokyo = try await world.customer(1, plan: "beta", zone: "Asia/Tokyo", from: "2026-10-31T15:00:00Z")
        try await world.ingest(
            [
                world.request(tokyo, at: "2026-11-30T14:59:59Z", input: 1_000_000),
                world.request(tokyo, at: "2026-11-30T15:00:00Z", input: 2_000_000),
            ], heartbeat: "2026-11-30T15:00:10Z")
        let report = try await world.run("2026-11", now: "2026-11-30T15:00:20Z").run()
        #expect(report.word(tokyo.id) == "finalized INV-2026-000001 0.15")
        #expect(report.finalized.first?.issuedOn?.description == "2026-12-01")
    }
}
