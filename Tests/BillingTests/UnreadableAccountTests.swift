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

/// Usage that came while a row did not read, once it reads again.
@Suite(.database, .timeLimit(.minutes(10))) struct UnreadableAccountTests {
    private let now = BillingWorld.instant("2026-12-02T09:00:00Z")
    /// Within an hour of a month's end in one zone or another, and in the middle of one.
    private static let accepted = [
        "2026-10-31T10:10:00Z", "2026-10-31T18:20:00Z", "2026-10-31T18:40:00Z", "2026-11-01T02:29:59Z",
        "2026-11-01T02:31:00Z", "2026-11-01T06:50:00Z", "2026-11-15T10:10:00Z", "2026-11-15T10:40:00Z",
    ]

    /// As ingest stores a request of an account that does not read: by UTC.
    private func unreadable(
        _ world: BillingWorld, _ customer: Customer, at text: String, input: Int64
    ) async throws -> IngestRequest {
        let utc = try BillingCalendar(zoneName: "UTC")
        var request = try await world.unpriced(customer, at: text, priceKey: "sim", input: input)
        request.attempts[0].plan = nil
        request.attempts[0].planVersion = nil
        request.attempts[0].suspense = IngestAttempt.Suspense(reason: "account_unreadable", detail: "of a zone")
        request.periodStart = utc.period(containing: request.request.acceptedAt).start
        request.hourStart = utc.hourStart(of: request.request.acceptedAt)
        return request
    }

    /// A customer whose zone did not read for a while, with usage before, meanwhile and after.
    private func world(_ zone: String) async throws -> (BillingWorld, Customer) {
        let world = try await BillingWorld.make()
        let customer = try await world.customer(1, plan: "beta", zone: zone)
        try await world.ingest(
            [world.request(customer, at: "2026-11-15T10:20:00Z", input: 1)], heartbeat: "2026-11-15T11:00:00Z")
        try await world.pool.execute("UPDATE accounts SET time_zone = 'Mars/Olympus_Mons'")
        var requests: [IngestRequest] = []
        for (index, text) in Self.accepted.enumerated() {
            requests.append(try await unreadable(world, customer, at: text, input: Int64(1) << (index + 1)))
        }
        var failed = try await unreadable(world, customer, at: "2026-11-15T10:50:00Z", input: 0)
        failed.request.outcome = .providerError
        failed.attempts = []
        try await world.ingest(requests + [failed], heartbeat: "2026-11-20T00:00:10Z")
        try await world.pool.execute("UPDATE accounts SET time_zone = \(zone)")
        try await world.ingest(
            [world.request(customer, at: "2026-11-15T10:35:00Z", input: 1)], heartbeat: "2026-12-02T00:00:10Z")
        return (world, customer)
    }

    @Test(arguments: [
        "Asia/Kolkata", "America/Los_Angeles", "America/St_Johns", "Asia/Kathmandu", "Pacific/Kiritimati", "UTC",
        "Europe/Berlin",
    ])
    func `usage that came while its account did not read is rated and invoiced in its own month`(
        zone: String
    ) async throws {
        let (world, customer) = try await world(zone)
        let report = try await SuspenseActions(database: world.database, by: .clerk).resolve(
            SuspenseOrder(.rated, SuspenseFilter(account: customer.id), reason: "mended"), now: now)
        #expect(report.resolved == Self.accepted.count && report.unpriced.isEmpty)
        var expected: [CivilMonth: Int64] = [:]
        for (index, text) in Self.accepted.enumerated() {
            let month = customer.account.calendar.month(containing: BillingWorld.instant(text))
            expected[month, default: 0] += Int64(1) << (index + 1)
        }
        let november = try #require(CivilMonth("2026-11"))
        expected[november, default: 0] += 2
        for (month, quantity) in expected.sorted(by: { $0.key < $1.key }) {
            let run = try await world.run("\(month)", now: "2026-12-02T09:00:00Z").run()
            let invoice = try #require(run.finalized.first, "\(run.word(customer.id))")
            let document = try await world.document(invoice.id)
            #expect(document.lines.map(\.quantity) == ["\(quantity)"], "\(month)")
        }
        try await world.expectSoundBooks()
    }

    @Test(arguments: ["Asia/Kolkata", "America/Los_Angeles", "Pacific/Kiritimati", "UTC"])
    func `requests that all failed meanwhile are counted by the account's own hours once its month is run`(
        zone: String
    ) async throws {
        let world = try await BillingWorld.make()
        let customer = try await world.customer(1, plan: "beta", zone: zone)
        try await world.ingest(
            [world.request(customer, at: "2026-11-15T10:20:00Z", input: 1_000_000)], heartbeat: "2026-11-15T11:00:00Z")
        var failed: [IngestRequest] = []
        for text in ["2026-11-01T10:40:00Z", "2026-11-15T10:10:00Z", "2026-11-15T10:40:00Z"] {
            var request = try await unreadable(world, customer, at: text, input: 0)
            request.request.outcome = .providerError
            request.attempts = []
            failed.append(request)
        }
        try await world.ingest(failed, heartbeat: "2026-12-02T00:00:10Z")
        let dry = try await ReconciliationTests.reconcile(world)
        #expect(
            dry.checks.contains { !$0.isEqual && $0.name == "records = request rollups" } == (zone != "UTC"))
        let preview = try await world.run("2026-11", now: "2026-12-02T09:00:00Z", isDryRun: true).run()
        #expect(preview.finalized.isEmpty)
        let report = try await world.run("2026-11", now: "2026-12-02T09:00:00Z").run()
        #expect(report.finalized.count == 1, "\(report.word(customer.id))")
        try await world.expectSoundBooks()
    }

    @Test(arguments: ["Asia/Kolkata", "America/Los_Angeles", "Australia/Lord_Howe"])
    func `what is waived is counted by the account's own hours, too`(zone: String) async throws {
        let (world, customer) = try await world(zone)
        // Whose currency was not known either.
        try await world.pool.execute("UPDATE attempt_records SET currency = 'EUR' WHERE rating = 'suspended'")
        let dry = try await ReconciliationTests.reconcile(world)
        #expect(dry.checks.contains { !$0.isEqual && $0.name == "records = request rollups" })
        var order = SuspenseOrder(.waived, SuspenseFilter(account: customer.id), reason: "free")
        order.isDryRun = true
        _ = try await SuspenseActions(database: world.database, by: .clerk).resolve(order, now: now)
        order.isDryRun = false
        let report = try await SuspenseActions(database: world.database, by: .clerk).resolve(order, now: now)
        #expect(report.resolved == Self.accepted.count)
        try await world.expectSoundBooks()
    }

    @Test(arguments: ["plan_version_unreadable", "subscription_unreadable", "amount_overflow"])
    func `what was rated by another version stays so when the one in force reads again`(reason: String) async throws {
        let world = try await BillingWorld.make()
        let customer = try await world.customer(1, plan: "beta", from: "2026-11-01T00:00:00Z")
        try await world.publish(BillingWorld.selling("beta", "new", input: "4.00", from: "2026-11-20T00:00:00Z"))
        var request = try await world.unpriced(customer, at: "2026-11-03T10:00:00Z", priceKey: "sim")
        request.attempts[0].suspense = IngestAttempt.Suspense(reason: reason, detail: "of a test")
        try await world.ingest([request], heartbeat: "2026-12-01T00:00:10Z")
        try await world.pool.execute(
            "UPDATE plan_versions SET sha256 = 'x' || sha256 WHERE plan = 'beta' AND version = 1")
        let report = try await SuspenseActions(database: world.database, by: .clerk).resolve(
            SuspenseOrder(.rated, SuspenseFilter(account: customer.id), reason: "agreed"), now: now)
        #expect(report.resolved == 1)
        try await world.pool.execute("UPDATE plan_versions SET sha256 = substr(sha256, 2) WHERE sha256 LIKE 'x%'")
        let stored = try await world.database.read {
            try SuspenseStorage.list(unresolvedOnly: false, in: $0).items.map(\.planVersion)
        }
        #expect(stored == [2])
        try await world.expectSoundBooks()
    }
}
