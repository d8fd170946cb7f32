import Foundation

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

/// Normalization Form C (Unicode Standard Annex 15) as Hugging Face's `tokenizers` has it: by Unicode 9.0, whatever it
/// classifies letters by. What was assigned later neither composes nor changes its place.
enum Composition {
    private static let unicodeMajor = 9

    /// Nil where the text is composed already, which most are: that is seen without the tables.
    static func composed(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        guard mayChange(text) else { return nil }
        var composed: [UInt8] = []
        composed.reserveCapacity(text.count)
        var run = String.UnicodeScalarView()
        for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
            if let marks = combiningMarks(of: scalar) {
                run.append(contentsOf: marks)
                continue
            }
            if let age = scalar.properties.age, age.major <= unicodeMajor {
                run.append(scalar)
                continue
            }
            composed += String(run).precomposedStringWithCanonicalMapping.utf8
            composed += String(Character(scalar)).utf8
            run = String.UnicodeScalarView()
        }
        composed += String(run).precomposedStringWithCanonicalMapping.utf8
        return composed
    }

    /// The four characters that are made of combining marks only. Swift 6.3 takes them for the beginning of something
    /// new and leaves the marks around them unsorted, so they are taken apart first.
    private static func combiningMarks(of scalar: Unicode.Scalar) -> [Unicode.Scalar]? {
        switch scalar.value {
        case 0x344: ["\u{308}", "\u{301}"]
        case 0xF73: ["\u{F71}", "\u{F72}"]
        case 0xF75: ["\u{F71}", "\u{F74}"]
        case 0xF81: ["\u{F71}", "\u{F80}"]
        default: nil
        }
    }

    private static func mayChange(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        var offset = 0
        while offset < text.count {
            if text[offset] < 0xCC {
                offset += 1
                continue
            }
            let (scalar, length) = decodedScalar(text, at: offset)
            guard neverChanges(scalar) else { return true }
            offset += length
        }
        return false
    }

    /// Some ranges whose characters neither change nor combine with one before them. Bytes below 0xCC begin scalars
    /// below U+0300, which do not either, or continue one.
    private static func neverChanges(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x2010...0x2027, 0x3001...0x3029, 0x3041...0x3096, 0x30A1...0x30FA, 0x4E00...0x9FFF, 0xAC00...0xD7A3,
            0xFF01...0xFFEF, 0x1F300...0x1FAFF:
            true
        default: false
        }
    }
}
