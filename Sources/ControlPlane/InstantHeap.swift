/// Instants at which something begins or ends, the next one first (a binary heap, eight bytes an instant). What begins
/// is not said: the tables know. So an instant that no longer means anything does no harm.
struct InstantHeap: Sendable {
    private var instants: [Int64] = []

    var count: Int { instants.count }
    /// Milliseconds of real time.
    var next: Int64? { instants.first }

    mutating func insert(_ instant: Int64) {
        instants.append(instant)
        var position = instants.count - 1
        while position > 0 {
            let parent = (position - 1) / 2
            guard instants[position] < instants[parent] else { return }
            instants.swapAt(position, parent)
            position = parent
        }
    }

    /// Takes out what has come.
    mutating func removeAll(upTo now: Int64) {
        while let first = instants.first, first <= now { removeFirst() }
    }

    private mutating func removeFirst() {
        let last = instants.removeLast()
        guard !instants.isEmpty else { return }
        instants[0] = last
        var position = 0
        while true {
            var least = position
            for child in [2 * position + 1, 2 * position + 2] where child < instants.count {
                if instants[child] < instants[least] { least = child }
            }
            guard least != position else { return }
            instants.swapAt(position, least)
            position = least
        }
    }
}
