/// Tries that ended and how many of them failed, over a span of time that moves on in slots.
struct RollingCounts: Hashable, Sendable {
    struct Slot: Hashable, Sendable {
        var ended: Int64 = 0
        var failed: Int64 = 0
    }

    private let slotMilliseconds: Int64
    private var slots: [Slot]
    /// The number of the newest slot, counted from time zero.
    private var newest: Int64 = 0

    /// `slotCount` slots of `slotMilliseconds`.
    init(slotMilliseconds: Int64, slotCount: Int) {
        self.slotMilliseconds = slotMilliseconds
        slots = Array(repeating: Slot(), count: slotCount)
    }

    mutating func add(failed: Bool, at now: Int64) {
        advance(to: now)
        let index = Int(newest % Int64(slots.count))
        slots[index].ended += 1
        if failed { slots[index].failed += 1 }
    }

    /// What the last `milliseconds` held, to the precision of a slot.
    func sum(ofLast milliseconds: Int64, at now: Int64) -> Slot {
        let current = max(newest, now / slotMilliseconds)
        let oldest = current - min(milliseconds / slotMilliseconds, Int64(slots.count)) + 1
        var sum = Slot()
        var number = max(oldest, newest - Int64(slots.count) + 1, 0)
        while number <= newest {
            let slot = slots[Int(number % Int64(slots.count))]
            sum.ended += slot.ended
            sum.failed += slot.failed
            number += 1
        }
        return sum
    }

    mutating func clear() {
        for index in slots.indices { slots[index] = Slot() }
    }

    private mutating func advance(to now: Int64) {
        let number = now / slotMilliseconds
        guard number > newest else { return }
        if number - newest >= Int64(slots.count) {
            clear()
        } else {
            for passed in (newest + 1)...number { slots[Int(passed % Int64(slots.count))] = Slot() }
        }
        newest = number
    }
}
