/// Many rows in one INSERT: each column travels as one array parameter and the server unnests them.
///
/// As fast as COPY for thousands of rows, and keeps ON CONFLICT and RETURNING.
public struct InsertBatch: Sendable {
    /// A column to fill, and its type as SQL writes it.
    public struct Column: Sendable {
        public var name: String
        public var type: String

        public init(_ name: String, _ type: String) {
            self.name = name
            self.type = type
        }
    }

    /// Rows in one statement; start another batch beyond that.
    public static let rowCountMax = 100_000

    private let columns: [Column]
    private var literals: [ArrayLiteral]
    public private(set) var rowCount = 0

    public init(columns: [Column]) {
        self.columns = columns
        literals = columns.map { _ in ArrayLiteral() }
    }

    public var isEmpty: Bool { rowCount == 0 }

    /// Adds a row: as many values as there are columns, in their order.
    public mutating func append(_ values: [any PostgresBindable]) throws(PostgresError) {
        guard values.count == columns.count else {
            let message = "\(values.count) values for \(columns.count) columns"
            throw PostgresError(kind: .invalidParameter, message: message)
        }
        guard rowCount < Self.rowCountMax else {
            throw PostgresError(kind: .invalidParameter, message: "more than \(Self.rowCountMax) rows in one batch")
        }
        for (index, value) in values.enumerated() { literals[index].append(value.postgresParameter) }
        rowCount += 1
    }

    /// `INSERT INTO table (…) SELECT * FROM unnest(…)`, and what the caller adds: `ON CONFLICT … RETURNING …`.
    /// The table's name is trusted text.
    public func insert(into table: String, _ suffix: SQL = "") -> SQL {
        let names = columns.map { quotedIdentifier($0.name) }.joined(separator: ", ")
        return "INSERT INTO \(unescaped: table) (\(unescaped: names)) SELECT * FROM \(unnest()) \(suffix)"
    }

    /// `unnest($1::type[], …)` alone, for UPDATE … FROM and for joins.
    public func unnest() -> SQL {
        var sql: SQL = "unnest("
        for (index, column) in columns.enumerated() {
            sql += "\(unescaped: index > 0 ? ", " : "")\(PostgresParameter.text(literals[index].text))"
            sql += "::\(unescaped: column.type)[]"
        }
        return sql + ")"
    }
}
