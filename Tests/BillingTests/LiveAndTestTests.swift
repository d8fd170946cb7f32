import Accounts
import Billing
import Identity
import Invoicing
import Monetary
import PlanLanguage
import Pricing
import Reconciliation
import Storage
import TestSupport
import Testing

@Suite(.database, .timeLimit(.minutes(10))) struct LiveAndTestTests {
    /// Customers of both modes by turns, with a million tokens each.
    private func world(customers: Range<UInt64> = 1..<7) async throws -> (BillingWorld, [Customer]) {
        let world = try await BillingWorld.make()
        var all: [Customer] = []
        var usage: [IngestRequest] = []
        for number in customers {
            let mode: AccountMode = number.isMultiple(of: 2) ? .test : .live
            let customer = try await world.customer(
                number + 10, plan: "beta", from: "2026-10-01T00:00:00Z", mode: mode)
            usage.append(try await world.request(customer, at: "2026-11-03T10:00:00Z", input: 1_000_000))
            all.append(customer)
        }
        try await world.ingest(usage, heartbeat: "2026-12-01T00:00:10Z")
        return (world, all)
    }

    private func differences(_ world: BillingWorld, mode: AccountMode? = nil) async throws -> ReconciliationReport {
        var options = ReconciliationRun.Options(now: BillingWorld.instant("2026-12-02T00:00:00Z"))
        options.postsLedgerFirst = true
        options.mode = mode
        return try await ReconciliationRun(database: world.database, options: options).run()
    }

    @Test func `two modes in one run take numbers of two series, without a gap and without a mix`() async throws {
        let (world, all) = try await world()
        let report = try await world.run("2026-11", now: "2026-12-01T01:00:00Z").run()
        let words = all.map { report.word($0.id) }
        #expect(
            words == [
                "finalized INV-2026-000001 0.15", "finalized INV-TEST-2026-000001 0.15",
                "finalized INV-2026-000002 0.15",
                "finalized INV-TEST-2026-000002 0.15", "finalized INV-2026-000003 0.15",
                "finalized INV-TEST-2026-000003 0.15",
            ])
        for invoice in report.finalized {
            let document = try await world.document(invoice.id)
            #expect(document.isTest == (invoice.number?.contains("-TEST-") == true))
            let json = try document.canonicalJSON()
            #expect(json.contains(#""mode":"test""#) == document.isTest)
        }
        let before = try await world.fingerprint()
        #expect(try await world.run("2026-11", now: "2026-12-01T02:00:00Z").run().isComplete)
        #expect(try await world.fingerprint() == before)
        let reconciled = try await differences(world)
        #expect(reconciled.isEqual)
        let modes = reconciled.checks.filter { $0.name == "records = usage rollups" }.map(\.mode)
        #expect(modes == [.live, .test])
        #expect(try await differences(world, mode: .test).checks.allSatisfy { $0.mode != .live })
    }

    @Test(arguments: AccountMode.allCases)
    func `a run of one mode leaves the other alone`(mode: AccountMode) async throws {
        let (world, all) = try await world()
        let run = try world.run("2026-11", now: "2026-12-01T01:00:00Z", mode: mode)
        let report = try await run.run()
        #expect(report.otherModeCount == 3)
        #expect(Set(report.accounts.map(\.accountID)) == Set(all.filter { $0.account.mode == mode }.map(\.id)))
        let series = mode == .live ? "INV" : "INV-TEST"
        #expect(
            report.finalized.compactMap(\.number) == (1...3).map { "\(series)-2026-00000\($0)" }
        )
        let other = try #require(all.first { $0.account.mode != mode })
        await #expect(throws: StorageError.self) {
            try await world.run("2026-11", now: "2026-12-01T01:00:00Z", accounts: [other.id], mode: mode).run()
        }
        let listed = try await world.database.read { tx in
            try AccountMode.allCases.map { mode in
                var filter = InvoiceFilter()
                filter.mode = mode
                return try InvoiceStorage.list(filter, in: tx).items.map(\.mode)
            }
        }
        #expect(listed.flatMap(\.self) == [mode, mode, mode])
    }

    @Test func `credit notes of both modes have series of their own, too`() async throws {
        let (world, _) = try await world()
        let report = try await world.run("2026-11", now: "2026-12-01T01:00:00Z").run()
        let service = BillingService(world.database, now: { BillingWorld.instant("2026-12-02T00:00:00Z") })
        var numbers: [String] = []
        for invoice in report.finalized {
            let note = try await service.change(by: .clerk) {
                try $0.issueCreditNote(for: invoice.id, .full, reason: "a trial")
            }
            numbers.append(note.number)
        }
        #expect(
            numbers == (1...3).map { "CN-2026-00000\($0)" } + (1...3).map { "CN-TEST-2026-00000\($0)" },
            "invoices are in the order of their numbers")
        #expect(try await differences(world).isEqual)
    }

    @Test(arguments: [AccountMode?.none, .live, .test])
    func `sums of usage are of one mode`(mode: AccountMode?) async throws {
        let (world, _) = try await world()
        var query = UsageQuery(try .month(#require(CivilMonth("2026-11"))), groupBy: [.account])
        query.mode = mode
        let sums = try await world.database.read { [query] in try UsageStorage.sums(query, in: $0) }
        #expect(sums.totals.count == (mode == nil ? 6 : 3))
    }

    /// Beta's prices, doubled.
    private static let dearer = BillingWorld.beta
        .replacing("version: 1", with: "version: 2").replacing("\"0.15\"", with: "\"0.30\"")
        .replacing("effective_from: 2026-01-01T00:00:00Z", with: "effective_from: 2026-11-10T00:00:00Z")

    @Test func `a sandbox a year ahead holds up no price change, and goes by it from its own now`() async throws {
        let world = try await BillingWorld.make()
        let live = try await world.customer(11, plan: "beta", from: "2026-10-01T00:00:00Z")
        let test = try await world.customer(12, plan: "beta", from: "2026-10-01T00:00:00Z", mode: .test)
        let now = BillingWorld.instant("2026-11-05T12:00:00Z")
        let service = BillingService(world.database, now: { now })
        let year: Int64 = 365 * 86_400_000
        let ahead = try await service.change(by: .clerk) {
            try $0.advanceClock(of: test.id, to: now.advanced(byMilliseconds: year))
        }
        let published = try await service.change(by: .clerk) { session in
            try session.publishPlan(PlanVersion(yaml: Self.dearer)).outcome
        }
        #expect(published == .published)
        await world.reload("beta")

        // The sandbox's usage before and after the publication, in its own time; the live one's around the date.
        let sandboxed = Customer(account: ahead, subscription: test.subscription)
        let inTest = [
            "2027-11-05T11:59:59Z", "2027-11-05T12:00:00.999Z", "2027-11-05T12:00:01Z", "2027-11-20T00:00:00Z",
        ]
        let inLive = [
            "2026-11-05T13:00:00Z", "2026-11-09T23:59:59.999Z", "2026-11-10T00:00:00Z", "2026-11-20T00:00:00Z",
        ]
        var usage: [IngestRequest] = []
        for text in inTest { usage.append(try await world.request(sandboxed, at: text, input: 1_000_000)) }
        for text in inLive { usage.append(try await world.request(live, at: text, input: 1_000_000)) }
        #expect(usage.map { $0.attempts[0].planVersion } == [1, 1, 2, 2, 1, 1, 2, 2])
        try await world.ingest(usage, heartbeat: "2026-12-01T00:00:10Z", snapshotChange: 1_000_000)
        let reconciled = try await differences(world)
        #expect(reconciled.isEqual, "\(reconciled.checks.flatMap(\.differences))")

        let liveRun = try await world.run("2026-11", now: "2026-12-01T01:00:00Z", mode: .live).run()
        #expect(liveRun.word(live.id) == "finalized INV-2026-000001 0.90")
        let later = try await BillingService(world.database, now: { now.advanced(byMilliseconds: 5000) }).change(
            by: .clerk
        ) {
            try $0.advanceClock(of: test.id, to: BillingWorld.instant("2027-12-02T00:00:00Z"))
        }
        try await world.ingest(heartbeat: "2026-12-01T00:00:20Z", snapshotChange: later.clockChange)
        let testRun = try await world.run("2027-11", now: "2026-12-01T01:00:00Z", mode: .test).run()
        #expect(testRun.word(test.id) == "finalized INV-TEST-2027-000001 0.90")
        #expect(try await differences(world).isEqual)
    }

    @Test func `a fee of a sandbox changes on the day on which its version takes effect there`() async throws {
        let world = try await BillingWorld.make()
        let test = try await world.customer(12, plan: "alpha", from: "2027-11-01T00:00:00Z", mode: .test)
        let now = BillingWorld.instant("2026-11-11T12:00:00Z")
        let service = BillingService(world.database, now: { now })
        _ = try await service.change(by: .clerk) {
            try $0.advanceClock(of: test.id, to: BillingWorld.instant("2027-11-11T12:00:00Z"))
        }
        let text = BillingWorld.alpha.replacing("version: 1", with: "version: 2")
            .replacing("\"30.00\"", with: "\"60.00\"")
            .replacing("effective_from: 2026-01-01T00:00:00Z", with: "effective_from: 2026-11-12T00:00:00Z")
        _ = try await service.change(by: .clerk) { try $0.publishPlan(PlanVersion(yaml: text)).outcome }
        let moved = try await BillingService(world.database, now: { now.advanced(byMilliseconds: 5000) }).change(
            by: .clerk
        ) {
            try $0.advanceClock(of: test.id, to: BillingWorld.instant("2027-12-02T00:00:00Z"))
        }
        try await world.ingest(heartbeat: "2026-11-11T12:00:05Z", snapshotChange: moved.clockChange)
        let run = try await world.run("2027-11", now: "2026-11-11T12:00:05Z").run()
        // Ten days at a dollar, twenty at two.
        #expect(run.word(test.id) == "finalized INV-TEST-2027-000001 50.00")
        #expect(try await differences(world).isEqual)
    }
}
