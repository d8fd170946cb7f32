import Accounts
import Billing
import Dispatch
import Identity
import Ledger
import Postgres
import Storage
import TestSupport
import Testing

/// The poster looks only at what is marked: so every change has to be marked, and no mark may be lost.
@Suite(.database, .timeLimit(.minutes(10))) struct UnpostedUsageTests {
    private let now = BillingWorld.instant("2026-11-20T00:00:00Z")

    private func marks(_ world: BillingWorld) async throws -> Int {
        try await world.pool.query("SELECT count(*) FROM unposted_usage").onlyValue()
    }

    private func postings(_ world: BillingWorld) async throws -> Int {
        try await LedgerPoster(database: world.database).postAll(now: now).transactions
    }

    /// What a comparison of all rollups with all of the ledger finds.
    private func open(_ world: BillingWorld, _ customer: Customer) async throws -> [String] {
        try await world.database.read { tx in
            try LedgerStorage.openAccruals(of: customer.account, in: tx).map { "\($0.model) \($0.day)" }
        }
    }

    @Test func `usage is marked until it is posted, and a pass without marks books nothing`() async throws {
        let world = try await BillingWorld.make()
        let beta = try await world.customer(2, plan: "beta")
        try await world.ingest(
            [
                world.request(beta, at: "2026-11-03T10:00:00Z", input: 1_000_000),
                world.request(beta, at: "2026-11-03T10:30:00Z", input: 1_000_000),
                world.request(beta, at: "2026-11-04T10:00:00Z", output: 1_000_000),
            ], heartbeat: "2026-11-05T00:00:00Z")
        #expect(try await marks(world) == 2)
        #expect(try await postings(world) == 2)
        #expect(try await marks(world) == 0)
        #expect(try await postings(world) == 0)
        #expect(try await open(world, beta).isEmpty)
    }

    @Test func `a pass that dies before its commit leaves its marks`() async throws {
        struct Killed: Error {}
        let world = try await BillingWorld.make()
        let beta = try await world.customer(2, plan: "beta")
        try await world.ingest(
            [world.request(beta, at: "2026-11-03T10:00:00Z", input: 1_000_000)], heartbeat: "2026-11-05T00:00:00Z")
        await #expect(throws: Killed.self) {
            try await world.database.writeAtOneMoment { tx in
                #expect(try UnpostedStorage.take(of: beta.account, in: tx).count == 1)
                throw Killed()
            }
        }
        #expect(try await marks(world) == 1)
        #expect(try await postings(world) == 1)
    }

    @Test func `usage that comes while the poster works is posted by the next pass`() async throws {
        let world = try await BillingWorld.make()
        let beta = try await world.customer(2, plan: "beta")
        try await world.ingest(
            [world.request(beta, at: "2026-11-03T10:00:00Z", input: 1_000_000)], heartbeat: "2026-11-05T00:00:00Z")
        let mayGoOn = DispatchSemaphore(value: 0)
        let (atWork, work) = AsyncStream.makeStream(of: Void.self)
        let now = now
        async let posted: Int = world.database.writeAtOneMoment { tx in
            var count = 0
            let days = try ClosingStorage.bookingDays(of: beta.account, at: now, in: tx)
            for accrual in try UnpostedStorage.take(of: beta.account, in: tx) {
                guard let transaction = try accrual.transaction(bookedAt: now, on: days) else { continue }
                if try LedgerStorage.insert(transaction, in: tx) { count += 1 }
            }
            work.finish()
            mayGoOn.wait()
            return count
        }
        for await _ in atWork {}
        // The same hour, model, key and price, so the same rows of the rollups.
        try await world.ingest(
            [world.request(beta, at: "2026-11-03T10:01:00Z", input: 2_000_000)], heartbeat: "2026-11-05T00:01:00Z")
        mayGoOn.signal()
        #expect(try await posted == 1)
        #expect(try await marks(world) == 1)
        #expect(try await open(world, beta) == ["sim-model 2026-11-03"])
        #expect(try await postings(world) == 1)
        #expect(try await open(world, beta).isEmpty)
    }

    @Test func `whatever changes a rollup is seen: usage rated out of suspense, and a change by hand`() async throws {
        let world = try await BillingWorld.make()
        let beta = try await world.customer(2, plan: "beta")
        try await world.ingest(
            [
                world.unpriced(beta, at: "2026-11-03T10:00:00Z", priceKey: "sim"),
                world.request(beta, at: "2026-11-04T10:00:00Z", input: 1_000_000),
            ], heartbeat: "2026-11-05T00:00:00Z")
        #expect(try await postings(world) == 1)
        let order = SuspenseOrder(.rated, SuspenseFilter(account: beta.id), reason: "agreed")
        _ = try await SuspenseActions(database: world.database, by: .clerk).resolve(order, now: now)
        #expect(try await marks(world) == 1)
        #expect(try await postings(world) == 1)
        for statement in [
            "UPDATE usage_rollups SET amount = amount + 1 WHERE hour_start = '2026-11-04T10:00:00Z'",
            "DELETE FROM usage_rollups WHERE hour_start = '2026-11-04T10:00:00Z'",
            """
            INSERT INTO usage_rollups
            SELECT account_id, period_start, '2026-11-05T10:00:00Z', tenant_id, project_id, key_id, subscription_id,
                model, price_id, records, quantity, amount, waived_quantity, waived_amount FROM usage_rollups
            """,
        ] {
            try await world.pool.withConnection { try await $0.script(statement) }
            #expect(try await postings(world) == 1, "\(statement)")
            #expect(try await open(world, beta).isEmpty, "\(statement)")
        }
    }

    /// Midnights that do not exist or come twice; and a day with an hour more, whose clocks go back across midnight.
    @Test(arguments: [
        ("America/Havana", "2026-03-08"), ("America/Havana", "2026-11-01"), ("Atlantic/Azores", "2026-10-25"),
        ("Africa/Cairo", "2026-04-24"), ("Africa/Cairo", "2026-10-29"), ("Australia/Lord_Howe", "2026-04-05"),
        ("America/Scoresbysund", "2026-10-24"), ("Asia/Kathmandu", "2026-11-03"), ("Antarctica/Troll", "2026-03-29"),
    ])
    func `a day's hours are its own where clocks change about midnight`(zone: String, day: String) async throws {
        let world = try await BillingWorld.make()
        let customer = try await world.customer(
            1, plan: "beta", zone: zone, from: "2026-02-01T00:00:00Z")
        let start = customer.account.calendar.start(of: try #require(CivilDate(day)))
        for turn in 0..<6 {
            var requests: [IngestRequest] = []
            for half in turn * 11 - 6..<turn * 11 + 5 {
                let at = start.advanced(byMilliseconds: Int64(half) * 1_800_000)
                requests.append(try await world.request(customer, at: "\(at)", input: Int64(1 << (half & 15 + 16))))
            }
            try await world.ingest(requests, heartbeat: "\(start)")
            if turn % 2 == 0 { _ = try await postings(world) }
        }
        _ = try await postings(world)
        #expect(try await open(world, customer).isEmpty)
        let booked: Int = try await world.pool.query("SELECT count(DISTINCT day) FROM ledger_transactions").onlyValue()
        #expect(booked >= 2)
    }
}
