import Accounts
import Identity
import Reconciliation
import Storage
import TestSupport
import Testing

extension BillingWorld {
    /// Reconcile finds all equal, and the ledger balances.
    @discardableResult
    nonisolated func expectSoundBooks(
        _ what: String = "", now: String = ReconciliationTests.now
    ) async throws -> ReconciliationReport {
        let report = try await ReconciliationTests.reconcile(self, now: now)
        for check in report.checks { #expect(check.isEqual, "\(what) \(check.title): \(check.differences)") }
        #expect(try await ledgerImbalance() == "0.00 0", "\(what)")
        return report
    }

    /// Ends the customer's subscription, as somebody asks for at the end itself unless it says otherwise.
    nonisolated func end(_ customer: Customer, at text: String, now: Timestamp? = nil) async throws {
        let end = BillingWorld.instant(text)
        try await database.write { tx in
            _ = try SubscriptionStorage.end(customer.subscription.id, at: end, now: now ?? end, in: tx)
        }
    }
}
