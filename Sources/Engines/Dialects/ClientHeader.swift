/// A header of clients that a dialect knows, and what becomes of it. What no dialect names does not reach an engine:
/// cookies, credentials, `range`, `x-http-method-override`, `x-data-parallel-rank`.
public struct ClientHeader: Hashable, Sendable {
    /// What becomes of a header.
    public enum Rule: Hashable, Sendable {
        /// It goes on as it came.
        case passed
        /// Of the members of its list these go on, the others are left out.
        case members(Set<String>)
        /// It names the service tier, as a member of the body does elsewhere: it is read, and goes on.
        case tier
        /// It goes on with this value; with another the request is refused.
        case only(String)
        /// It asks for what no plan sells: a request that has it is refused.
        case refused
    }

    /// In lower case.
    public let name: String
    public let rule: Rule

    /// A header.
    public init(_ name: String, _ rule: Rule) {
        self.name = name
        self.rule = rule
    }

    /// What every system understands. `traceparent` and `tracestate` are W3C's Trace Context.
    static let common: [ClientHeader] =
        tracing + [ClientHeader("content-type", .passed), ClientHeader("accept", .passed)]

    /// Google answers in Protocol Buffers when it is asked to, and those are not read.
    static let google: [ClientHeader] =
        tracing + [
            ClientHeader("content-type", .passed),
            ClientHeader("accept", .members(["*/*", "application/json", "text/event-stream"])),
        ]

    private static let tracing = ["traceparent", "tracestate", "user-agent"].map { ClientHeader($0, .passed) }
}

extension Dialect {
    /// The tier that a client's headers ask for; nil when they name none. `values` are those of all headers of a name.
    public func tier(inHeaders values: (_ lowercaseName: String) -> [String]) throws(RequestError) -> String? {
        var tier: String?
        for header in clientHeaders where header.rule.isRead {
            let given = values(header.name)
            guard let value = given.first?.lowercased() else { continue }
            guard given.count == 1 else { throw header.givenTwice }
            switch header.rule {
            case .tier: tier = value
            case .only(let allowed): if value != allowed { throw header.refusal }
            case .refused: throw header.refusal
            case .passed, .members: break
            }
        }
        return tier
    }
}

extension ClientHeader.Rule {
    /// Whether the gateway looks at the header itself.
    fileprivate var isRead: Bool {
        switch self {
        case .tier, .only, .refused: true
        case .passed, .members: false
        }
    }
}

extension ClientHeader {
    fileprivate var refusal: RequestError {
        RequestError(
            message: "Your plan does not sell what the header '\(name)' asks for. Leave the header out.",
            parameter: name, code: "header_not_available")
    }

    fileprivate var givenTwice: RequestError {
        RequestError(
            message: "The header '\(name)' is given twice. Give it once.", parameter: name, code: "duplicate_header")
    }
}
