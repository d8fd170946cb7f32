/// Names that are looked for among the keys of an object.
struct NameTable: Sendable {
    let names: [StaticString]
    /// No writing of a name is longer: each of its letters takes six bytes at most (`\u006d`).
    private let writtenBytesMax: Int

    init(_ names: [StaticString]) {
        self.names = names
        writtenBytesMax = 6 * (names.map(\.utf8CodeUnitCount).max() ?? 0)
    }

    /// What a key is among these names.
    enum Match: Equatable {
        case name(Int)
        /// It is none of them, but a reader that does not mind case takes it for this one.
        case folds(Int)
        case none
    }

    /// What `key` is. Takes work for at most `writtenBytesMax` of its bytes.
    func match(_ key: JSONText, in bytes: UnsafeRawBufferPointer) -> Match {
        guard key.range.count <= writtenBytesMax else { return .none }
        guard key.isEscaped else { return match(bytes, key.range) }
        let value = Array(key.value(in: bytes).utf8)
        return value.withUnsafeBytes { match($0, 0..<$0.count) }
    }

    /// The name that `text` folds to without being it; nil where there is none.
    func folded(_ text: String) -> StaticString? {
        let value = Array(text.utf8)
        guard value.count <= writtenBytesMax else { return nil }
        return value.withUnsafeBytes { bytes in
            guard case .folds(let index) = match(bytes, 0..<bytes.count) else { return nil }
            return names[index]
        }
    }

    private func match(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Match {
        ReadingSteps.add(names.count)
        var folding: Int?
        for (index, name) in names.enumerated() {
            guard NameTable.folds(bytes, range, to: name) else { continue }
            if bytes.equals(name, in: range) { return .name(index) }
            folding = folding ?? index
        }
        return folding.map { .folds($0) } ?? .none
    }

    /// Whether the bytes are `name` to a reader that folds case as Unicode does, Go's `encoding/json` among them:
    /// beside the other case of ASCII, U+017F is an s and U+212A is a k.
    @inline(__always)
    private static func folds(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, to name: StaticString) -> Bool {
        let count = name.utf8CodeUnitCount
        guard range.count >= count else { return false }
        var index = range.lowerBound
        for place in 0..<count {
            guard index < range.upperBound else { return false }
            let wanted = name.utf8Start[place].lowercasedASCII
            let byte = bytes[index].lowercasedASCII
            if byte == wanted {
                index += 1
            } else if byte == 0xC5, wanted == UInt8(ascii: "s"), bytes.hasBytes("\u{17F}", at: index) {
                index += 2
            } else if byte == 0xE2, wanted == UInt8(ascii: "k"), bytes.hasBytes("\u{212A}", at: index) {
                index += 3
            } else {
                return false
            }
        }
        return index == range.upperBound
    }
}

extension UInt8 {
    fileprivate var lowercasedASCII: UInt8 { (65...90).contains(self) ? self | 0x20 : self }
}
