public import Identity

/// Walks over all pages of a list.
public enum Paging {
    /// All items, page by page.
    public static func all<Item: Identifiable>(
        _ page: (PageRequest) throws -> Page<Item>
    ) throws -> [Item] where Item.ID: PagedID {
        var items: [Item] = []
        var request = PageRequest(limit: PageRequest.limitMax)
        while true {
            let page = try page(request)
            items += page.items
            guard page.hasMore, let last = page.items.last else { return items }
            request = PageRequest(limit: PageRequest.limitMax, after: last.id.uuid)
        }
    }
}

/// An id that lists are ordered by.
public protocol PagedID {
    var uuid: UUIDv7 { get }
}

extension TypedID: PagedID {}
