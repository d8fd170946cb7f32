/// How a text is normalized and cut into words.
enum TokenizerForm: Sendable {
    /// Words of a pattern, as bytes; in Normalization Form C first, if it composes.
    case byteLevel(SplitPattern, composes: Bool)
    /// Spaces become marks.
    case spaceMarks(SpaceMarks)
}

/// Spaces as the mark "▁", and one more in front of the text.
struct SpaceMarks: Sendable {
    /// Where a mark is put in front.
    enum Prepending: String, Sendable {
        case never
        /// At the text's own beginning.
        case first
        /// Also after each added token.
        case always
    }

    let prepends: Prepending
    /// Whether each mark begins a word; otherwise the whole text is one.
    let splitsAtEach: Bool
    /// As a normalizer does it: a mark is also put in front of one that is there.
    let isNormalizer: Bool

    static let mark: [UInt8] = [0xE2, 0x96, 0x81]

    func marked(_ text: UnsafeBufferPointer<UInt8>, prepending: Bool) -> [UInt8] {
        var marked: [UInt8] = []
        marked.reserveCapacity(text.count + text.count / 2 + 3)
        let startsMarked = text.first == 0x20 || text.starts(with: Self.mark)
        if prepending, isNormalizer || !startsMarked { marked += Self.mark }
        for byte in text {
            if byte == 0x20 { marked += Self.mark } else { marked.append(byte) }
        }
        return marked
    }
}
