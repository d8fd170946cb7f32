public import Identity

/// Whose changes follow each other, each entry with the digest of the one before it.
public enum AuditChain: Hashable, Sendable {
    /// What belongs to no account: plans, the catalogue, admin keys.
    case seller
    case account(AccountID)

    /// As storage keys it; zeros stand for the seller.
    public var uuid: UUIDv7 {
        switch self {
        case .seller: UUIDv7(high: 0, low: 0)
        case .account(let id): id.uuid
        }
    }

    public init(uuid: UUIDv7) {
        self = uuid == AuditChain.seller.uuid ? .seller : .account(AccountID(uuid))
    }
}

extension AuditChain: Comparable, CustomStringConvertible {
    /// `seller`, or the account's id.
    public var description: String {
        switch self {
        case .seller: "seller"
        case .account(let id): "\(id)"
        }
    }

    /// Reads what `description` wrote.
    public init?(_ text: String) {
        if text == "seller" {
            self = .seller
        } else if let id = AccountID(text) {
            self = .account(id)
        } else {
            return nil
        }
    }

    /// The seller's first: the order in which a transaction locks them.
    public static func < (left: AuditChain, right: AuditChain) -> Bool { left.uuid < right.uuid }
}

/// The newest entry of a chain.
public struct AuditHead: Hashable, Sendable {
    /// 0 before the first entry.
    public let number: Int64
    public let digest: SHA256Digest

    public init(number: Int64, digest: SHA256Digest) {
        self.number = number
        self.digest = digest
    }

    /// Before the first entry.
    public static let none = AuditHead(number: 0, digest: SHA256Digest(words: (0, 0, 0, 0)))
}

/// One change: who made it, from where, what of, before and after, and why.
public struct AuditEntry: Hashable, Sendable, Identifiable {
    public let id: AuditEntryID
    public let chain: AuditChain
    /// Counts from 1 in its chain, without a gap.
    public let number: Int64
    /// Real time.
    public let recordedAt: Timestamp
    /// What happened, such as `api_key.rotated`.
    public let action: String
    /// What was changed: an id or a name.
    public let subject: String
    public let principal: Principal
    /// A JSON object; nil where the subject is new.
    public let before: String?
    /// A JSON object; nil where the subject is gone.
    public let after: String?
    /// Empty where nobody said.
    public let reason: String
    /// The digest of the entry before it; zeros for the first.
    public let previous: SHA256Digest
    public let digest: SHA256Digest

    /// An entry as storage holds it, whether its digest is right or not.
    public init(
        id: AuditEntryID, chain: AuditChain, number: Int64, recordedAt: Timestamp, action: String, subject: String,
        principal: Principal, before: String?, after: String?, reason: String, previous: SHA256Digest,
        digest: SHA256Digest
    ) {
        self.id = id
        self.chain = chain
        self.number = number
        self.recordedAt = recordedAt
        self.action = action
        self.subject = subject
        self.principal = principal
        self.before = before
        self.after = after
        self.reason = reason
        self.previous = previous
        self.digest = digest
    }

    public init(
        id: AuditEntryID, chain: AuditChain, after head: AuditHead, recordedAt: Timestamp, action: String,
        subject: String, principal: Principal, before: String?, after: String?, reason: String
    ) {
        assert(before != nil || after != nil, "an entry of nothing")
        func entry(_ digest: SHA256Digest) -> AuditEntry {
            AuditEntry(
                id: id, chain: chain, number: head.number + 1, recordedAt: recordedAt, action: action,
                subject: subject, principal: principal, before: before, after: after, reason: reason,
                previous: head.digest, digest: digest)
        }
        self = entry(entry(AuditHead.none.digest).computedDigest)
    }

    /// What the digest must be: of every other member, each with its length before it, so that no two entries can be
    /// written alike.
    public var computedDigest: SHA256Digest {
        let fields: [String?] = [
            "tollgate.audit/1", "\(id)", "\(chain)", "\(number)", "\(recordedAt.milliseconds)", action, subject,
            principal.kind.rawValue, principal.id, principal.name, principal.origin, before, after, reason,
            previous.hexadecimal,
        ]
        return SHA256Digest(of: fields.map { $0.map { "\($0.utf8.count):\($0)" } ?? "-" }.joined(separator: ","))
    }

    /// What the next entry follows.
    public var head: AuditHead { AuditHead(number: number, digest: digest) }
}
