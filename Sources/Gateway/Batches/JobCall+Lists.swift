import Engines
import Identity
import Metering
import NIOCore

/// Listings: the upstream's account is everybody's, so its pages are looked through for what is the project's own.
extension JobCall {
    /// Rows of one page of an upstream.
    private static let pageRows = 100
    /// Pages that are looked through for one listing.
    private static let pagesMax = 50

    /// A listing under way.
    private struct Listing<Row> {
        let surface: Surface
        let limit: Int
        let query: String
        let own: (_ row: [UInt8], _ backend: Backend) -> Row?
        let then: (_ rows: [Row], _ hasMore: Bool) -> Void
        var backends: ArraySlice<Backend>
        /// The upstream's id of the row before the next page.
        var after: String?
        var rows: [Row] = []
        var pageCount = 0
    }

    /// Gathers the rows that are the project's own, the backends one after the other, from the client's `after` on.
    func list<Row>(
        _ surface: Surface, _ kind: ObjectSeal.Kind, limit: Int, query: String,
        own: @escaping (_ row: [UInt8], _ backend: Backend) -> Row?,
        then: @escaping (_ rows: [Row], _ hasMore: Bool) -> Void
    ) {
        var listing = Listing(
            surface: surface, limit: limit, query: query, own: own, then: then, backends: backends[...])
        if let after = queryValue("after"), !after.isEmpty {
            guard let (place, _) = opened(after, kind) else { return fail(.noSuch(kind, after)) }
            listing.after = place.id
            listing.backends = backends.drop { $0.name != place.backend }
        }
        nextPage(listing)
    }

    private func nextPage<Row>(_ listing: Listing<Row>) {
        guard let backend = listing.backends.first else { return listing.then(listing.rows, false) }
        guard listing.pageCount < Self.pagesMax else { return listing.then(listing.rows, true) }
        let after = listing.after.map { "&after=" + PercentEncoding.encoded($0) } ?? ""
        let question = question(
            listing.surface, query: "limit=\(Self.pageRows)" + after + listing.query, on: backend)
        ask(question, missing: .noBatchBackends) { [self] answer in
            guard let list = try? JSONObjectText(reading: answer.body), let rows = list.elements("data") else {
                return fail(.jobsUpstream(backend, nil))
            }
            var listing = listing
            listing.pageCount += 1
            for (index, row) in rows.enumerated() {
                if let own = listing.own(row, backend) { listing.rows.append(own) }
                guard listing.rows.count == listing.limit else { continue }
                let isLast = index == rows.count - 1 && !list.hasMore && listing.backends.count == 1
                return listing.then(listing.rows, !isLast)
            }
            let last = rows.last.flatMap { try? JSONObjectText(reading: $0) }?.text("id")
            if list.hasMore, let last, last != listing.after {
                listing.after = last
            } else {
                listing.backends = listing.backends.dropFirst()
                listing.after = nil
            }
            nextPage(listing)
        }
    }

    func respondWithList(_ rows: [[UInt8]], hasMore: Bool) {
        func id(_ row: [UInt8]?) -> [UInt8] {
            JSONString.bytes(of: row.flatMap { try? JSONObjectText(reading: $0) }?.text("id"))
        }
        var bytes = Array(#"{"object":"list","data":["#.utf8)
        bytes += rows.joined(separator: [UInt8(ascii: ",")])
        bytes += Array(#"],"first_id":"#.utf8) + id(rows.first) + Array(#","last_id":"#.utf8) + id(rows.last)
        bytes += Array(#","has_more":\#(hasMore)}"#.utf8)
        respond(200, bytes, on: nil)
    }

    /// A value of the client's query, decoded; nil where it is not there.
    func queryValue(_ name: String) -> String? {
        for member in query.split(separator: "&") where member.hasPrefix(name + "=") {
            return PercentEncoding.decoded(member.dropFirst(name.utf8.count + 1), plusIsSpace: true)
        }
        return nil
    }
}

extension JSONObjectText {
    fileprivate var hasMore: Bool { value("has_more") == Array("true".utf8) }
}
