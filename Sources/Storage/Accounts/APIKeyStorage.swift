public import Accounts
public import Identity
public import Postgres

/// API keys: only digests of their secrets are here.
public enum APIKeyStorage {
    /// Stores a new key of a project.
    public static func insert(_ key: APIKey, in tx: Transaction) throws {
        try StorageError.requireName(key.name)
        let project = try ProjectStorage.require(key.projectID, in: tx)
        guard project.accountID == key.accountID, project.tenantID == key.tenantID else {
            throw StorageError.invalid(parameter: "project", message: "\(project.id) belongs to another tenant")
        }
        try tx.execute(
            """
            INSERT INTO api_keys (
                account_id, key_id, tenant_id, project_id, name, secret_sha256, secret_hint, created_at
            ) VALUES (
                \(key.accountID), \(key.id), \(key.tenantID), \(key.projectID), \(key.name), \(key.secretDigest),
                \(key.secretHint), \(key.createdAt)
            )
            """)
        try ChangeStorage.record(.key, entity: key.id.description, in: tx)
    }

    /// The key, or nil.
    public static func find(_ id: KeyID, in tx: Transaction) throws -> APIKey? {
        try tx.query("\(select) WHERE key_id = \(id)").first.map(key)
    }

    /// The key; `.notFound` when there is none.
    public static func require(_ id: KeyID, in tx: Transaction) throws -> APIKey {
        guard let key = try find(id, in: tx) else { throw StorageError.notFound("API key \(id)") }
        return key
    }

    /// The key, which nobody else changes until the transaction ends; `.notFound` when there is none.
    public static func lock(_ id: KeyID, in tx: Transaction) throws -> APIKey {
        let account = try require(id, in: tx).accountID
        return try tx.query("\(select) WHERE account_id = \(account) AND key_id = \(id) FOR UPDATE").first.map(key)
            ?? require(id, in: tx)
    }

    /// A page of the keys of a tenant, a project, or all; revoked ones too.
    public static func list(
        tenant: TenantID? = nil, project: ProjectID? = nil, _ page: PageRequest = PageRequest(), in tx: Transaction
    ) throws -> Page<APIKey> {
        let rows = try tx.query(
            """
            \(select)
            WHERE key_id > \(page.afterOrZero) AND (\(tenant)::uuid IS NULL OR tenant_id = \(tenant))
                AND (\(project)::uuid IS NULL OR project_id = \(project))
            ORDER BY key_id LIMIT \(page.limitAndOne)
            """)
        return Page(try rows.map(key), page)
    }

    /// Puts `successor` (of the same project) in the place of a key, which goes on working until `expiresAt`.
    public static func rotate(
        _ id: KeyID, to successor: APIKey, expiresAt: Timestamp, now: Timestamp, in tx: Transaction
    ) throws {
        let old = try lock(id, in: tx)
        guard old.revokedAt == nil, old.replacedBy == nil else {
            throw StorageError.conflict("API key \(id) was \(old.revokedAt == nil ? "rotated" : "revoked") already")
        }
        guard successor.projectID == old.projectID else {
            throw StorageError.invalid(parameter: "project", message: "a key is replaced by one of its own project")
        }
        guard expiresAt >= now, expiresAt <= now.advanced(byMilliseconds: APIKey.overlapMillisecondsMax) else {
            throw StorageError.invalid(
                parameter: "expires_at", message: "the old key may go on working for at most 30 days from now")
        }
        try insert(successor, in: tx)
        try tx.execute(
            """
            UPDATE api_keys SET expires_at = \(expiresAt), replaced_by = \(successor.id)
            WHERE account_id = \(old.accountID) AND key_id = \(id)
            """)
        try ChangeStorage.record(.key, entity: id.description, in: tx)
    }

    /// Revokes a key: gateways refuse it within a second. Revoking it again changes nothing.
    @discardableResult
    public static func revoke(_ id: KeyID, now: Timestamp, in tx: Transaction) throws -> APIKey {
        let key = try lock(id, in: tx)
        if key.revokedAt != nil { return key }
        try tx.execute(
            """
            UPDATE api_keys SET revoked_at = \(now) WHERE account_id = \(key.accountID) AND key_id = \(id)
            """)
        try ChangeStorage.record(.key, entity: id.description, in: tx)
        return try require(id, in: tx)
    }

    /// Revokes every key of an account.
    public static func revokeAll(of account: AccountID, now: Timestamp, in tx: Transaction) throws {
        let revoked: [KeyID] = try tx.query(
            """
            UPDATE api_keys SET revoked_at = \(now) WHERE account_id = \(account) AND revoked_at IS NULL
            RETURNING key_id
            """
        ).decodeAll()
        for id in revoked.sorted() { try ChangeStorage.record(.key, entity: id.description, in: tx) }
    }

    static let select: SQL = """
        SELECT account_id, key_id, tenant_id, project_id, name, secret_sha256, secret_hint, created_at, expires_at,
            revoked_at, replaced_by
        FROM api_keys
        """

    static func key(_ row: Row) throws -> APIKey {
        APIKey(
            id: try row.decode("key_id"), accountID: try row.decode("account_id"),
            tenantID: try row.decode("tenant_id"), projectID: try row.decode("project_id"),
            name: try row.decode("name"), secretDigest: try row.decode("secret_sha256"),
            secretHint: try row.decode("secret_hint"), createdAt: try row.decode("created_at"),
            expiresAt: try row.decode("expires_at"), revokedAt: try row.decode("revoked_at"),
            replacedBy: try row.decode("replaced_by"))
    }
}
