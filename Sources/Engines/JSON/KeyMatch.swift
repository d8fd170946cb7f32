/// Names that are looked for among the keys of an object, by readers that mind case and for readers that do not.
struct NameTable: Sendable {
    var names: [StaticString] { index.names }
    let index: NameIndex
    /// No writing of a name is longer: each of its letters takes six bytes at most (`\u006d`).
    private let writtenBytesMax: Int

    init(_ names: [StaticString]) {
        index = NameIndex(names)
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
        var value = key.value(in: bytes)
        return value.withUTF8 { match(UnsafeRawBufferPointer($0), 0..<$0.count) }
    }

    /// The name that `text` folds to without being it; nil where there is none.
    func folded(_ text: String) -> StaticString? {
        guard text.utf8.count <= writtenBytesMax else { return nil }
        var text = text
        return text.withUTF8 { bytes in
            guard case .folds(let place) = match(UnsafeRawBufferPointer(bytes), 0..<bytes.count) else { return nil }
            return names[place]
        }
    }

    private func match(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Match {
        if let place = index.place(of: bytes, range) { return .name(place) }
        guard bytes[range].contains(where: { $0 >= 0x80 }) else {
            let place = index.first(in: bytes, range) { bytes.equalsInAnyCase($0, in: range) }
            return place.map { .folds($0) } ?? .none
        }
        return NameTable.folded(bytes[range]).withUnsafeBytes { text in
            let place = index.first(in: text, 0..<text.count) { text.equalsInAnyCase($0, in: 0..<text.count) }
            return place.map { .folds($0) } ?? .none
        }
    }

    /// A text as a reader folds it that folds case as Unicode does, Go's `encoding/json` among them: beside the other
    /// case of ASCII, U+017F is an s and U+212A is a k.
    private static func folded(_ text: Slice<UnsafeRawBufferPointer>) -> [UInt8] {
        var folded: [UInt8] = []
        folded.reserveCapacity(text.count)
        for byte in text {
            folded.append(byte)
            if folded.ends(with: [0xC5, 0xBF]) {
                folded.removeLast(2)
                folded.append(UInt8(ascii: "s"))
            } else if folded.ends(with: [0xE2, 0x84, 0xAA]) {
                folded.removeLast(3)
                folded.append(UInt8(ascii: "k"))
            }
        }
        return folded
    }
}

extension [UInt8] {
    fileprivate func ends(with end: [UInt8]) -> Bool { suffix(end.count).elementsEqual(end) }
}

extension UnsafeRawBufferPointer {
    /// Whether the bytes of `range` are those of `text`, or its letters in the other case.
    fileprivate func equalsInAnyCase(_ text: StaticString, in range: Range<Int>) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        for place in 0..<range.count
        where self[range.lowerBound + place].lowercasedASCII != text.utf8Start[place].lowercasedASCII {
            return false
        }
        return true
    }
}

extension UInt8 {
    fileprivate var lowercasedASCII: UInt8 { (65...90).contains(self) ? self | 0x20 : self }
}
