import Accounts
public import Identity
import Invoicing
public import Ledger
import Monetary
public import Storage

/// Credits that no invoice will carry any more, because their customer left.
public struct CreditActions: Sendable {
    private let database: Database
    private let actor: Actor

    public init(database: Database, by actor: Actor) {
        self.database = database
        self.actor = actor
    }

    /// Pays out all credits that an account is owed, and books it. Only to an account that left: the next invoice of
    /// any other carries them. `now` is real time. Doing it twice pays once.
    public func payOut(
        to id: AccountID, reason: String, now: Timestamp
    ) async throws -> CreditPayoutReport {
        try WriteSession.requireReason(reason)
        return try await BillingService(database, now: { now }).change(by: actor) { session in
            try session.change(.creditsPaidOut, reason: reason) { tx in
                let report = try payOut(to: id, reason: reason, now: now, in: tx)
                guard report.credits > 0 else { return .nothing(report) }
                return .made(
                    report,
                    .account(
                        id, id,
                        after: [
                            "account": "\(id)", "amount": "\(report.amount)", "currency": "\(report.amount.currency)",
                            "credits": .number(Int64(report.credits)), "reason": .text(reason),
                        ]))
            }
        }
    }

    private func payOut(
        to id: AccountID, reason: String, now: Timestamp, in tx: DatabaseTransaction
    ) throws -> CreditPayoutReport {
        try AccountStorage.lock(id, in: tx)
        let account = try AccountStorage.require(id, in: tx)
        let instant = account.billingTime(at: now)
        let subscriptions = try Paging.all { try SubscriptionStorage.list(account: id, $0, in: tx) }
        if let running = subscriptions.first(where: { $0.endsAt.map { $0 > instant } ?? true }) {
            throw StorageError.conflict(
                "subscription \(running.id) goes on: the account's next invoice carries its credits")
        }
        try Self.requireInvoiced(id, in: tx)
        var sum = Money.zero(account.currency)
        var count = 0
        for granted in try Paging.all({ try ServiceLevelStorage.owed(account: id, $0, in: tx) }) {
            let left = try granted.remaining()
            let payout = CreditPaidOut(
                accountID: id, resultID: granted.result.id, exact: left.exact, amount: left.amount)
            let stored = try ServiceLevelStorage.storePayout(
                payout, reason: reason, actor: "\(actor.principal)", paidAt: instant, in: tx)
            guard stored else { continue }
            let transaction = try payout.transaction(on: account.calendar.day(of: instant), at: instant)
            guard try LedgerStorage.insert(transaction, in: tx) else {
                throw StorageError.conflict(
                    "the ledger already holds the payout of credit \(granted.result.id); run `tollgate reconcile`")
            }
            sum = try sum.adding(left.amount)
            count += 1
        }
        return CreditPayoutReport(amount: sum, credits: count)
    }

    /// A draft may carry credits; it has to become final, or go, before they are paid out.
    private static func requireInvoiced(_ id: AccountID, in tx: DatabaseTransaction) throws {
        if let draft = try InvoiceStorage.draft(of: id, in: tx) {
            throw StorageError.conflict(
                "the invoice \(draft.id) is a draft and may carry credits: run its month first")
        }
    }
}

extension GrantedResult: Identifiable {
    public var id: ServiceLevelResultID { result.id }
}
