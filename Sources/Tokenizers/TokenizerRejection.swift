/// Why a `tokenizer.json` cannot be counted with. Another file would give other counts, so nothing is guessed.
public struct TokenizerRejection: Error, Hashable, Sendable, CustomStringConvertible {
    /// The part of the file, such as `pre_tokenizer` or `model.byte_fallback`.
    public let part: String
    /// What is there, and what is covered.
    public let reason: String

    init(_ part: String, _ reason: String) {
        self.part = part
        self.reason = reason
    }

    public var description: String { "\(part): \(reason)" }
}
