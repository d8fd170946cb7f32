public import Accounts
public import Identity
public import Postgres

/// What a snapshot of the gateways depends on. Each change carries a number; gateways apply them in its order.
public enum SnapshotChangeKind: String, CaseIterable, Sendable {
    /// The entity is an account's id.
    case account
    /// A tenant's id.
    case tenant
    /// A key's id.
    case key
    /// A subscription's id.
    case subscription
    /// `plan@version`.
    case plan
    /// `catalogue`, or `secret` and its name.
    case catalogue
    /// An account's id: its test clock was moved.
    case clock
    /// A limit's id.
    case limit
}

/// Names a change of one database: a database restored from a backup gives the same number to another change, but not
/// with the same text.
public struct ChangeMark: Hashable, Sendable {
    /// 0 before the first change.
    public let number: Int64
    /// Kind, entity and time of the change.
    let text: String

    /// Before the first change, or where nobody knows which database the number is of.
    public init(number: Int64) {
        self.number = number
        text = ""
    }

    fileprivate init(_ row: Row) throws {
        number = try row.decode(0)
        text = try row.decode(1)
    }
}

/// Which entities were changed.
struct TouchedEntities {
    var accounts: Set<AccountID> = []
    var tenants: Set<TenantID> = []
    var keys: Set<KeyID> = []
    var subscriptions: Set<SubscriptionID> = []
    /// Slugs.
    var plans: Set<String> = []
    var limits: Set<LimitID> = []
    var isCatalogueTouched = false

    /// False when this kind or this text of an entity is unknown here.
    fileprivate mutating func add(kind: String, entity: String) -> Bool {
        func insert<Kind>(_ text: String, into ids: inout Set<TypedID<Kind>>) -> Bool {
            guard let id = TypedID<Kind>(text) else { return false }
            ids.insert(id)
            return true
        }
        switch SnapshotChangeKind(rawValue: kind) {
        case .account, .clock: return insert(entity, into: &accounts)
        case .tenant: return insert(entity, into: &tenants)
        case .key: return insert(entity, into: &keys)
        case .subscription: return insert(entity, into: &subscriptions)
        case .plan:
            guard let end = entity.lastIndex(of: "@") else { return false }
            plans.insert(String(entity[..<end]))
        case .limit: return insert(entity, into: &limits)
        case .catalogue: isCatalogueTouched = true
        case nil: return false
        }
        return true
    }
}

/// What changed of what usage is rated by.
public struct TouchedTerms: Sendable {
    /// Their zone, or their test clock.
    public internal(set) var accounts: Set<AccountID> = []
    public internal(set) var subscriptions: Set<SubscriptionID> = []
    /// Whose subscriptions these are.
    public internal(set) var tenants: Set<TenantReference> = []
    /// Slugs of plans with a new version.
    public internal(set) var plans: Set<String> = []
}

/// The numbered changes that gateways must learn of.
public enum ChangeStorage {
    /// The channel on which Postgres tells that there is a new change; the payload is its number.
    public static let channel = "tollgate_changes"
    /// How many changes are taken in one by one; when there are more, everything is loaded.
    public static let differencesMax = 20_000

    /// Records a change in the transaction that makes it. The lock that this takes is held until the commit, so that
    /// numbers become visible in their order.
    @discardableResult
    public static func record(_ kind: SnapshotChangeKind, entity: String, in tx: Transaction) throws -> Int64 {
        try tx.query("SELECT record_change(\(kind.rawValue), \(entity))").onlyValue()
    }

    /// The newest change; 0 when there was none.
    public static func latest(in tx: Transaction) throws -> Int64 {
        try tx.query("SELECT coalesce(max(number), 0) FROM snapshot_changes").onlyValue()
    }

    /// The newest change with what names it.
    public static func newest(in tx: Transaction) throws -> ChangeMark {
        try tx.query("\(selectMark) ORDER BY number DESC LIMIT 1").first.map(ChangeMark.init) ?? ChangeMark(number: 0)
    }

    /// The change of that number.
    static func mark(of number: Int64, in tx: Transaction) throws -> ChangeMark {
        guard number > 0 else { return ChangeMark(number: 0) }
        return try tx.query("\(selectMark) WHERE number = \(number)").first.map(ChangeMark.init)
            ?? ChangeMark(number: number)
    }

    /// How long a change may be visible before the row that it names is, where accounts are on other nodes.
    static let settlingSecondsMax = 60

    /// The newest change up to `number` whose rows are surely visible. On one Postgres they all are.
    static func seenEverywhere(upTo number: Int64, in tx: Transaction) throws -> Int64 {
        guard try InstallationStorage.isDistributed(in: tx) else { return number }
        let settled = try tx.query(
            """
            SELECT coalesce((
                SELECT number FROM snapshot_changes
                WHERE changed_at < now() - \(settlingSecondsMax) * interval '1 second' ORDER BY number DESC LIMIT 1
            ), 0)
            """
        ).onlyValue(as: Int64.self)
        return min(number, settled)
    }

    /// What the changes after one number and up to another are about; nil when they are too many, not all there, or of
    /// a kind unknown here.
    static func touched(after number: Int64, upTo last: Int64, in tx: Transaction) throws -> TouchedEntities? {
        guard last - number <= Int64(differencesMax) else { return nil }
        let rows = try tx.query("SELECT kind, entity FROM snapshot_changes WHERE number > \(number)")
        guard rows.count == Int(last - number) else { return nil }
        var touched = TouchedEntities()
        for row in rows {
            guard touched.add(kind: try row.decode(0), entity: try row.decode(1)) else { return nil }
        }
        return touched
    }

    /// What of the changes after a mark rating depends on, and the newest change; nil where nobody can tell, as of
    /// another database, and all that was read before may be wrong.
    public static func touchedTerms(
        since mark: ChangeMark, in tx: Transaction
    ) throws -> (terms: TouchedTerms, mark: ChangeMark)? {
        let newest = try newest(in: tx)
        if newest == mark { return (TouchedTerms(), mark) }
        guard newest.number > mark.number, try self.mark(of: mark.number, in: tx) == mark,
            let touched = try touched(after: mark.number, upTo: newest.number, in: tx)
        else { return nil }
        var terms = TouchedTerms()
        terms.accounts = touched.accounts
        terms.subscriptions = touched.subscriptions
        terms.plans = touched.plans
        if !touched.subscriptions.isEmpty {
            let rows = try tx.query(
                """
                SELECT DISTINCT account_id, tenant_id FROM subscriptions
                WHERE subscription_id = ANY(\(Array(touched.subscriptions))::uuid[])
                """)
            for row in rows {
                terms.tenants.insert(
                    TenantReference(accountID: try row.decode("account_id"), tenantID: try row.decode("tenant_id")))
            }
        }
        return (terms, newest)
    }

    private static let selectMark: SQL = """
        SELECT number, kind || ' ' || entity || ' ' || changed_at FROM snapshot_changes
        """
}
