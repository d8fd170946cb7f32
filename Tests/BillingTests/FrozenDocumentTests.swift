import Billing
import Identity
import Invoicing
import Postgres
import Storage
import TestSupport
import Testing

/// What somebody with the database's own tools can no longer do to what is issued or booked.
@Suite(.database, .timeLimit(.minutes(10))) struct FrozenDocumentTests {
    /// One invoice paid, one final, one void, one draft, with credits, suspense and all else that is kept.
    private func world() async throws -> BillingWorld {
        let world = try await ReconciliationTests.history()
        let beta = try await world.customer(5, plan: "beta", from: "2026-12-01T00:00:00Z")
        try await world.ingest(
            [
                world.request(beta, at: "2026-12-04T10:00:00Z", input: 9_000_000),
                world.unpriced(beta, at: "2027-01-04T10:00:00Z"), world.unpriced(beta, at: "2027-01-04T11:00:00Z"),
            ], heartbeat: "2027-01-06T00:00:10Z")
        let now = BillingWorld.instant("2027-01-07T09:00:00Z")
        let run = try await world.run("2026-12", now: "2027-01-07T09:00:00Z", accounts: [beta.id]).run()
        _ = try await InvoiceActions(database: world.database, by: .clerk).void(
            try #require(run.finalized.first?.id), now: now)
        _ = try await world.run("2026-12", now: "2027-01-07T09:00:00Z", accounts: [beta.id]).prepareDrafts()
        let waiting = try await world.database.read { try SuspenseStorage.list(in: $0).items }
        var filter = SuspenseFilter()
        filter.attempts = [try #require(waiting.first?.attemptID)]
        let order = SuspenseOrder(.waived, filter, reason: "agreed")
        _ = try await SuspenseActions(database: world.database, by: .clerk).resolve(order, now: now)
        return world
    }

    private func states(_ world: BillingWorld) async throws -> Set<String> {
        Set(try await world.pool.query("SELECT DISTINCT state FROM invoices").decodeAll(as: String.self))
    }

    @Test func `no column of an issued invoice changes but its state, and no line at all`() async throws {
        let world = try await world()
        #expect(try await states(world) == ["draft", "finalized", "paid", "void"])
        let columns = try await world.pool.query(
            """
            SELECT column_name, data_type FROM information_schema.columns
            WHERE table_schema = 'public' AND table_name = 'invoices' ORDER BY ordinal_position
            """)
        #expect(columns.count >= 17)
        for row in columns {
            let column: String = try row.decode("column_name")
            let type: String = try row.decode("data_type")
            let other =
                switch type {
                case "uuid": "'00000000-0000-7000-8000-000000000001'::uuid"
                case "date": "'2031-05-06'::date"
                case "jsonb": "'{\"a\": 1}'::jsonb"
                case "numeric": "4711.5"
                case "integer", "bigint", "smallint": "4711"
                case "timestamp with time zone": "'2031-05-06T00:00:00Z'::timestamptz"
                default: column == "state" ? "'draft'" : column == "currency" ? "'CHF'" : "'other'"
                }
            for state in ["finalized", "paid", "void"] {
                await world.pool.expectRefused(
                    "UPDATE invoices SET \(column) = \(other) WHERE state = '\(state)'")
                // Hidden in what may change.
                guard state == "finalized", !["state", "paid_at", "voided_at"].contains(column) else { continue }
                await world.pool.expectRefused(
                    """
                    UPDATE invoices SET state = 'paid', paid_at = now(), \(column) = \(other)
                    WHERE state = 'finalized'
                    """)
            }
        }
        for state in ["finalized", "paid", "void"] {
            await world.pool.expectRefused("DELETE FROM invoices WHERE state = '\(state)'")
            let lines = "invoice_id IN (SELECT invoice_id FROM invoices WHERE state = '\(state)')"
            await world.pool.expectRefused("DELETE FROM invoice_lines WHERE \(lines)")
            await world.pool.expectRefused("UPDATE invoice_lines SET description = 'free' WHERE \(lines)")
            await world.pool.expectRefused(
                """
                UPDATE invoice_lines SET account_id = i.account_id, invoice_id = i.invoice_id, ordinal = 99
                FROM invoices i WHERE i.state = '\(state)'
                    AND invoice_lines.invoice_id IN (SELECT invoice_id FROM invoices WHERE state = 'draft')
                """)
        }
    }

    @Test(arguments: [
        "state = 'void'", "state = 'finalized', paid_at = NULL", "paid_at = now()", "voided_at = now()",
        "state = 'void', voided_at = now()",
    ])
    func `what is paid stays paid`(change: String) async throws {
        let world = try await world()
        await world.pool.expectRefused("UPDATE invoices SET \(change) WHERE state = 'paid'")
    }

    @Test(arguments: [
        "state = 'paid'", "state = 'void'", "state = 'paid', paid_at = now(), voided_at = now()",
        "state = 'void', paid_at = now()", "paid_at = now()",
    ])
    func `an invoice becomes paid or void as a whole or not at all`(change: String) async throws {
        let world = try await world()
        await world.pool.expectRefused("UPDATE invoices SET \(change) WHERE state = 'finalized'")
    }

    @Test(arguments: [
        "invoices", "invoice_lines", "ledger_transactions", "ledger_postings", "service_level_results", "number_series",
        "suspense", "journal_quarantines", "plan_versions", "effective_prices", "accounts", "subscriptions",
        "credit_notes",
    ])
    func `evidence is never emptied`(table: String) async throws {
        let world = try await world()
        let count: Int64 = try await world.pool.query("SELECT count(*) FROM invoice_lines").onlyValue()
        await world.pool.expectRefused("TRUNCATE \(table) CASCADE")
        #expect(try await world.pool.query("SELECT count(*) FROM invoice_lines").onlyValue(as: Int64.self) == count)
    }

    @Test(arguments: [
        ("ledger_transactions", "description = 'x'"), ("ledger_postings", "amount = amount + 1"),
        ("number_series", "next_number = 1"), ("number_series", "series = 'OTHER'"),
        ("suspense", "resolution = 'other'"), ("suspense", "resolved_at = NULL, outcome = NULL, resolved_by = NULL"),
    ])
    func `what is booked, numbered or decided is not taken back`(table: String, change: String) async throws {
        let world = try await world()
        let resolved = table == "suspense" ? "WHERE resolved_at IS NOT NULL" : ""
        await world.pool.expectRefused("UPDATE \(table) SET \(change) \(resolved)")
        await world.pool.expectRefused("DELETE FROM \(table)")
    }

    @Test(arguments: [
        "period_start = period_start + interval '1 month'", "account_id = '00000000-0000-7000-8000-000000000001'",
        "accepted_at = accepted_at - interval '1 day'", "reason = 'other'", "plan = 'alpha', plan_version = 1",
        "resolved_at = now(), outcome = 'waived', resolved_by = 'x', resolution = 'y', period_start = '2020-01-01'",
        """
        resolved_at = now(), outcome = 'rated', resolved_by = 'x', plan = 'alpha', plan_version = 1,
            accepted_at = now()
        """,
    ])
    func `what waits in suspense is not moved`(change: String) async throws {
        let world = try await world()
        await world.pool.expectRefused("UPDATE suspense SET \(change) WHERE resolved_at IS NULL")
    }

    @Test(arguments: [
        "starts_at = starts_at + interval '1 day'", "plan = 'beta'", "created_at = now()",
        "account_id = '00000000-0000-7000-8000-000000000001'", "tenant_id = '00000000-0000-7000-8000-000000000001'",
        "ends_at = now(), starts_at = starts_at + interval '1 day'",
    ])
    func `a subscription only ends`(change: String) async throws {
        let world = try await world()
        await world.pool.expectRefused("UPDATE subscriptions SET \(change) WHERE plan = 'alpha'")
    }

    @Test func `a closed month gets no further promise result`() async throws {
        let world = try await world()
        for change in [
            "UPDATE service_level_results SET credit_amount = credit_amount + 1", "DELETE FROM service_level_results",
            """
            INSERT INTO service_level_results SELECT account_id, '00000000-0000-7000-8000-000000000002',
                subscription_id,
                period_start, period_end, plan, plan_version, 'gold', objective, threshold_ms, status, promised_percent,
                requests, good, excluded, credit_percent, base_amount, exact_credit, credit_amount, currency, evidence,
                evaluated_at, scope_rule
            FROM service_level_results WHERE objective = 'availability' AND period_start < '2026-12-15' LIMIT 1
            """,
        ] {
            await world.pool.expectRefused(change)
        }
    }
}
