/// A statement with its values kept apart: `"SELECT name FROM tenant WHERE id = \(id)::uuid"`.
///
/// Each `\(value)` becomes a parameter `$n`; nothing is ever pasted into the text, except what is marked
/// `\(unescaped: …)`. Postgres infers the parameter's type from its place, so the author writes casts where the place
/// does not say (`\(ids)::bigint[]`). Other statements can be spliced in: `\(fragment)` where `fragment` is an ``SQL``.
public struct SQL: ExpressibleByStringInterpolation, Sendable, Hashable, CustomStringConvertible {
    /// The text between the parameters: always one piece more than there are parameters.
    private var pieces: [String]
    /// The values, in the order of their `$n`.
    public private(set) var parameters: [PostgresParameter]

    public init(stringLiteral value: String) {
        pieces = [value]
        parameters = []
    }

    /// Trusted text as it is. Never pass text that came from outside.
    public init(unescaped text: String) {
        pieces = [text]
        parameters = []
    }

    public init(stringInterpolation: StringInterpolation) {
        self = stringInterpolation.sql
    }

    /// The text that Postgres sees, with `$1 … $n`.
    public var text: String {
        guard !parameters.isEmpty else { return pieces[0] }
        var text = pieces[0]
        for index in parameters.indices {
            text += "$\(index + 1)"
            text += pieces[index + 1]
        }
        return text
    }

    /// The text without values: safe to log.
    public var description: String { text }

    /// The first line that is not empty, for errors.
    var firstLine: String {
        let line = text.split(whereSeparator: \.isNewline).first { line in line.contains { $0 != " " && $0 != "\t" } }
        return String((line ?? "").prefix(200))
    }

    /// Appends another statement's text and values; its parameters are numbered on.
    public static func += (left: inout SQL, right: SQL) {
        left.pieces[left.pieces.count - 1] += right.pieces[0]
        left.pieces += right.pieces.dropFirst()
        left.parameters += right.parameters
    }

    /// See `+=`.
    public static func + (left: SQL, right: SQL) -> SQL {
        var sum = left
        sum += right
        return sum
    }

    fileprivate mutating func append(literal: String) { pieces[pieces.count - 1] += literal }

    fileprivate mutating func append(_ parameter: PostgresParameter) {
        parameters.append(parameter)
        pieces.append("")
    }
}

extension SQL {
    /// Collects a literal's pieces; used by the compiler.
    public struct StringInterpolation: StringInterpolationProtocol, Sendable {
        fileprivate var sql = SQL(unescaped: "")

        public init(literalCapacity: Int, interpolationCount: Int) {}

        public mutating func appendLiteral(_ literal: String) { sql.append(literal: literal) }

        /// Binds a value.
        public mutating func appendInterpolation(_ value: some PostgresBindable) { sql.append(value.postgresParameter) }

        /// Binds a value or NULL. Beside the one above, so that the compiler does not warn of optionals in text.
        public mutating func appendInterpolation(_ value: (some PostgresBindable)?) {
            sql.append(value.postgresParameter)
        }

        /// Binds bytes (`bytea`).
        public mutating func appendInterpolation(_ bytes: [UInt8]) { sql.append(.bytes(bytes)) }

        /// Binds bytes (`bytea`) or NULL.
        public mutating func appendInterpolation(_ bytes: [UInt8]?) { sql.append(bytes.map { .bytes($0) } ?? .null) }

        /// Splices a statement in, values and all.
        public mutating func appendInterpolation(_ fragment: SQL) { sql += fragment }

        /// Pastes trusted text in. Never text that came from outside.
        public mutating func appendInterpolation(unescaped text: String) { sql.append(literal: text) }

        /// Pastes a table or column name in, quoted.
        public mutating func appendInterpolation(identifier name: String) {
            sql.append(literal: quotedIdentifier(name))
        }
    }
}

/// `name` as a quoted identifier.
func quotedIdentifier(_ name: String) -> String {
    "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
}
