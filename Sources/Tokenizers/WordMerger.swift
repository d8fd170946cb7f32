/// Byte-pair encoding of one word: again and again the pair of neighbours with the lowest rank becomes one token, of
/// equal ones the leftmost.
struct WordMerger {
    /// Words up to this length are searched through for each merge; longer ones keep a heap.
    private static let shortMax = 40
    private static let noRank = UInt32.max

    private var ranks: [UInt32] = []
    private var merged: [UInt32] = []
    private var heap: [Candidate] = []
    private var next: [Int32] = []
    private var previous: [Int32] = []

    /// Merges `tokens` in place.
    mutating func merge(_ tokens: inout [UInt32], by merges: MergeTable) {
        guard tokens.count > 1 else { return }
        if tokens.count <= Self.shortMax { mergeShort(&tokens, merges) } else { mergeLong(&tokens, merges) }
    }

    private mutating func mergeShort(_ tokens: inout [UInt32], _ merges: MergeTable) {
        ranks.removeAll(keepingCapacity: true)
        merged.removeAll(keepingCapacity: true)
        for index in 0..<tokens.count - 1 {
            let merge = merges.merge(tokens[index], tokens[index + 1])
            ranks.append(merge?.rank ?? Self.noRank)
            merged.append(merge?.id ?? 0)
        }
        while true {
            var best = 0
            var rank = Self.noRank
            for index in 0..<ranks.count where ranks[index] < rank {
                rank = ranks[index]
                best = index
            }
            guard rank != Self.noRank else { return }
            tokens[best] = merged[best]
            tokens.remove(at: best + 1)
            ranks.remove(at: best)
            merged.remove(at: best)
            for index in [best - 1, best] where index >= 0 && index < ranks.count {
                let merge = merges.merge(tokens[index], tokens[index + 1])
                ranks[index] = merge?.rank ?? Self.noRank
                merged[index] = merge?.id ?? 0
            }
            if ranks.isEmpty { return }
        }
    }

    // MARK: Long words

    private struct Candidate {
        let rank: UInt32
        let position: Int32
        let id: UInt32

        static func < (left: Candidate, right: Candidate) -> Bool {
            left.rank != right.rank ? left.rank < right.rank : left.position < right.position
        }
    }

    private mutating func mergeLong(_ tokens: inout [UInt32], _ merges: MergeTable) {
        let count = tokens.count
        let gone = UInt32.max
        next = (1...Int32(count)).map { $0 }
        previous = (-1..<Int32(count) - 1).map { $0 }
        heap.removeAll(keepingCapacity: true)
        for index in 0..<count - 1 { push(index, tokens[index], tokens[index + 1], merges) }
        while let candidate = popFirst() {
            let left = Int(candidate.position)
            guard tokens[left] != gone, next[left] < count else { continue }
            let right = Int(next[left])
            // What was here when it was pushed may have been merged with something else.
            guard let merge = merges.merge(tokens[left], tokens[right]), merge.id == candidate.id else { continue }
            tokens[left] = candidate.id
            tokens[right] = gone
            next[left] = next[right]
            if next[left] < count {
                previous[Int(next[left])] = Int32(left)
                push(left, tokens[left], tokens[Int(next[left])], merges)
            }
            if previous[left] >= 0 {
                push(Int(previous[left]), tokens[Int(previous[left])], tokens[left], merges)
            }
        }
        tokens.removeAll { $0 == gone }
    }

    private mutating func push(_ position: Int, _ left: UInt32, _ right: UInt32, _ merges: MergeTable) {
        guard let merge = merges.merge(left, right) else { return }
        heap.append(Candidate(rank: merge.rank, position: Int32(position), id: merge.id))
        var place = heap.count - 1
        while place > 0 {
            let parent = (place - 1) / 2
            guard heap[place] < heap[parent] else { return }
            heap.swapAt(place, parent)
            place = parent
        }
    }

    private mutating func popFirst() -> Candidate? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return first }
        heap[0] = last
        var place = 0
        while true {
            var least = place
            for child in [2 * place + 1, 2 * place + 2] where child < heap.count && heap[child] < heap[least] {
                least = child
            }
            guard least != place else { return first }
            heap.swapAt(place, least)
            place = least
        }
    }
}
