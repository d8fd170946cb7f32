import Accounts
import Billing
import Foundation
import Identity
import Invoicing
import Metering
import Postgres
import Reconciliation
import Storage
import TestSupport
import Testing

/// What a job costs does not depend on what was finished before: rows that Postgres read for it are counted, and they
/// are the same whether there are few or many closed months, and few or many closed days.
@Suite(.database, .timeLimit(.minutes(60))) struct RowsReadTests {
    /// A history to work after.
    struct History: Sendable, CustomTestStringConvertible {
        var months: Int
        /// Of the account that jobs work on.
        var daysAMonth: Int
        /// Further accounts with the same history.
        var others = 0
        var testDescription: String { "\(months) months, \(daysAMonth) days each, \(others) accounts more" }
    }

    /// A year and three in the daily tests; by hand (`make test-long`) a year and ten, and ten thousand account-days.
    private static let isLong = ProcessInfo.processInfo.environment["TOLLGATE_SEEDS"] != nil
    static let months = [History(months: 12, daysAMonth: 2), History(months: isLong ? 120 : 36, daysAMonth: 2)]
    static let days =
        isLong
        ? [History(months: 1, daysAMonth: 1, others: 9), History(months: 36, daysAMonth: 28, others: 9)]
        : [History(months: 12, daysAMonth: 1, others: 2), History(months: 12, daysAMonth: 28, others: 2)]
    /// It compares everything of its month with everything.
    private static let reconcile = "reconcile of a month"
    /// Of tables that fit on a page Postgres may read a few rows more or fewer by another index, whatever is asked.
    private static let slack: Int64 = 20

    private static let plan = """
        plan: decade
        version: 1
        title: Decade
        currency: USD
        effective_from: 2010-01-01T00:00:00Z
        base_fee:
          amount: "10.00"
        models:
          sim:
            input: "0.15"
            output: "0.60"
        tiers:
          priority:
            multiplier: "2"
        promises:
          priority:
            - objective: availability
              percent: "99"
              minimum_requests: 1
              credits:
                - {below: "99", credit_percent: "10"}
        """

    /// The month that jobs work on; history ends before it.
    private static let month = "2026-11"

    @Test func `jobs read the same rows with many closed months as with few`() async throws {
        try await compare(Self.months)
    }

    @Test func `jobs read the same rows with many closed account-days as with few`() async throws {
        try await compare(Self.days)
    }

    private func compare(_ histories: [History]) async throws {
        var counted: [[String: [String: Int64]]] = []
        for history in histories {
            let database = try await TestDatabase.create()
            do {
                let rows = try await TestDatabase.$current.withValue(database) { try await costs(after: history) }
                counted.append(rows)
            } catch {
                try await database.drop()
                throw error
            }
            try await database.drop()
        }
        for (job, few) in counted[0].sorted(by: { $0.key < $1.key }) {
            let many = counted[1][job] ?? [:]
            let (before, after) = (few.values.reduce(0, +), many.values.reduce(0, +))
            if job != "poster without anything to do" { #expect(before > 0, "\(job): nothing was counted") }
            #expect(after <= before + Self.slack, "\(job): \(Self.differences(few, many))")
            #expect(before < (job == Self.reconcile ? 2_000 : 500), "\(job) reads more than it should: \(few)")
        }
    }

    private static func differences(_ few: [String: Int64], _ many: [String: Int64]) -> [String] {
        Set(few.keys).union(many.keys).sorted().filter { few[$0] != many[$0] }.map {
            "\($0): \(few[$0] ?? 0) became \(many[$0] ?? 0)"
        }
    }

    // MARK: history

    /// Uses, posts and invoices month after month.
    private func live(_ history: History, _ world: BillingWorld) async throws -> Customer {
        let first = try #require(CivilMonth(Self.month)).advanced(by: -Int64(history.months))
        try await world.publish(Self.plan)
        var customers: [Customer] = []
        for number in 0...history.others {
            customers.append(
                try await world.customer(
                    UInt64(number + 1), plan: "decade", zone: "Europe/Berlin",
                    from: "\(first)-01T00:00:00Z"))
        }
        for offset in 0..<Int64(history.months) {
            let month = first.advanced(by: offset)
            let next = month.advanced(by: 1)
            for customer in customers {
                var requests: [IngestRequest] = []
                for day in 1...history.daysAMonth {
                    let at = "\(month)-\(day < 10 ? "0" : "")\(day)T10:00:00Z"
                    requests.append(try await world.request(customer, at: at, input: 1_234_567))
                }
                // A broken promise each month: its credit is on the next invoice.
                requests.append(
                    try await world.request(
                        customer, at: "\(month)-02T11:00:00Z", input: 1_000, tier: "priority", outcome: .providerError))
                try await world.ingest(requests, heartbeat: "\(next)-01T06:00:00Z")
            }
            _ = try await LedgerPoster(database: world.database).postAll(
                now: BillingWorld.instant("\(next)-01T06:00:00Z"))
            let report = try await world.run("\(month)", now: "\(next)-02T09:00:00Z").run()
            #expect(report.isComplete && report.finalized.count == customers.count, "\(month): \(report.accounts)")
        }
        return customers[0]
    }

    // MARK: jobs

    /// Rows read by each job, by table.
    private func costs(after history: History) async throws -> [String: [String: Int64]] {
        let world = try await BillingWorld.make()
        let customer = try await live(history, world)
        let meter = try await RowMeter.make()
        var costs: [String: [String: Int64]] = [:]
        let month = Self.month
        let civil = try #require(CivilMonth(month))
        try await world.ingest(
            [
                world.request(customer, at: "\(month)-03T10:00:00Z", input: 777_777),
                world.request(customer, at: "\(month)-04T10:00:00Z", output: 777_777),
            ], heartbeat: "\(month)-05T00:00:00Z")
        let now = BillingWorld.instant("\(month)-05T00:00:00Z")
        costs["poster"] = try await meter.count { _ = try await LedgerPoster(database: $0).postAll(now: now) }
        costs["poster without anything to do"] = try await meter.count {
            _ = try await LedgerPoster(database: $0).postAll(now: now)
        }
        costs["preview"] = try await meter.count {
            _ = try await InvoiceActions(database: $0, by: .clerk).preview(account: customer.id, month: civil)
        }
        func run(_ database: Database, now: String) -> InvoiceRun {
            InvoiceRun(
                database: database, by: .clerk,
                options: InvoiceRun.Options(month: civil, now: BillingWorld.instant(now), accounts: [customer.id]))
        }
        costs["closing check"] = try await meter.count {
            let report = try await run($0, now: "\(month)-05T00:00:00Z").run()
            #expect(report.word(customer.id).hasPrefix("not closed: the month is not over"))
        }
        try await world.ingest([], heartbeat: "2026-12-01T06:00:00Z")
        costs["invoice run"] = try await meter.count {
            let report = try await run($0, now: "2026-12-02T09:00:00Z").run()
            #expect(report.finalized.count == 1, "\(report.word(customer.id))")
        }
        costs["invoice run again"] = try await meter.count {
            let report = try await run($0, now: "2026-12-02T09:00:00Z").run()
            #expect(report.word(customer.id).hasPrefix("already"))
        }
        let start = customer.account.calendar.start(of: civil)
        let current = try await world.database.read {
            try InvoiceStorage.current(of: customer.id, periodStart: start, in: $0)
        }
        let invoice = try #require(current)
        costs["void"] = try await meter.count {
            _ = try await InvoiceActions(database: $0, by: .clerk).void(
                invoice.id, now: BillingWorld.instant("2026-12-03T09:00:00Z"))
        }
        costs["invoice run after the void"] = try await meter.count {
            let report = try await run($0, now: "2026-12-04T09:00:00Z").run()
            #expect(report.finalized.count == 1, "\(report.word(customer.id))")
        }
        let mark = try await world.database.read { try ChangeStorage.newest(in: $0) }
        _ = try await world.database.write {
            try ChangeStorage.record(.subscription, entity: "\(customer.subscription.id)", in: $0)
        }
        costs["what changed of the snapshot"] = try await meter.count { database in
            _ = try await database.read { try SnapshotStorage.difference(since: mark, in: $0) }
            _ = try await database.read { try ChangeStorage.touchedTerms(since: mark, in: $0) }
        }
        costs["balances"] = try await meter.count { database in
            _ = try await database.read { try LedgerStorage.balances(of: customer.account, in: $0) }
        }
        costs[Self.reconcile] = try await meter.count { database in
            var options = ReconciliationRun.Options(now: BillingWorld.instant("2026-12-04T09:00:00Z"))
            options.month = civil
            options.accounts = [customer.id]
            let report = try await ReconciliationRun(database: database, options: options).run()
            #expect(report.isEqual, "\(report.checks.flatMap(\.differences))")
        }
        await meter.close()
        return costs
    }
}

/// Counts the rows that one connection read, by table, as Postgres' own statistics say.
private struct RowMeter {
    private let pool: ConnectionPool

    /// A meter of the running test's database. Its connection chooses the plans of large tables: of tables that fit on
    /// a page or two, as those of tests do, reading all is as cheap as an index, and plans would follow the size.
    static func make() async throws -> RowMeter {
        let test = try TestDatabase.required
        try await test.pool.withConnection { try await $0.script("ANALYZE") }
        for way in ["seqscan", "hashjoin", "mergejoin"] {
            try await test.pool.execute(
                "ALTER DATABASE \(identifier: test.configuration.database ?? "") SET enable_\(unescaped: way) = off")
        }
        return RowMeter(pool: ConnectionPool(test.configuration, limits: PoolLimits(connectionCountMax: 1)))
    }

    func close() async { await pool.close() }

    func count(_ body: (Database) async throws -> Void) async throws -> [String: Int64] {
        let before = try await rows()
        try await body(Database(pool))
        return try await rows().merging(before) { $0 - $1 }.filter { $0.value != 0 }
    }

    private func rows() async throws -> [String: Int64] {
        // What a connection counted is told to others when a transaction ends, if asked for at once.
        _ = try await pool.query("SELECT pg_stat_force_next_flush()")
        let rows = try await pool.query(
            """
            SELECT relname::text AS name, (seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint AS count
            FROM pg_stat_user_tables ORDER BY relname
            """)
        var counts: [String: Int64] = [:]
        for row in rows { counts[try row.decode("name")] = try row.decode("count", as: Int64.self) }
        return counts
    }
}
