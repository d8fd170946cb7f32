public import Identity
public import Postgres

/// Answers kept so that a call repeated with the same `Idempotency-Key` changes nothing.
///
/// `begin`, the work and `finish` belong into one transaction: then a call that died left nothing behind. A second call
/// with the same key meanwhile is told that the first is under way.
public enum IdempotencyStorage {
    /// How long an answer is kept: 24 hours, the custom of the field.
    public static let keptMilliseconds: Int64 = 86_400_000

    /// What the caller has to do.
    public enum Beginning: Hashable, Sendable {
        /// The key is new: do the work, then `finish`.
        case first
        /// The work was done before: answer this.
        case done(status: Int, body: String)
        /// Another call with this key is under way: answer 409.
        case running
        /// The key was used for another call: answer 422.
        case mismatch
    }

    /// Claims the key for this call.
    public static func begin(
        adminKey: AdminKeyID, key: String, methodAndPath: String, requestDigest: SHA256Digest, now: Timestamp,
        in tx: Transaction
    ) throws -> Beginning {
        try tx.execute(
            """
            DELETE FROM idempotency_keys WHERE admin_key_id = \(adminKey) AND idempotency_key = \(key)
                AND created_at < \(now.advanced(byMilliseconds: -keptMilliseconds))
            """)
        let call = (methodAndPath: methodAndPath, digest: requestDigest)
        if let kept = try kept(adminKey: adminKey, key: key, call, in: tx) { return kept }
        // The first call holds this until its transaction ends. Waiting for it would hold a connection for each repeat.
        let isFree = try tx.query(
            "SELECT pg_try_advisory_xact_lock(hashtextextended(\(adminKey.description) || ' ' || \(key), 0))"
        ).onlyValue(as: Bool.self)
        guard isFree else { return .running }
        let inserted = try tx.execute(
            """
            INSERT INTO idempotency_keys (
                admin_key_id, idempotency_key, method_and_path, request_sha256, state, created_at
            ) VALUES (\(adminKey), \(key), \(methodAndPath), \(requestDigest.hexadecimal), 'running', \(now))
            ON CONFLICT DO NOTHING
            """)
        if inserted == 1 { return .first }
        return try kept(adminKey: adminKey, key: key, call, in: tx) ?? .running
    }

    /// What is kept under the key; nil where nothing is.
    private static func kept(
        adminKey: AdminKeyID, key: String, _ call: (methodAndPath: String, digest: SHA256Digest), in tx: Transaction
    ) throws -> Beginning? {
        let rows = try tx.query(
            """
            SELECT method_and_path, request_sha256, state, status, body FROM idempotency_keys
            WHERE admin_key_id = \(adminKey) AND idempotency_key = \(key)
            """)
        guard let row = rows.first else { return nil }
        guard try row.decode("method_and_path", as: String.self) == call.methodAndPath,
            try row.decode("request_sha256", as: String.self) == call.digest.hexadecimal
        else { return .mismatch }
        guard try row.decode("state", as: String.self) == "done" else { return .running }
        return .done(status: try row.decode("status"), body: try row.decode("body"))
    }

    /// Keeps the answer.
    public static func finish(
        adminKey: AdminKeyID, key: String, status: Int, body: String, in tx: Transaction
    ) throws {
        try tx.execute(
            """
            UPDATE idempotency_keys SET state = 'done', status = \(status), body = \(body)
            WHERE admin_key_id = \(adminKey) AND idempotency_key = \(key)
            """)
    }

    /// Gives the key free again: the work failed and changed nothing, so it may be tried again with the same key.
    public static func abandon(adminKey: AdminKeyID, key: String, in tx: Transaction) throws {
        try tx.execute(
            """
            DELETE FROM idempotency_keys
            WHERE admin_key_id = \(adminKey) AND idempotency_key = \(key) AND state = 'running'
            """)
    }

    /// Removes answers that nobody will ask for any more; returns how many.
    @discardableResult
    public static func removeExpired(now: Timestamp, in tx: Transaction) throws -> Int {
        try tx.execute(
            "DELETE FROM idempotency_keys WHERE created_at < \(now.advanced(byMilliseconds: -keptMilliseconds))")
    }
}
