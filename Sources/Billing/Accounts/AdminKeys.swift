public import Accounts
public import Identity
public import Storage

/// A key of the admin API and its secret, which is shown this once.
public struct NewAdminKey: Sendable {
    public let key: AdminKey
    public let secret: Secret
}

extension ReadSession {
    public func adminKeys(_ page: PageRequest = PageRequest()) throws -> Page<AdminKey> {
        try look(.read(.adminKeys)) { try AdminKeyStorage.list(page, in: $0) }
    }
}

extension WriteSession {
    public func createAdminKey(name: String, role: AdminRole) throws -> NewAdminKey {
        try change(.adminKeyCreated) { tx in
            let secret = Randomness.secret(.administration)
            let key = AdminKey(
                id: Randomness.id(at: now), name: name, role: role, secretDigest: secret.digest,
                secretHint: secret.hint, createdAt: now)
            try AdminKeyStorage.insert(key, in: tx)
            return .made(NewAdminKey(key: key, secret: secret), .seller(key.id, after: key.facts))
        }
    }

    /// Revokes a key; the last one of the role `admin` stays.
    public func revokeAdminKey(_ id: AdminKeyID) throws -> AdminKey {
        try change(.adminKeyRevoked) { tx in
            let before = try AdminKeyStorage.lock(id, in: tx)
            try AdminKeyStorage.revoke(id, now: now, in: tx)
            let after = try AdminKeyStorage.require(id, in: tx)
            return .made(after, .seller(id, before: before.facts, after: after.facts))
        }
    }
}
