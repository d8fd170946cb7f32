import Accounts
import Identity
import Postgres
import Storage
import TestSupport
import Testing

/// What the database itself refuses.
@Suite(.database, .timeLimit(.minutes(10))) struct ModeTests {
    private func made() async throws -> (live: AccountID, test: AccountID, pool: ConnectionPool) {
        let made = try await StorageFixture.make()
        let test = try await made.database.write { try StorageFixture.testAccount(in: $0) }
        return (made.account.id, test.id, try TestDatabase.required.pool)
    }

    @Test(arguments: [
        "UPDATE accounts SET mode = 'test', sandbox_id = account_id WHERE mode = 'live'",
        "UPDATE accounts SET mode = 'live', sandbox_id = NULL WHERE mode = 'test'",
        "UPDATE accounts SET sandbox_id = gen_random_uuid() WHERE mode = 'test'",
        "UPDATE accounts SET mode = 'trial'", "UPDATE accounts SET sandbox_id = NULL WHERE mode = 'test'",
    ])
    func `an account keeps its mode and its sandbox`(statement: String) async throws {
        let made = try await made()
        await made.pool.expectRefused(statement)
    }

    @Test(arguments: ["live", "test"])
    func `no clock moves but with its sandbox`(mode: String) async throws {
        let made = try await made()
        await made.pool.expectRefused("UPDATE accounts SET clock_offset_ms = 5 WHERE mode = '\(mode)'")
    }

    @Test(arguments: [
        "UPDATE sandbox_moves SET to_offset_ms = to_offset_ms + 1", "DELETE FROM sandbox_moves",
        "TRUNCATE sandbox_moves", "UPDATE sandbox_moves SET moved_at = now()",
    ])
    func `the moves of a clock stay on record`(statement: String) async throws {
        let made = try await made()
        let database = Database(made.pool)
        try await database.write { tx in
            _ = try TestSandbox.advance(made.test, byMilliseconds: 1000, now: StorageFixture.now, in: tx)
        }
        await made.pool.expectRefused(statement)
    }

    @Test(arguments: [("live", "INV-TEST-2026-000001"), ("test", "INV-2026-000001"), ("test", "X-1")])
    func `no invoice takes a number of the other mode`(mode: String, number: String) async throws {
        let made = try await made()
        let account = mode == "live" ? made.live : made.test
        await made.pool.expectRefused(
            """
            INSERT INTO invoices (
                account_id, invoice_id, period_start, period_end, state, number, currency, total, exact_total,
                journal_positions, document, created_at, issued_at, issued_on, due_on
            ) VALUES (
                '\(account.uuid.hexadecimal)', gen_random_uuid(), '2026-09-01', '2026-10-01', 'finalized',
                '\(number)', 'EUR', 1, 1, '{}', '{}', now(), now(), '2026-10-01', '2026-10-15'
            )
            """)
    }
}
