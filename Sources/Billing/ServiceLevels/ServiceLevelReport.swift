public import Accounts
public import Identity
import Invoicing
public import Storage

/// Where the promises of one account's month stand: in progress, or as they were closed.
public struct ServiceLevelReport: Sendable {
    public let account: Account
    public let month: CivilMonth
    public let period: BillingPeriod
    /// True once the month's results are stored and its invoice is final: they do not change any more.
    public let isFinal: Bool
    /// By subscription, tier and objective. Credits of a month in progress are what it would give if it ended now.
    public let results: [StoredPromiseResult]

    /// Reads or computes an account's month; `now` is real time.
    static func make(
        account id: AccountID, month: CivilMonth, now: Timestamp, database: Database
    ) async throws -> ServiceLevelReport {
        try await database.read { tx in
            let account = try AccountStorage.require(id, in: tx)
            let accountMonth = try AccountMonth(account, month: month, in: tx)
            let isFinal = accountMonth.current.map { $0.state != .draft } ?? false
            let stored = try ServiceLevelStorage.results(
                of: account.id, periodStart: accountMonth.month.start, in: tx)
            let results =
                try isFinal
                ? stored
                : ServiceLevelEvaluation(accountMonth, evaluatedAt: account.billingTime(at: now), in: tx).results
            return ServiceLevelReport(
                account: account, month: month, period: accountMonth.period, isFinal: isFinal, results: results)
        }
    }
}
