/// Finds a token by its bytes: all of them in one array, an index of open addressing over it.
struct TokenTable: Sendable {
    private struct Entry {
        let start: Int32
        let length: Int32
        let id: UInt32
    }

    private var bytes: [UInt8] = []
    private var entries: [Entry] = []
    /// 0 is empty, anything else an entry's position and one.
    private var slots: [UInt32] = [UInt32](repeating: 0, count: 64)

    var count: Int { entries.count }

    /// The token of exactly these bytes.
    func id(of word: UnsafeBufferPointer<UInt8>) -> UInt32? {
        var slot = Self.hash(word) & (slots.count - 1)
        while true {
            let value = slots[slot]
            if value == 0 { return nil }
            let entry = entries[Int(value) - 1]
            if equals(entry, word) { return entry.id }
            slot = (slot + 1) & (slots.count - 1)
        }
    }

    func id(of word: [UInt8]) -> UInt32? { word.withUnsafeBufferPointer { id(of: $0) } }

    /// Adds a token; where its bytes are there already, the first one stays.
    mutating func insert(_ word: [UInt8], id: UInt32) {
        if self.id(of: word) != nil { return }
        if (entries.count + 1) * 2 > slots.count { grow() }
        entries.append(Entry(start: Int32(bytes.count), length: Int32(word.count), id: id))
        bytes += word
        place(entries.count, hash: word.withUnsafeBufferPointer(Self.hash))
    }

    private func equals(_ entry: Entry, _ word: UnsafeBufferPointer<UInt8>) -> Bool {
        guard Int(entry.length) == word.count else { return false }
        for index in 0..<word.count where bytes[Int(entry.start) + index] != word[index] { return false }
        return true
    }

    private mutating func place(_ value: Int, hash: Int) {
        var slot = hash & (slots.count - 1)
        while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
        slots[slot] = UInt32(value)
    }

    private mutating func grow() {
        slots = [UInt32](repeating: 0, count: slots.count * 2)
        for (position, entry) in entries.enumerated() {
            let range = Int(entry.start)..<Int(entry.start + entry.length)
            let hash = bytes[range].withUnsafeBufferPointer(Self.hash)
            place(position + 1, hash: hash)
        }
    }

    /// FNV-1a, its upper half mixed into the lower.
    static func hash(_ word: UnsafeBufferPointer<UInt8>) -> Int {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in word { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return Int(truncatingIfNeeded: hash ^ hash >> 32) & Int.max
    }
}

/// What two neighbouring tokens become, and how early.
struct MergeTable: Sendable {
    struct Merge {
        /// Counts from 0; the lowest comes first.
        let rank: UInt32
        let id: UInt32
    }

    private var keys: [UInt64]
    private var values: [Merge]
    private static let empty = UInt64.max

    /// A table with room for so many merges.
    init(count: Int) {
        var slots = 64
        while slots < count * 2 { slots *= 2 }
        keys = [UInt64](repeating: Self.empty, count: slots)
        values = [Merge](repeating: Merge(rank: 0, id: 0), count: slots)
    }

    func merge(_ left: UInt32, _ right: UInt32) -> Merge? {
        let key = UInt64(left) << 32 | UInt64(right)
        let slot = slot(of: key)
        return keys[slot] == key ? values[slot] : nil
    }

    /// A pair that is named twice has its later rank.
    mutating func insert(_ left: UInt32, _ right: UInt32, _ merge: Merge) {
        let key = UInt64(left) << 32 | UInt64(right)
        let slot = slot(of: key)
        keys[slot] = key
        values[slot] = merge
    }

    private func slot(of key: UInt64) -> Int {
        let mixed = key &* 0x9E37_79B9_7F4A_7C15
        var slot = Int(truncatingIfNeeded: mixed >> 32) & (keys.count - 1)
        while keys[slot] != Self.empty, keys[slot] != key { slot = (slot + 1) & (keys.count - 1) }
        return slot
    }
}
