/// Many rows in one INSERT, each column one array in Postgres' binary form: for tables that are written all day.
///
/// Values are appended in the order of the columns and end as bytes at once; no text is made of them and none is
/// parsed. ``InsertBatch`` does the same for any type by way of text. Where the two differ the server tells: a value
/// that is not of its column's type is an error, never another value.
public struct BinaryBatch: Sendable {
    /// A column to fill.
    public struct Column: Sendable {
        public var name: String
        public var type: BinaryType
        /// What the table puts there by itself. The column is left out of a statement whose rows all have just that.
        public var standard: Standard

        /// A default that a column of the table has.
        public enum Standard: Sendable {
            /// The column is always in the statement.
            case none
            case null
            /// Zero, false or empty text.
            case blank
        }

        public init(_ name: String, _ type: BinaryType, standard: Standard = .none) {
            self.name = name
            self.type = type
            self.standard = standard
        }
    }

    /// Rows in one statement; start another batch beyond that.
    public static let rowCountMax = InsertBatch.rowCountMax

    private let columns: [Column]
    private var arrays: [BinaryArray]
    private var next = 0
    public private(set) var rowCount = 0

    public init(columns: [Column]) {
        self.columns = columns
        arrays = columns.map { BinaryArray(type: $0.type) }
    }

    public var isEmpty: Bool { rowCount == 0 }

    /// Ends a row; it must have as many values as there are columns.
    public mutating func endRow() throws(PostgresError) {
        guard next == columns.count else {
            let message = "\(next) values for \(columns.count) columns"
            throw PostgresError(kind: .invalidParameter, message: message)
        }
        guard rowCount < Self.rowCountMax else {
            throw PostgresError(kind: .invalidParameter, message: "more than \(Self.rowCountMax) rows in one batch")
        }
        rowCount += 1
        next = 0
    }

    /// `INSERT INTO table (…) SELECT * FROM unnest(…)`, and what the caller adds: `ON CONFLICT … RETURNING …`.
    /// The table's name is trusted text.
    public func insert(into table: String, _ suffix: SQL = "") -> SQL {
        let used = columns.indices.filter { index in
            switch columns[index].standard {
            case .none: true
            case .null: !arrays[index].isNull
            case .blank: !arrays[index].isBlank
            }
        }
        let names = used.map { quotedIdentifier(columns[$0].name) }.joined(separator: ", ")
        var sql: SQL = "INSERT INTO \(unescaped: table) (\(unescaped: names)) SELECT * FROM unnest("
        for (index, column) in used.enumerated() {
            sql += "\(unescaped: index > 0 ? ", " : "")\(PostgresParameter.bytes(arrays[column].bytes))"
            sql += "::\(unescaped: columns[column].type.rawValue)[]"
        }
        return sql + ") \(suffix)"
    }

    private mutating func append(_ body: (inout BinaryArray) -> Void) {
        // A value too many is reported at the row's end.
        if next < arrays.count { body(&arrays[next]) }
        next += 1
    }
}

/// Values, each for the next column.
extension BinaryBatch {
    public mutating func null() { append { $0.null() } }

    public mutating func uuid(high: UInt64, low: UInt64) {
        append {
            $0.begin(16, isBlank: false)
            $0.number(high)
            $0.number(low)
        }
    }

    /// For `timestamptz`, in milliseconds since 1970.
    public mutating func timestamp(milliseconds: Int64) {
        append {
            $0.begin(8, isBlank: false)
            // Microseconds since 2000; what does not fit is refused by the server as out of range.
            let (since2000, underflow) = milliseconds.subtractingReportingOverflow(946_684_800_000)
            let (microseconds, overflow) = since2000.multipliedReportingOverflow(by: 1000)
            $0.number(UInt64(bitPattern: underflow || overflow ? .max - 1 : microseconds))
        }
    }

    /// For `text`.
    public mutating func text(_ value: String) {
        append { $0.text(value, prefix: nil) }
    }

    public mutating func text(_ value: String?) {
        if let value { text(value) } else { null() }
    }

    /// For `jsonb`: JSON text.
    public mutating func json(_ value: String) {
        // The version of the binary form, which there is one of.
        append { $0.text(value, prefix: 1) }
    }

    public mutating func boolean(_ value: Bool) {
        append {
            $0.begin(1, isBlank: !value)
            $0.byte(value ? 1 : 0)
        }
    }

    public mutating func integer(_ value: Int32) {
        append {
            $0.begin(4, isBlank: value == 0)
            $0.number(UInt32(bitPattern: value))
        }
    }

    public mutating func bigint(_ value: Int64) {
        append {
            $0.begin(8, isBlank: value == 0)
            $0.number(UInt64(bitPattern: value))
        }
    }

    public mutating func bigint(_ value: Int64?) {
        if let value { bigint(value) } else { null() }
    }

    public mutating func bytes(_ value: [UInt8]) {
        append {
            $0.begin(value.count, isBlank: value.isEmpty)
            $0.append(value)
        }
    }

    /// For `numeric`: a count of 10⁻¹², with all twelve decimals.
    public mutating func numeric(picounits: Int128) {
        append { $0.numeric(picounits: picounits) }
    }
}

/// A type as SQL writes it, with its place in `pg_type`, which is the same in every Postgres.
public enum BinaryType: String, Sendable {
    case uuid, timestamptz, text, boolean, integer, bigint, jsonb, bytea, numeric

    var identifier: UInt32 {
        switch self {
        case .uuid: 2950
        case .timestamptz: 1184
        case .text: 25
        case .boolean: 16
        case .integer: 23
        case .bigint: 20
        case .jsonb: 3802
        case .bytea: 17
        case .numeric: 1700
        }
    }
}
