/// What the patterns of pre-tokenizers tell apart.
enum ScalarClass: UInt8 {
    /// Neither of the others.
    case other
    /// `\p{L}`
    case letter
    /// `\p{N}`
    case number
    /// `\s` without the next two.
    case space
    /// `[\r\n]`
    case lineBreak

    var isSpace: Bool { self == .space || self == .lineBreak }

    /// The version of Unicode that Hugging Face's `tokenizers` classifies by (its regular expressions are those of
    /// Oniguruma): what was assigned later is neither letter nor number there.
    private static let unicodeMajor = 16
    private static let tableCount: UInt32 = 0x3400
    /// Most texts need no more than this.
    private static let table: [ScalarClass] = (0..<tableCount).map { value in
        Unicode.Scalar(value).map(computed) ?? .other
    }

    init(_ scalar: UInt32) {
        if scalar < Self.tableCount {
            self = Self.table[Int(scalar)]
        } else if (0x4E00..<0x9FFF).contains(scalar) || (0xAC00...0xD7A3).contains(scalar) {
            self = .letter
        } else {
            self = Unicode.Scalar(scalar).map(Self.computed) ?? .other
        }
    }

    private static func computed(_ scalar: Unicode.Scalar) -> ScalarClass {
        if scalar == "\r" || scalar == "\n" { return .lineBreak }
        let properties = scalar.properties
        if properties.isWhitespace { return .space }
        guard let age = properties.age, age.major <= unicodeMajor else { return .other }
        switch properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: return .letter
        case .decimalNumber, .letterNumber, .otherNumber: return .number
        default: return .other
        }
    }
}

/// A scalar value in UTF-8 and how many bytes it takes. Bytes that are no UTF-8 count as one U+FFFD each.
func decodedScalar(_ bytes: UnsafeBufferPointer<UInt8>, at offset: Int) -> (value: UInt32, length: Int) {
    let first = UInt32(bytes[offset])
    if first < 0x80 { return (first, 1) }
    let length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC2 ? 2 : 1
    guard length > 1, first < 0xF5, offset + length <= bytes.count else { return (0xFFFD, 1) }
    var value = first & (0x7F >> UInt32(length))
    for place in 1..<length {
        let byte = UInt32(bytes[offset + place])
        guard byte & 0xC0 == 0x80 else { return (0xFFFD, 1) }
        value = value << 6 | byte & 0x3F
    }
    return (value, length)
}
