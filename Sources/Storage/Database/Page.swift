public import Identity

/// Which part of a list is asked for: lists run in the order of their ids, which is that of creation.
public struct PageRequest: Hashable, Sendable {
    /// Items on the page, 1 to `limitMax`.
    public let limit: Int
    /// The id of the last item of the page before; nil for the first page.
    public let after: UUIDv7?

    /// The most items on a page.
    public static let limitMax = 1000
    /// Items on a page when nobody says.
    public static let limitDefault = 50

    /// A page; a limit out of bounds is moved into them.
    public init(limit: Int = PageRequest.limitDefault, after: UUIDv7? = nil) {
        self.limit = min(max(limit, 1), Self.limitMax)
        self.after = after
    }

    /// Where the page begins; the zero id sorts before all others.
    var afterOrZero: UUIDv7 { after ?? UUIDv7(high: 0, low: 0) }

    /// One more than the page holds, to know whether another follows.
    var limitAndOne: Int { limit + 1 }
}

/// A part of a list.
public struct Page<Item: Sendable>: Sendable {
    public let items: [Item]
    /// Whether another page follows; ask for it after the id of the last item.
    public let hasMore: Bool

    public init(items: [Item], hasMore: Bool) {
        self.items = items
        self.hasMore = hasMore
    }

    /// The first `limit` of the rows read; whether there was one more.
    init(_ rows: [Item], _ request: PageRequest) {
        self.init(items: Array(rows.prefix(request.limit)), hasMore: rows.count > request.limit)
    }
}
