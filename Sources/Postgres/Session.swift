import CLibPQ

/// One libpq connection and the statements prepared on it. Blocking; used by one thread at a time.
final class Session {
    /// Prepared statements kept on a connection; the one unused longest is dropped.
    static let preparedCountMax = 256

    let connection: OpaquePointer
    private var prepared = StatementCache(countMax: preparedCountMax)

    /// Connects; blocks for at most the configuration's connect timeout.
    init(_ configuration: PostgresConfiguration) throws(PostgresError) {
        let parameters = configuration.connectionParameters
        let opened = withCStrings(parameters.map(\.key)) { keys in
            withCStrings(parameters.map(\.value)) { values in PQconnectdbParams(keys, values, 0) }
        }
        guard let opened else { throw PostgresError(kind: .unavailable, message: "out of memory") }
        guard PQstatus(opened) == CONNECTION_OK else {
            let reason = trimmed(String(cString: PQerrorMessage(opened)))
            PQfinish(opened)
            throw PostgresError(kind: .unavailable, message: "cannot connect to \(configuration): \(reason)")
        }
        connection = opened
        PQsetNoticeProcessor(opened, { _, _ in }, nil)
    }

    deinit { PQfinish(connection) }

    var isBroken: Bool { PQstatus(connection) != CONNECTION_OK }
    /// Whether a transaction is open that has not failed.
    var isInTransaction: Bool { PQtransactionStatus(connection) == PQTRANS_INTRANS }
    /// Whether the next user finds the connection as new.
    var isReusable: Bool { !isBroken && PQtransactionStatus(connection) == PQTRANS_IDLE }
    var socket: Int32 { PQsocket(connection) }

    /// Runs one statement, prepared when it is one that plans.
    func run(_ sql: SQL) throws(PostgresError) -> Rows {
        let text = sql.text
        guard isPlanned(text) else { return try send(sql, text: text, name: nil) }
        let name = try prepare(text, sql)
        do {
            return try send(sql, text: text, name: name)
        } catch  where error.sqlState == "0A000" || error.sqlState == "26000" {
            // The table changed under the cached plan, or someone discarded it: prepare anew.
            if error.sqlState == "0A000" { try? deallocate(name) }
            prepared.remove(text)
            guard isReusable else { throw error }
            return try send(sql, text: text, name: try prepare(text, sql))
        }
    }

    /// Runs text that may hold several statements and has no parameters.
    func script(_ text: String) throws(PostgresError) {
        let sql = SQL(unescaped: text)
        guard !text.utf8.contains(0) else {
            throw PostgresError(kind: .invalidParameter, message: "the script has a NUL byte", statement: sql.firstLine)
        }
        _ = try rows(from: PQexec(connection, text), of: sql)
    }

    private func prepare(_ text: String, _ sql: SQL) throws(PostgresError) -> String {
        if let name = prepared.name(of: text) { return name }
        let name = prepared.nextName()
        _ = try rows(from: PQprepare(connection, name, text, 0, nil), of: sql)
        if let dropped = prepared.insert(text, name: name) { try deallocate(dropped) }
        return name
    }

    private func deallocate(_ name: String) throws(PostgresError) {
        try script("DEALLOCATE \(name)")
    }

    private func send(_ sql: SQL, text: String, name: String?) throws(PostgresError) -> Rows {
        let buffer = try ParameterBuffer(sql)
        let result = buffer.withPointers { values, lengths, formats in
            let count = Int32(sql.parameters.count)
            return if let name {
                PQexecPrepared(connection, name, count, values, lengths, formats, 0)
            } else {
                PQexecParams(connection, text, count, nil, values, lengths, formats, 0)
            }
        }
        return try rows(from: result, of: sql)
    }

    func rows(from result: OpaquePointer?, of sql: SQL) throws(PostgresError) -> Rows {
        guard let result else { throw failure(nil, of: sql) }
        let handle = ResultHandle(result)
        switch PQresultStatus(result) {
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY, PGRES_COPY_IN, PGRES_COPY_OUT:
            return Rows(handle, statement: sql.firstLine)
        default:
            throw failure(result, of: sql)
        }
    }

    private func failure(_ result: OpaquePointer?, of sql: SQL) -> PostgresError {
        let kind: PostgresError.Kind = isBroken ? .connectionLost : .server
        guard let result, let message = Diagnostic.message.read(result) else {
            let message = trimmed(String(cString: PQerrorMessage(connection)))
            return PostgresError(kind: kind, message: message, statement: sql.firstLine)
        }
        return PostgresError(
            kind: kind,
            sqlState: Diagnostic.sqlState.read(result),
            message: message,
            detail: Diagnostic.detail.read(result),
            hint: Diagnostic.hint.read(result),
            constraint: Diagnostic.constraint.read(result),
            statement: sql.firstLine,
        )
    }
}

/// The field codes of libpq's `PG_DIAG_…` macros, which Swift does not import (postgres_ext.h).
private enum Diagnostic: UInt8 {
    case sqlState = 0x43  // C
    case message = 0x4D  // M
    case detail = 0x44  // D
    case hint = 0x48  // H
    case constraint = 0x6E  // n

    func read(_ result: OpaquePointer) -> String? {
        PQresultErrorField(result, Int32(rawValue)).map { String(cString: $0) }
    }
}

/// Whether preparing the statement saves planning. Others (DDL, LISTEN, SET …) run unprepared.
private func isPlanned(_ text: String) -> Bool {
    let word = text.utf8.drop { $0 == 0x20 || $0 == 0x0A || $0 == 0x09 || $0 == 0x0D }.prefix(6)
    let lowercase = word.map { $0 | 0x20 }
    return ["select", "insert", "update", "delete"].contains { $0.utf8.elementsEqual(lowercase) }
        || lowercase.starts(with: "with ".utf8) || lowercase.starts(with: "merge".utf8)
}

/// Names of prepared statements by their text.
struct StatementCache {
    let countMax: Int
    private var names: [String: (name: String, lastUse: UInt64)] = [:]
    private var useCount: UInt64 = 0
    private var madeCount = 0

    init(countMax: Int) { self.countMax = countMax }

    var count: Int { names.count }

    mutating func name(of text: String) -> String? {
        useCount += 1
        guard let index = names.index(forKey: text) else { return nil }
        names.values[index].lastUse = useCount
        return names.values[index].name
    }

    mutating func nextName() -> String {
        madeCount += 1
        return "tollgate_\(madeCount)"
    }

    /// Returns the name that had to go to make room.
    mutating func insert(_ text: String, name: String) -> String? {
        var dropped: String?
        if names.count >= countMax, let oldest = names.min(by: { $0.value.lastUse < $1.value.lastUse }) {
            names[oldest.key] = nil
            dropped = oldest.value.name
        }
        useCount += 1
        names[text] = (name, useCount)
        return dropped
    }

    mutating func remove(_ text: String) { names[text] = nil }
}
