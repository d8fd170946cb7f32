internal import Identity

/// What of a client's query goes on to an engine: the members that the dialect names, with values that it knows, spelt
/// as the dialect spells them. Nothing else goes on, however it is written: a client's key, a mask that hides the
/// usage, another version of the API.
public struct ForwardedQuery: Hashable, Sendable {
    /// Without a question mark; empty for none.
    public let text: String

    /// Nothing.
    public static let none = ForwardedQuery(own: "")

    /// What passes of `query`, which is as the client wrote it, without its question mark.
    public init(_ query: Substring, to dialect: some Dialect) {
        guard !query.isEmpty, !dialect.queryMembers.isEmpty else {
            text = ""
            return
        }
        let members = query.split(separator: "&").compactMap { member in
            let parts = member.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value = parts.count > 1 ? PercentEncoding.decoded(parts[1], plusIsSpace: true) : ""
            let name = PercentEncoding.decoded(parts[0], plusIsSpace: true)
            return dialect.queryMembers.first { $0.name == name && value.map($0.values.contains) == true }
                .flatMap { known in value.map { known.name + "=" + PercentEncoding.encoded($0) } }
        }
        text = members.joined(separator: "&")
    }

    /// What the gateway itself asks, in an order of its own.
    init(own text: String) { self.text = text }
}

/// A member of the query that clients may write, and the values that it may have.
public struct QueryMember: Hashable, Sendable {
    public let name: String
    public let values: Set<String>

    /// Of Google's APIs. Masks (`fields`) would leave the usage out, and other forms of the answer could not be read.
    static let google = [QueryMember("alt", ["sse", "json"]), QueryMember("prettyPrint", ["true", "false"])]

    /// A member of these values alone.
    public init(_ name: String, _ values: Set<String>) {
        self.name = name
        self.values = values
    }
}
