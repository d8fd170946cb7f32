import Identity

/// Finds the endpoint of a method and path.
struct RouteTable: Sendable {
    private enum Segment: Sendable {
        case literal(String)
        case parameter(String, suffix: String)
    }

    private struct Route: Sendable {
        let segments: [Segment]
        let endpoint: Endpoint

        /// Literal text first, so that `{invoice}.pdf` goes before `{invoice}`.
        var literalCount: Int {
            segments.reduce(0) { count, segment in
                switch segment {
                case .literal: count + 1000
                case .parameter(_, let suffix): count + suffix.utf8.count
                }
            }
        }
    }

    enum Match: Sendable {
        case found(Endpoint, path: [String: String])
        case methodNotAllowed([Endpoint.Method])
        case notFound
    }

    private let routes: [Route]

    init(_ endpoints: [Endpoint]) {
        routes = endpoints.map { Route(segments: RouteTable.segments(of: $0.path), endpoint: $0) }
            .sorted { $0.literalCount > $1.literalCount }
    }

    func match(method: String, path: String) -> Match {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map(String.init)
        var allowed: [Endpoint.Method] = []
        for route in routes {
            guard let parameters = RouteTable.parameters(route.segments, parts) else { continue }
            if route.endpoint.method.rawValue == method { return .found(route.endpoint, path: parameters) }
            allowed.append(route.endpoint.method)
        }
        return allowed.isEmpty ? .notFound : .methodNotAllowed(allowed)
    }

    private static func segments(of path: String) -> [Segment] {
        path.split(separator: "/").map { part in
            guard part.hasPrefix("{"), let end = part.firstIndex(of: "}") else { return .literal(String(part)) }
            return .parameter(
                String(part[part.index(after: part.startIndex)..<end]), suffix: String(part[part.index(after: end)...]))
        }
    }

    /// The decoded values of the path's parameters; nil where the path does not fit.
    private static func parameters(_ segments: [Segment], _ parts: [String]) -> [String: String]? {
        guard segments.count == parts.count else { return nil }
        var values: [String: String] = [:]
        for (segment, part) in zip(segments, parts) {
            switch segment {
            case .literal(let text):
                guard text == part else { return nil }
            case .parameter(let name, let suffix):
                guard part.hasSuffix(suffix), part.utf8.count > suffix.utf8.count,
                    let value = PercentEncoding.decoded(part.dropLast(suffix.count))
                else { return nil }
                values[name] = value
            }
        }
        return values
    }
}
