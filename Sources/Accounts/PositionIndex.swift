/// Finds the position of a row by its hash: open addressing with linear probing, four bytes a slot. It knows positions
/// only; who asks compares the row.
struct PositionIndex: Sendable {
    /// At most two thirds of the slots are taken: then a search looks at two rows on average, also the largest table's.
    private static let loadNumerator = 2
    private static let loadDenominator = 3
    private static let slotCountMin = 16

    /// 0 is empty, anything else the position and one.
    private var slots = ChunkedArray<UInt32>(repeating: 0, count: slotCountMin)
    private(set) var count = 0

    private var mask: Int { slots.count - 1 }

    /// The position among those of this hash that `matches`.
    func position(hash: UInt64, where matches: (Int) -> Bool) -> Int? {
        var slot = Int(truncatingIfNeeded: hash) & mask
        while true {
            let value = slots[slot]
            if value == 0 { return nil }
            if matches(Int(value) - 1) { return Int(value) - 1 }
            slot = (slot + 1) & mask
        }
    }

    /// Adds a position that is not there yet. `hashAt` gives the hash of any position inside.
    mutating func insert(_ position: Int, hash: UInt64, hashAt: (Int) -> UInt64) {
        if (count + 1) * Self.loadDenominator > slots.count * Self.loadNumerator { grow(hashAt) }
        place(position, hash: hash)
        count += 1
    }

    /// Takes a position out; those behind it move up, so that no marks of removed rows stay.
    mutating func remove(_ position: Int, hash: UInt64, hashAt: (Int) -> UInt64) {
        guard var hole = slot(of: position, hash: hash) else { return }
        var next = hole
        while true {
            next = (next + 1) & mask
            let value = slots[next]
            if value == 0 { break }
            let home = Int(truncatingIfNeeded: hashAt(Int(value) - 1)) & mask
            // It may stand in the hole unless its own first slot lies behind the hole.
            if (next - home) & mask >= (next - hole) & mask {
                slots[hole] = value
                hole = next
            }
        }
        slots[hole] = 0
        count -= 1
    }

    /// The row of that hash has moved.
    mutating func move(_ position: Int, to newPosition: Int, hash: UInt64) {
        guard let slot = slot(of: position, hash: hash) else { return }
        slots[slot] = UInt32(newPosition + 1)
    }

    var byteCount: Int { slots.byteCount }

    private func slot(of position: Int, hash: UInt64) -> Int? {
        var slot = Int(truncatingIfNeeded: hash) & mask
        while true {
            let value = slots[slot]
            if value == 0 { return nil }
            if Int(value) - 1 == position { return slot }
            slot = (slot + 1) & mask
        }
    }

    private mutating func place(_ position: Int, hash: UInt64) {
        var slot = Int(truncatingIfNeeded: hash) & mask
        while slots[slot] != 0 { slot = (slot + 1) & mask }
        slots[slot] = UInt32(position + 1)
    }

    private mutating func grow(_ hashAt: (Int) -> UInt64) {
        let old = slots
        slots = ChunkedArray(repeating: 0, count: old.count * 2)
        for index in 0..<old.count where old[index] != 0 {
            let position = Int(old[index]) - 1
            place(position, hash: hashAt(position))
        }
    }
}
