import Accounts
import Billing
import Identity
import Invoicing
import Metering
import Postgres
import Pricing
import Storage
import TestSupport
import Testing

/// Where a random life has got to: an account with two tenants, of which the first may end, and its naive books.
struct RandomLife {
    /// Usage that waits in suspense.
    enum Waiting {
        /// It has no price by any version.
        case contradictory
        /// Versions after the first sell it.
        case unsold(month: String, input: Int)
    }

    let seed: UInt64
    let world: BillingWorld
    let customer: Customer
    /// Of the same account and plan.
    let second: Customer
    var random: SeededGenerator
    var month = "2026-11"
    /// From when on each version is in force, in UTC.
    var versions: [(number: Int, from: String)] = [(1, "2026-01-01T00:00:00Z")]
    /// The one that is being published; it counts once it is there.
    var publishing: (number: Int, from: String)?
    var waiting: [AttemptID: Waiting] = [:]
    var books = AccountLife()
    var steps: [String] = []

    var next: String { CivilMonth(month)?.advanced(by: 1).description ?? "" }
    var hasEnded: Bool { books.lastServiceDay != nil }

    static let secondPrefix = "second/"
    private static let zones = ["UTC", "Asia/Tokyo", "America/St_Johns", "Europe/Berlin", "Australia/Lord_Howe"]

    static func plan(_ version: Int, from: String) -> String {
        """
        plan: life
        version: \(version)
        title: Life
        currency: USD
        effective_from: \(from)
        base_fee:
          amount: "31.00"
        models:
          sim:
            input: "1.\(version < 10 ? "0" : "")\(version)"
            output: "3.00"
        \(version == 1 ? "" : "  new:\n    input: \"4.0\(min(version, 9))\"\n    output: \"9.00\"")
        tiers:
          priority:
            multiplier: "2"
        promises:
          priority:
            - objective: availability
              percent: "99"
              minimum_requests: 3
              credits:
                - {below: "99", credit_percent: "10"}
        """
    }

    /// Every third one is that of a test account, whose clock runs through its months in a few hours.
    static func begin(seed: UInt64) async throws -> RandomLife {
        var random = SeededGenerator(seed: seed)
        let world = try await BillingWorld.make()
        try await world.publish(plan(1, from: "2026-01-01T00:00:00Z"))
        let zone = zones.randomElement(using: &random) ?? "UTC"
        // The first of the month by every zone's clock.
        let from = "2026-11-01T12:00:00Z"
        let mode: AccountMode = seed.isMultiple(of: 3) ? .test : .live
        let customer = try await world.customer(1, plan: "life", zone: zone, from: from, mode: mode)
        let tenant = Tenant(
            id: BillingWorld.id(2), accountID: customer.id, name: "Tenant 2", createdAt: BillingWorld.beginning)
        let subscription = Subscription(
            id: BillingWorld.id(2), accountID: customer.id, tenantID: tenant.id, plan: "life",
            startsAt: BillingWorld.instant(from), createdAt: BillingWorld.beginning)
        try await world.database.write { tx in
            try TenantStorage.insert(tenant, in: tx)
            try SubscriptionStorage.insert(subscription, in: tx)
        }
        return RandomLife(
            seed: seed, world: world, customer: customer,
            second: Customer(account: customer.account, subscription: subscription), random: random)
    }

    // MARK: time

    private var isTest: Bool { customer.account.mode == .test }

    /// Billing time of everything that is done about a month.
    var billingNow: Timestamp { BillingWorld.instant("\(next)-02T09:00:00Z") }

    /// Real time then.
    var now: Timestamp {
        guard isTest, let first = CivilMonth("2026-11")?.firstDay, let this = CivilMonth(month)?.firstDay else {
            return billingNow
        }
        let hours = (this.daysSince1970 - first.daysSince1970) / 28
        return BillingWorld.instant("2026-10-20T00:00:00Z").advanced(byMilliseconds: hours * 3_600_000)
    }

    func realTime(of text: String) -> Timestamp {
        BillingWorld.instant(text).advanced(byMilliseconds: now.milliseconds - billingNow.milliseconds)
    }

    /// Brings clock and journal to where the month can be closed.
    func enterMonth() async throws {
        if isTest {
            let (id, billing, now) = (customer.id, billingNow.milliseconds, now)
            try await world.database.write { tx in
                let offset = try AccountStorage.require(id, in: tx).clockOffsetMilliseconds
                try TestSandbox.advance(
                    id, byMilliseconds: billing - now.milliseconds - offset, now: now, in: tx)
            }
        }
        try await ingest([])
    }

    func ingest(_ requests: [IngestRequest]) async throws {
        let change = try await world.database.read { try ChangeStorage.latest(in: $0) }
        try await world.ingest(requests, heartbeat: "\(now)", snapshotChange: change)
    }

    func run(_ month: String) throws -> InvoiceRun {
        try world.run(month, now: "\(now)", accounts: [customer.id])
    }

    // MARK: usage

    var hasUnsoldWaiting: Bool {
        waiting.values.contains { if case .unsold = $0 { true } else { false } }
    }

    func version(at text: String) -> Int { versions.last { $0.from <= text }?.number ?? 1 }

    func usage(at text: String, _ tier: String, _ input: Int, _ output: Int) -> [AccountLife.Usage] {
        let version = version(at: text)
        let factor = tier == "priority" ? 2 : 1
        return [("input_tokens", input, (100 + version) * factor), ("output_tokens", output, 300 * factor)].map {
            AccountLife.Usage(
                month: String(text.prefix(7)), charge: "life@\(version)/sim/\(tier)/\($0.0)", quantity: $0.1,
                priceCents: $0.2)
        }
    }

    func usageOfSecond(at text: String, _ input: Int, _ output: Int) -> [AccountLife.Usage] {
        usage(at: text, "standard", input, output).map {
            AccountLife.Usage(
                month: $0.month, charge: Self.secondPrefix + $0.charge, quantity: $0.quantity, priceCents: $0.priceCents
            )
        }
    }

    // MARK: kills

    /// Kills every connection at a random moment from now on, and waits until they are gone: what a killed process
    /// leaves is the same.
    mutating func killer() -> Task<Void, Never> {
        let (pool, delay) = (world.pool, Int.random(in: 0...60, using: &random))
        return Task {
            try? await Task.sleep(for: .milliseconds(delay))
            _ = try? await pool.query(
                """
                SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()
                """)
        }
    }

    /// Learns what became of something that may have been killed, and tells the naive books.
    mutating func look() async throws {
        let (id, subscription) = (customer.id, customer.subscription.id)
        let found = try await world.database.read { tx in
            var filter = SuspenseFilter()
            filter.account = id
            return (
                suspended: try SuspenseStorage.list(filter, unresolvedOnly: false, PageRequest(limit: 100), in: tx)
                    .items,
                versions: try PlanStorage.history(of: "life", in: tx).versions.count,
                end: try SubscriptionStorage.require(subscription, in: tx).endsAt,
                void: try InvoiceStorage.all(of: id, in: tx).filter { $0.state != .draft }
            )
        }
        for usage in found.suspended {
            guard let outcome = usage.outcome, let before = waiting.removeValue(forKey: usage.attemptID) else {
                continue
            }
            guard outcome == .rated, case .unsold(let month, let input) = before, let version = usage.planVersion else {
                continue
            }
            let expected = self.version(at: "\(billingNow)")
            try #require(
                version == expected, "seed \(seed) after \(steps): rated by \(version), in force is \(expected)")
            books.use(
                [
                    AccountLife.Usage(
                        month: month, charge: "life@\(version)/new/standard/input_tokens", quantity: input,
                        priceCents: 400 + min(version, 9))
                ], isPriority: false)
        }
        if let new = publishing, found.versions >= new.number {
            versions.append(new)
            await world.reload("life")
        }
        publishing = nil
        // The day in whose middle it ends does not count.
        if found.end != nil, books.lastServiceDay == nil { books.lastServiceDay = (month, 27) }
        let calendar = customer.account.calendar
        let open = Set(
            found.void.filter { $0.state != .void }.map { calendar.month(containing: $0.period.start).description })
        for final in books.finals where !open.contains(final.month) { books.voided(final.month) }
    }
}
