import Billing
import Identity
import Postgres
import Reconciliation
import Storage
import Testing

/// What tests look at in the end, and what somebody might do to the database behind the program's back.
extension BillingWorld {
    /// Reconcile finds all equal, and the ledger balances.
    @discardableResult
    nonisolated func expectSoundBooks(_ what: String = "") async throws -> ReconciliationReport {
        let report = try await ReconciliationTests.reconcile(self)
        for check in report.checks { #expect(check.isEqual, "\(what) \(check.title): \(check.differences)") }
        #expect(try await ledgerImbalance() == "0.00 0", "\(what)")
        return report
    }

    /// Changes rows as only the database's owner could, with the schema's rules switched off for this transaction.
    nonisolated func changeBehindTheProgram(_ statements: String...) async throws {
        try await database.write { tx in
            try tx.execute("SET LOCAL session_replication_role = replica")
            for statement in statements.flatMap({ $0.split(separator: ";") }) {
                try tx.execute(SQL(unescaped: String(statement)))
            }
        }
    }

    /// A rule of the schema refuses the statement; a mistake in it is none.
    nonisolated func expectRefused(_ statement: String, by states: Set<String> = ["23001"]) async {
        let error = await #expect(throws: PostgresError.self, "\(statement)") {
            try await pool.withConnection { try await $0.script(statement) }
        }
        if let state = error?.sqlState { #expect(states.contains(state), "\(statement): \(state)") }
    }
}
