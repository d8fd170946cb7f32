/// Names that the keys of a document are looked up among. A key is compared only with the names that have its length
/// and its first, middle and last byte, which is rarely more than one, however many names there are.
struct NameIndex: Sendable {
    let names: [StaticString]
    /// The first name of each group.
    private let heads: [UInt8]
    /// After each name the next one of its group.
    private let followers: [UInt8]
    private let countMax: Int

    private static let nothing = UInt8.max

    init(_ names: [StaticString]) {
        assert(names.count < Int(NameIndex.nothing) && names.allSatisfy { $0.utf8CodeUnitCount > 0 })
        var heads = [UInt8](repeating: NameIndex.nothing, count: 256)
        var followers = [UInt8](repeating: NameIndex.nothing, count: names.count)
        for (index, name) in names.enumerated().reversed() {
            let bytes = UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
            let group = NameIndex.group(of: bytes, 0..<bytes.count)
            followers[index] = heads[group]
            heads[group] = UInt8(index)
        }
        self.names = names
        self.heads = heads
        self.followers = followers
        countMax = names.map(\.utf8CodeUnitCount).max() ?? 0
    }

    /// Names that differ in nothing but case are of one group.
    @inline(__always)
    private static func group(of bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Int {
        let count = range.count
        let first = Int(bytes[range.lowerBound] | 0x20)
        let middle = Int(bytes[range.lowerBound + count / 2] | 0x20)
        let last = Int(bytes[range.upperBound - 1] | 0x20)
        return (count &* 37 &+ first &* 5 &+ middle &* 11 &+ last &* 17) & 255
    }

    /// The place of the first name of the text's group that `matches`.
    @inline(__always)
    func first(
        in bytes: UnsafeRawBufferPointer, _ range: Range<Int>, where matches: (StaticString) -> Bool
    ) -> Int? {
        guard !range.isEmpty, range.count <= countMax else { return nil }
        var index = heads[NameIndex.group(of: bytes, range)]
        while index != NameIndex.nothing {
            ReadingSteps.add(1)
            if matches(names[Int(index)]) { return Int(index) }
            index = followers[Int(index)]
        }
        return nil
    }

    /// The place of the name that a text is.
    @inline(__always)
    func place(of bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Int? {
        first(in: bytes, range) { bytes.equals($0, in: range) }
    }

    /// The place of the name that a key is, whatever escapes it is written with.
    func place(of key: JSONText, in bytes: UnsafeRawBufferPointer) -> Int? {
        guard key.isEscaped else { return place(of: bytes, key.range) }
        // No letter is written with more than six bytes.
        guard key.range.count <= 6 * countMax else { return nil }
        var value = key.value(in: bytes)
        return value.withUTF8 { place(of: UnsafeRawBufferPointer($0), 0..<$0.count) }
    }
}

/// The same, with what each name means.
struct NamedMeanings<Meaning: Sendable>: Sendable {
    private let table: NameTable
    private let meanings: [Meaning]

    init(_ entries: [(name: StaticString, meaning: Meaning)]) {
        table = NameTable(entries.map(\.name))
        meanings = entries.map(\.meaning)
    }

    /// Several names for each meaning.
    init(_ groups: KeyValuePairs<[StaticString], Meaning>) {
        self.init(groups.flatMap { names, meaning in names.map { ($0, meaning) } })
    }

    /// What a key means; nil where none of the names is its.
    @inline(__always)
    func meaning(of key: JSONText, in bytes: UnsafeRawBufferPointer) -> Meaning? {
        table.index.place(of: key, in: bytes).map { meanings[$0] }
    }

    /// What a key means to a reader that does not mind case, for what must not pass any reader.
    @inline(__always)
    func meaning(ofAnyCase key: JSONText, in bytes: UnsafeRawBufferPointer) -> Meaning? {
        switch table.match(key, in: bytes) {
        case .name(let place), .folds(let place): meanings[place]
        case .none: nil
        }
    }
}
