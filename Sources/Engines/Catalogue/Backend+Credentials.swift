public import Identity

/// Why a backend's credential cannot be used; the text names no value.
public enum CredentialProblem: Error, Hashable, Sendable, CustomStringConvertible {
    case noKey(CredentialSlot)
    case unknownKey(CredentialSlot, id: String)
    case doesNotOpen(CredentialSlot)
    case missingSecret(name: String)
    case notAllowed(secret: String, address: String)
    case withheld(CredentialSlot)

    /// A stable word for metrics.
    public var code: String {
        switch self {
        case .noKey: "secret_key_missing"
        case .unknownKey: "secret_key_unknown"
        case .doesNotOpen: "secret_does_not_open"
        case .missingSecret: "secret_missing"
        case .notAllowed: "secret_host_not_allowed"
        case .withheld: "secret_not_kept"
        }
    }

    public var description: String {
        switch self {
        case .noKey(let slot):
            "its \(slot.rawValue) is encrypted and this process has no key for it: set secrets.key_file or "
                + "TOLLGATE_SECRET_KEY to the key that the other processes have, and restart"
        case .unknownKey(let slot, let id):
            "its \(slot.rawValue) is encrypted under the key \(id), which this process does not have: add that key to "
                + "secrets.key_file or TOLLGATE_SECRET_KEY"
        case .doesNotOpen(let slot):
            "its \(slot.rawValue) does not decrypt: the row was changed by other means. Set it again"
        case .missingSecret(let name): "there is no secret \(name): make it with `tollgate secrets set \(name)`"
        case .notAllowed(let secret, let address):
            "the secret \(secret) may not be sent to \(address): add the host to the secret, or mend the url"
        case .withheld(let slot):
            "its \(slot.rawValue) is not in this gateway's own copy, because without a secret key nothing is kept "
                + "there in clear: it serves again once Postgres is back; set secrets.key_file to keep it"
        }
    }
}

extension Backend {
    /// The same backend with other credentials.
    private func with(apiKey: String?, _ settings: BackendSettings) -> Backend {
        Backend(
            name: name, isTLS: isTLS, host: host, port: port, basePath: basePath, apiKey: apiKey, hardware: hardware,
            quantisation: quantisation, kind: kind, settings: settings, outOfService: outOfService)
    }

    /// What is bound to this backend's own values: encrypted for it, they open for no other name or address.
    private func context(_ slot: CredentialSlot) -> [String] {
        ["backend", name, slot.rawValue, isTLS ? "https" : "http", host, String(port)]
    }

    /// The value of a slot that is there in clear.
    private func plainValue(_ slot: CredentialSlot) -> String? {
        guard settings.credentials[slot] == nil else { return nil }
        switch slot {
        case .apiKey: return apiKey
        case .accessKeyID: return settings.aws?.accessKeyID
        case .secretAccessKey: return settings.aws?.secretAccessKey
        case .sessionToken: return settings.aws?.sessionToken
        }
    }

    /// This backend with the slot's value, or without one.
    private func setting(_ slot: CredentialSlot, to value: String?, stored: StoredCredential?) -> Backend {
        var (apiKey, settings) = (apiKey, settings)
        settings.credentials[slot] = stored
        let aws = settings.aws
        func credentials(_ id: String?, _ key: String?, _ token: String?) -> BackendSettings.AWSCredentials? {
            aws.map {
                BackendSettings.AWSCredentials(
                    accessKeyID: id ?? "", secretAccessKey: key ?? "", sessionToken: token, region: $0.region)
            }
        }
        switch slot {
        case .apiKey: apiKey = value
        case .accessKeyID: settings.aws = credentials(value, aws?.secretAccessKey, aws?.sessionToken)
        case .secretAccessKey: settings.aws = credentials(aws?.accessKeyID, value, aws?.sessionToken)
        case .sessionToken: settings.aws = credentials(aws?.accessKeyID, aws?.secretAccessKey, value)
        }
        return with(apiKey: apiKey, settings)
    }

    /// Whether a key is sent to it, in whatever form it is kept.
    public var hasAPIKey: Bool { apiKey != nil || settings.credentials[.apiKey] != nil }

    /// With every value that is there in clear encrypted, as it is stored.
    /// - Parameter nonce: 12 random bytes at each call.
    public func sealed(by keyring: SecretKeyring, nonce: () -> [UInt8]) -> Backend {
        var backend = self
        for slot in CredentialSlot.allCases {
            guard let value = backend.plainValue(slot) else { continue }
            let sealed = keyring.seal(value, nonce: nonce(), context: context(slot))
            backend = backend.setting(
                slot, to: nil, stored: .sealed(sealed, fingerprint: keyring.fingerprint(of: value)))
        }
        return backend
    }

    /// With every value that is there in clear left out: what may be kept where nothing can be encrypted.
    public func withholdingPlainValues() -> Backend {
        CredentialSlot.allCases.reduce(self) { backend, slot in
            backend.plainValue(slot) == nil ? backend : backend.setting(slot, to: nil, stored: .withheld)
        }
    }

    /// With each of its own encrypted values as `old` has it, where that is the same value under the same key, so that
    /// applying a catalogue again changes nothing.
    public func keepingSeals(of old: Backend) -> Backend {
        guard old.name == name, old.isTLS == isTLS, old.host == host, old.port == port else { return self }
        var settings = settings
        for (slot, stored) in settings.credentials {
            guard case .sealed(let value, let fingerprint) = stored,
                case .sealed(let oldValue, fingerprint)? = old.settings.credentials[slot],
                oldValue.keyID == value.keyID
            else { continue }
            settings.credentials[slot] = old.settings.credentials[slot]
        }
        return with(apiKey: apiKey, settings)
    }

    /// The names of the secrets that it needs, by slot.
    public var secretNames: [CredentialSlot: String] {
        settings.credentials.compactMapValues { if case .secret(let name) = $0 { name } else { nil } }
    }

    /// Whether its key is sent to its metrics, too: not in the clear where the backend itself speaks TLS.
    public var sendsKeyToMetrics: Bool { metricsPlace.map { !isTLS || $0.port == nil } ?? false }

    /// An address to which its credentials are sent and that none of these covers; nil where there is none. They are
    /// sent to its own address, and to its metrics.
    public func addressOutside(_ hosts: [SecretHost]) -> String? {
        var ports = [port]
        if sendsKeyToMetrics, let metrics = metricsPlace?.port, metrics != port { ports.append(metrics) }
        let outside = ports.first { port in
            !hosts.contains { $0.covers(host: host, port: port, isTLS: isTLS) }
        }
        return outside.map { "\(isTLS ? "https" : "http")://\(host):\($0)" }
    }

    /// Whether each secret that it names is there and may be sent where it stands.
    public func checkSecrets(_ hosts: [String: [SecretHost]]) throws(CredentialProblem) {
        for name in secretNames.values.sorted() {
            guard let hosts = hosts[name] else { throw .missingSecret(name: name) }
            if let address = addressOutside(hosts) { throw .notAllowed(secret: name, address: address) }
        }
    }

    /// With all credentials in clear, as requests need them.
    public func opened(
        by keyring: SecretKeyring?, secrets: [String: BackendSecret]
    ) throws(CredentialProblem) -> Backend {
        guard !settings.credentials.isEmpty else { return self }
        try checkSecrets(secrets.mapValues(\.hosts))
        var backend = self
        for slot in CredentialSlot.allCases {
            guard let stored = settings.credentials[slot] else { continue }
            let sealed: SealedValue
            let context: [String]
            switch stored {
            case .withheld: throw .withheld(slot)
            case .sealed(let value, _): (sealed, context) = (value, self.context(slot))
            case .secret(let name):
                guard let secret = secrets[name] else { throw .missingSecret(name: name) }
                sealed = secret.sealed
                context = BackendSecret.context(name: name, version: secret.version, hosts: secret.hosts)
            }
            guard let keyring else { throw .noKey(slot) }
            backend = backend.setting(slot, to: try Self.open(sealed, slot, context, keyring), stored: nil)
        }
        return backend
    }

    private static func open(
        _ sealed: SealedValue, _ slot: CredentialSlot, _ context: [String], _ keyring: SecretKeyring
    ) throws(CredentialProblem) -> String {
        do throws(SealedValueError) {
            return try keyring.open(sealed, context: context)
        } catch {
            switch error {
            case .unknownKey(let id): throw .unknownKey(slot, id: id)
            case .doesNotOpen: throw .doesNotOpen(slot)
            }
        }
    }

    /// With its own encrypted values under the keyring's first key; what was in clear is encrypted, too.
    public func resealed(by keyring: SecretKeyring, nonce: () -> [UInt8]) throws(CredentialProblem) -> Backend {
        var backend = self
        for (slot, stored) in settings.credentials {
            guard case .sealed(let value, _) = stored, value.keyID != keyring.keyIDs[0] else { continue }
            backend = backend.setting(slot, to: try Self.open(value, slot, context(slot), keyring), stored: nil)
        }
        return backend.sealed(by: keyring, nonce: nonce)
    }
}
