/// An array whose copies share what they have in common: a copy that changes one element copies one chunk and the list
/// of chunks, not the rest. So an update by difference leaves readers of the older copy undisturbed, and costs the same
/// for ten rows as for a million (but for the list of chunks, 16 bytes for each 8 KiB or more).
struct ChunkedArray<Element: Sendable>: Sendable {
    /// Elements in a chunk: a power of two, so that a position splits by shifting.
    static var chunkCount: Int { 1 << chunkShift }
    private static var chunkShift: Int { 9 }

    private var chunks: [[Element]] = []
    private(set) var count = 0

    init() {}

    init(repeating element: Element, count: Int) {
        let chunk = [Element](repeating: element, count: min(count, Self.chunkCount))
        chunks = [[Element]](repeating: chunk, count: count >> Self.chunkShift)
        let rest = count & (Self.chunkCount - 1)
        if rest > 0 { chunks.append([Element](repeating: element, count: rest)) }
        self.count = count
    }

    subscript(position: Int) -> Element {
        get { chunks[position >> Self.chunkShift][position & (Self.chunkCount - 1)] }
        _modify { yield &chunks[position >> Self.chunkShift][position & (Self.chunkCount - 1)] }
    }

    mutating func append(_ element: Element) {
        if count & (Self.chunkCount - 1) == 0 {
            var chunk: [Element] = []
            // The first chunk grows as a small array does; those after it have their size at once.
            if count > 0 { chunk.reserveCapacity(Self.chunkCount) }
            chunks.append(chunk)
        }
        chunks[chunks.count - 1].append(element)
        count += 1
    }

    mutating func removeLast() {
        chunks[chunks.count - 1].removeLast()
        count -= 1
        if count & (Self.chunkCount - 1) == 0 { chunks.removeLast() }
    }

    /// Bytes of memory that it holds, shared or not.
    var byteCount: Int {
        chunks.reduce(chunks.capacity * MemoryLayout<[Element]>.stride) { sum, chunk in
            sum + chunk.capacity * MemoryLayout<Element>.stride + 32
        }
    }
}
