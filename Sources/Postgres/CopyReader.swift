import CLibPQ

/// One row of a COPY in binary format. Its bytes are libpq's and are gone once the closure it was given to returns.
public struct CopiedRow {
    fileprivate let fields: [UnsafeRawBufferPointer?]
    fileprivate let statement: String

    /// A column's bytes as its type sends them (its `…send` function); nil is NULL.
    public subscript(column: Int) -> UnsafeRawBufferPointer? { fields[column] }

    /// A `bigint` column.
    public func int64(_ column: Int) throws(PostgresError) -> Int64 {
        Int64(bitPattern: try word(column, count: 8))
    }

    /// A `uuid` column as its two halves in network order.
    public func uuid(_ column: Int) throws(PostgresError) -> (high: UInt64, low: UInt64) {
        let bytes = try bytes(column, count: 16)
        return (bytes.bigEndianWord(at: 0), bytes.bigEndianWord(at: 8))
    }

    /// A `text` column.
    public func text(_ column: Int) throws(PostgresError) -> String {
        guard let bytes = fields[column] else { throw error("column \(column) is null") }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A `timestamptz` column in milliseconds since 1970, rounded down; nil is NULL.
    public func milliseconds(_ column: Int) throws(PostgresError) -> Int64? {
        guard fields[column] != nil else { return nil }
        let microseconds = try int64(column)
        let (quotient, rest) = microseconds.quotientAndRemainder(dividingBy: 1000)
        // Postgres counts from 2000-01-01.
        return (rest < 0 ? quotient - 1 : quotient) + 946_684_800_000
    }

    /// A column of exactly so many bytes.
    public func bytes(_ column: Int, count: Int) throws(PostgresError) -> UnsafeRawBufferPointer {
        guard let bytes = fields[column], bytes.count == count else {
            throw error("column \(column) has \(fields[column]?.count ?? 0) bytes, expected \(count)")
        }
        return bytes
    }

    private func word(_ column: Int, count: Int) throws(PostgresError) -> UInt64 {
        try bytes(column, count: count).bigEndianWord(at: 0)
    }

    private func error(_ message: String) -> PostgresError {
        PostgresError(kind: .decoding, message: message, statement: statement)
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func bigEndianWord(at offset: Int) -> UInt64 {
        UInt64(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
}

/// Reads rows of a COPY in binary format (PostgreSQL manual, COPY, "Binary Format").
struct CopyReader {
    /// `PGCOPY\n\377\r\n\0`, four bytes of flags, four bytes of the extension's length, which is 0.
    private static let headerByteCount = 19

    let session: Session
    let statement: String
    private var isPastHeader = false

    static func run(on session: Session, _ sql: SQL, _ body: (CopiedRow) throws -> Void) throws -> Int {
        guard sql.parameters.isEmpty else {
            throw PostgresError(
                kind: .invalidParameter, message: "COPY takes no parameters", statement: sql.firstLine)
        }
        let copy = SQL(unescaped: "COPY (") + sql + SQL(unescaped: ") TO STDOUT (FORMAT binary)")
        _ = try session.run(copy)
        var reader = CopyReader(session: session, statement: sql.firstLine)
        var count = 0
        var failure: (any Error)?
        while let message = try reader.nextMessage() {
            defer { PQfreemem(message.baseAddress) }
            // Read to the end even after a failure, so that the connection is ready for the next statement.
            guard failure == nil else { continue }
            do {
                count += try reader.rows(in: UnsafeRawBufferPointer(message), body)
            } catch {
                failure = error
            }
        }
        while let result = PQgetResult(session.connection) {
            do {
                _ = try session.rows(from: result, of: sql)
            } catch {
                failure = failure ?? error
            }
            if session.isBroken { break }
        }
        if let failure { throw failure }
        return count
    }

    private init(session: Session, statement: String) {
        self.session = session
        self.statement = statement
    }

    /// Nil at the end, also at an end because of an error, which the result then tells.
    private func nextMessage() throws(PostgresError) -> UnsafeMutableRawBufferPointer? {
        var buffer: UnsafeMutablePointer<CChar>?
        let count = PQgetCopyData(session.connection, &buffer, 0)
        if count < -1 {
            let message = trimmed(String(cString: PQerrorMessage(session.connection)))
            throw PostgresError(
                kind: session.isBroken ? .connectionLost : .server, message: message, statement: statement)
        }
        guard count > 0, let buffer else { return nil }
        return UnsafeMutableRawBufferPointer(start: buffer, count: Int(count))
    }

    private mutating func rows(in message: UnsafeRawBufferPointer, _ body: (CopiedRow) throws -> Void) throws -> Int {
        var offset = 0
        if !isPastHeader {
            guard message.count >= Self.headerByteCount, message.starts(with: "PGCOPY\n".utf8) else {
                throw malformed
            }
            offset = Self.headerByteCount
            isPastHeader = true
        }
        var count = 0
        while offset < message.count {
            guard offset + 2 <= message.count else { throw malformed }
            let fieldCount = Int16(bigEndian: message.loadUnaligned(fromByteOffset: offset, as: Int16.self))
            offset += 2
            // The trailer.
            if fieldCount == -1 { break }
            try body(try row(in: message, fieldCount: Int(fieldCount), &offset))
            count += 1
        }
        return count
    }

    private func row(
        in message: UnsafeRawBufferPointer, fieldCount: Int, _ offset: inout Int
    ) throws(PostgresError) -> CopiedRow {
        var fields: [UnsafeRawBufferPointer?] = []
        fields.reserveCapacity(fieldCount)
        for _ in 0..<fieldCount {
            guard offset + 4 <= message.count else { throw malformed }
            let length = Int(Int32(bigEndian: message.loadUnaligned(fromByteOffset: offset, as: Int32.self)))
            offset += 4
            if length < 0 {
                fields.append(nil)
                continue
            }
            guard offset + length <= message.count else { throw malformed }
            fields.append(UnsafeRawBufferPointer(rebasing: message[offset..<offset + length]))
            offset += length
        }
        return CopiedRow(fields: fields, statement: statement)
    }

    private var malformed: PostgresError {
        PostgresError(kind: .decoding, message: "the binary COPY does not read", statement: statement)
    }
}
