import CLibPQ

/// Writes rows of a COPY in text format (PostgreSQL manual, COPY, "Text Format").
public final class CopyWriter {
    /// Rows are handed to libpq in blocks of about this many bytes.
    static let blockByteCount = 65_536

    private let session: Session
    private let columnCount: Int
    private let sql: SQL
    private var block: [UInt8] = []
    private var isOpen = true

    private init(_ session: Session, columnCount: Int, sql: SQL) {
        self.session = session
        self.columnCount = columnCount
        self.sql = sql
    }

    /// Writes one row: as many values as there are columns, in their order.
    public func write(_ values: [any PostgresBindable]) throws(PostgresError) {
        guard isOpen, values.count == columnCount else {
            let message = isOpen ? "\(values.count) values for \(columnCount) columns" : "the COPY is over"
            throw PostgresError(kind: .invalidParameter, message: message, statement: sql.firstLine)
        }
        for (index, value) in values.enumerated() {
            if index > 0 { block.append(UInt8(ascii: "\t")) }
            try append(value.postgresParameter)
        }
        block.append(UInt8(ascii: "\n"))
        if block.count >= Self.blockByteCount { try flush() }
    }

    private func append(_ value: PostgresParameter) throws(PostgresError) {
        switch value {
        case .null: block += "\\N".utf8
        case .bytes(let bytes): block += ("\\\\x" + hexText(bytes)).utf8
        case .text(let text):
            for byte in text.utf8 {
                switch byte {
                case UInt8(ascii: "\\"): block += "\\\\".utf8
                case UInt8(ascii: "\t"): block += "\\t".utf8
                case UInt8(ascii: "\n"): block += "\\n".utf8
                case UInt8(ascii: "\r"): block += "\\r".utf8
                case 0:
                    let message = "a value has a NUL byte, which no Postgres text can hold"
                    throw PostgresError(kind: .invalidParameter, message: message, statement: sql.firstLine)
                default: block.append(byte)
                }
            }
        }
    }

    private func flush() throws(PostgresError) {
        guard !block.isEmpty else { return }
        let sent = block.withUnsafeBytes { bytes in
            PQputCopyData(session.connection, bytes.bindMemory(to: CChar.self).baseAddress, Int32(bytes.count))
        }
        guard sent == 1 else { throw sendFailure() }
        block.removeAll(keepingCapacity: true)
    }

    private func sendFailure() -> PostgresError {
        let message = trimmed(String(cString: PQerrorMessage(session.connection)))
        return PostgresError(
            kind: session.isBroken ? .connectionLost : .server, message: message, statement: sql.firstLine,
        )
    }

    /// Ends the COPY and returns the count of rows; with a reason, the server throws everything away instead.
    private func finish(abortingBecause reason: String?) throws(PostgresError) -> Int {
        isOpen = false
        let sent = reason.map { PQputCopyEnd(session.connection, $0) } ?? PQputCopyEnd(session.connection, nil)
        guard sent == 1 else { throw sendFailure() }
        var count = 0
        var failure: PostgresError?
        // Read to the end even after a failure, so that the connection is ready for the next statement.
        while let result = PQgetResult(session.connection) {
            do {
                count = try session.rows(from: result, of: sql).affectedCount
            } catch {
                failure = failure ?? error
            }
            if session.isBroken { break }
        }
        if let failure { throw failure }
        return count
    }

    static func run(
        on session: Session, table: String, columns: [String], _ body: (CopyWriter) throws -> Void,
    ) throws -> Int {
        let names = columns.map(quotedIdentifier).joined(separator: ", ")
        let target = table.split(separator: ".").map { quotedIdentifier(String($0)) }.joined(separator: ".")
        let sql = SQL(unescaped: "COPY \(target) (\(names)) FROM STDIN")
        _ = try session.run(sql)
        let writer = CopyWriter(session, columnCount: columns.count, sql: sql)
        do {
            try body(writer)
            try writer.flush()
        } catch {
            // The server answers the abort with an error of its own; the caller's error is the one that matters.
            _ = try? writer.finish(abortingBecause: "the writer failed")
            throw error
        }
        return try writer.finish(abortingBecause: nil)
    }
}
