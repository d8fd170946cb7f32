import Accounts
import Engines
import Identity
import Pricing
import Storage

/// What rating needs to know of accounts, subscriptions and plans, kept between batches. A change makes stale what it
/// is about, and nothing else: that a key was made or a limit moved is no reason to read plans again.
struct RatingContext: Sendable {
    /// The newest change that the book knows; nil before it was first read.
    private(set) var mark: ChangeMark?
    /// Nil values: looked for and not there.
    private(set) var accounts: [AccountID: Account?] = [:]
    private(set) var subscriptions: [SubscriptionID: Subscription?] = [:]
    /// All subscriptions of those tenants that have one with an end.
    private var siblings: [TenantReference: Result<[Subscription], UnreadableRow>] = [:]
    private(set) var histories: [String: PlanHistory] = [:]
    /// Why accounts and subscriptions do not read, by id; what is theirs is held.
    private(set) var unreadable: [String: ServiceFault] = [:]

    /// The most accounts and subscriptions kept; beyond that the book begins anew.
    static let entriesMax = 100_000

    func account(_ id: AccountID) -> Account? { accounts[id] ?? nil }

    func subscription(_ id: SubscriptionID) -> Subscription? { subscriptions[id] ?? nil }

    /// The subscription that a request which names `named` is rated by; nil where its tenant had none.
    func subscription(
        _ named: Subscription, ratingAt accepted: Timestamp
    ) -> Result<Subscription?, UnreadableRow> {
        Result { () throws(UnreadableRow) in
            try named.rating(at: accepted) { () throws(UnreadableRow) in
                try siblings[TenantReference(of: named)]?.get() ?? []
            }
        }
    }

    func history(of plan: String) -> PlanHistory { histories[plan] ?? PlanHistory() }

    /// The book with all that these ids need, read in one moment. Anything that changed in between is read anew.
    static func reading(
        accounts: Set<AccountID>, subscriptions: Set<SubscriptionID>, startingFrom old: RatingContext,
        from database: Database
    ) async throws -> RatingContext {
        try await database.read { tx in
            var book = try current(old, in: tx)
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
                // A gateway that was cut off may name one that had ended; then another of its tenant applies.
                if named.endsAt != nil {
                    let tenant = TenantReference(of: named)
                    if book.siblings[tenant] == nil {
                        book.siblings[tenant] = try UnreadableRow.reading {
                            try SubscriptionStorage.all(of: named.tenantID, account: named.accountID, in: tx)
                        }
                    }
                    if case .success(let all)? = book.siblings[tenant] { plans.formUnion(all.map(\.plan)) }
                }
                for plan in plans where book.histories[plan] == nil {
                    book.histories[plan] = try PlanStorage.history(of: plan, in: tx)
                }
            }
            return book
        }
    }

    /// What of a book is still so.
    private static func current(_ old: RatingContext, in tx: DatabaseTransaction) throws -> RatingContext {
        if max(old.accounts.count, old.subscriptions.count) <= entriesMax, let mark = old.mark,
            let changed = try ChangeStorage.touchedTerms(since: mark, in: tx)
        {
            var book = old
            if changed.mark != mark { book.forget(changed.terms) }
            book.mark = changed.mark
            return book
        }
        var book = RatingContext()
        book.mark = try ChangeStorage.newest(in: tx)
        return book
    }

    private mutating func forget(_ terms: TouchedTerms) {
        for id in terms.accounts { accounts[id] = nil }
        for id in terms.subscriptions { subscriptions[id] = nil }
        for tenant in terms.tenants { siblings[tenant] = nil }
        for plan in terms.plans { histories[plan] = nil }
        // Whoever mends a row by hand records no change of it: what does not read is asked for again with any change.
        if !unreadable.isEmpty {
            accounts = accounts.filter { $0.value != nil }
            subscriptions = subscriptions.filter { $0.value != nil }
            unreadable = [:]
        }
        siblings = siblings.filter { (try? $0.value.get()) != nil }
        histories = histories.filter { $0.value.unreadable.isEmpty }
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

extension TenantReference {
    fileprivate init(of subscription: Subscription) {
        self.init(accountID: subscription.accountID, tenantID: subscription.tenantID)
    }
}
