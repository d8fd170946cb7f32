import CLibPQ

/// The answer to one statement: its rows, and how many rows it touched.
///
/// Values arrive in text form and are decoded when asked for. The memory belongs to libpq and is freed with the last
/// copy; a result never changes after it was received, so it may be read from any thread.
public struct Rows: RandomAccessCollection, Sendable {
    private let result: ResultHandle
    /// The columns' names, in order.
    public let columns: [String]
    fileprivate let statement: String
    public let count: Int

    init(_ result: ResultHandle, statement: String) {
        self.result = result
        self.statement = statement
        count = Int(PQntuples(result.pointer))
        columns = (0..<PQnfields(result.pointer)).map { index in
            PQfname(result.pointer, index).map { String(cString: $0) } ?? ""
        }
    }

    public var startIndex: Int { 0 }
    public var endIndex: Int { count }

    public subscript(position: Int) -> Row {
        precondition(position >= 0 && position < count, "row \(position) of \(count)")
        return Row(rows: self, index: position)
    }

    /// Rows inserted, updated, deleted or selected, as the server's command tag says.
    public var affectedCount: Int {
        PQcmdTuples(result.pointer).flatMap { Int(String(cString: $0)) } ?? 0
    }

    /// The command tag, such as `INSERT 0 3` or `COMMIT`.
    var commandTag: String { PQcmdStatus(result.pointer).map { String(cString: $0) } ?? "" }

    /// The one row of an answer that has exactly one.
    public func only() throws(PostgresError) -> Row {
        guard count == 1 else { throw decodingError("expected exactly one row, got \(count)") }
        return self[0]
    }

    /// The first column of the one row of the answer.
    public func onlyValue<Value: PostgresDecodable>(as type: Value.Type = Value.self) throws(PostgresError) -> Value {
        try only().decode(0, as: type)
    }

    /// A column of every row.
    public func decodeAll<Value: PostgresDecodable>(
        _ column: Int = 0, as type: Value.Type = Value.self,
    ) throws(PostgresError) -> [Value] {
        var values: [Value] = []
        values.reserveCapacity(count)
        for row in self { values.append(try row.decode(column, as: type)) }
        return values
    }

    fileprivate func text(row: Int, column: Int) -> String? {
        let (row, column) = (Int32(row), Int32(column))
        guard PQgetisnull(result.pointer, row, column) == 0, let value = PQgetvalue(result.pointer, row, column) else {
            return nil
        }
        let length = Int(PQgetlength(result.pointer, row, column))
        return String(decoding: UnsafeRawBufferPointer(start: value, count: length), as: UTF8.self)
    }

    fileprivate func decodingError(_ message: String) -> PostgresError {
        PostgresError(kind: .decoding, message: message, statement: statement)
    }
}

/// One row of an answer.
public struct Row: Sendable {
    fileprivate let rows: Rows
    fileprivate let index: Int

    /// The columns' names, in order.
    public var columns: [String] { rows.columns }

    /// A column's text form; nil is NULL. The column must exist.
    public subscript(column: Int) -> String? {
        precondition(columns.indices.contains(column), "no column \(column)")
        return rows.text(row: index, column: column)
    }

    /// Decodes the column of that name.
    public func decode<Value: PostgresDecodable>(
        _ column: String, as type: Value.Type = Value.self,
    ) throws(PostgresError) -> Value {
        try decode(position(of: column), as: type)
    }

    /// Decodes the column at that position, counted from 0.
    public func decode<Value: PostgresDecodable>(
        _ column: Int, as type: Value.Type = Value.self,
    ) throws(PostgresError) -> Value {
        guard columns.indices.contains(column) else {
            throw rows.decodingError("no column \(column), the answer has \(columns.count)")
        }
        guard let text = rows.text(row: index, column: column) else {
            if let null = Value.postgresNull { return null }
            throw rows.decodingError("column \(columns[column]) is null, expected \(Value.self)")
        }
        guard let value = Value(postgresText: text) else {
            throw rows.decodingError("column \(columns[column]) is no \(Value.self)")
        }
        return value
    }

    /// Decodes a `bytea` column.
    public func decode(_ column: String, as type: [UInt8].Type) throws(PostgresError) -> [UInt8] {
        try decode(column, as: Bytes.self).array
    }

    /// Decodes a `bytea` column that may be NULL.
    public func decode(_ column: String, as type: [UInt8]?.Type) throws(PostgresError) -> [UInt8]? {
        try decode(column, as: Bytes?.self)?.array
    }

    private func position(of column: String) throws(PostgresError) -> Int {
        guard let position = columns.firstIndex(of: column) else {
            throw rows.decodingError("no column \(column), the answer has \(columns.joined(separator: ", "))")
        }
        return position
    }
}

/// Owns a `PGresult`.
final class ResultHandle: @unchecked Sendable {
    let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) { self.pointer = pointer }

    deinit { PQclear(pointer) }
}
