import Billing
import Logging
import Storage

/// Posts the ledger from the rollups, forgets expired idempotency keys and removes deleted accounts, again and again.
struct JobsRuntime {
    let database: Database
    let intervalSeconds: Int
    let logger: Logger

    /// Runs until the task is cancelled. A pass that fails is logged and tried again at the next turn.
    func run() async {
        var wasAway = false
        repeat {
            do {
                let report = try await LedgerPoster(database: database).postAll(now: now())
                for failure in report.failures {
                    logger.error(
                        "the ledger of an account was not posted",
                        metadata: ["account": "\(failure.account)", "reason": "\(failure.reason)"])
                }
                let service = BillingService(database, now: now)
                try await service.forgetExpiredCalls()
                let removal = try await service.removeDeletedAccounts()
                if removal.count > 0 {
                    logger.info("deleted test accounts were removed", metadata: ["accounts": "\(removal.count)"])
                }
                for failure in removal.failures {
                    logger.error(
                        "the rows of a deleted account were not removed",
                        metadata: ["account": "\(failure.account)", "reason": "\(failure.reason)"])
                }
                wasAway = false
            } catch {
                if !wasAway { logger.warning("the jobs' pass was cut short", metadata: ["error": "\(error)"]) }
                wasAway = true
            }
        } while (try? await Task.sleep(for: .seconds(intervalSeconds))) != nil
    }
}
