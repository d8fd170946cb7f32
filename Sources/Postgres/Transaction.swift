/// How much of other transactions' work a transaction may see (PostgreSQL manual, 13.2).
public enum IsolationLevel: String, Sendable {
    case readCommitted = "READ COMMITTED"
    case repeatableRead = "REPEATABLE READ"
    case serializable = "SERIALIZABLE"
}

/// An open transaction. Calls are plain blocking calls on the connection's own thread, so that nothing can come
/// between two statements. The handle is dead once the closure it was given to returns.
public final class Transaction {
    private let session: Session
    private var isOpen = true

    init(_ session: Session) { self.session = session }

    /// Runs a statement and returns its rows.
    public func query(_ sql: SQL) throws(PostgresError) -> Rows {
        try requireOpen(sql)
        return try session.run(sql)
    }

    /// Runs a statement and returns how many rows it touched.
    @discardableResult
    public func execute(_ sql: SQL) throws(PostgresError) -> Int {
        try query(sql).affectedCount
    }

    /// Runs the closure so that its failure undoes only its own work (SAVEPOINT).
    @discardableResult
    public func savepoint<Result>(_ body: (Transaction) throws -> Result) throws -> Result {
        try session.script("SAVEPOINT tollgate")
        let result: Result
        do {
            result = try body(self)
        } catch {
            try session.script("ROLLBACK TO SAVEPOINT tollgate; RELEASE SAVEPOINT tollgate")
            throw error
        }
        try session.script("RELEASE SAVEPOINT tollgate")
        return result
    }

    /// Streams rows into a table with COPY; returns how many. Fast, but without ON CONFLICT and RETURNING: for imports.
    @discardableResult
    public func copy(
        into table: String, columns: [String], _ body: (CopyWriter) throws -> Void,
    ) throws -> Int {
        try requireOpen(SQL(unescaped: "COPY \(table)"))
        return try CopyWriter.run(on: session, table: table, columns: columns, body)
    }

    /// Streams the rows of a query, which has no parameters, with COPY in binary format: for millions of rows, of which
    /// one is in memory. Returns how many.
    @discardableResult
    public func copyOut(_ query: SQL, _ body: (CopiedRow) throws -> Void) throws -> Int {
        try requireOpen(query)
        return try CopyReader.run(on: session, query, body)
    }

    /// Wakes listeners of the channel when, and only when, the transaction commits.
    public func notify(channel: String, payload: String = "") throws(PostgresError) {
        try execute("SELECT pg_notify(\(channel), \(payload))")
    }

    /// Runs trusted text that may hold several statements, without parameters.
    func script(_ text: String) throws(PostgresError) {
        try requireOpen(SQL(unescaped: text))
        try session.script(text)
    }

    /// False once the server has ended the transaction, whoever told it to.
    var isStillOpen: Bool { session.isInTransaction }

    func end() { isOpen = false }

    private func requireOpen(_ sql: SQL) throws(PostgresError) {
        guard isOpen else {
            let message = "the transaction is over; its handle must not be kept"
            throw PostgresError(kind: .closed, message: message, statement: sql.firstLine)
        }
    }
}

extension Session {
    /// One attempt at a transaction: BEGIN, the closure, COMMIT; ROLLBACK when the closure throws.
    func attempt<Result>(
        isolation: IsolationLevel, readOnly: Bool, _ body: (Transaction) throws -> Result,
    ) throws -> Result {
        try script("BEGIN ISOLATION LEVEL \(isolation.rawValue) \(readOnly ? "READ ONLY" : "READ WRITE")")
        let transaction = Transaction(self)
        let result: Result
        do {
            defer { transaction.end() }
            result = try body(transaction)
        } catch {
            // A broken connection has rolled back by itself; the pool discards it.
            if !isBroken { try? script("ROLLBACK") }
            throw error
        }
        try commit()
        return result
    }

    private func commit() throws(PostgresError) {
        let rows: Rows
        do {
            rows = try run("COMMIT")
        } catch {
            guard error.kind == .connectionLost else { throw error }
            var unknown = error
            unknown.kind = .commitUnknown
            throw unknown
        }
        // COMMIT of a transaction in which a statement failed answers ROLLBACK and no error.
        guard rows.commandTag == "COMMIT" else {
            let message = "rolled back at COMMIT: a statement had failed and its error was swallowed"
            throw PostgresError(kind: .server, sqlState: "25P02", message: message, statement: "COMMIT")
        }
    }
}
