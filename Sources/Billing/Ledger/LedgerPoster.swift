import Accounts
public import Identity
import Ledger
public import Storage

/// Books rated usage: per account, product and local day the difference between the rollups and what is booked. It
/// looks only at days whose usage changed since they were last booked.
///
/// Run it as often as one likes, also twice at a time: a revision exists once, and a poster that comes second books
/// nothing or what arrived in between.
public struct LedgerPoster: Sendable {
    private let database: Database

    public init(database: Database) {
        self.database = database
    }

    /// Books what is missing of one account; returns how many transactions that took. `now` is real time.
    @discardableResult
    public func post(_ id: AccountID, now: Timestamp) async throws -> Int {
        try await database.writeAtOneMoment { tx in
            // Before all else: whoever closes a period holds the account, and may want the same marks.
            try AccountStorage.share(id, in: tx)
            return try LedgerPoster.post(try AccountStorage.require(id, months: .none, in: tx), now: now, in: tx)
        }
    }

    /// What a pass over all accounts did.
    public struct Report: Sendable {
        /// How many transactions were booked.
        public var transactions = 0
        /// Accounts whose pass failed, and why; the others were not held up.
        public var failures: [(account: AccountID, reason: String)] = []
    }

    /// Books what is missing of all accounts whose usage changed, one transaction of the database each.
    public func postAll(now: Timestamp) async throws -> Report {
        var report = Report()
        for id in try await database.read({ try UnpostedStorage.accounts(in: $0) }) {
            try Task.checkCancellation()
            do {
                report.transactions += try await post(id, now: now)
            } catch {
                if DatabaseFailure(error) == .unavailable { throw error }
                report.failures.append((id, "\(error)"))
            }
        }
        return report
    }

    /// The same within a transaction of the caller's, who holds the account or shares it.
    static func post(_ account: Account, now: Timestamp, in tx: DatabaseTransaction) throws -> Int {
        let instant = account.billingTime(at: now)
        let days = try ClosingStorage.bookingDays(of: account, at: instant, in: tx)
        var count = 0
        for accrual in try UnpostedStorage.take(of: account, in: tx) {
            guard let transaction = try accrual.transaction(bookedAt: instant, on: days) else { continue }
            if try LedgerStorage.insert(transaction, in: tx) { count += 1 }
        }
        return count
    }
}
