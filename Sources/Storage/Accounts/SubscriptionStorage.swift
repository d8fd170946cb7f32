public import Accounts
public import Identity
import Monetary
public import Postgres

/// Subscriptions: which plan prices a tenant's requests, over which span of billing time.
public enum SubscriptionStorage {
    /// Stores a new subscription. The plan must be in the account's currency and have a version in force at the start;
    /// no other subscription of the tenant may cover a common instant, and the start lies in no month that is invoiced.
    public static func insert(_ subscription: Subscription, in tx: Transaction) throws {
        let account = try AccountStorage.require(subscription.accountID, in: tx)
        // The tenant's row is the lock under which overlaps are looked for.
        let tenants = try tx.query(
            """
            SELECT 1 FROM tenants
            WHERE account_id = \(account.id) AND tenant_id = \(subscription.tenantID) FOR UPDATE
            """)
        guard tenants.count == 1 else {
            throw StorageError.notFound("tenant \(subscription.tenantID) of account \(account.id)")
        }
        try requirePlan(subscription, account, in: tx)
        try requireOpenMonth(subscription, in: tx)
        if let other = try overlapping(subscription, in: tx) {
            throw StorageError.conflict(
                "subscription \(other.id) (plan \(other.plan)) covers part of that time: end it first")
        }
        try tx.execute(
            """
            INSERT INTO subscriptions (account_id, subscription_id, tenant_id, plan, starts_at, ends_at, created_at)
            VALUES (
                \(account.id), \(subscription.id), \(subscription.tenantID), \(subscription.plan),
                \(subscription.startsAt), \(subscription.endsAt), \(subscription.createdAt)
            )
            """)
        try ChangeStorage.record(.subscription, entity: subscription.id.description, in: tx)
    }

    /// The subscription, or nil.
    public static func find(_ id: SubscriptionID, in tx: Transaction) throws -> Subscription? {
        try tx.query("\(select) WHERE subscription_id = \(id)").first.map(subscription)
    }

    /// The subscription; `.notFound` when there is none.
    public static func require(_ id: SubscriptionID, in tx: Transaction) throws -> Subscription {
        guard let found = try find(id, in: tx) else { throw StorageError.notFound("subscription \(id)") }
        return found
    }

    /// The subscription, which nobody else changes until the transaction ends; `.notFound` when there is none.
    public static func lock(_ id: SubscriptionID, in tx: Transaction) throws -> Subscription {
        let account = try require(id, in: tx).accountID
        return try tx.query(
            "\(select) WHERE account_id = \(account) AND subscription_id = \(id) FOR UPDATE"
        ).first.map(subscription) ?? require(id, in: tx)
    }

    /// A page of the subscriptions of an account, a tenant, or all; ended ones too.
    public static func list(
        account: AccountID? = nil, tenant: TenantID? = nil, _ page: PageRequest = PageRequest(), in tx: Transaction
    ) throws -> Page<Subscription> {
        let rows = try tx.query(
            """
            \(select)
            WHERE subscription_id > \(page.afterOrZero) AND (\(account)::uuid IS NULL OR account_id = \(account))
                AND (\(tenant)::uuid IS NULL OR tenant_id = \(tenant))
            ORDER BY subscription_id LIMIT \(page.limitAndOne)
            """)
        return Page(try rows.map(subscription), page)
    }

    /// Every subscription that the tenant has or had, by start.
    public static func all(of tenant: TenantID, account: AccountID, in tx: Transaction) throws -> [Subscription] {
        try tx.query(
            "\(select) WHERE account_id = \(account) AND tenant_id = \(tenant) ORDER BY starts_at, subscription_id"
        ).map(subscription)
    }

    /// Every subscription of the account that covers an instant of the period, by start.
    public static func covering(
        _ period: BillingPeriod, account: AccountID, in tx: Transaction
    ) throws -> [Subscription] {
        try tx.query(
            """
            \(select)
            WHERE account_id = \(account) AND starts_at < \(period.end)
                AND (ends_at IS NULL OR ends_at > \(period.start))
            ORDER BY starts_at, subscription_id
            """
        ).map(subscription)
    }

    /// Ends a subscription at an instant of billing time that has not passed; `now` is real time.
    @discardableResult
    public static func end(
        _ id: SubscriptionID, at instant: Timestamp, now: Timestamp, in tx: Transaction
    ) throws -> Subscription {
        let current = try lock(id, in: tx)
        let account = try AccountStorage.require(current.accountID, in: tx)
        let billingNow = account.billingTime(at: now)
        if let end = current.endsAt, end <= billingNow {
            throw StorageError.conflict("subscription \(id) ended at \(end) already")
        }
        guard instant >= billingNow, instant > current.startsAt else {
            throw StorageError.invalid(
                parameter: "ends_at",
                message: "it must lie after the start (\(current.startsAt)) and not before the account's billing time "
                    + "(\(billingNow)): requests up to now are priced already")
        }
        var ended = current
        ended.endsAt = instant
        if let other = try overlapping(ended, in: tx) {
            throw StorageError.conflict("subscription \(other.id) (plan \(other.plan)) covers part of that time")
        }
        try tx.execute(
            """
            UPDATE subscriptions SET ends_at = \(instant)
            WHERE account_id = \(account.id) AND subscription_id = \(id)
            """)
        try ChangeStorage.record(.subscription, entity: id.description, in: tx)
        return ended
    }

    private static func requirePlan(_ subscription: Subscription, _ account: Account, in tx: Transaction) throws {
        // No foreign key leaves the account: until the subscription is there, the plan is held in its place.
        let plans = try tx.query("SELECT currency FROM plans WHERE plan = \(subscription.plan) FOR SHARE")
        guard let plan = plans.first else { throw StorageError.notFound("plan \(subscription.plan)") }
        let currency = try plan.decode("currency", as: Currency.self)
        guard currency == account.currency else {
            throw StorageError.conflict(
                "plan \(subscription.plan) is in \(currency), account \(account.id) in \(account.currency)")
        }
        let inForce = try tx.query(
            """
            SELECT count(*) FROM plan_versions
            WHERE plan = \(subscription.plan) AND effective_from <= \(subscription.startsAt)
            """
        ).onlyValue(as: Int.self)
        guard inForce > 0 else {
            throw StorageError.invalid(
                parameter: "starts_at",
                message: "plan \(subscription.plan) has no version in force at \(subscription.startsAt): "
                    + "start later, or requests would have no price")
        }
    }

    /// A month that is invoiced stays as it is: its base fee would never be charged, its promises never judged.
    private static func requireOpenMonth(_ subscription: Subscription, in tx: Transaction) throws {
        try AccountStorage.lock(subscription.accountID, in: tx)
        let invoicedUntil = try tx.query(
            """
            SELECT max(period_end) FROM invoices
            WHERE account_id = \(subscription.accountID) AND state IN ('finalized', 'paid')
            """
        ).onlyValue(as: Timestamp?.self)
        if let invoicedUntil, subscription.startsAt < invoicedUntil {
            throw StorageError.invalid(
                parameter: "starts_at",
                message: "the account is invoiced up to \(invoicedUntil): start then or later")
        }
        // A draft of a month that it reaches into lacks it; the next run makes that draft again.
        try InvoiceStorage.deleteDrafts(of: subscription.accountID, endingAfter: subscription.startsAt, in: tx)
    }

    private static func overlapping(_ candidate: Subscription, in tx: Transaction) throws -> Subscription? {
        try tx.query(
            """
            \(select)
            WHERE account_id = \(candidate.accountID) AND tenant_id = \(candidate.tenantID)
                AND subscription_id <> \(candidate.id)
                AND (ends_at IS NULL OR ends_at > \(candidate.startsAt))
                AND (\(candidate.endsAt)::timestamptz IS NULL OR starts_at < \(candidate.endsAt))
            ORDER BY starts_at LIMIT 1
            """
        ).first.map(subscription)
    }

    static let select: SQL = """
        SELECT account_id, subscription_id, tenant_id, plan, starts_at, ends_at, created_at FROM subscriptions
        """

    static func subscription(_ row: Row) throws -> Subscription {
        Subscription(
            id: try row.decode("subscription_id"), accountID: try row.decode("account_id"),
            tenantID: try row.decode("tenant_id"), plan: try row.decode("plan"),
            startsAt: try row.decode("starts_at"), endsAt: try row.decode("ends_at"),
            createdAt: try row.decode("created_at"))
    }
}
