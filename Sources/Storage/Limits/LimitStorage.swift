import Accounts
import Engines
public import Identity
public import Limits
public import Postgres

/// A limit as it is stored.
public struct StoredLimit: Hashable, Sendable {
    public let rule: LimitRule
    public let createdAt: Timestamp
    public let updatedAt: Timestamp

    public init(rule: LimitRule, createdAt: Timestamp, updatedAt: Timestamp) {
        self.rule = rule
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }
}

/// Limits: rules only. What is left of them is in `LimitSliceStorage`.
public enum LimitStorage {
    /// The billing account of whom a limit is about; `.notFound` when there is no such key, project, tenant or account.
    public static func account(of scope: LimitScope, in tx: Transaction) throws -> AccountID {
        switch scope {
        case .account(let id): try AccountStorage.require(id, in: tx).id
        case .tenant(let id): try TenantStorage.require(id, in: tx).accountID
        case .project(let id): try ProjectStorage.require(id, in: tx).accountID
        case .key(let id): try APIKeyStorage.require(id, in: tx).accountID
        }
    }

    /// The model's own name, by which requests are held to limits; `name` may be an alias. A name that the catalogue
    /// does not have is refused: nothing would ever be held to such a limit.
    public static func model(named name: String?, in tx: Transaction) throws -> String? {
        guard let name else { return nil }
        guard let model = try CatalogueStorage.ownName(of: name, in: tx) else {
            throw StorageError.invalid(
                parameter: "model",
                message: "the catalogue has no model '\(name.prefix(200))'; a limit on it would never be enforced")
        }
        return model
    }

    /// Stores a new limit, of which everything is left. Its model goes by the name that the catalogue has for it.
    public static func insert(_ rule: LimitRule, now: Timestamp, in tx: Transaction) throws {
        let model = try model(named: rule.model, in: tx)
        let inserted = try tx.execute(
            """
            INSERT INTO limits (
                account_id, limit_id, scope, scope_id, model, kind, value, is_shadow, created_at, updated_at
            ) VALUES (
                \(rule.accountID), \(rule.id), \(rule.scope.name), \(rule.scope.uuid), \(model ?? ""),
                \(rule.kind.rawValue), \(rule.value), \(rule.isShadow), \(now), \(now)
            ) ON CONFLICT (account_id, scope_id, model, kind, is_shadow) DO NOTHING
            """)
        guard inserted == 1 else {
            let sort = rule.isShadow ? "limit in shadow" : "limit"
            throw StorageError.conflict(
                "\(rule.scope.text) has a \(sort) on \(rule.kind.words) for \(model ?? "all models") already: "
                    + "change that one")
        }
        try tx.execute(
            """
            INSERT INTO limit_levels (account_id, limit_id, level, updated_at)
            VALUES (\(rule.accountID), \(rule.id), \(TokenBucket(holding: rule.value, at: 0).level), \(now))
            """)
        try ChangeStorage.record(.limit, entity: rule.id.description, in: tx)
    }

    /// Changes a limit's value or whether it is enforced. What was taken of it stays taken.
    @discardableResult
    public static func update(
        _ id: LimitID, value: Int64?, isShadow: Bool?, now: Timestamp, in tx: Transaction
    ) throws -> StoredLimit {
        let old = try require(id, in: tx)
        let rule = old.rule
        if let isShadow, isShadow != rule.isShadow {
            let twin = try find(rule.scope, model: rule.model, kind: rule.kind, isShadow: isShadow, in: tx)
            guard twin == nil else {
                throw StorageError.conflict(
                    "\(twin?.rule.id.description ?? "") is such a limit already: delete one of the two")
            }
        }
        try tx.execute(
            """
            UPDATE limits SET value = \(value ?? rule.value), is_shadow = \(isShadow ?? rule.isShadow),
                updated_at = \(now)
            WHERE account_id = \(rule.accountID) AND limit_id = \(id)
            """)
        try ChangeStorage.record(.limit, entity: id.description, in: tx)
        return try require(id, in: tx)
    }

    /// Deletes a limit. Requests that hold some of it go on.
    public static func delete(_ id: LimitID, in tx: Transaction) throws {
        let rule = try require(id, in: tx).rule
        try tx.execute("DELETE FROM limits WHERE account_id = \(rule.accountID) AND limit_id = \(id)")
        try ChangeStorage.record(.limit, entity: id.description, in: tx)
    }

    /// Deletes every limit of an account.
    public static func deleteAll(of account: AccountID, in tx: Transaction) throws {
        let deleted: [LimitID] = try tx.query(
            "DELETE FROM limits WHERE account_id = \(account) RETURNING limit_id"
        ).decodeAll()
        for id in deleted.sorted() { try ChangeStorage.record(.limit, entity: id.description, in: tx) }
    }

    /// The limit, or nil.
    public static func find(_ id: LimitID, in tx: Transaction) throws -> StoredLimit? {
        try tx.query("\(select) WHERE limit_id = \(id)").first.map(limit)
    }

    /// The one limit of this sort, or nil.
    public static func find(
        _ scope: LimitScope, model: String?, kind: LimitKind, isShadow: Bool, in tx: Transaction
    ) throws -> StoredLimit? {
        try tx.query(
            """
            \(select)
            WHERE scope_id = \(scope.uuid) AND model = \(model ?? "") AND kind = \(kind.rawValue)
                AND is_shadow = \(isShadow)
            """
        ).first.map(limit)
    }

    /// The limit; `.notFound` when there is none.
    public static func require(_ id: LimitID, in tx: Transaction) throws -> StoredLimit {
        guard let found = try find(id, in: tx) else { throw StorageError.notFound("limit \(id)") }
        return found
    }

    /// The limit, which nobody else changes until the transaction ends; `.notFound` when there is none.
    public static func lock(_ id: LimitID, in tx: Transaction) throws -> StoredLimit {
        let account = try require(id, in: tx).rule.accountID
        return try tx.query("\(select) WHERE account_id = \(account) AND limit_id = \(id) FOR UPDATE").first.map(limit)
            ?? require(id, in: tx)
    }

    /// A page of the limits of an account, of one scope, or all.
    public static func list(
        account: AccountID? = nil, scope: LimitScope? = nil, _ page: PageRequest = PageRequest(), in tx: Transaction
    ) throws -> Page<StoredLimit> {
        let rows = try tx.query(
            """
            \(select)
            WHERE limit_id > \(page.afterOrZero) AND (\(account)::uuid IS NULL OR account_id = \(account))
                AND (\(scope?.uuid)::uuid IS NULL OR scope_id = \(scope?.uuid))
            ORDER BY limit_id LIMIT \(page.limitAndOne)
            """)
        return Page(try rows.map(limit), page)
    }

    /// Rules for a gateway's snapshot, and what is wrong with those that do not read.
    typealias Rules = (rules: [LimitRule], faults: [ServiceFault])

    /// Every rule.
    static func rules(in tx: Transaction) throws -> Rules { try rules(of: tx.query(select)) }

    /// The rules among these that exist.
    static func rules(_ ids: Set<LimitID>, in tx: Transaction) throws -> Rules {
        guard !ids.isEmpty else { return ([], []) }
        return try rules(of: tx.query("\(select) WHERE limit_id = ANY(\(Array(ids))::uuid[])"))
    }

    private static func rules(of rows: Rows) throws -> Rules {
        var result: Rules = ([], [])
        for row in rows {
            let id = try row.decode("limit_id", as: LimitID.self)
            switch try UnreadableRow.reading({ try limit(row).rule }) {
            case .success(let rule): result.rules.append(rule)
            case .failure(let error):
                result.rules.append(try closed(row, id))
                result.faults.append(.unreadable(.limit, "\(id)", error.reason))
            }
        }
        return result
    }

    /// Stands for a limit that does not read. Nothing is admitted without a grant, so it lets nothing pass: of whom it
    /// is about, or of its account where that does not read.
    private static func closed(_ row: Row, _ id: LimitID) throws -> LimitRule {
        let account = try row.decode("account_id", as: AccountID.self)
        let scope = LimitScope(name: try row.decode("scope"), uuid: try row.decode("scope_id"))
        let model = try row.decode("model", as: String.self)
        return LimitRule(
            id: id, accountID: account, scope: scope ?? .account(account), model: model.isEmpty ? nil : model,
            kind: .requestsPerMinute, value: 0, isShadow: try row.decode("is_shadow"))
    }

    private static let select: SQL = """
        SELECT account_id, limit_id, scope, scope_id, model, kind, value, is_shadow, created_at, updated_at FROM limits
        """

    private static func limit(_ row: Row) throws -> StoredLimit {
        let name: String = try row.decode("scope")
        guard let scope = LimitScope(name: name, uuid: try row.decode("scope_id")) else {
            throw StorageError.corrupt("column scope holds \"\(name)\"")
        }
        let model: String = try row.decode("model")
        return StoredLimit(
            rule: LimitRule(
                id: try row.decode("limit_id"), accountID: try row.decode("account_id"), scope: scope,
                model: model.isEmpty ? nil : model, kind: try row.value("kind"), value: try row.decode("value"),
                isShadow: try row.decode("is_shadow")),
            createdAt: try row.decode("created_at"), updatedAt: try row.decode("updated_at"))
    }
}
