import Engines
import Identity
import Storage

/// A secret as it stands in the snapshot's file: encrypted, as in the database.
struct SnapshotSecretCoding: Codable {
    var name: String
    var version: Int64
    var hosts: [String]
    var sealed: SealedValue
    var fingerprint: String
    var createdAt, updatedAt: Int64

    init(_ secret: BackendSecret) {
        name = secret.name
        version = secret.version
        hosts = secret.hosts.map(\.description)
        sealed = secret.sealed
        fingerprint = secret.fingerprint
        createdAt = secret.createdAt.milliseconds
        updatedAt = secret.updatedAt.milliseconds
    }

    func secret() throws -> BackendSecret {
        BackendSecret(
            name: name, version: version,
            hosts: try hosts.map { text in
                guard let host = SecretHost(text) else { throw SnapshotRowsCoding.Unreadable(text: text) }
                return host
            }, sealed: sealed, fingerprint: fingerprint, createdAt: Timestamp(milliseconds: createdAt),
            updatedAt: Timestamp(milliseconds: updatedAt))
    }
}

extension SnapshotPart {
    /// The part as it may stand in a file: whatever credential it holds in clear is encrypted, or left out where there
    /// is no key.
    func protected(by keyring: SecretKeyring?) -> SnapshotPart {
        guard let models else { return self }
        var known: [String: Backend] = [:]
        var part = self
        part.models = models.map { model in
            model.with(
                routes: model.routes.map { route in
                    let backend =
                        known[route.backend.name] ?? keyring.map {
                            route.backend.sealed(by: $0, nonce: SecretNonce.fresh)
                        } ?? route.backend.withholdingPlainValues()
                    known[backend.name] = backend
                    return route.with(backend)
                })
        }
        return part
    }
}
