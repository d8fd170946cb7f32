import Accounts
import Billing
import Identity
import Invoicing
import Ledger
import Monetary
import Postgres
import Reconciliation
import Storage
import TestSupport
import Testing

/// A period whose invoice is final takes no posting any more, and its balances are kept.
@Suite(.database, .timeLimit(.minutes(10))) struct LedgerClosingTests {
    private let now = BillingWorld.instant("2026-12-20T09:00:00Z")

    /// November is final; December has usage.
    private func closed() async throws -> (BillingWorld, Customer, InvoiceSummary) {
        let world = try await BillingWorld.make()
        let beta = try await world.customer(2, plan: "beta", zone: "Asia/Tokyo", from: "2026-10-31T15:00:00Z")
        try await world.ingest(
            [
                world.request(beta, at: "2026-11-03T10:00:00Z", input: 1_234_567),
                world.request(beta, at: "2026-12-05T10:00:00Z", input: 1_000_000),
            ], heartbeat: "2026-12-06T00:00:00Z")
        let report = try await world.run("2026-11", now: "2026-12-06T09:00:00Z").run()
        return (world, beta, try #require(report.finalized.first))
    }

    private func rows(_ world: BillingWorld, _ sql: String) async throws -> [String] {
        try await world.pool.query("\(unescaped: sql)").decodeAll()
    }

    private func reconcile(_ world: BillingWorld) async throws -> [String] {
        let report = try await ReconciliationRun(
            database: world.database, options: ReconciliationRun.Options(now: now)
        ).run()
        return report.checks.flatMap(\.differences)
    }

    private let days = """
        SELECT product || ' ' || day || ' ' || revision || ' booked ' || booked_on FROM ledger_transactions
        WHERE kind = 'accrual' ORDER BY day, revision
        """

    @Test func `usage of a closed period is booked today and says the day that it belongs to`() async throws {
        let (world, beta, _) = try await closed()
        try await world.ingest(
            [
                world.request(beta, at: "2026-11-03T10:00:01Z", input: 500_000),
                world.request(beta, at: "2026-11-28T10:00:00Z", input: 500_000),
                world.request(beta, at: "2026-12-05T10:00:01Z", input: 500_000),
            ], heartbeat: "2026-12-20T00:00:00Z")
        _ = try await LedgerPoster(database: world.database).postAll(now: now)
        #expect(
            try await rows(world, days) == [
                "usage:sim-model 2026-11-03 1 booked 2026-11-03", "usage:sim-model 2026-11-03 2 booked 2026-12-20",
                "usage:sim-model 2026-11-28 1 booked 2026-12-20", "usage:sim-model 2026-12-05 1 booked 2026-12-05",
                "usage:sim-model 2026-12-05 2 booked 2026-12-05",
            ])
        let stored = try await world.database.read { try LedgerStorage.transactions(of: beta.account, in: $0) }
        #expect(stored.map(\.bookedOn.description).contains("2026-12-20"))
        #expect(try await reconcile(world).isEmpty)
    }

    @Test func `the balances of a closed period are those of its days, and now is those and what came since`()
        async throws
    {
        let (world, beta, _) = try await closed()
        let kept = """
            SELECT last_day || ' ' || ledger_account || ' ' || balance::numeric(38, 8) FROM ledger_checkpoints
            ORDER BY 1
            """
        #expect(
            try await rows(world, kept) == [
                "2026-11-30 revenue -0.18518505", "2026-11-30 unbilled_receivables 0.18518505",
            ])
        let report = try await world.run("2026-12", now: "2027-01-02T09:00:00Z").run()
        #expect(report.finalized.isEmpty, "December's journal is not ingested that far")
        try await world.ingest([], heartbeat: "2027-01-02T00:00:00Z")
        #expect(try await world.run("2026-12", now: "2027-01-02T09:00:00Z").run().finalized.count == 1)
        #expect(
            try await rows(world, kept) == [
                "2026-11-30 revenue -0.18518505", "2026-11-30 unbilled_receivables 0.18518505",
                "2026-12-31 receivables 0.19000000", "2026-12-31 revenue -0.33518505",
                "2026-12-31 rounding -0.00481495", "2026-12-31 unbilled_receivables 0.15000000",
            ])
        let balances = try await world.database.read { try LedgerStorage.balances(of: beta.account, in: $0) }
        for (ledgerAccount, balance) in balances {
            let sum: String = try await world.pool.query(
                """
                SELECT coalesce(sum(amount), 0)::numeric(38, 12) FROM ledger_postings
                WHERE ledger_account = \(ledgerAccount.rawValue)
                """
            ).onlyValue()
            #expect(sum == balance.decimalText, "\(ledgerAccount)")
        }
        #expect(try await reconcile(world).isEmpty)
    }

    @Test func `a void invoice opens its period again, and the next one closes it`() async throws {
        let (world, beta, invoice) = try await closed()
        let actions = InvoiceActions(database: world.database, by: .clerk)
        _ = try await actions.void(invoice.id, now: now)
        #expect(try await rows(world, "SELECT last_day::text FROM ledger_closings").isEmpty)
        #expect(try await rows(world, "SELECT ledger_account FROM ledger_checkpoints").isEmpty)
        try await world.ingest(
            [world.request(beta, at: "2026-11-28T10:00:00Z", input: 500_000)], heartbeat: "2026-12-20T00:00:00Z")
        let again = try await world.run("2026-11", now: "2026-12-20T09:00:00Z").run()
        #expect(again.word(beta.id) == "finalized INV-2026-000002 0.26")
        #expect(try await rows(world, days).contains("usage:sim-model 2026-11-28 1 booked 2026-11-28"))
        #expect(try await rows(world, "SELECT last_day::text FROM ledger_closings") == ["2026-11-30"])
        #expect(try await reconcile(world).isEmpty)
    }

    @Test func `the database books nothing on a closed day, whoever asks`() async throws {
        let (world, _, _) = try await closed()
        let transaction = """
            INSERT INTO ledger_transactions (
                account_id, transaction_id, kind, product, day, revision, currency, booked_at, booked_on, description
            ) SELECT account_id, gen_random_uuid(), 'accrual', 'by hand', day, 1, currency, now(), BOOKED, ''
            FROM ledger_transactions WHERE day = '2026-11-03'
            """
        for statement in [
            transaction.replacing("BOOKED", with: "NULL"), transaction.replacing("BOOKED", with: "'2026-11-30'"),
            transaction.replacing("BOOKED", with: "'2025-01-01'"),
            """
            INSERT INTO ledger_postings
            SELECT p.account_id, p.transaction_id, line + 10, ledger_account, amount
            FROM ledger_postings p JOIN ledger_transactions t USING (account_id, transaction_id)
            WHERE t.day = '2026-11-03'
            """,
            "UPDATE ledger_checkpoints SET balance = 0", "DELETE FROM ledger_checkpoints",
            "DELETE FROM ledger_closings", "UPDATE ledger_closings SET last_day = last_day - 1",
            "TRUNCATE ledger_closings CASCADE",
            "INSERT INTO ledger_closings SELECT account_id, last_day - 10, invoice_id, closed_at FROM ledger_closings",
        ] {
            await world.pool.expectRefused(statement)
        }
        try await world.pool.withConnection { connection in
            try await connection.script(transaction.replacing("BOOKED", with: "'2026-12-01'"))
        }
    }

    @Test func `reconcile computes kept balances again`() async throws {
        let (world, _, _) = try await closed()
        try await world.pool.withConnection { connection in
            try await connection.script(
                """
                ALTER TABLE ledger_checkpoints DISABLE TRIGGER USER;
                UPDATE ledger_checkpoints SET balance = balance + 1 WHERE ledger_account = 'revenue';
                """)
        }
        #expect(try await reconcile(world).contains { $0.contains("2026-11-30") && $0.contains("revenue") })
    }

    @Test func `a void invoice opens no earlier period that another invoice closed after it`() async throws {
        let world = try await BillingWorld.make()
        let beta = try await world.customer(2, plan: "beta", zone: "Asia/Tokyo", from: "2026-09-30T15:00:00Z")
        try await world.ingest(
            [world.request(beta, at: "2026-11-03T10:00:00Z", input: 1_000_000)], heartbeat: "2026-12-06T00:00:00Z")
        let november = try await world.run("2026-11", now: "2026-12-06T09:00:00Z").run()
        // October had nothing to bill until now.
        try await world.ingest(
            [world.request(beta, at: "2026-10-03T10:00:00Z", input: 2_000_000)], heartbeat: "2026-12-07T00:00:00Z")
        let october = try await world.run("2026-10", now: "2026-12-07T09:00:00Z").run()
        #expect(october.finalized.count == 1)
        #expect(try await reconcile(world).isEmpty)
        _ = try await InvoiceActions(database: world.database, by: .clerk).void(
            try #require(november.finalized.first?.id), now: now)
        #expect(try await rows(world, "SELECT last_day::text FROM ledger_closings") == ["2026-10-31"])
        try await world.ingest(
            [world.request(beta, at: "2026-10-04T10:00:00Z", input: 500_000)], heartbeat: "2026-12-20T00:00:00Z")
        _ = try await LedgerPoster(database: world.database).postAll(now: now)
        #expect(try await rows(world, days).contains("usage:sim-model 2026-10-04 1 booked 2026-12-20"))
        #expect(try await reconcile(world).isEmpty)
    }

    @Test(arguments: [
        ("DELETE FROM ledger_checkpoints; DELETE FROM ledger_closings", "books are closed through no day"),
        ("UPDATE usage_periods SET settled_version = version", "its month counts as settled"),
    ])
    func `reconcile names what would let a closed month be forgotten`(statement: String, words: String) async throws {
        let (world, beta, _) = try await closed()
        try await world.ingest(
            [world.request(beta, at: "2026-11-28T10:00:00Z", input: 500_000)], heartbeat: "2026-12-20T00:00:00Z")
        _ = try await LedgerPoster(database: world.database).postAll(now: now)
        #expect(try await reconcile(world).isEmpty)
        try await world.pool.executePastTriggers(script: statement)
        #expect(try await reconcile(world).contains { $0.contains(words) })
    }
}
