public import Identity

/// The secret of a key: shown once when it is made, and kept only as its SHA-256.
///
/// 32 random bytes make guessing hopeless, so a plain digest is enough; a slow hash would sit on the request path.
public struct Secret: Sendable {
    /// What the holder sends: the prefix and 64 hexadecimal digits.
    public let text: String

    /// Random bytes in a secret.
    public static let randomBytes = 32
    /// Characters of the hint.
    public static let hintLength = 12

    /// What a secret opens.
    public enum Purpose: String, Sendable {
        /// The metered inference API.
        case inference = "tg"
        /// The admin API.
        case administration = "tga"
    }

    /// Makes a secret from `randomness` (four words of a secure random source).
    public init(purpose: Purpose, randomness: (UInt64, UInt64, UInt64, UInt64)) {
        let words = [randomness.0, randomness.1, randomness.2, randomness.3]
        let bytes = words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) } }
        text = "\(purpose.rawValue)_\(Hexadecimal.text(of: bytes))"
    }

    /// A secret chosen outside, such as a demo's.
    public init(text: String) {
        self.text = text
    }

    /// What is stored and looked up.
    public var digest: SHA256Digest { SHA256Digest(of: text) }

    /// The first characters, to recognise a key by.
    public var hint: String { String(text.prefix(Self.hintLength)) }
}
