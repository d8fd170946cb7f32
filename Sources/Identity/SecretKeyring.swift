/// Why a text is no keyring.
public struct SecretKeyringError: Error, Equatable, Sendable, CustomStringConvertible {
    public let description: String
}

/// Why a sealed value does not open.
public enum SealedValueError: Error, Hashable, Sendable {
    /// No key of that id is in the keyring.
    case unknownKey(id: String)
    /// The value was changed, or belongs to something else.
    case doesNotOpen
}

/// The keys under which secrets are stored: the first one seals, all of them open, so that a key can be replaced.
///
/// From each key of 32 bytes three things are derived by HMAC-SHA256: what encrypts, what makes fingerprints, and the
/// key's id.
public struct SecretKeyring: Sendable {
    /// Keys of one keyring.
    public static let keysMax = 16
    /// Bytes of one value.
    public static let valueBytesMax = 16 * 1024
    static let keyIDByteCount = 8

    private struct Key {
        let id: String
        let encryption: [UInt8]
        let fingerprint: [UInt8]

        init(_ bytes: [UInt8]) {
            func derived(_ purpose: String) -> [UInt8] {
                HMACSHA256.authenticationCode(for: Array("tollgate secrets 1 \(purpose)".utf8), key: bytes)
            }
            id = String(Hexadecimal.text(of: derived("key id")).prefix(SecretKeyring.keyIDByteCount))
            encryption = derived("encryption")
            fingerprint = derived("fingerprint")
        }
    }

    private let keys: [Key]

    /// A keyring of one to 16 keys, separated by lines or commas: 64 hexadecimal digits or the 44 characters of Base64
    /// each. What follows a `#` at the beginning of a line is a comment.
    public init(_ text: String) throws(SecretKeyringError) {
        var keys: [Key] = []
        for line in text.split(whereSeparator: \.isNewline) where !line.hasPrefix("#") {
            for part in line.split(separator: ",") {
                let part = part.filter { !$0.isWhitespace }
                if part.isEmpty { continue }
                guard let bytes = Self.bytes(of: part) else {
                    throw SecretKeyringError(
                        description: "key \(keys.count + 1) is not 32 bytes in hexadecimal or Base64; "
                            + "`tollgate secrets generate-key` makes one")
                }
                let key = Key(bytes)
                guard !keys.contains(where: { $0.id == key.id }) else {
                    throw SecretKeyringError(description: "key \(keys.count + 1) is there twice")
                }
                keys.append(key)
            }
        }
        guard (1...Self.keysMax).contains(keys.count) else {
            throw SecretKeyringError(
                description: keys.isEmpty
                    ? "there is no key in it; `tollgate secrets generate-key` makes one"
                    : "\(keys.count) keys are too many; at most \(Self.keysMax)")
        }
        self.keys = keys
    }

    private static func bytes(of text: String) -> [UInt8]? {
        if text.utf8.count == 64 { return Hexadecimal.bytes(of: text) }
        return text.utf8.count == 44 ? Base64.bytes(of: text).flatMap { $0.count == 32 ? $0 : nil } : nil
    }

    /// The ids of all keys, that of the sealing one first.
    public var keyIDs: [String] { keys.map(\.id) }

    /// Encrypts a value under the first key. `context` says what the value belongs to; it opens with the same only.
    /// - Parameter nonce: 12 random bytes, never used before.
    public func seal(_ value: String, nonce: [UInt8], context: [String]) -> SealedValue {
        precondition(value.utf8.count <= Self.valueBytesMax, "who takes a value in checks its length")
        let data = Self.associatedData(context, keyID: keys[0].id)
        let ciphertext = AES256GCM.seal(
            Array(value.utf8), key: keys[0].encryption, nonce: nonce, associatedData: data)
        guard let ciphertext else { preconditionFailure("OpenSSL cannot encrypt with AES-256-GCM") }
        return SealedValue(keyID: keys[0].id, nonce: nonce, ciphertext: ciphertext)
    }

    /// Decrypts a value that was sealed for the same context.
    public func open(_ sealed: SealedValue, context: [String]) throws(SealedValueError) -> String {
        guard let key = keys.first(where: { $0.id == sealed.keyID }) else { throw .unknownKey(id: sealed.keyID) }
        let plaintext = AES256GCM.open(
            sealed.ciphertext, key: key.encryption, nonce: sealed.nonce,
            associatedData: Self.associatedData(context, keyID: key.id))
        guard let plaintext else { throw .doesNotOpen }
        return String(decoding: plaintext, as: UTF8.self)
    }

    /// Tells equal values from different ones, and nothing of what they are to who does not have the key: 12
    /// hexadecimal digits, of the first key.
    public func fingerprint(of value: String) -> String {
        let code = HMACSHA256.authenticationCode(for: Array(value.utf8), key: keys[0].fingerprint)
        return String(Hexadecimal.text(of: code).prefix(12))
    }

    /// Each part with its length before it, so that no two contexts give the same bytes.
    private static func associatedData(_ context: [String], keyID: String) -> [UInt8] {
        var bytes: [UInt8] = []
        for part in ["tollgate sealed value 1", keyID] + context {
            withUnsafeBytes(of: UInt32(part.utf8.count).bigEndian) { bytes.append(contentsOf: $0) }
            bytes.append(contentsOf: part.utf8)
        }
        return bytes
    }
}

/// Base64 of RFC 4648 §4, with its padding.
private enum Base64 {
    static func bytes(of text: String) -> [UInt8]? {
        var result: [UInt8] = []
        var (pending, bitCount, paddingCount) = (UInt32(0), 0, 0)
        for byte in text.utf8 {
            if byte == UInt8(ascii: "=") {
                paddingCount += 1
                continue
            }
            guard paddingCount == 0, let value = value(of: byte) else { return nil }
            pending = pending << 6 | value
            bitCount += 6
            if bitCount >= 8 {
                bitCount -= 8
                result.append(UInt8(truncatingIfNeeded: pending >> UInt32(bitCount)))
            }
        }
        return text.utf8.count % 4 == 0 && paddingCount <= 2 ? result : nil
    }

    private static func value(of byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(byte - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(byte - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "+"), UInt8(ascii: "-"): 62
        case UInt8(ascii: "/"), UInt8(ascii: "_"): 63
        default: nil
        }
    }
}
