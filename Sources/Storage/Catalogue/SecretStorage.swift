public import Engines
public import Identity
public import Postgres

/// 12 random bytes, for one encryption.
public enum SecretNonce {
    /// Random bytes of the system.
    public static func fresh() -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<12).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }
}

/// Secrets of backends. A value goes in and, but for gateways, never comes out.
public enum SecretStorage {
    /// The most that there may be.
    public static let countMax = 1000

    /// A secret and who uses it.
    public struct Entry: Hashable, Sendable {
        public let secret: BackendSecret
        /// Names, in order.
        public let backends: [String]
    }

    /// Makes or replaces a secret. Setting the same value and hosts again changes nothing.
    /// - Parameter hosts: nil keeps those that it has.
    @discardableResult
    public static func set(
        _ name: String, to value: String, hosts: [SecretHost]?, by keyring: SecretKeyring, now: Timestamp,
        in tx: Transaction
    ) throws -> Entry {
        guard BackendSecret.isName(name) else {
            throw StorageError.invalid(
                parameter: "secret", message: "a name has 1 to 63 letters, digits, dots, dashes and underscores")
        }
        guard BackendSecret.isValue(value) else {
            throw StorageError.invalid(
                parameter: "value",
                message: "it must be 1 to \(BackendSecret.valueBytesMax) visible ASCII characters on one line")
        }
        try CatalogueStorage.lock(in: tx)
        let old: Entry?
        switch try UnreadableRow.reading({ try find(name, in: tx) }) {
        case .success(let found): old = found
        // One that does not read is replaced.
        case .failure: old = nil
        }
        guard let hosts = hosts ?? old?.secret.hosts, (1...SecretHost.countMax).contains(hosts.count) else {
            throw StorageError.invalid(
                parameter: "hosts",
                message: "say where it may be sent: 1 to \(SecretHost.countMax) hosts, such as api.openai.com")
        }
        let fingerprint = keyring.fingerprint(of: value)
        if let old, old.secret.hosts == hosts, old.secret.fingerprint == fingerprint,
            old.secret.sealed.keyID == keyring.keyIDs[0]
        {
            return old
        }
        if old == nil, try tx.query("SELECT count(*) FROM secrets").onlyValue(as: Int.self) >= countMax {
            throw StorageError.conflict("there are \(countMax) secrets already; delete one that is not used")
        }
        try requireUsersWithin(hosts, secret: name, in: tx)
        let version = (old?.secret.version ?? 0) + 1
        let sealed = keyring.seal(
            value, nonce: SecretNonce.fresh(),
            context: BackendSecret.context(name: name, version: version, hosts: hosts))
        try tx.execute(
            """
            INSERT INTO secrets (secret, version, hosts, sealed, fingerprint, created_at, updated_at)
            VALUES (
                \(name), \(version), \(hosts.map(\.description)), \(sealed.description), \(fingerprint), \(now), \(now)
            )
            ON CONFLICT (secret) DO UPDATE SET version = excluded.version, hosts = excluded.hosts,
                sealed = excluded.sealed, fingerprint = excluded.fingerprint, updated_at = excluded.updated_at
            """)
        try recordChange(of: name, in: tx)
        return try require(name, in: tx)
    }

    /// The secret; `.notFound` when there is none.
    public static func require(_ name: String, in tx: Transaction) throws -> Entry {
        guard let found = try find(name, in: tx) else { throw StorageError.notFound("secret \(name)") }
        return found
    }

    /// All of them that read, by name.
    public static func list(in tx: Transaction) throws -> [Entry] {
        try tx.query("\(select) ORDER BY secret").compactMap { row -> Entry? in
            switch try UnreadableRow.reading({ try entry(row) }) {
            case .success(let entry): entry
            case .failure: nil
            }
        }
    }

    /// Deletes a secret that no backend names, and returns it as it was; nil where it did not read.
    @discardableResult
    public static func delete(_ name: String, in tx: Transaction) throws -> Entry? {
        try CatalogueStorage.lock(in: tx)
        guard let row = try tx.query("\(select) WHERE secret = \(name)").first else {
            throw StorageError.notFound("secret \(name)")
        }
        let backends: [String] = try row.decode("backends")
        guard backends.isEmpty else {
            throw StorageError.conflict(
                "the secret \(name) is used by \(backends.joined(separator: ", ")): take it out of the catalogue first")
        }
        let entry: Entry?
        switch try UnreadableRow.reading({ try self.entry(row) }) {
        case .success(let read): entry = read
        case .failure: entry = nil
        }
        try tx.execute("DELETE FROM secrets WHERE secret = \(name)")
        try recordChange(of: name, in: tx)
        return entry
    }

    /// What rotation did.
    public struct Rotation: Hashable, Sendable {
        public var secrets = 0
        public var backends = 0

        public init() {}
    }

    /// Encrypts everything anew under the keyring's first key that is not yet; values that a catalogue brought along
    /// and that were not encrypted are, too. All or nothing: what does not read cannot be encrypted, and is named.
    public static func rotate(to keyring: SecretKeyring, now: Timestamp, in tx: Transaction) throws -> Rotation {
        try CatalogueStorage.lock(in: tx)
        try requireReadable(in: tx)
        var rotation = Rotation()
        for secret in try list(in: tx).map(\.secret) where secret.sealed.keyID != keyring.keyIDs[0] {
            let context = BackendSecret.context(name: secret.name, version: secret.version, hosts: secret.hosts)
            let value: String
            do throws(SealedValueError) {
                value = try keyring.open(secret.sealed, context: context)
            } catch {
                switch error {
                case .unknownKey(let id):
                    throw StorageError.conflict(
                        "the secret \(secret.name) is encrypted under the key \(id), which is not here: keep old keys "
                            + "in secrets.key_file until everything was encrypted anew")
                case .doesNotOpen:
                    throw StorageError.conflict(
                        "the secret \(secret.name) does not decrypt: set it again or delete it")
                }
            }
            let sealed = keyring.seal(value, nonce: SecretNonce.fresh(), context: context)
            try tx.execute(
                """
                UPDATE secrets SET sealed = \(sealed.description), fingerprint = \(keyring.fingerprint(of: value))
                WHERE secret = \(secret.name)
                """)
            rotation.secrets += 1
        }
        rotation.backends = try CatalogueStorage.reseal(by: keyring, now: now, in: tx)
        if rotation != Rotation() { try recordChange(of: "*", in: tx) }
        return rotation
    }

    private static func requireReadable(in tx: Transaction) throws {
        let backends = try CatalogueStorage.backends(in: tx).compactMap(\.outOfService)
        let faults = try all(in: tx).faults + backends
        guard faults.isEmpty else {
            let names = faults.map { "\($0.kind.rawValue) \($0.name) (\($0.reason))" }.joined(separator: ", ")
            throw StorageError.conflict(
                "nothing was encrypted anew, because this does not read: \(names). Set it again, apply it again or "
                    + "delete it first")
        }
    }

    /// All of them, by name, for gateways, and what is wrong with those that do not read.
    static func all(in tx: Transaction) throws -> (secrets: [String: BackendSecret], faults: [ServiceFault]) {
        var (secrets, faults): ([String: BackendSecret], [ServiceFault]) = ([:], [])
        for row in try tx.query("\(select) ORDER BY secret") {
            let name = try row.decode("secret", as: String.self)
            switch try UnreadableRow.reading({ try secret(row) }) {
            case .success(let secret): secrets[name] = secret
            case .failure(let error): faults.append(.unreadable(.secret, name, error.reason))
            }
        }
        return (secrets, faults)
    }

    /// Where each secret may be sent.
    static func hosts(in tx: Transaction) throws -> [String: [SecretHost]] {
        try all(in: tx).secrets.mapValues(\.hosts)
    }

    /// Gateways learn of a secret as of any change of the catalogue.
    private static func recordChange(of name: String, in tx: Transaction) throws {
        try ChangeStorage.record(.catalogue, entity: "secret \(name)", in: tx)
    }

    private static func requireUsersWithin(
        _ hosts: [SecretHost], secret: String, in tx: Transaction
    ) throws {
        for backend in try CatalogueStorage.backends(in: tx) where backend.secretNames.values.contains(secret) {
            guard let address = backend.addressOutside(hosts) else { continue }
            throw StorageError.conflict(
                "the backend \(backend.name) sends the secret \(secret) to \(address), which hosts would not allow")
        }
    }

    /// The secret, or nil.
    public static func find(_ name: String, in tx: Transaction) throws -> Entry? {
        try tx.query("\(select) WHERE secret = \(name)").first.map(entry)
    }

    private static let select: SQL = """
        SELECT secret, version, hosts, sealed, fingerprint, created_at, updated_at,
            ARRAY(SELECT DISTINCT backend FROM backend_secrets b WHERE b.secret = s.secret ORDER BY backend) AS backends
        FROM secrets s
        """

    private static func entry(_ row: Row) throws -> Entry {
        Entry(secret: try secret(row), backends: try row.decode("backends"))
    }

    private static func secret(_ row: Row) throws -> BackendSecret {
        let name = try row.decode("secret", as: String.self)
        let hosts = try row.decode("hosts", as: [String].self).map { text in
            guard let host = SecretHost(text) else {
                throw StorageError.corrupt("secret \(name): \"\(text)\" is no host")
            }
            return host
        }
        guard let sealed = SealedValue(try row.decode("sealed", as: String.self)) else {
            throw StorageError.corrupt("secret \(name): its value is no sealed value")
        }
        return BackendSecret(
            name: name, version: try row.decode("version"), hosts: hosts, sealed: sealed,
            fingerprint: try row.decode("fingerprint"), createdAt: try row.decode("created_at"),
            updatedAt: try row.decode("updated_at"))
    }
}
