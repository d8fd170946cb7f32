import Accounts
import Engines
import Identity
import Pricing
import Storage

/// What rating needs to know of accounts, subscriptions and plans, kept between batches.
struct PriceBook: Sendable {
    /// The newest change that the book knows; any newer one makes it stale.
    private(set) var change: Int64 = -1
    /// Nil values: looked for and not there.
    private(set) var accounts: [AccountID: Account?] = [:]
    private(set) var subscriptions: [SubscriptionID: Subscription?] = [:]
    /// Of the tenants of subscriptions that have an end: all their subscriptions.
    private(set) var siblings: [TenantID: [Subscription]] = [:]
    private(set) var histories: [String: PlanHistory] = [:]
    /// Why accounts and subscriptions do not read, by id; what is theirs is held.
    private(set) var unreadable: [String: ServiceFault] = [:]

    /// The most accounts and subscriptions kept; beyond that the book begins anew.
    static let entriesMax = 100_000

    func account(_ id: AccountID) -> Account? { accounts[id] ?? nil }

    func subscription(_ id: SubscriptionID) -> Subscription? { subscriptions[id] ?? nil }

    /// The subscription that a request which names `named` is rated by: that one while it is in force and for
    /// `Subscription.endNoticeMilliseconds` after, as gateways may not know of its end before; else the one that its
    /// tenant had then. Nil where it had none.
    func subscription(_ named: Subscription, inForceAt accepted: Timestamp) -> Subscription? {
        guard let end = named.endsAt, accepted >= end.advanced(byMilliseconds: Subscription.endNoticeMilliseconds)
        else { return named }
        return siblings[named.tenantID]?.first { $0.isInForce(at: accepted) }
    }

    func history(of plan: String) -> PlanHistory { histories[plan] ?? PlanHistory() }

    /// The book with all that these ids need, read in one moment. Anything that changed in between is read anew.
    static func reading(
        accounts: Set<AccountID>, subscriptions: Set<SubscriptionID>, startingFrom old: PriceBook,
        from database: Database
    ) async throws -> PriceBook {
        try await database.read { tx in
            let change = try ChangeStorage.latest(in: tx)
            let isLarge = max(old.accounts.count, old.subscriptions.count) > entriesMax
            var book = old.change == change && !isLarge ? old : PriceBook()
            book.change = change
            for id in accounts where book.accounts[id] == nil {
                let row = try UnreadableRow.reading { try AccountStorage.find(id, in: tx) }
                book.accounts.updateValue(book.value(of: row, .account, "\(id)"), forKey: id)
            }
            for id in subscriptions where book.subscriptions[id] == nil {
                let row = try UnreadableRow.reading { try SubscriptionStorage.find(id, in: tx) }
                book.subscriptions.updateValue(book.value(of: row, .subscription, "\(id)"), forKey: id)
            }
            for id in subscriptions {
                guard let named = book.subscription(id) else { continue }
                var plans: Set<String> = [named.plan]
                if named.endsAt != nil, book.siblings[named.tenantID] == nil {
                    // A gateway that was cut off may name one that had ended; then another of its tenant applies.
                    let row = try UnreadableRow.reading {
                        try SubscriptionStorage.all(of: named.tenantID, account: named.accountID, in: tx)
                    }
                    let all = book.value(of: row.map(Optional.some), .subscription, "\(id)") ?? []
                    book.siblings[named.tenantID] = all
                    plans.formUnion(all.map(\.plan))
                }
                for plan in plans where book.histories[plan] == nil {
                    book.histories[plan] = try PlanStorage.history(of: plan, in: tx)
                }
            }
            return book
        }
    }

    private mutating func value<Value>(
        of row: Result<Value?, UnreadableRow>, _ kind: ServiceFault.Kind, _ id: String
    ) -> Value? {
        switch row {
        case .success(let value): return value
        case .failure(let error):
            unreadable[id] = .unreadable(kind, id, error.reason)
            return nil
        }
    }

    /// Everything that does not read of what the book has.
    var faults: Set<ServiceFault> {
        var faults = Set(unreadable.values)
        for (plan, history) in histories {
            for version in history.unreadable {
                faults.insert(.unreadable(.planVersion, "\(plan)@\(version.number)", version.reason))
            }
        }
        return faults
    }
}
