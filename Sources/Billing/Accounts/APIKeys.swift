public import Accounts
public import Identity
public import Storage

/// A key of the inference API and its secret, which is shown this once.
public struct NewAPIKey: Sendable {
    public let key: APIKey
    public let secret: Secret
}

extension ReadSession {
    public func apiKeys(
        tenant: TenantID? = nil, project: ProjectID? = nil, _ page: PageRequest = PageRequest()
    ) throws -> Page<APIKey> {
        try look(.read(.apiKeys)) { try APIKeyStorage.list(tenant: tenant, project: project, page, in: $0) }
    }

    public func apiKey(_ id: KeyID) throws -> APIKey {
        try look(.read(.apiKeys)) { try APIKeyStorage.require(id, in: $0) }
    }
}

extension WriteSession {
    public func createAPIKey(name: String, project id: ProjectID) throws -> NewAPIKey {
        try change(.apiKeyCreated) { tx in
            let new = try newKey(named: name, project: id, in: tx)
            try APIKeyStorage.insert(new.key, in: tx)
            return .made(new, .account(new.key.accountID, new.key.id, after: new.key.facts))
        }
    }

    /// Puts a new key in the place of one, which goes on working for so many hours.
    public func rotateAPIKey(_ id: KeyID, overlapHours: Int64) throws -> (new: NewAPIKey, old: APIKey) {
        let (new, old) = try change(.apiKeyRotated) { tx in
            let before = try APIKeyStorage.lock(id, in: tx)
            let new = try newKey(named: before.name, project: before.projectID, in: tx)
            try APIKeyStorage.rotate(
                id, to: new.key, expiresAt: now.advanced(byMilliseconds: overlapHours * 3_600_000), now: now, in: tx)
            let after = try APIKeyStorage.require(id, in: tx)
            return .made((new, after), .account(after.accountID, id, before: before.facts, after: after.facts))
        }
        // The successor is a key like any other: it has its own beginning in the trail.
        return try change(.apiKeyCreated) { _ in
            .made((new, old), .account(new.key.accountID, new.key.id, after: new.key.facts))
        }
    }

    /// Gateways refuse the key within a second. Revoking it again changes nothing.
    public func revokeAPIKey(_ id: KeyID) throws -> APIKey {
        try change(.apiKeyRevoked) { tx in
            let before = try APIKeyStorage.lock(id, in: tx)
            let after = try APIKeyStorage.revoke(id, now: now, in: tx)
            return .made(after, .account(after.accountID, id, before: before.facts, after: after.facts))
        }
    }

    private func newKey(
        named name: String, project id: ProjectID, in tx: DatabaseTransaction
    ) throws -> NewAPIKey {
        let project = try ProjectStorage.require(id, in: tx)
        let secret = Randomness.secret(.inference)
        return NewAPIKey(
            key: APIKey(id: Randomness.id(at: now), project: project, name: name, secret: secret, createdAt: now),
            secret: secret)
    }
}
