internal import Identity

/// A text with its escapes read, and where each byte of it stood: JSON's escapes (`\u0061`, `\/`), however often they
/// were quoted, and percent-encoding, in any order and one inside the other. Escapes of quotes, backslashes and line
/// ends stay as they are: they end a word either way.
struct DecodedText {
    private(set) var bytes: [UInt8]
    /// Of each byte where its escape began, and of the end; empty where nothing was escaped.
    private var origins: [Int] = []

    /// So often one escape inside another is read.
    private static let passesMax = 4

    init(_ text: some Collection<UInt8>) {
        bytes = Array(text)
        for _ in 0..<DecodedText.passesMax {
            guard bytes.contains(UInt8(ascii: "\\")) || bytes.contains(UInt8(ascii: "%")), decode() else { return }
        }
    }

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
            guard index + 3 <= bytes.count, let value = number(index + 1..<index + 3) else { return (nil, index + 1) }
            return ([UInt8(value)], index + 3)
        case UInt8(ascii: "\\"):
            // An error inside a string of JSON has its backslashes doubled, as often as it was quoted.
            var end = index
            while end < bytes.count, bytes[end] == UInt8(ascii: "\\") { end += 1 }
            guard end < bytes.count else { return (nil, end) }
            if bytes[end] == UInt8(ascii: "/") { return ([UInt8(ascii: "/")], end + 1) }
            guard bytes[end] == UInt8(ascii: "u"), end + 5 <= bytes.count, let value = number(end + 1..<end + 5),
                let scalar = Unicode.Scalar(value)
            else { return (nil, end) }
            return (ArraySlice(String(scalar).utf8), end + 5)
        default: return (nil, index + 1)
        }
    }

    /// The hexadecimal number that stands in a range.
    private func number(_ range: Range<Int>) -> UInt32? {
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
            let end = endOfBreak(at: index)
            if end == index {
                joined.bytes.append(bytes[index])
                joined.origins.append(origin(of: index))
                index += 1
            } else {
                index = end
            }
        }
        joined.origins.append(origin(of: bytes.count))
        return joined
    }

    /// Behind a line end or a tab; the same place where none is.
    private func endOfBreak(at index: Int) -> Int {
        switch bytes[index] {
        case 0x09, 0x0A, 0x0D: return index + 1
        case UInt8(ascii: "\\"):
            var end = index
            while end < bytes.count, bytes[end] == UInt8(ascii: "\\") { end += 1 }
            let isBreak = end < bytes.count && DecodedText.breaks.contains(bytes[end])
            return isBreak ? end + 1 : index
        default: return index
        }
    }

    private static let breaks = Array("nrt".utf8)
}
