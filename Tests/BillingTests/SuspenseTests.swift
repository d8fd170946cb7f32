import Accounts
import Billing
import Identity
import Invoicing
import Metering
import Monetary
import Postgres
import Pricing
import Reconciliation
import Storage
import TestSupport
import Testing

extension BillingWorld {
    /// A request for a model that its plan has no price for, or that contradicts itself, as ingest stores it.
    func unpriced(
        _ customer: Customer, at text: String, priceKey: String = "new", tier: String = "standard",
        input: Int64 = 1_000_000, contradiction: String? = nil
    ) throws -> IngestRequest {
        var request = try request(customer, at: text, input: input, tier: tier, model: "\(priceKey)-model")
        request.attempts[0].record.priceKey = priceKey
        request.attempts[0].record.contradiction = contradiction
        request.attempts[0].rating = .suspended
        request.attempts[0].amount = .zero(.usd)
        request.attempts[0].lines = []
        request.attempts[0].suspense = IngestAttempt.Suspense(
            reason: contradiction == nil ? "no_price" : "contradictory_usage", detail: "of \(priceKey)")
        return request
    }

    /// Version 2 of a plan that sells another model from an instant on.
    static func selling(_ plan: String, _ model: String, input: String, from: String) -> String {
        """
        plan: \(plan)
        version: 2
        title: More
        currency: USD
        effective_from: \(from)
        models:
          sim:
            input: "0.15"
            output: "0.60"
          \(model):
            input: "\(input)"
            output: "9.00"
        tiers:
          priority:
            multiplier: "3"
        """
    }
}

@Suite(.database, .timeLimit(.minutes(10))) struct SuspenseTests {
    private let now = BillingWorld.instant("2026-12-02T09:00:00Z")

    private func order(
        _ outcome: SuspenseOutcome, _ filter: SuspenseFilter = SuspenseFilter(), reason: String = "agreed"
    ) -> SuspenseOrder {
        SuspenseOrder(outcome, filter, reason: reason)
    }

    /// Two customers of `beta`, with usage of a model that it sells from 20 November on.
    private func world() async throws -> (BillingWorld, Customer, Customer) {
        let world = try await BillingWorld.make()
        let one = try await world.customer(1, plan: "beta", from: "2026-11-01T00:00:00Z")
        let two = try await world.customer(2, plan: "beta", zone: "Asia/Kolkata", from: "2026-10-31T18:30:00Z")
        try await world.publish(
            BillingWorld.selling("beta", "new", input: "4.00", from: "2026-11-20T00:00:00Z"))
        try await world.ingest(
            [
                world.request(one, at: "2026-11-02T10:00:00Z", input: 2_000_000),
                world.unpriced(one, at: "2026-11-03T10:00:00Z"),
                world.unpriced(one, at: "2026-11-03T10:20:00Z", tier: "standard", input: 500_001),
                world.unpriced(one, at: "2026-11-04T10:00:00Z", priceKey: "other"),
                world.unpriced(one, at: "2026-11-05T10:00:00Z", contradiction: "more cached than there was"),
                world.unpriced(two, at: "2026-10-31T18:30:00Z"),
            ], heartbeat: "2026-12-01T00:00:10Z")
        return (world, one, two)
    }

    @Test func `usage that a later version sells is rated by it, many records at once, and billed`() async throws {
        let (world, one, two) = try await world()
        let report = try await SuspenseActions(database: world.database, by: .clerk).resolve(order(.rated), now: now)
        #expect(report.resolved == 3)
        #expect(report.accounts == [one.id, two.id])
        // 2 500 001 tokens at 4 USD a million.
        #expect(report.amounts[.usd]?.description == "10.000004")
        #expect(report.unpriced.values.reduce(0, +) == 2)
        #expect(report.unpriced.keys.contains { $0.contains("no price for input_tokens of other") })
        #expect(report.unpriced.keys.contains { $0.contains("contradicts itself") })
        try await world.expectSoundBooks()
        // The second customer's month is free; the first one's waits for what has no price.
        let run = try await world.run("2026-11", now: "2026-12-02T09:00:00Z").run()
        #expect(run.word(two.id) == "finalized INV-2026-000001 4.00")
        #expect(run.word(one.id).hasPrefix("not closed: 2 usage records wait in suspense"))
        let waived = try await SuspenseActions(database: world.database, by: .clerk).resolve(
            order(.waived, SuspenseFilter(account: one.id)), now: now)
        #expect(waived.resolved == 2 && waived.amounts.isEmpty)
        let after = try await world.run("2026-11", now: "2026-12-02T09:00:00Z").run()
        #expect(after.word(one.id) == "finalized INV-2026-000002 6.30")
        try await world.expectSoundBooks()
        // What was given away waits for nobody.
        let check = try #require(
            try await ReconciliationTests.reconcile(world).checks.first { $0.name.hasPrefix("records, rated again") })
        #expect(check.leftText.contains("0 in suspense") && check.leftText.contains("2 waived out of suspense"))
    }

    /// As after a restore: the journal has usage of an account that was made after the dump.
    @Test func `usage of an account that the database does not know can be waived, and holds up nobody else's`()
        async throws
    {
        let (world, one, _) = try await world()
        let (gone, attempt) = (AccountID(UUIDv7(high: 7, low: 7)), AttemptID(UUIDv7(high: 7, low: 8)))
        try await world.pool.execute(
            """
            INSERT INTO suspense (account_id, record_id, accepted_at, period_start, reason, detail)
            VALUES (\(gone), \(attempt), \(now), \(now), 'unknown_account', 'not in the database')
            """)
        let actions = SuspenseActions(database: world.database, by: .clerk)
        let rated = try await actions.resolve(order(.rated), now: now)
        #expect(rated.resolved == 3, "those of the accounts that are there")
        #expect(rated.unpriced.keys.contains { $0.contains("is not in the database: it can only be waived") })
        let report = try #require(
            try await ReconciliationTests.reconcile(world).checks.first { $0.name.hasPrefix("records, rated again") })
        #expect(report.notes.contains { $0.contains("1 usage record of accounts that are not in the database") })
        let waived = try await actions.resolve(order(.waived, SuspenseFilter(account: gone)), now: now)
        #expect(waived.resolved == 1 && waived.accounts == [gone])
        let left = try await world.database.read { try SuspenseStorage.list(in: $0).items }
        #expect(left.count == 2 && left.allSatisfy { $0.accountID == one.id })
        try await world.expectSoundBooks()
    }

    @Test func `who, why and the version stay with what was resolved`() async throws {
        let (world, one, _) = try await world()
        var filter = SuspenseFilter(account: one.id)
        filter.priceKey = "new"
        filter.reason = "no_price"
        _ = try await SuspenseActions(database: world.database, by: .clerk).resolve(
            order(.rated, filter, reason: "sold since the 20th"), now: now)
        let all = try await world.database.read { [filter] in
            try SuspenseStorage.list(filter, unresolvedOnly: false, in: $0).items
        }
        #expect(all.count == 2)
        for usage in all {
            #expect(usage.outcome == .rated && usage.resolution == "sold since the 20th")
            #expect(usage.resolvedBy == "\(Actor.clerk.principal)" && usage.plan == "beta" && usage.planVersion == 2)
        }
        let left = try await world.database.read { try SuspenseStorage.list(in: $0).items }
        #expect(left.count == 3)
    }

    @Test(arguments: ["account", "code", "model", "price key", "from", "to", "attempts"])
    func `each filter picks what it says`(name: String) async throws {
        let (world, one, two) = try await world()
        let all = try await world.database.read { try SuspenseStorage.list(in: $0).items }
        var filter = SuspenseFilter()
        var expected: (SuspendedUsage) -> Bool = { _ in true }
        switch name {
        case "account":
            filter.account = two.id
            expected = { $0.accountID == two.id }
        case "code":
            filter.reason = "contradictory_usage"
            expected = { $0.detail == "of new" && $0.reason == "contradictory_usage" }
        case "model":
            filter.model = "other-model"
            expected = { $0.priceKey == "other" }
        case "price key":
            filter.priceKey = "new"
            expected = { $0.priceKey == "new" }
        case "from":
            filter.from = BillingWorld.instant("2026-11-03T10:20:00Z")
            expected = { $0.acceptedAt >= BillingWorld.instant("2026-11-03T10:20:00Z") }
        case "to":
            filter.to = BillingWorld.instant("2026-11-03T10:20:00Z")
            expected = { $0.acceptedAt < BillingWorld.instant("2026-11-03T10:20:00Z") }
        default:
            filter.account = one.id
            filter.attempts = [all[0].attemptID, all[2].attemptID]
            expected = { [all[0].attemptID, all[2].attemptID].contains($0.attemptID) && $0.accountID == one.id }
        }
        let picked = all.filter(expected).map(\.attemptID)
        #expect(!picked.isEmpty && picked.count < all.count)
        let report = try await SuspenseActions(database: world.database, by: .clerk).resolve(
            order(.waived, filter), now: now)
        #expect(report.resolved == picked.count)
        let left = try await world.database.read { try SuspenseStorage.list(in: $0).items.map(\.attemptID) }
        #expect(left == all.map(\.attemptID).filter { !picked.contains($0) })
    }

    @Test func `a dry run says the same and changes nothing`() async throws {
        let (world, _, _) = try await world()
        let before = try await world.pool.query("SELECT string_agg(s::text, '' ORDER BY s::text) FROM suspense s")
            .onlyValue(as: String.self)
        var dry = order(.rated)
        dry.isDryRun = true
        let actions = SuspenseActions(database: world.database, by: .clerk)
        let said = try await actions.resolve(dry, now: now)
        let after = try await world.pool.query("SELECT string_agg(s::text, '' ORDER BY s::text) FROM suspense s")
            .onlyValue(as: String.self)
        #expect(before == after)
        #expect(try await actions.resolve(order(.rated), now: now) == said)
        #expect(try await actions.resolve(order(.rated), now: now).resolved == 0, "once only")
    }

    @Test func `a price reaches back for suspended usage alone`() async throws {
        let (world, _, _) = try await world()
        _ = try await SuspenseActions(database: world.database, by: .clerk).resolve(order(.rated), now: now)
        // Someone moves a record that had its price all along to the later version, and says that it was in suspense.
        try await world.pool.execute(
            """
            UPDATE attempt_records SET plan_version = 2 WHERE price_key = 'sim'
            """)
        try await world.pool.execute(
            """
            INSERT INTO suspense (account_id, record_id, accepted_at, period_start, reason, detail, resolved_at,
                resolution, resolved_by, outcome, plan, plan_version)
            SELECT account_id, record_id, accepted_at, '2026-11-01T00:00:00Z', 'no_price', '', now(), 'x', 'x', 'rated',
                'beta', 2
            FROM attempt_records WHERE price_key = 'sim'
            """)
        let report = try await ReconciliationTests.reconcile(world)
        let rating = try #require(report.checks.first { $0.name.hasPrefix("records, rated again") })
        #expect(!rating.isEqual)
    }

    @Test func `late usage that was rated out of suspense is an adjustment on the next invoice`() async throws {
        let (world, one, _) = try await world()
        let actions = SuspenseActions(database: world.database, by: .clerk)
        _ = try await actions.resolve(order(.rated), now: now)
        _ = try await actions.resolve(order(.waived), now: now)
        _ = try await world.run("2026-11", now: "2026-12-02T09:00:00Z").run()
        try await world.ingest(
            [world.unpriced(one, at: "2026-11-30T23:00:00Z", input: 250_000)], heartbeat: "2027-01-01T00:00:10Z")
        let held = try await world.run("2026-12", now: "2027-01-02T09:00:00Z", accounts: [one.id]).run()
        #expect(held.word(one.id).contains("1 usage records wait in suspense"))
        let later = BillingWorld.instant("2027-01-02T09:00:00Z")
        _ = try await actions.resolve(order(.rated), now: later)
        let run = try await world.run("2026-12", now: "2027-01-02T09:00:00Z", accounts: [one.id]).run()
        #expect(run.word(one.id) == "finalized INV-2027-000001 1.00")
        try await world.expectSoundBooks()
    }

    @Test func `a preview says what is missing from it`() async throws {
        let (world, one, two) = try await world()
        let actions = InvoiceActions(database: world.database, by: .clerk)
        let month = try #require(CivilMonth("2026-11"))
        let preview = try await actions.preview(account: one.id, month: month)
        #expect(preview.suspended == ["no_price": 3, "contradictory_usage": 1])
        #expect(preview.document?.totals.total == "0.30")
        #expect(
            preview.warning?.hasPrefix("4 usage records wait in suspense (contradictory_usage: 1, no_price: 3)") == true
        )
        let json = try preview.canonicalJSON()
        #expect(json.contains(#""suspended":{"by_reason":{"contradictory_usage":1,"no_price":3},"records":4}"#))
        let nothing = try await actions.preview(account: two.id, month: month)
        #expect(nothing.document == nil && nothing.suspendedCount == 1)
        _ = try await SuspenseActions(database: world.database, by: .clerk).resolve(order(.waived), now: now)
        let free = try await actions.preview(account: one.id, month: month)
        #expect(free.warning == nil)
        #expect(try free.canonicalJSON() == free.document?.canonicalJSON())
    }

    @Test(arguments: ["", "   ", String(repeating: "x", count: 1001)])
    func `nothing leaves suspense without a reason`(reason: String) async throws {
        let (world, _, _) = try await world()
        await #expect(throws: StorageError.self) {
            try await SuspenseActions(database: world.database, by: .clerk).resolve(
                order(.waived, reason: reason), now: now)
        }
    }

    @Test func `a record that is resolved meanwhile is not resolved twice`() async throws {
        let (world, one, _) = try await world()
        let gate = try await LockGate(
            world.pool,
            "UPDATE accounts SET parked_reason = parked_reason WHERE account_id = '\(one.id.uuid.hexadecimal)'")
        let actions = SuspenseActions(database: world.database, by: .clerk)
        async let first = actions.resolve(order(.rated, SuspenseFilter(account: one.id)), now: now)
        async let second = actions.resolve(order(.waived, SuspenseFilter(account: one.id)), now: now)
        try await gate.waitsFor(2)
        try await gate.open()
        let (rated, waived) = (try await first, try await second)
        #expect(rated.resolved + waived.resolved == 4)
        try await world.expectSoundBooks()
    }
}
