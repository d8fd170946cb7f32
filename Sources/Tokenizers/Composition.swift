import Foundation

/// Normalization Form C (Unicode Standard Annex 15) as Hugging Face's `tokenizers` has it: by Unicode 9.0, whatever it
/// classifies letters by. What was assigned later neither composes nor changes its place.
///
/// Foundation composes, but for three things that it does wrong (Swift 6.3): it takes the four characters that are made
/// of combining marks for the beginning of something new, composes Hangul with the neighbours of the ranges that
/// compose, and takes a character beyond U+FFFF for the one with the same lower 16 bits.
struct Composition {
    private static let unicodeMajor = 9

    private var composed: [UInt8] = []
    /// What Foundation is asked to compose, with all that it may combine with.
    private var run = String.UnicodeScalarView()
    /// The Hangul that what follows directly may compose with.
    private var hangul: UInt32?

    /// Nil where the text is composed already, which most are: that is seen without the tables.
    static func composed(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        guard mayChange(text) else { return nil }
        var composition = Composition()
        composition.composed.reserveCapacity(text.count)
        for scalar in String(decoding: text, as: UTF8.self).unicodeScalars { composition.add(scalar) }
        composition.endRun()
        return composition.composed
    }

    private mutating func add(_ scalar: Unicode.Scalar) {
        if Hangul.isPart(scalar.value) {
            addHangul(scalar.value)
        } else if let marks = Self.combiningMarks(of: scalar) {
            endHangul()
            run.append(contentsOf: marks)
        } else if let age = scalar.properties.age, age.major <= Self.unicodeMajor, Self.mayCompose(scalar) {
            endHangul()
            run.append(scalar)
        } else {
            endRun()
            addAlone(scalar)
        }
    }

    /// A character that composes with nothing; ideographs kept for compatibility become those that they stand for.
    private mutating func addAlone(_ scalar: Unicode.Scalar) {
        let text = String(Character(scalar))
        let isCompatibility = (0x2F800...0x2FA1F).contains(scalar.value)
        composed += (isCompatibility ? text.decomposedStringWithCanonicalMapping : text).utf8
    }

    /// Beyond U+FFFF only combining marks, some letters of Indic scripts and musical symbols compose or come apart.
    private static func mayCompose(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x10000 || (0x11080...0x115FF).contains(scalar.value)
            || (0x1D150...0x1D1CF).contains(scalar.value)
            || scalar.properties.canonicalCombiningClass != .notReordered
    }

    private mutating func addHangul(_ scalar: UInt32) {
        if let before = hangul, let syllable = Hangul.syllable(before, scalar) {
            hangul = syllable
        } else {
            endRun()
            hangul = scalar
        }
    }

    private mutating func endHangul() {
        guard let scalar = hangul.flatMap(Unicode.Scalar.init) else { return }
        composed += String(Character(scalar)).utf8
        hangul = nil
    }

    private mutating func endRun() {
        endHangul()
        guard !run.isEmpty else { return }
        composed += String(run).precomposedStringWithCanonicalMapping.utf8
        run = String.UnicodeScalarView()
    }

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

/// Conjoining Jamo (Unicode Standard, section 3.12).
private enum Hangul {
    private static let leading: ClosedRange<UInt32> = 0x1100...0x1112
    private static let vowels: ClosedRange<UInt32> = 0x1161...0x1175
    private static let trailing: ClosedRange<UInt32> = 0x11A8...0x11C2
    private static let syllables: ClosedRange<UInt32> = 0xAC00...0xD7A3

    /// Whether it is one of those, or of those beside them.
    static func isPart(_ scalar: UInt32) -> Bool {
        (0x1100...0x11FF).contains(scalar) || syllables.contains(scalar)
    }

    /// What two neighbours make; nil for those that stay two.
    static func syllable(_ first: UInt32, _ second: UInt32) -> UInt32? {
        if leading.contains(first), vowels.contains(second) {
            return syllables.lowerBound + ((first - leading.lowerBound) * 21 + second - vowels.lowerBound) * 28
        }
        guard syllables.contains(first), (first - syllables.lowerBound) % 28 == 0, trailing.contains(second) else {
            return nil
        }
        return first + second - trailing.lowerBound + 1
    }
}
