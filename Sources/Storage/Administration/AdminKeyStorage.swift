public import Accounts
public import Identity
public import Postgres

/// Keys of the admin API.
public enum AdminKeyStorage {
    /// Stores a new key.
    public static func insert(_ key: AdminKey, in tx: Transaction) throws {
        try StorageError.requireName(key.name)
        try tx.execute(
            """
            INSERT INTO admin_keys (admin_key_id, name, role, secret_sha256, secret_hint, created_at)
            VALUES (
                \(key.id), \(key.name), \(key.role.rawValue), \(key.secretDigest), \(key.secretHint), \(key.createdAt)
            )
            """)
    }

    /// The key whose secret has this digest, if it was not revoked.
    public static func find(secretDigest: SHA256Digest, in tx: Transaction) throws -> AdminKey? {
        try tx.query("\(select) WHERE secret_sha256 = \(secretDigest) AND revoked_at IS NULL").first.map(key)
    }

    /// The key, or nil.
    public static func find(_ id: AdminKeyID, in tx: Transaction) throws -> AdminKey? {
        try tx.query("\(select) WHERE admin_key_id = \(id)").first.map(key)
    }

    /// The key; `.notFound` when there is none.
    public static func require(_ id: AdminKeyID, in tx: Transaction) throws -> AdminKey {
        guard let key = try find(id, in: tx) else { throw StorageError.notFound("admin key \(id)") }
        return key
    }

    /// A page of all keys, revoked ones too.
    public static func list(_ page: PageRequest = PageRequest(), in tx: Transaction) throws -> Page<AdminKey> {
        let rows = try tx.query(
            "\(select) WHERE admin_key_id > \(page.afterOrZero) ORDER BY admin_key_id LIMIT \(page.limitAndOne)")
        return Page(try rows.map(key), page)
    }

    /// The key, which nobody else changes until the transaction ends, nor any of the role `admin`; `.notFound` when
    /// there is none.
    public static func lock(_ id: AdminKeyID, in tx: Transaction) throws -> AdminKey {
        _ = try tx.query(
            """
            SELECT 1 FROM admin_keys WHERE role = 'admin' OR admin_key_id = \(id) ORDER BY admin_key_id FOR UPDATE
            """)
        return try require(id, in: tx)
    }

    /// Revokes a key; the last one of the role `admin` stays.
    public static func revoke(_ id: AdminKeyID, now: Timestamp, in tx: Transaction) throws {
        let key = try lock(id, in: tx)
        if key.revokedAt != nil { return }
        let others = try tx.query(
            """
            SELECT count(*) FROM admin_keys
            WHERE role = 'admin' AND revoked_at IS NULL AND admin_key_id <> \(id)
            """
        ).onlyValue(as: Int.self)
        guard key.role != .admin || others > 0 else {
            throw StorageError.conflict("\(id) is the last key of the role admin: make another one first")
        }
        try tx.execute("UPDATE admin_keys SET revoked_at = \(now) WHERE admin_key_id = \(id)")
    }

    private static let select: SQL = """
        SELECT admin_key_id, name, role, secret_sha256, secret_hint, created_at, revoked_at FROM admin_keys
        """

    private static func key(_ row: Row) throws -> AdminKey {
        AdminKey(
            id: try row.decode("admin_key_id"), name: try row.decode("name"), role: try row.value("role"),
            secretDigest: try row.decode("secret_sha256"), secretHint: try row.decode("secret_hint"),
            createdAt: try row.decode("created_at"), revokedAt: try row.decode("revoked_at"))
    }
}
