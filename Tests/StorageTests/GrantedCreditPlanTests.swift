import Identity
import Postgres
import TestSupport
import Testing

@testable import Storage

/// What is read to know the credits of one account.
@Suite(.database, .timeLimit(.minutes(10))) struct GrantedCreditPlanTests {
    @Test(arguments: [
        "r.account_id = '00000000-0000-7000-8000-000000000001'",
        "r.account_id = '00000000-0000-7000-8000-000000000001' AND r.period_start < '2026-11-01'",
        "r.result_id > '00000000-0000-7000-8000-000000000001'",
    ])
    func `lines of other months are not read for a credit`(condition: String) async throws {
        let made = try await StorageFixture.make()
        let plan = try await made.database.write { tx in
            // Of empty tables one index is as cheap as another.
            try tx.execute(
                "ALTER TABLE invoice_lines DROP CONSTRAINT invoice_lines_account_id_invoice_id_ordinal_key")
            try tx.execute("SET LOCAL enable_seqscan = off")
            try tx.execute("SET LOCAL enable_bitmapscan = off")
            let rows = try tx.query(
                "EXPLAIN (COSTS OFF) \(ServiceLevelStorage.granted) WHERE \(unescaped: condition)")
            return try rows.map { try $0.decode("QUERY PLAN", as: String.self) }
        }
        let lines = plan.drop { !$0.contains("on invoice_lines l") }
        #expect(lines.first?.contains("invoice_lines_by_period") == true, "\(plan)")
        #expect(lines.dropFirst().first?.contains("period_start = ") == true, "\(plan)")
    }
}
