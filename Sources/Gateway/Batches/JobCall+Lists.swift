import Engines
import HTTP1
import Identity
import Metering
import NIOCore

/// Listings: the upstream's account is everybody's, so its pages are looked through for what is the project's own.
extension JobCall {
    /// Rows of one page of an upstream.
    private static let pageRows = 100
    /// Pages that are looked through for one listing.
    private static let pagesMax = 50
    /// From a question for a page to its answer's end. A backend that takes longer is left out.
    private static let pageMilliseconds: Int64 = 10_000

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
        /// Backends whose rows are missing.
        var leftOut: [String] = []
        /// What the first of them is to be told as, should no backend have answered.
        var failure: Failure?
        var hasAnswer = false
    }

    /// Why a backend has no page.
    private enum Failure {
        /// It keeps no files or batches.
        case missing
        /// It says that the client's question is wrong.
        case refused(EngineCall.Answer)
        /// It is away, hangs, or answers rubbish; its status where there was one.
        case broken(Int?)
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
        guard let backend = listing.backends.first else { return finish(listing) }
        guard listing.pageCount < Self.pagesMax else {
            unavailable = listing.leftOut
            return listing.then(listing.rows, true)
        }
        let after = listing.after.map { "&after=" + PercentEncoding.encoded($0) } ?? ""
        guard !loop.batches.isLeftOut(backend.name) || listing.after != nil else {
            return leaveOut(backend, .broken(nil), of: listing)
        }
        var question = question(
            listing.surface, query: "limit=\(Self.pageRows)" + after + listing.query, on: backend)
        question.answerMilliseconds = Self.pageMilliseconds
        askForPage(question) { [self] answer, failure in
            guard let answer, let list = try? JSONObjectText(reading: answer.body), let rows = list.elements("data")
            else { return leaveOut(backend, failure ?? .broken(answer?.head.status), of: listing) }
            loop.batches.hasListed(backend.name)
            var listing = listing
            listing.hasAnswer = true
            listing.pageCount += 1
            for (index, row) in rows.enumerated() {
                if let own = listing.own(row, backend) { listing.rows.append(own) }
                guard listing.rows.count == listing.limit else { continue }
                let isLast = index == rows.count - 1 && !list.hasMore && listing.backends.count == 1
                unavailable = listing.leftOut
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

    private func askForPage(
        _ question: EngineCall.Question, then: @escaping (EngineCall.Answer?, Failure?) -> Void
    ) {
        askOnce(question) { [self] answer in
            switch answer?.head.status {
            case .some(200..<300): then(answer, nil)
            case 404, 405, 410, 501: then(nil, .missing)
            case let status:
                if let answer, isClients(answer, question.backend) { return then(nil, .refused(answer)) }
                then(nil, .broken(status))
            }
        }
    }

    /// Goes on without a backend, so that one which is away holds up nobody who has rows elsewhere. A client that asks
    /// for what follows a row of this very backend is told instead.
    private func leaveOut<Row>(_ backend: Backend, _ failure: Failure, of listing: Listing<Row>) {
        var listing = listing
        if case .broken = failure { loop.batches.leftOut(backend.name) }
        guard listing.after == nil || listing.pageCount > 0 else { return fail(failure, on: backend) }
        if case .missing = failure {} else { listing.leftOut.append(backend.name) }
        switch (failure, listing.failure) {
        case (_, nil), (.broken, .missing), (.refused, .missing): listing.failure = failure
        default: break
        }
        listing.backends = listing.backends.dropFirst()
        listing.after = nil
        nextPage(listing)
    }

    private func finish<Row>(_ listing: Listing<Row>) {
        if !listing.hasAnswer, let failure = listing.failure, let last = backends.last {
            return fail(failure, on: last)
        }
        unavailable = listing.leftOut
        listing.then(listing.rows, false)
    }

    private func fail(_ failure: Failure, on backend: Backend) {
        switch failure {
        case .missing: fail(.noBatchBackends)
        case .refused(let answer): refuse(answer, of: backend)
        case .broken(let status): fail(.jobsUpstream(backend, status))
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
