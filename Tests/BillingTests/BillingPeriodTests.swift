import Accounts
import Billing
import Identity
import Invoicing
import Monetary
import Postgres
import Reconciliation
import Storage
import TestSupport
import Testing

/// Zones that only one of the two databases knows, and rules that change under sums that are there.
@Suite(.database, .timeLimit(.minutes(10))) struct BillingPeriodTests {
    private let now = "2026-12-02T09:00:00Z"

    /// Two customers with usage in November; the first one's zone is then changed by hand, as new zone data would.
    private func world(zone: String, becomes other: String?) async throws -> (BillingWorld, Customer, Customer) {
        let world = try await BillingWorld.make()
        let one = try await world.customer(1, plan: "alpha", zone: zone, from: "2026-10-01T12:00:00Z")
        let two = try await world.customer(2, plan: "beta", from: "2026-11-01T00:00:00Z")
        try await world.ingest(
            [
                world.request(one, at: "2026-10-15T10:00:00Z", input: 1_000_000),
                world.request(one, at: "2026-11-15T10:00:00Z", input: 2_000_000),
                world.request(two, at: "2026-11-15T10:00:00Z", input: 2_000_000),
            ], heartbeat: "2026-12-01T12:00:10Z")
        if let other {
            try await world.pool.execute("UPDATE accounts SET time_zone = \(other) WHERE account_id = \(one.id)")
        }
        return (world, one, two)
    }

    @Test(arguments: [
        "Europe/Berlin", "Asia/Kolkata", "America/St_Johns", "Pacific/Kiritimati", "Etc/GMT+12", "America/Sao_Paulo",
    ])
    func `months stay where usage was summed, whatever the zone's rules become`(zone: String) async throws {
        let (world, one, _) = try await world(zone: zone, becomes: "Asia/Tokyo")
        let october = try await world.run("2026-10", now: now, accounts: [one.id]).run()
        #expect(october.finalized.count == 1, "\(october.word(one.id))")
        let november = try await world.run("2026-11", now: now, accounts: [one.id]).run()
        let document = try await world.document(try #require(november.finalized.first?.id))
        #expect(document.lines.contains { $0.kind == "usage" && $0.exactAmount == "2.00" })
        #expect(
            document.period.start == "\(one.account.calendar.period(of: try #require(CivilMonth("2026-11"))).start)")
        // No instant is in two months or in none.
        let account = try await world.database.read { try AccountStorage.require(one.id, in: $0) }
        var month = try #require(CivilMonth("2026-08"))
        while month < (CivilMonth("2027-03") ?? month) {
            let period = account.calendar.period(of: month)
            let next = account.calendar.period(of: month.advanced(by: 1))
            #expect(period.end == next.start && period.start < period.end)
            #expect(account.calendar.month(containing: period.start) == month)
            #expect(account.calendar.month(containing: period.end.advanced(byMilliseconds: -1)) == month)
            month = month.advanced(by: 1)
        }
    }

    @Test(arguments: ["2026-10-31T22:00:00Z", "2026-11-01T07:00:00Z", "2026-11-15T00:00:00Z"])
    func `sums that match no month put their account on hold, and the others go on`(start: String) async throws {
        let (world, one, two) = try await world(zone: "Europe/Berlin", becomes: nil)
        let stray = BillingWorld.instant(start)
        try await world.pool.execute(
            """
            UPDATE usage_rollups SET period_start = \(stray)
            WHERE account_id = \(one.id) AND hour_start >= '2026-11-01T00:00:00Z'
            """)
        _ = try await world.run("2026-10", now: now, accounts: [one.id]).run()
        let report = try await world.run("2026-11", now: now).run()
        #expect(report.word(one.id).hasPrefix("on hold: "), "\(report.word(one.id))")
        #expect(report.word(one.id).contains("begins at \(stray), which is none of Europe/Berlin"))
        #expect(report.word(two.id).hasPrefix("finalized"))
        let reconciled = try await ReconciliationTests.reconcile(world)
        let differing = reconciled.checks.filter { !$0.isEqual }.flatMap(\.differences)
        #expect(differing.contains { $0.contains("begins at \(stray)") }, "\(differing)")
        #expect(differing.allSatisfy { $0.contains("\(one.id)") }, "\(differing)")
    }

    @Test(arguments: ["US/Pacific-New", "Mars/Olympus_Mons", "Europe/Atlantis"])
    func `a zone that one of the two does not know stops nobody else`(zone: String) async throws {
        let (world, one, two) = try await world(zone: "America/Los_Angeles", becomes: zone)
        let report = try await world.run("2026-11", now: now).run()
        #expect(report.word(two.id) == "finalized INV-2026-000001 0.30")
        #expect(!report.word(one.id).hasPrefix("finalized"))
        let posted = try await LedgerPoster(database: world.database).postAll(now: BillingWorld.instant(now))
        #expect(posted.failures.map(\.account) == [one.id])
        let reconciled = try await ReconciliationTests.reconcile(world)
        let differing = reconciled.checks.filter { !$0.isEqual }.flatMap(\.differences)
        #expect(!differing.isEmpty && differing.allSatisfy { $0.contains("\(one.id)") }, "\(differing)")
        let usage = try #require(reconciled.checks.first { $0.name == "records = usage rollups" })
        #expect(usage.right[.count("units billed")] ?? 0 >= 2_000_000, "the other one is compared")
    }

    @Test(arguments: ["Europe/Berlin", "Asia/Kathmandu", "America/Caracas", "Africa/Casablanca", "Australia/Lord_Howe"])
    func `zones that both know are taken`(zone: String) async throws {
        let world = try await BillingWorld.make()
        let account = try await world.customer(1, plan: "beta", zone: zone).account
        #expect(try await world.database.read { try AccountStorage.require(account.id, in: $0) } == account)
    }

    @Test func `a zone that the database does not know, or knows otherwise, opens no account`() async throws {
        let world = try await BillingWorld.make()
        for name in ["US/Pacific-New", "SystemV/PST8PDT"] {
            // Where Foundation refuses it already there is nothing left to check.
            guard let calendar = try? BillingCalendar(zoneName: name) else { continue }
            let account = Account(
                id: BillingWorld.id(9), name: "Nine", currency: .usd, calendar: calendar,
                createdAt: BillingWorld.beginning)
            await #expect {
                try await world.database.write { try AccountStorage.insert(account, in: $0) }
            } throws: {
                "\($0)".hasPrefix("time_zone: the database")
            }
        }
    }

    @Test(arguments: ["2028-11", "2026-12", "2027-02"])
    func `a month that does not close keeps nothing, whatever month was typed`(month: String) async throws {
        let (world, one, _) = try await world(zone: "Europe/Berlin", becomes: nil)
        let kept = { try await world.pool.query("SELECT count(*) FROM billing_periods").onlyValue(as: Int64.self) }
        let before = try await kept()
        let report = try await world.run(month, now: now).run()
        #expect(report.word(one.id).hasPrefix("not closed"), "\(report.word(one.id))")
        #expect(try await kept() == before)
        _ = try await world.run("2026-10", now: now).run()
        _ = try await world.run("2026-11", now: now).run()
        let start = try await world.pool.query(
            "SELECT period_start FROM billing_periods WHERE account_id = \(one.id) AND month = '2026-12-01'"
        ).onlyValue(as: Timestamp.self)
        #expect(start == BillingWorld.instant("2026-11-30T23:00:00Z"), "a month that closed keeps its end")
    }

    @Test func `a later month begins where the one before it was settled to end`() async throws {
        let berlin = try BillingCalendar(zoneName: "Europe/Berlin")
        let november = try #require(CivilMonth("2026-11"))
        let settled = BillingWorld.instant("2026-11-30T22:30:00Z")
        let kept = berlin.keeping([november.advanced(by: 1): settled])
        #expect(kept.period(of: november).end == settled)
        #expect(kept.period(of: november.advanced(by: 1)).start == settled)
        #expect(kept.month(containing: settled) == november.advanced(by: 1))
        #expect(kept.month(containing: settled.advanced(byMilliseconds: -1)) == november)
        #expect(kept.period(of: november).start == berlin.period(of: november).start)
    }
}
