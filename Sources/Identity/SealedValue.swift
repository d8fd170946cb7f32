/// A text encrypted under one key of a `SecretKeyring`, with the key's id. Its text form is
/// `1:KEY:NONCE:CIPHERTEXT`, the last three in hexadecimal.
public struct SealedValue: Hashable, Sendable, CustomStringConvertible {
    /// Of the key that opens it.
    public let keyID: String
    let nonce: [UInt8]
    /// With its tag.
    let ciphertext: [UInt8]

    /// Bytes of ciphertext: the longest value, and its tag.
    static let ciphertextBytesMax = SecretKeyring.valueBytesMax + AES256GCM.tagByteCount

    init(keyID: String, nonce: [UInt8], ciphertext: [UInt8]) {
        self.keyID = keyID
        self.nonce = nonce
        self.ciphertext = ciphertext
    }

    /// Reads the text form.
    public init?(_ text: String) {
        guard text.utf8.count <= 2 * Self.ciphertextBytesMax + 100 else { return nil }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0] == "1", parts[1].utf8.count == SecretKeyring.keyIDByteCount,
            let nonce = Hexadecimal.bytes(of: parts[2]), nonce.count == AES256GCM.nonceByteCount,
            let ciphertext = Hexadecimal.bytes(of: parts[3]), ciphertext.count > AES256GCM.tagByteCount,
            ciphertext.count <= Self.ciphertextBytesMax
        else { return nil }
        self.init(keyID: String(parts[1]), nonce: nonce, ciphertext: ciphertext)
    }

    public var description: String {
        "1:\(keyID):\(Hexadecimal.text(of: nonce)):\(Hexadecimal.text(of: ciphertext))"
    }
}

extension SealedValue: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let value = SealedValue(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "this is no sealed value")
        }
        self = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
