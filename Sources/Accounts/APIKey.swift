public import Identity

/// A key of the metered inference API. Its secret is not here: only its digest is kept.
public struct APIKey: Hashable, Sendable, Identifiable {
    public let id: KeyID
    public let accountID: AccountID
    public let tenantID: TenantID
    public let projectID: ProjectID
    public var name: String
    public let secretDigest: SHA256Digest
    /// The secret's first characters.
    public let secretHint: String
    public let createdAt: Timestamp
    /// Real time from which the key is refused; set when it was rotated.
    public var expiresAt: Timestamp?
    /// Set when it was revoked: refused at once.
    public var revokedAt: Timestamp?
    /// The key that took its place.
    public var replacedBy: KeyID?

    /// The longest that a rotated key may go on working beside its successor: 30 days.
    public static let overlapMillisecondsMax: Int64 = 30 * 86_400_000

    public init(
        id: KeyID, accountID: AccountID, tenantID: TenantID, projectID: ProjectID, name: String,
        secretDigest: SHA256Digest, secretHint: String, createdAt: Timestamp, expiresAt: Timestamp? = nil,
        revokedAt: Timestamp? = nil, replacedBy: KeyID? = nil
    ) {
        self.id = id
        self.accountID = accountID
        self.tenantID = tenantID
        self.projectID = projectID
        self.name = name
        self.secretDigest = secretDigest
        self.secretHint = secretHint
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.revokedAt = revokedAt
        self.replacedBy = replacedBy
    }

    public init(
        id: KeyID, project: Project, name: String, secret: Secret, createdAt: Timestamp
    ) {
        self.init(
            id: id, accountID: project.accountID, tenantID: project.tenantID, projectID: project.id, name: name,
            secretDigest: secret.digest, secretHint: secret.hint, createdAt: createdAt)
    }

    /// Whether a request may use it at this real time.
    public func isUsable(at now: Timestamp) -> Bool {
        revokedAt == nil && (expiresAt.map { now < $0 } ?? true)
    }

    /// What operators see.
    public func state(at now: Timestamp) -> State {
        if revokedAt != nil { return .revoked }
        guard let expiresAt else { return .active }
        return now < expiresAt ? .expiring : .expired
    }

    /// The stations of a key's life.
    public enum State: String, CaseIterable, Sendable {
        case active
        /// Rotated; works until `expiresAt`.
        case expiring
        case expired
        case revoked
    }
}

/// What an admin key may do.
public enum AdminRole: String, CaseIterable, Hashable, Sendable {
    /// Read.
    case viewer
    /// Read, and everything about plans, subscriptions and invoices.
    case billing
    /// Everything.
    case admin

    /// Whether this role may do what `needed` may do.
    public func includes(_ needed: AdminRole) -> Bool { rank >= needed.rank }

    private var rank: Int {
        switch self {
        case .viewer: 0
        case .billing: 1
        case .admin: 2
        }
    }
}

/// A key of the admin API.
public struct AdminKey: Hashable, Sendable, Identifiable {
    public let id: AdminKeyID
    public var name: String
    public let role: AdminRole
    public let secretDigest: SHA256Digest
    public let secretHint: String
    public let createdAt: Timestamp
    public var revokedAt: Timestamp?

    public init(
        id: AdminKeyID, name: String, role: AdminRole, secretDigest: SHA256Digest, secretHint: String,
        createdAt: Timestamp, revokedAt: Timestamp? = nil
    ) {
        self.id = id
        self.name = name
        self.role = role
        self.secretDigest = secretDigest
        self.secretHint = secretHint
        self.createdAt = createdAt
        self.revokedAt = revokedAt
    }
}
