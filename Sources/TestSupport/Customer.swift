public import Accounts
public import Identity
public import Storage

/// An account with one tenant and its subscription.
public struct Customer: Sendable {
    public let account: Account
    public let subscription: Subscription

    public init(account: Account, subscription: Subscription) {
        self.account = account
        self.subscription = subscription
    }

    public var id: AccountID { account.id }

    /// Stores the account, with its sandbox if it is a test account, the tenant and the subscription.
    public func store(tenant name: String, in tx: DatabaseTransaction) throws {
        try TestSandbox.open(of: account, in: tx)
        try AccountStorage.insert(account, in: tx)
        try TenantStorage.insert(
            Tenant(id: subscription.tenantID, accountID: id, name: name, createdAt: account.createdAt), in: tx)
        try SubscriptionStorage.insert(subscription, in: tx)
    }
}
