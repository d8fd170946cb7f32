public import Accounts
public import Engines
public import Identity
public import Limits
public import Postgres
public import Pricing

/// A part of what gateways are supplied with: rows of a load of everything, or of one difference. Applying a part again
/// changes nothing.
public struct SnapshotPart: Sendable {
    /// Test clocks. Those of a load leave out the tenants whose account has none that was moved.
    public var clocks: [SuppliedClock] = []
    /// Whole histories of plans, by slug.
    public var histories: [String: PlanHistory] = [:]
    /// Keys that were not revoked.
    public var keys: [SuppliedKey] = []
    /// Keys that were.
    public var removedKeys: [SHA256Digest] = []
    /// Keys of which no row is left: those of deleted accounts.
    public var goneKeys: Set<KeyID> = []
    /// Tenants whose subscriptions are those of this part and no others.
    public var replacedTenants: [TenantReference] = []
    /// Subscriptions that have not ended, those that begin in the future too.
    public var subscriptions: [SuppliedSubscription] = []
    /// Limits made or changed.
    public var limits: [LimitRule] = []
    /// Limits deleted.
    public var removedLimits: [LimitID] = []
    /// The whole catalogue; nil when it did not change.
    public var models: [CatalogueModel]?
    /// All secrets of backends, by name; there whenever the catalogue is.
    public var secrets: [String: BackendSecret]?
    /// Rows that do not read; all others are in the part.
    public var faults: [ServiceFault] = []
    /// Subscriptions that do not read, each with its tenant, by which it is said anew.
    public var subscriptionFaults: [SubscriptionFault] = []
    /// Keys that a difference was read for, revoked ones too: what was wrong with them before is not any more.
    public var readKeys: Set<KeyID> = []
    /// Under which gateways seal ids of files and batches; nil where the part does not say.
    public var sealingSecret: [UInt8]?

    /// A subscription that does not read.
    public struct SubscriptionFault: Hashable, Sendable {
        public let tenant: TenantReference
        public let fault: ServiceFault

        init(_ tenant: TenantReference, _ id: SubscriptionID, _ error: UnreadableRow) {
            self.tenant = tenant
            fault = .unreadable(.subscription, "\(id)", error.reason)
        }
    }

    public init() {}

    /// Whether it says nothing.
    public var isEmpty: Bool {
        clocks.isEmpty && histories.isEmpty && keys.isEmpty && removedKeys.isEmpty && goneKeys.isEmpty
            && replacedTenants.isEmpty
            && subscriptions.isEmpty && limits.isEmpty && removedLimits.isEmpty && models == nil && secrets == nil
            && faults.isEmpty && subscriptionFaults.isEmpty && readKeys.isEmpty && sealingSecret == nil
    }
}

/// What gateways are supplied with.
public enum SnapshotStorage {
    /// Rows handed over at once while everything is loaded.
    static let partRowsMax = 4096
    /// How long one statement of a load may take; the usual limit is for short ones.
    private static let loadSecondsMax = 600

    /// Reads everything, in parts, so that no more than one part is in memory beside what is made of it. Run it in a
    /// REPEATABLE READ transaction, so that all of it is of one moment.
    public static func load(
        now: Timestamp, in tx: Transaction, _ take: (SnapshotPart) throws -> Void
    ) throws -> ChangeMark {
        let mark = try ChangeStorage.newest(in: tx)
        try tx.execute("SET LOCAL statement_timeout = '\(unescaped: String(loadSecondsMax))s'")
        var first = SnapshotPart()
        first.histories = try PlanStorage.histories(in: tx)
        first.models = try CatalogueStorage.models(in: tx)
        try takeSecrets(in: tx, into: &first)
        try takeLimits(LimitStorage.rules(in: tx), into: &first)
        first.sealingSecret = try InstallationStorage.sealingSecret(in: tx)
        try take(first)
        // The keys' and subscriptions' real and billing times are compared with this.
        let time: SQL = "(timestamptz 'epoch' + \(unescaped: String(now.milliseconds)) * interval '1 millisecond')"
        var part = SnapshotPart()
        func handOver(whenOver rows: Int) throws {
            guard part.keys.count + part.subscriptions.count + part.clocks.count > rows else { return }
            try take(part)
            part = SnapshotPart()
        }
        let clocks = try SandboxStorage.clocks(in: tx)
        try tx.copyOut("\(selectClocks) WHERE a.clock_offset_ms <> 0") { row in
            let tenant = TenantReference(accountID: try id(row, 0), tenantID: try id(row, 1))
            guard let clock = clocks[try id(row, 2)] else {
                throw StorageError.corrupt("the clock of account \(tenant.accountID) has no moves")
            }
            part.clocks.append(SuppliedClock(tenant: tenant, clock: clock))
            try handOver(whenOver: partRowsMax)
        }
        try tx.copyOut(
            "\(selectKeys) WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > \(time))"
        ) { row in
            switch try UnreadableRow.reading({ try key(row) }) {
            case .success(let key): part.keys.append(key)
            case .failure(let error):
                part.faults.append(.unreadable(.key, "\(try id(row, 0) as KeyID)", error.reason))
            }
            try handOver(whenOver: partRowsMax)
        }
        try tx.copyOut(
            """
            \(selectSubscriptions) JOIN accounts a USING (account_id)
            WHERE ends_at IS NULL OR ends_at > \(time) + interval '1 millisecond' * clock_offset_ms
            """
        ) { row in
            switch try UnreadableRow.reading({ try subscription(row) }) {
            case .success(let subscription): part.subscriptions.append(subscription)
            case .failure(let error):
                let tenant = TenantReference(accountID: try id(row, 1), tenantID: try id(row, 2))
                part.subscriptionFaults.append(.init(tenant, try id(row, 0), error))
            }
            try handOver(whenOver: partRowsMax)
        }
        try handOver(whenOver: 0)
        return mark
    }

    /// What changed after `mark`, read by the ids that the changes name; nil when everything must be loaded: too much
    /// changed, a change is of a kind unknown here, or the database is not the one that `mark` was read from (it was
    /// restored from a backup). Run it in a REPEATABLE READ transaction.
    public static func difference(
        since mark: ChangeMark, in tx: Transaction
    ) throws -> (part: SnapshotPart, mark: ChangeMark)? {
        let newest = try ChangeStorage.newest(in: tx)
        let known = try ChangeStorage.seenEverywhere(upTo: mark.number, in: tx)
        if newest == mark, known == mark.number { return (SnapshotPart(), mark) }
        guard newest.number >= mark.number, try ChangeStorage.mark(of: mark.number, in: tx) == mark,
            let touched = try ChangeStorage.touched(after: known, upTo: newest.number, in: tx)
        else { return nil }
        guard var part = try rows(of: touched, in: tx) else { return nil }
        for plan in touched.plans { part.histories[plan] = try PlanStorage.history(of: plan, in: tx) }
        try takeLimits(LimitStorage.rules(touched.limits, in: tx), into: &part)
        part.removedLimits = touched.limits.subtracting(part.limits.map(\.id)).sorted()
        if touched.isCatalogueTouched {
            part.models = try CatalogueStorage.models(in: tx)
            try takeSecrets(in: tx, into: &part)
        }
        return (part, newest)
    }

    private static func takeSecrets(in tx: Transaction, into part: inout SnapshotPart) throws {
        let read = try SecretStorage.all(in: tx)
        part.secrets = read.secrets
        part.faults += read.faults
    }

    private static func takeLimits(_ read: LimitStorage.Rules, into part: inout SnapshotPart) {
        part.limits = read.rules
        part.faults += read.faults
    }

    private static func rows(of touched: TouchedEntities, in tx: Transaction) throws -> SnapshotPart? {
        var part = SnapshotPart()
        let keyRows = try tx.query("\(APIKeyStorage.select) WHERE key_id = ANY(\(Array(touched.keys))::uuid[])")
        let keys = keyRows.compactMap { row in try? UnreadableRow.reading { try APIKeyStorage.key(row) }.get() }
        // Of a key that does not read any more only a load of everything says what is wrong.
        guard keys.count == keyRows.count else { return nil }
        part.readKeys = touched.keys
        part.goneKeys = touched.keys.subtracting(keys.map(\.id))
        for key in keys {
            guard key.revokedAt == nil else {
                part.removedKeys.append(key.secretDigest)
                continue
            }
            part.keys.append(
                SuppliedKey(
                    id: key.id, accountID: key.accountID, tenantID: key.tenantID, projectID: key.projectID,
                    secretDigest: key.secretDigest, expiresAt: key.expiresAt))
        }
        let subscribed: [TenantID] = try tx.query(
            """
            SELECT DISTINCT tenant_id FROM subscriptions
            WHERE subscription_id = ANY(\(Array(touched.subscriptions))::uuid[])
            """
        ).decodeAll()
        let tenants = try tx.query(
            """
            SELECT account_id, tenant_id, sandbox_id FROM tenants JOIN accounts a USING (account_id)
            WHERE account_id = ANY(\(Array(touched.accounts))::uuid[])
                OR tenant_id = ANY(\(subscribed + touched.tenants)::uuid[])
            """)
        let sandboxes = try tenants.map { try $0.decode("sandbox_id", as: SandboxID?.self) }
        let clocks = try SandboxStorage.clocks(of: Set(sandboxes.compactMap(\.self)), in: tx)
        for (row, sandbox) in zip(tenants, sandboxes) {
            let tenant = TenantReference(
                accountID: try row.decode("account_id"), tenantID: try row.decode("tenant_id"))
            let clock = sandbox.flatMap { clocks[$0] } ?? TestClock()
            part.clocks.append(SuppliedClock(tenant: tenant, clock: clock))
            part.replacedTenants.append(tenant)
        }
        let rows = try tx.query(
            """
            \(SubscriptionStorage.select)
            WHERE (account_id, tenant_id) IN (
                SELECT * FROM unnest(
                    \(part.replacedTenants.map(\.accountID))::uuid[], \(part.replacedTenants.map(\.tenantID))::uuid[]
                )
            )
            """
        )
        for row in rows {
            switch try UnreadableRow.reading({ try SubscriptionStorage.subscription(row) }) {
            case .success(let row):
                part.subscriptions.append(
                    SuppliedSubscription(
                        id: row.id, tenant: TenantReference(accountID: row.accountID, tenantID: row.tenantID),
                        plan: row.plan, startsAt: row.startsAt, endsAt: row.endsAt))
            case .failure(let error):
                let tenant = TenantReference(
                    accountID: try row.decode("account_id"), tenantID: try row.decode("tenant_id"))
                part.subscriptionFaults.append(.init(tenant, try row.decode("subscription_id"), error))
            }
        }
        return part
    }
}

// MARK: - Rows of a load

extension SnapshotStorage {
    private static let selectClocks: SQL = """
        SELECT t.account_id, t.tenant_id, a.sandbox_id FROM tenants t JOIN accounts a USING (account_id)
        """

    private static let selectKeys: SQL = """
        SELECT key_id, account_id, tenant_id, project_id, secret_sha256, expires_at FROM api_keys
        """

    private static let selectSubscriptions: SQL = """
        SELECT subscription_id, account_id, tenant_id, plan, starts_at, ends_at FROM subscriptions
        """

    private static func id<Kind>(_ row: CopiedRow, _ column: Int) throws -> TypedID<Kind> {
        let (high, low) = try row.uuid(column)
        return TypedID(UUIDv7(high: high, low: low))
    }

    private static func instant(_ row: CopiedRow, _ column: Int) throws -> Timestamp? {
        try row.milliseconds(column).map { Timestamp(milliseconds: $0) }
    }

    private static func key(_ row: CopiedRow) throws -> SuppliedKey {
        guard let digest = SHA256Digest(bytes: try row.bytes(4, count: 32)) else {
            throw StorageError.corrupt("a key's digest has not 32 bytes")
        }
        return SuppliedKey(
            id: try id(row, 0), accountID: try id(row, 1), tenantID: try id(row, 2), projectID: try id(row, 3),
            secretDigest: digest, expiresAt: try instant(row, 5))
    }

    private static func subscription(_ row: CopiedRow) throws -> SuppliedSubscription {
        guard let start = try instant(row, 4) else { throw StorageError.corrupt("a subscription has no start") }
        return SuppliedSubscription(
            id: try id(row, 0), tenant: TenantReference(accountID: try id(row, 1), tenantID: try id(row, 2)),
            plan: try row.text(3), startsAt: start, endsAt: try instant(row, 5))
    }
}
