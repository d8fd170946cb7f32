public import Identity

/// A secret that backends name: its value encrypted, and where it may be sent.
public struct BackendSecret: Hashable, Sendable {
    public let name: String
    /// Counts how often it was set.
    public let version: Int64
    public let hosts: [SecretHost]
    public let sealed: SealedValue
    /// Tells equal values from different ones, under one key.
    public let fingerprint: String
    public let createdAt: Timestamp
    public let updatedAt: Timestamp

    /// Bytes of a value.
    public static let valueBytesMax = 8192

    /// A secret as it is stored.
    public init(
        name: String, version: Int64, hosts: [SecretHost], sealed: SealedValue, fingerprint: String,
        createdAt: Timestamp, updatedAt: Timestamp
    ) {
        self.name = name
        self.version = version
        self.hosts = hosts
        self.sealed = sealed
        self.fingerprint = fingerprint
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }

    /// What its value is bound to: encrypted for this, it opens for nothing else.
    public static func context(name: String, version: Int64, hosts: [SecretHost]) -> [String] {
        ["secret", name, String(version)] + hosts.map(\.description)
    }

    /// Whether a secret may have this name: 1 to 63 letters, digits, `.`, `_` and `-`, the first a letter or digit.
    public static func isName(_ text: String) -> Bool {
        func isWord(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: false
            }
        }
        guard let first = text.utf8.first, isWord(first), text.utf8.count <= 63 else { return false }
        return text.utf8.allSatisfy { isWord($0) || $0 == 0x2D || $0 == 0x2E || $0 == 0x5F }
    }

    /// Whether a value can stand in a header: 1 to 8192 visible characters of ASCII, and spaces between them.
    public static func isValue(_ text: String) -> Bool {
        (1...valueBytesMax).contains(text.utf8.count) && text.utf8.allSatisfy { (0x20...0x7E).contains($0) }
            && text.utf8.first != 0x20 && text.utf8.last != 0x20
    }
}

/// What a backend proves itself with.
public enum CredentialSlot: String, CaseIterable, Codable, CodingKeyRepresentable, Sendable {
    case apiKey = "api_key"
    case accessKeyID = "access_key_id"
    case secretAccessKey = "secret_access_key"
    case sessionToken = "session_token"
}

/// A credential that is not there in clear.
public enum StoredCredential: Hashable, Sendable {
    /// Stands in the secret of that name.
    case secret(name: String)
    /// Was written into the catalogue, and is kept encrypted with its backend.
    case sealed(SealedValue, fingerprint: String)
    /// Was written into the catalogue and not encrypted, for want of a key: a gateway's own copy does not have it.
    case withheld
}

extension StoredCredential: Codable {
    private enum CodingKeys: String, CodingKey {
        case secret, sealed, fingerprint, withheld
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        if let name = try values.decodeIfPresent(String.self, forKey: .secret) {
            self = .secret(name: name)
        } else if let sealed = try values.decodeIfPresent(SealedValue.self, forKey: .sealed) {
            self = .sealed(sealed, fingerprint: try values.decode(String.self, forKey: .fingerprint))
        } else {
            _ = try values.decode(Bool.self, forKey: .withheld)
            self = .withheld
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        switch self {
        case .secret(let name): try values.encode(name, forKey: .secret)
        case .sealed(let sealed, let fingerprint):
            try values.encode(sealed, forKey: .sealed)
            try values.encode(fingerprint, forKey: .fingerprint)
        case .withheld: try values.encode(true, forKey: .withheld)
        }
    }
}
