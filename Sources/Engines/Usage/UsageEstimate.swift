/// What is recorded when an engine does not say what it used. Rough by design, and labelled so on the record.
public enum UsageEstimate {
    /// Bytes of UTF-8 text that one token stands for: about right for English, a rough guess for anything else.
    public static let bytesPerToken: Int64 = 4

    /// Bytes of UTF-8 text that no token stands for more of, in what people write: the densest scripts under the
    /// largest vocabularies come near it.
    public static let bytesPerTokenMax: Int64 = 8

    /// Tokens in so many bytes of UTF-8 text, rounded up.
    public static func tokens(inTextBytes bytes: Int64) -> Int64 {
        (bytes + bytesPerToken - 1) / bytesPerToken
    }

    /// Tokens that so many bytes of UTF-8 text have at least, but for what nobody writes.
    public static func tokensAtLeast(inTextBytes bytes: Int64) -> Int64 { bytes / bytesPerTokenMax }
}
