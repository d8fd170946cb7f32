import Foundation
import Postgres
import TestSupport
import Testing

/// A database of the release before: what of it is not posted is marked, and its months with a final invoice are
/// closed.
@Suite(.emptyDatabase, .timeLimit(.minutes(10))) struct LedgerUpgradeTests {
    /// The last migration of that release.
    private static let last = "0028"

    private func migrate(upTo last: String?) async throws {
        let configuration = try TestDatabase.required.configuration
        guard let last else {
            _ = try await Migrator(directory: "\(repositoryRoot)/migrations", configuration: configuration).migrate()
            return
        }
        let files = FileManager.default
        let directory = files.temporaryDirectory.appending(path: "tollgate-upgrade-\(UUID().uuidString)")
        try files.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? files.removeItem(at: directory) }
        for name in try files.contentsOfDirectory(atPath: "\(repositoryRoot)/migrations")
        where name.prefix(4) <= last {
            try files.copyItem(
                atPath: "\(repositoryRoot)/migrations/\(name)", toPath: directory.appending(path: name).path)
        }
        _ = try await Migrator(directory: directory.path, configuration: configuration).migrate()
    }

    private func rows(_ sql: String) async throws -> [String] {
        try await TestDatabase.required.pool.query("\(unescaped: sql)").decodeAll()
    }

    private static let id = "'00000000-0000-7000-8000-000000000001'"

    /// An hour's usage, and what is booked of its day.
    private func used(_ hour: String, day: String, amount: String, booked: String?) -> String {
        let transaction = """
            WITH t AS (
                INSERT INTO ledger_transactions (
                    account_id, transaction_id, kind, product, day, revision, currency, booked_at, description
                ) VALUES (\(Self.id), gen_random_uuid(), 'accrual', 'usage:sim', '\(day)', 1, 'USD', now(), '')
                RETURNING account_id, transaction_id
            )
            INSERT INTO ledger_postings (account_id, transaction_id, line, ledger_account, amount)
            SELECT account_id, transaction_id, line, ledger_account, amount FROM t, (VALUES
                (1, 'unbilled_receivables', \(booked ?? "0")), (2, 'revenue', -\(booked ?? "0"))
            ) AS p(line, ledger_account, amount);
            """
        return """
            INSERT INTO usage_rollups (
                account_id, period_start, hour_start, tenant_id, project_id, key_id, subscription_id, model, price_id,
                records, quantity, amount
            ) VALUES (
                \(Self.id), '\(hour.prefix(7))-01T00:00:00+09:00', '\(hour)', \(Self.id), \(Self.id), \(Self.id),
                \(Self.id), 'sim', 'p', 1, 1, \(amount)
            );
            \(booked == nil ? "" : transaction)
            """
    }

    private var history: String {
        """
        INSERT INTO accounts (account_id, name, currency, time_zone, created_at)
        VALUES (\(Self.id), 'Acme', 'USD', 'Asia/Tokyo', now());
        \(used("2026-10-05T16:00:00Z", day: "2026-10-06", amount: "1.5", booked: "1.5"))
        \(used("2026-11-05T10:00:00Z", day: "2026-11-05", amount: "2", booked: "2"))
        \(used("2026-11-06T14:00:00Z", day: "2026-11-06", amount: "3", booked: "1"))
        \(used("2026-11-06T15:00:00Z", day: "2026-11-07", amount: "4", booked: nil))
        INSERT INTO billing_periods (account_id, month, period_start)
        VALUES (\(Self.id), '2026-10-01', '2026-10-01T00:00:00+09:00');
        INSERT INTO invoices (
            account_id, invoice_id, period_start, period_end, state, number, currency, total, exact_total,
            journal_positions, document, created_at, issued_at, issued_on, due_on
        ) VALUES (
            \(Self.id), gen_random_uuid(), '2026-10-01T00:00:00+09:00', '2026-11-01T00:00:00+09:00', 'finalized',
            'INV-2026-000001', 'USD', 1.5, 1.5, '[]', '{}', now(), now(), '2026-11-02', '2026-11-16'
        );
        """
    }

    @Test func `days that are not posted are marked and no others, and months with a final invoice are closed`()
        async throws
    {
        try await migrate(upTo: Self.last)
        try await TestDatabase.required.pool.withConnection { try await $0.script(history) }
        try await migrate(upTo: nil)
        #expect(
            try await rows("SELECT (hour_start AT TIME ZONE 'UTC')::text FROM unposted_usage ORDER BY 1") == [
                "2026-11-06 14:00:00", "2026-11-06 15:00:00",
            ])
        #expect(
            try await rows("SELECT version || '/' || settled_version FROM usage_periods") == ["1/0", "1/0"])
        #expect(
            try await rows(
                "SELECT last_day || ' ' || ledger_account || ' ' || balance FROM ledger_checkpoints ORDER BY 1")
                == [
                    "2026-10-31 revenue -1.500000000000", "2026-10-31 unbilled_receivables 1.500000000000",
                ])
        #expect(
            try await rows("SELECT DISTINCT (booked_on = day)::text FROM ledger_transactions") == ["true"])
    }

    @Test func `a transaction of the release before is booked on its day, and refused where that is closed`()
        async throws
    {
        try await migrate(upTo: Self.last)
        try await TestDatabase.required.pool.withConnection { try await $0.script(history) }
        try await migrate(upTo: nil)
        let pool = try TestDatabase.required.pool
        try await pool.withConnection { connection in
            try await connection.script(used("2026-11-08T10:00:00Z", day: "2026-11-08", amount: "1", booked: "1"))
        }
        #expect(
            try await rows("SELECT booked_on::text FROM ledger_transactions WHERE day = '2026-11-08'") == ["2026-11-08"]
        )
        await pool.expectRefused(used("2026-10-08T10:00:00Z", day: "2026-10-08", amount: "1", booked: "1"))
    }
}
