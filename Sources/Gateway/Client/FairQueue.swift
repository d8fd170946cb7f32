import NIOCore

/// What waits, in turns: whoever has much waiting gets one after the other of the rest between its own.
struct FairQueue<Owner: Hashable & Sendable, Element: Sendable>: Sendable {
    private var waiting: [Owner: CircularBuffer<Element>] = [:]
    /// Owners with something waiting, each once, who is next first.
    private var turns = CircularBuffer<Owner>()

    init() {}

    mutating func append(_ element: Element, of owner: Owner) {
        if waiting[owner] == nil { turns.append(owner) }
        waiting[owner, default: CircularBuffer()].append(element)
        assert(turns.count == waiting.count, "an owner has one turn")
    }

    /// The first element of the owner whose turn it is; nil when nothing waits.
    mutating func popFirst() -> Element? {
        guard let owner = turns.popFirst() else { return nil }
        let element = waiting[owner]?.popFirst()
        if waiting[owner]?.isEmpty == false { turns.append(owner) } else { waiting[owner] = nil }
        assert(element != nil, "who has a turn has something waiting")
        return element
    }
}
