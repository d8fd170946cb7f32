import Accounts
import Billing
import Identity
import Invoicing
import Ledger
import Metering
import Monetary
import Postgres
import Reconciliation
import ServiceLevels
import Storage
import TestSupport
import Testing

/// Credits that round to nothing, and credits of customers that leave.
@Suite(.database, .timeLimit(.minutes(10))) struct CreditSettlementTests {
    /// November of a customer without a fee: 20 priority requests of so many tokens, 5 of them failed.
    func november(_ world: BillingWorld, tokens: Int64) async throws -> Customer {
        try await world.publish(
            BillingWorld.alpha.replacing("plan: alpha", with: "plan: free")
                .replacing("base_fee:\n  amount: \"30.00\"\n", with: ""))
        let customer = try await world.customer(1, plan: "free", from: "2026-11-01T00:00:00Z")
        var requests: [IngestRequest] = []
        for number in 0..<20 {
            requests.append(
                try await world.request(
                    customer, at: "2026-11-03T10:00:\(10 + number)Z", input: number < 5 ? 0 : tokens, tier: "priority",
                    outcome: number < 5 ? .providerError : .success, firstToken: number < 5 ? nil : 100_000))
        }
        try await world.ingest(requests, heartbeat: "2026-12-01T00:00:10Z")
        let report = try await world.run("2026-11", now: "2026-12-02T09:00:00Z").run()
        #expect(report.finalized.count == 1)
        return customer
    }

    private func balances(_ world: BillingWorld, _ customer: Customer) async throws -> [LedgerAccount: Money] {
        try await world.database.read { try LedgerStorage.balances(of: customer.account, in: $0) }
    }

    private func owed(_ world: BillingWorld) async throws -> [GrantedResult] {
        try await world.database.read { try ServiceLevelStorage.owed(in: $0).items }
    }

    // 25 % of what 15 requests cost at 2 USD a million: half a cent goes to the even cent, which is none.
    @Test(arguments: [(1, "0.0000075"), (7, "0.0000525"), (333, "0.0024975"), (666, "0.004995")])
    func `a credit that rounds to nothing is settled by the next invoice`(tokens: Int64, exact: String) async throws {
        let world = try await BillingWorld.make()
        let customer = try await november(world, tokens: tokens)
        #expect(try await owed(world).map { try $0.remaining().exact.description } == [exact])
        #expect(try await balances(world, customer)[.serviceLevelCreditsOwed]?.description == "-\(exact)")
        try await world.ingest(
            [world.request(customer, at: "2026-12-03T10:00:00Z", input: 1_000_000)], heartbeat: "2027-01-01T00:00:10Z")
        let report = try await world.run("2026-12", now: "2027-01-02T09:00:00Z").run()
        let document = try await world.document(try #require(report.finalized.first?.id))
        #expect(document.lines.map(\.amount) == ["1.00", "0.00"])
        #expect(document.lines.last?.exactAmount == "-\(exact)" && document.totals.total == "1.00")
        #expect(try await balances(world, customer)[.serviceLevelCreditsOwed]?.isZero == true)
        #expect(try await owed(world).isEmpty)
        try await world.expectSoundBooks()
        // Once.
        try await world.ingest(
            [world.request(customer, at: "2027-01-03T10:00:00Z", input: 1_000_000)], heartbeat: "2027-02-01T00:00:10Z")
        let next = try await world.run("2027-01", now: "2027-02-02T09:00:00Z").run()
        let january = try await world.document(try #require(next.finalized.first?.id))
        #expect(january.lines.map(\.kind) == ["usage"])
    }

    @Test(arguments: [(1_000_000, "7.50"), (123_457, "0.93"), (333, "0.00")])
    func `a customer that left is paid what it is owed, once`(tokens: Int64, paid: String) async throws {
        let world = try await BillingWorld.make()
        let customer = try await november(world, tokens: tokens)
        let actions = CreditActions(database: world.database, by: .clerk)
        let now = BillingWorld.instant("2026-12-10T09:00:00Z")
        await #expect {
            try await actions.payOut(to: customer.id, reason: "left", now: now)
        } throws: {
            "\($0)".contains("goes on: the account's next invoice carries its credits")
        }
        try await world.end(customer, at: "2026-12-05T00:00:00Z")
        let payout = try await actions.payOut(to: customer.id, reason: "left", now: now)
        #expect(payout.amount.description == paid && payout.credits == 1)
        let after = try await balances(world, customer)
        #expect(after[.serviceLevelCreditsOwed]?.isZero == true)
        #expect(try await owed(world).isEmpty)
        #expect(after[.cash]?.description == (paid == "0.00" ? "0.00" : "-\(paid)"))
        try await world.expectSoundBooks()
        let again = try await actions.payOut(to: customer.id, reason: "left", now: now)
        #expect(again.amount.isZero && again.credits == 0)
        // It comes back: nothing is left to take from its next invoice.
        try await world.ingest(
            [world.request(customer, at: "2026-12-03T10:00:00Z", input: 1_000_000)], heartbeat: "2027-01-01T00:00:10Z")
        let report = try await world.run("2026-12", now: "2027-01-02T09:00:00Z").run()
        let invoice = try #require(report.finalized.first?.id)
        #expect(try await world.document(invoice).lines.map(\.kind) == ["usage"])
        try await world.expectSoundBooks()
        // An invoice that has nothing to do with what was paid can be void; that of the credit's own month cannot.
        let invoices = InvoiceActions(database: world.database, by: .clerk)
        let later = BillingWorld.instant("2027-01-04T09:00:00Z")
        #expect(try await invoices.void(invoice, now: later).changed)
        try await world.expectSoundBooks()
        let november = try await world.database.read { try InvoiceStorage.all(of: customer.id, in: $0)[0] }
        await #expect {
            try await invoices.void(november.id, now: later)
        } throws: {
            "\($0)".contains("a credit of this invoice or of its month was paid out")
        }
        let second = try await world.run("2026-12", now: "2027-01-05T09:00:00Z").run()
        let repeated = try await world.document(try #require(second.finalized.first?.id))
        #expect(repeated.lines.map(\.kind) == ["usage"])
        try await world.expectSoundBooks()
    }

    @Test func `what the last invoice carried is not paid again, and it can no longer be void`() async throws {
        let world = try await BillingWorld.make()
        let customer = try await november(world, tokens: 1_000_000)
        try await world.ingest(
            [world.request(customer, at: "2026-12-03T10:00:00Z", input: 2_000_000)], heartbeat: "2027-01-01T00:00:10Z")
        try await world.end(customer, at: "2026-12-31T00:00:00Z")
        let now = BillingWorld.instant("2027-01-03T09:00:00Z")
        let actions = CreditActions(database: world.database, by: .clerk)
        let run = try world.run("2026-12", now: "2027-01-02T09:00:00Z")
        let drafts = try await run.prepareDrafts().draftIDs
        await #expect {
            try await actions.payOut(to: customer.id, reason: "left", now: now)
        } throws: {
            "\($0)".contains("is a draft and may carry credits")
        }
        _ = try await run.finalizeDrafts(drafts)
        // 2.00 of 7.50 are on December's invoice.
        let payout = try await actions.payOut(to: customer.id, reason: "left", now: now)
        #expect(payout.amount.description == "5.50")
        await #expect {
            try await InvoiceActions(database: world.database, by: .clerk).void(drafts[0], now: now)
        } throws: {
            "\($0)".contains("was paid out")
        }
        try await world.expectSoundBooks()
    }

    @Test(arguments: ["", "  "])
    func `nothing is paid without a reason`(reason: String) async throws {
        let world = try await BillingWorld.make()
        let customer = try await november(world, tokens: 1_000_000)
        try await world.end(customer, at: "2026-12-05T00:00:00Z")
        await #expect(throws: StorageError.self) {
            try await CreditActions(database: world.database, by: .clerk).payOut(
                to: customer.id, reason: reason, now: BillingWorld.instant("2026-12-10T09:00:00Z"))
        }
    }
}
