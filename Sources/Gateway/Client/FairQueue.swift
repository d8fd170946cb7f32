/// What waits, in turns: whoever has much waiting gets one after the other of the rest between its own.
struct FairQueue<Owner: Hashable & Sendable, Element: Sendable>: Sendable {
    private var waiting: [Owner: [Element]] = [:]
    /// Owners with something waiting, who is next first.
    private var turns: [Owner] = []

    init() {}

    mutating func append(_ element: Element, of owner: Owner) {
        if waiting[owner, default: []].isEmpty { turns.append(owner) }
        waiting[owner, default: []].append(element)
        assert(Set(turns).count == turns.count, "an owner has one turn")
    }

    /// The first element of the owner whose turn it is; nil when nothing waits.
    mutating func popFirst() -> Element? {
        guard !turns.isEmpty else { return nil }
        let owner = turns.removeFirst()
        guard var elements = waiting.removeValue(forKey: owner), !elements.isEmpty else { return nil }
        let element = elements.removeFirst()
        if !elements.isEmpty {
            waiting[owner] = elements
            turns.append(owner)
        }
        return element
    }
}
