public import Accounts
public import Engines
public import Identity
public import Postgres
public import Pricing

/// Everything that gateways are supplied with, read in one snapshot of the database.
public struct SnapshotRows: Sendable {
    /// The newest change inside.
    public let change: Int64
    /// Billing time minus real time of each account, in milliseconds.
    public let clockOffsets: [AccountID: Int64]
    /// Keys neither revoked nor expired.
    public let keys: [APIKey]
    /// Subscriptions that have not ended, those that begin in the future too.
    public let subscriptions: [Subscription]
    public let histories: [String: PlanHistory]
    public let models: [CatalogueModel]

    /// Rows read from elsewhere, such as a gateway's own copy.
    public init(
        change: Int64, clockOffsets: [AccountID: Int64], keys: [APIKey], subscriptions: [Subscription],
        histories: [String: PlanHistory], models: [CatalogueModel]
    ) {
        self.change = change
        self.clockOffsets = clockOffsets
        self.keys = keys
        self.subscriptions = subscriptions
        self.histories = histories
        self.models = models
    }
}

/// What gateways are supplied with.
public enum SnapshotStorage {
    /// Reads everything. Run it in a REPEATABLE READ transaction, so that all of it is of one moment.
    public static func load(now: Timestamp, in tx: Transaction) throws -> SnapshotRows {
        let change = try ChangeStorage.latest(in: tx)
        let offsets = try tx.query("SELECT account_id, clock_offset_ms FROM accounts").map { row in
            (try row.decode(0, as: AccountID.self), try row.decode(1, as: Int64.self))
        }
        let keys = try tx.query(
            """
            \(APIKeyStorage.select)
            WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > \(now))
            """
        ).map(APIKeyStorage.key)
        let subscriptions = try tx.query(
            """
            \(SubscriptionStorage.select) s
            WHERE ends_at IS NULL OR ends_at > \(now)::timestamptz + interval '1 millisecond'
                * (SELECT clock_offset_ms FROM accounts a WHERE a.account_id = s.account_id)
            """
        ).map(SubscriptionStorage.subscription)
        return SnapshotRows(
            change: change, clockOffsets: Dictionary(uniqueKeysWithValues: offsets), keys: keys,
            subscriptions: subscriptions, histories: try PlanStorage.histories(in: tx),
            models: try CatalogueStorage.models(in: tx))
    }
}
