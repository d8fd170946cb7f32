public import Accounts
public import Identity
public import Storage

extension ReadSession {
    public func subscriptions(
        account: AccountID? = nil, tenant: TenantID? = nil, _ page: PageRequest = PageRequest()
    ) throws -> Page<Subscription> {
        try look(.read(.subscriptions)) {
            try SubscriptionStorage.list(account: account, tenant: tenant, page, in: $0)
        }
    }

    public func subscription(_ id: SubscriptionID) throws -> Subscription {
        try look(.read(.subscriptions)) { try SubscriptionStorage.require(id, in: $0) }
    }
}

extension WriteSession {
    /// Subscribes a tenant to a plan, from an instant of billing time on; from the account's now where none is given.
    public func subscribe(_ tenant: TenantID, to plan: String, from start: Timestamp?) throws -> Subscription {
        try change(.subscriptionCreated) { tx in
            let tenant = try TenantStorage.require(tenant, in: tx)
            let account = try AccountStorage.require(tenant.accountID, in: tx)
            let subscription = Subscription(
                id: Randomness.id(at: now), accountID: account.id, tenantID: tenant.id, plan: plan,
                startsAt: start ?? account.billingTime(at: now), createdAt: now)
            try SubscriptionStorage.insert(subscription, in: tx)
            return .made(subscription, .account(account.id, subscription.id, after: subscription.facts))
        }
    }

    /// Ends a subscription at an instant of billing time that has not passed.
    public func endSubscription(_ id: SubscriptionID, at instant: Timestamp) throws -> Subscription {
        try change(.subscriptionEnded) { tx in
            let before = try SubscriptionStorage.lock(id, in: tx)
            let after = try SubscriptionStorage.end(id, at: instant, now: now, in: tx)
            return .made(after, .account(after.accountID, id, before: before.facts, after: after.facts))
        }
    }
}
