internal import Identity

/// A text with its escapes read, and where each byte of it stood: those of JSON and of programming languages
/// (`\u0061`, `\x61`, `\141`, `\u{61}`, `\/`), however often they were quoted, percent-encoding and those of HTML, in
/// any order and one inside the other. Escapes of backslashes and line ends stay as they are: they end a word either
/// way.
struct DecodedText {
    private(set) var bytes: [UInt8]
    /// Of each byte where its escape began, and of the end; empty where nothing was escaped.
    private var origins: [Int] = []

    /// So often one escape inside another is read.
    private static let passesMax = 4

    init(_ text: some Collection<UInt8>) {
        bytes = Array(text)
        for _ in 0..<DecodedText.passesMax {
            guard bytes.contains(where: { DecodedText.marks.contains($0) }), decode() else { return }
        }
    }

    /// What escapes begin with.
    private static let marks = Array("\\%&".utf8)

    /// Where a byte stood; for the count of bytes, where the text ended.
    func origin(of place: Int) -> Int { origins.isEmpty ? place : origins[place] }

    /// Reads each escape once. Returns whether there were any.
    private mutating func decode() -> Bool {
        var decoded: [UInt8] = []
        var places: [Int] = []
        decoded.reserveCapacity(bytes.count)
        places.reserveCapacity(bytes.count + 1)
        var index = 0
        while index < bytes.count {
            let (escape, end) = escape(at: index)
            ReadingSteps.add(end - index)
            for byte in escape ?? bytes[index..<end] {
                decoded.append(byte)
                places.append(origin(of: index))
                if escape == nil { index += 1 }
            }
            index = end
        }
        guard decoded.count < bytes.count else { return false }
        places.append(origin(of: bytes.count))
        bytes = decoded
        origins = places
        return true
    }

    /// What the escape at a place stands for, and where the text goes on; nil where none is.
    private func escape(at index: Int) -> (value: ArraySlice<UInt8>?, end: Int) {
        switch bytes[index] {
        case UInt8(ascii: "%"):
            if let value = number(index + 1..<index + 3) { return ([UInt8(value)], index + 3) }
            guard hasByte("u", at: index + 1) else { return (nil, index + 1) }
            return character(number(index + 2..<index + 6), index + 6) ?? (nil, index + 1)
        case UInt8(ascii: "&"): return entity(at: index) ?? (nil, index + 1)
        case UInt8(ascii: "\\"):
            // An error inside a string of JSON has its backslashes doubled, as often as it was quoted.
            var end = index
            while end < bytes.count, bytes[end] == UInt8(ascii: "\\") { end += 1 }
            return escaped(at: end) ?? (nil, end)
        default: return (nil, index + 1)
        }
    }

    /// What stands behind backslashes.
    private func escaped(at place: Int) -> (value: ArraySlice<UInt8>?, end: Int)? {
        guard place < bytes.count else { return nil }
        switch bytes[place] {
        case UInt8(ascii: "/"): return ([UInt8(ascii: "/")], place + 1)
        case UInt8(ascii: "x"): return character(number(place + 1..<place + 3), place + 3)
        case UInt8(ascii: "U"): return character(number(place + 1..<place + 9), place + 9)
        case UInt8(ascii: "u"):
            guard hasByte("{", at: place + 1) else { return character(number(place + 1..<place + 5), place + 5) }
            let end = bytes[(place + 2)...].prefix(9).firstIndex(of: UInt8(ascii: "}"))
            return end.flatMap { character(number(place + 2..<$0), $0 + 1) }
        // An octal number of three digits.
        case UInt8(ascii: "0"), UInt8(ascii: "1"):
            guard place + 3 <= bytes.count else { return nil }
            let digits = bytes[place..<place + 3].compactMap { (0x30...0x37).contains($0) ? UInt32($0 - 0x30) : nil }
            return digits.count == 3 ? character(digits.reduce(0) { $0 << 3 | $1 }, place + 3) : nil
        default: return nil
        }
    }

    /// A character of HTML by its number or its name.
    private func entity(at index: Int) -> (value: ArraySlice<UInt8>?, end: Int)? {
        guard let end = bytes[index...].prefix(12).firstIndex(of: UInt8(ascii: ";")), end > index + 1 else {
            return nil
        }
        guard hasByte("#", at: index + 1) else {
            let name = String(decoding: bytes[index + 1..<end], as: UTF8.self)
            return DecodedText.entities[name].map { ([$0], end + 1) }
        }
        if hasByte("x", at: index + 2) || hasByte("X", at: index + 2) {
            return character(number(index + 3..<end), end + 1)
        }
        return character(UInt32(String(decoding: bytes[index + 2..<end], as: UTF8.self)), end + 1)
    }

    /// Names of what stands in keys, hosts and addresses.
    private static let entities: [String: UInt8] = [
        "amp": 0x26, "lt": 0x3C, "gt": 0x3E, "quot": 0x22, "apos": 0x27, "sol": 0x2F, "colon": 0x3A, "period": 0x2E,
        "lowbar": 0x5F, "hyphen": 0x2D, "dash": 0x2D, "equals": 0x3D, "plus": 0x2B, "commat": 0x40, "num": 0x23,
        "percnt": 0x25, "bsol": 0x5C,
    ]

    private func character(_ value: UInt32?, _ end: Int) -> (value: ArraySlice<UInt8>?, end: Int)? {
        guard let value, let scalar = Unicode.Scalar(value) else { return nil }
        return (ArraySlice(String(scalar).utf8), end)
    }

    private func hasByte(_ byte: Unicode.Scalar, at index: Int) -> Bool {
        index < bytes.count && bytes[index] == UInt8(ascii: byte)
    }

    /// The hexadecimal number that stands in a range.
    private func number(_ range: Range<Int>) -> UInt32? {
        guard !range.isEmpty, range.count <= 8, range.upperBound <= bytes.count else { return nil }
        var value: UInt32 = 0
        for byte in bytes[range] {
            guard let digit = Hexadecimal.value(of: byte) else { return nil }
            value = value << 4 | UInt32(digit)
        }
        return value
    }

    // MARK: Line ends

    /// The same without its line ends and tabs, written as they are or as escapes: a text that was broken into lines is
    /// one word again.
    var joined: DecodedText {
        var joined = self
        joined.bytes = []
        joined.origins = []
        var index = 0
        while index < bytes.count {
            let (end, isBreak) = run(at: index)
            for place in index..<end where !isBreak {
                joined.bytes.append(bytes[place])
                joined.origins.append(origin(of: place))
            }
            index = end
        }
        joined.origins.append(origin(of: bytes.count))
        return joined
    }

    /// Where the byte at a place ends, or the backslashes there with what they quote, and whether it is a line end or a
    /// tab. Backslashes are looked at once, however many there are.
    private func run(at index: Int) -> (end: Int, isBreak: Bool) {
        switch bytes[index] {
        case 0x09, 0x0A, 0x0D: return (index + 1, true)
        case UInt8(ascii: "\\"):
            var end = index
            while end < bytes.count, bytes[end] == UInt8(ascii: "\\") { end += 1 }
            ReadingSteps.add(end - index)
            let isBreak = end < bytes.count && DecodedText.breaks.contains(bytes[end])
            return (isBreak ? end + 1 : end, isBreak)
        default: return (index + 1, false)
        }
    }

    private static let breaks = Array("nrt".utf8)
}
