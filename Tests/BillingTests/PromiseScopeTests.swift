import Accounts
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

@testable import Billing

@Suite(.database, .timeLimit(.minutes(10))) struct PromiseScopeTests {
    /// 100 requests of November, `downgraded` of which asked for `priority` and were served and billed as `standard`.
    private func november(
        _ world: BillingWorld, downgraded: Int, streamed: Bool = true, extra: [IngestRequest] = []
    ) async throws -> Customer {
        let alpha = try await world.customer(1, plan: "alpha", from: "2026-11-01T00:00:00Z")
        var requests = extra
        for number in 0..<100 {
            let isDowngraded = number < downgraded
            var request = try await world.request(
                alpha, at: "2026-11-03T10:00:\(10 + number % 50).\(100 + number)Z", input: 1_000_000,
                tier: isDowngraded ? "standard" : "priority")
            request.request.tierRequested = "priority"
            request.request.isStream = streamed
            requests.append(request)
        }
        try await world.ingest(requests, heartbeat: "2026-12-01T00:00:10Z")
        return alpha
    }

    private func results(_ world: BillingWorld, _ customer: Customer) async throws -> [StoredPromiseResult] {
        let run = try await world.run("2026-11", now: "2026-12-02T09:00:00Z").run()
        #expect(run.isComplete)
        try await world.expectSoundBooks()
        return try await world.database.read { try ServiceLevelStorage.results(of: customer.id, in: $0) }
    }

    @Test(arguments: [(0, "kept", "0.00"), (1, "kept", "0.00"), (2, "broken", "19.80"), (12, "broken", "47.00")])
    func `a request that asked for priority and was served standard breaks the promise of priority`(
        downgraded: Int, status: String, credit: String
    ) async throws {
        let world = try await BillingWorld.make()
        let alpha = try await november(world, downgraded: downgraded)
        let found = try await results(world, alpha)
        let availability = try #require(found.first { $0.objective == .availability })
        #expect(availability.tier == "priority" && availability.status.rawValue == status)
        #expect(availability.attainment == Attainment(good: Int64(100 - downgraded), counted: 100))
        // What it is a share of is what the same requests cost: served standard, they cost the standard price.
        #expect(availability.base.description == "\(200 - downgraded).00")
        #expect((found.first { !$0.credit.isZero }?.credit.description ?? "0.00") == credit)
        if downgraded > 0 {
            #expect(availability.evidence.bad == ["other_tier": Int64(downgraded)])
            #expect(availability.evidence.worst.first?.measured == "served as standard")
        }
    }

    /// A customer whose subscription ends on 15 November, and the one to the same plan that follows it at once.
    private func returning(_ world: BillingWorld) async throws -> (Customer, back: Subscription) {
        let alpha = try await world.customer(1, plan: "alpha", from: "2026-11-01T00:00:00Z")
        let (change, asked) = ("2026-11-15T00:00:00Z", BillingWorld.instant("2026-11-10T00:00:00Z"))
        let back = Subscription(
            id: BillingWorld.id(71), accountID: alpha.id, tenantID: alpha.subscription.tenantID, plan: "alpha",
            startsAt: BillingWorld.instant(change), createdAt: alpha.subscription.createdAt)
        try await world.end(alpha, at: change, now: asked)
        try await world.database.write { try SubscriptionStorage.insert(back, in: $0) }
        return (alpha, back)
    }

    /// Found by an auditor: half a month each had too few requests to be judged, and the credit was lost.
    @Test func `a tenant that leaves and comes back within the month is judged as if it had never left`() async throws {
        let world = try await BillingWorld.make()
        let (alpha, back) = try await returning(world)
        var requests: [IngestRequest] = []
        for number in 0..<100 {
            let isEarly = number % 2 == 0
            var request = try await world.request(
                alpha, at: "2026-11-\(isEarly ? "03" : "20")T10:00:\(10 + number % 50).\(100 + number)Z",
                input: 1_000_000, tier: "priority", outcome: number < 12 ? .providerError : .success)
            if !isEarly { request.request.subscriptionID = back.id }
            requests.append(request)
        }
        try await world.ingest(requests, heartbeat: "2026-12-01T00:00:10Z")
        let found = try await results(world, alpha)
        let availability = try #require(found.first { $0.objective == .availability })
        #expect(availability.attainment == Attainment(good: 88, counted: 100))
        #expect(availability.status == .broken && availability.subscriptionID == alpha.subscription.id)
        #expect(found.count { $0.objective == .availability } == 1)
    }

    /// A month may have been judged by the release before, and not be closed yet.
    @Test func `what another rule had stored of an open month goes, and its credit with it`() async throws {
        let world = try await BillingWorld.make()
        let (alpha, back) = try await returning(world)
        var requests: [IngestRequest] = []
        for number in 0..<200 {
            let isEarly = number < 100
            var request = try await world.request(
                alpha, at: "2026-11-\(isEarly ? "03" : "20")T10:00:\(10 + number % 50).\(100 + number)Z",
                input: 1_000_000, tier: "priority", outcome: number % 10 == 0 ? .providerError : .success)
            if !isEarly { request.request.subscriptionID = back.id }
            requests.append(request)
        }
        try await world.ingest(requests, heartbeat: "2026-12-01T00:00:10Z")
        let now = BillingWorld.instant("2026-12-01T12:00:00Z")
        try await world.database.write { tx in
            let month = try AccountMonth(alpha.account, month: #require(CivilMonth("2026-11")), in: tx)
            let apart = try ServiceLevelEvaluation(month, evaluatedAt: now, rule: .tierAskedFor, in: tx)
            try apart.store(for: month, now: now, in: tx)
        }
        let before = try await world.database.read { try ServiceLevelStorage.results(of: alpha.id, in: $0) }
        #expect(Set(before.filter { !$0.credit.isZero }.map(\.subscriptionID)) == [alpha.subscription.id, back.id])
        let found = try await results(world, alpha)
        #expect(Set(found.map(\.subscriptionID)) == [alpha.subscription.id])
        let balances = try await world.database.read { try LedgerStorage.balances(of: alpha.account, in: $0) }
        let credit = try Money.sum(found.map(\.exactCredit), currency: alpha.account.currency)
        #expect(balances[.serviceLevelCredits] == credit && !credit.isZero)
    }

    @Test func `an answer that was not streamed misses no promise about streams`() async throws {
        let world = try await BillingWorld.make()
        let alpha = try await november(world, downgraded: 30, streamed: false)
        let found = try await results(world, alpha)
        let first = try #require(found.first { $0.objective != .availability })
        #expect(first.status == .notJudged && first.evidence.excluded == ["not_streamed": 100])
    }

    @Test(arguments: ["", "auto", "default", "standard"])
    func `who asks for no tier counts for the one that served`(asked: String) async throws {
        let world = try await BillingWorld.make()
        let alpha = try await world.customer(1, plan: "alpha", from: "2026-11-01T00:00:00Z")
        var requests: [IngestRequest] = []
        for number in 0..<20 {
            var request = try await world.request(
                alpha, at: "2026-11-03T10:00:\(10 + number)Z", input: 1_000_000,
                tier: number < 15 ? "priority" : "standard", outcome: number < 5 ? .providerError : .success)
            request.request.tierRequested = asked
            requests.append(request)
        }
        try await world.ingest(requests, heartbeat: "2026-12-01T00:00:10Z")
        let found = try await results(world, alpha)
        let availability = try #require(found.first { $0.objective == .availability })
        #expect(availability.attainment == Attainment(good: 10, counted: 15))
        #expect(availability.base.description == "30.00")
    }

    @Test func `what batches cost is no part of a credit`() async throws {
        let world = try await BillingWorld.make()
        let alpha = try await world.customer(1, plan: "alpha", from: "2026-11-01T00:00:00Z")
        var requests: [IngestRequest] = []
        for number in 0..<40 {
            var request = try await world.request(
                alpha, at: "2026-11-03T10:00:\(10 + number)Z", input: 1_000_000, tier: "priority",
                outcome: number < 5 ? .providerError : .success)
            if number >= 20 {
                request.request.surface = .batches
                request.attempts[0].record.kind = .batchItem
                request.attempts[0].record.isBatch = true
            }
            requests.append(request)
        }
        try await world.ingest(requests, heartbeat: "2026-12-01T00:00:10Z")
        let found = try await results(world, alpha)
        let availability = try #require(found.first { $0.objective == .availability })
        #expect(availability.attainment == Attainment(good: 15, counted: 20))
        #expect(availability.base.description == "40.00")
        #expect(availability.exactCredit.description == "10.00")
    }

    @Test func `a month that was judged by the rule of its time stays so`() async throws {
        let world = try await BillingWorld.make()
        let alpha = try await november(world, downgraded: 12)
        // As a program from before stored it.
        _ = try await world.run("2026-11", now: "2026-12-02T09:00:00Z").prepareDrafts()
        try await world.pool.execute(
            """
            UPDATE service_level_results SET scope_rule = 1, status = 'kept', requests = 88, good = 88,
                base_amount = 176, exact_credit = 0, credit_amount = 0, credit_percent = 0
            """)
        let stored = try await world.database.read { try ServiceLevelStorage.results(of: alpha.id, in: $0) }
        #expect(stored.allSatisfy { $0.rule == .tierServed })
        let ids = try await world.pool.query("SELECT invoice_id FROM invoices").decodeAll(as: InvoiceID.self)
        let outcomes = try await world.run("2026-11", now: "2026-12-02T09:00:00Z").finalizeDrafts(ids)
        guard case .finalized? = outcomes[alpha.id] else {
            Issue.record("\(String(describing: outcomes[alpha.id]))")
            return
        }
        let kept = try await world.database.read { try ServiceLevelStorage.results(of: alpha.id, in: $0) }
        #expect(!kept.isEmpty)
        for result in kept {
            #expect(result.rule == .tierServed && result.status == .kept && result.exactCredit.isZero)
        }
        let report = try await ReconciliationTests.reconcile(world)
        let promises = try #require(report.checks.first { $0.name.hasPrefix("promises judged again") })
        #expect(promises.differences.allSatisfy { !$0.contains("judged again, and not stored so: \(alpha.id)") })
        #expect(promises.leftText == promises.rightText)
    }
}
