/// A text with JSON's escapes of letters read, and where each byte of it stood. Escapes of quotes, backslashes and line
/// ends stay as they are: they end a word either way.
struct UnescapedText {
    private(set) var bytes: [UInt8] = []
    /// Of each byte, and of the end.
    private(set) var origins: [Int] = []

    /// Nil where the text has no escapes.
    init?(_ text: UnsafeRawBufferPointer) {
        guard text.contains(UInt8(ascii: "\\")) else { return nil }
        bytes.reserveCapacity(text.count)
        origins.reserveCapacity(text.count + 1)
        var index = 0
        while index < text.count {
            guard text[index] == UInt8(ascii: "\\") else {
                append([text[index]], from: index)
                index += 1
                continue
            }
            // An error inside a string of JSON has its backslashes doubled, as often as it was quoted.
            var end = index
            while end < text.count, text[end] == UInt8(ascii: "\\") { end += 1 }
            if end < text.count, text[end] == UInt8(ascii: "/") {
                append([UInt8(ascii: "/")], from: index)
                index = end + 1
            } else if let value = UnescapedText.unit(text, at: end), let scalar = Unicode.Scalar(value) {
                append(Array(String(scalar).utf8), from: index)
                index = end + 5
            } else {
                for place in index..<end { append([text[place]], from: place) }
                index = end
            }
        }
        origins.append(text.count)
    }

    private mutating func append(_ decoded: [UInt8], from origin: Int) {
        bytes += decoded
        for _ in decoded { origins.append(origin) }
    }

    /// The number of `uXXXX` at a place.
    private static func unit(_ text: UnsafeRawBufferPointer, at place: Int) -> UInt32? {
        guard place + 5 <= text.count, text[place] == UInt8(ascii: "u") else { return nil }
        var value: UInt32 = 0
        for byte in text[place + 1..<place + 5] {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt32(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt32(byte - UInt8(ascii: "a") + 10)
            case UInt8(ascii: "A")...UInt8(ascii: "F"): value = value << 4 | UInt32(byte - UInt8(ascii: "A") + 10)
            default: return nil
            }
        }
        return value
    }
}
