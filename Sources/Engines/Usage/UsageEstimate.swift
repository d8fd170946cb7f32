/// What is recorded when an engine does not say what it used. Rough by design, and labelled so on the record.
public enum UsageEstimate {
    /// Bytes of UTF-8 text that one token stands for: about right for English, a rough guess for anything else.
    public static let bytesPerToken: Int64 = 4

    /// Tokens in so many bytes of UTF-8 text, rounded up.
    public static func tokens(inTextBytes bytes: Int64) -> Int64 {
        (bytes + bytesPerToken - 1) / bytesPerToken
    }
}
