/// What went wrong between this program and Postgres.
///
/// It never holds parameter values. Postgres itself quotes values in `detail` ("Key (email)=(…) already exists"), so
/// `detail` is there for code that asks for it and is left out of ``description``, which is what logs print.
public struct PostgresError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The class of the failure, which decides what a caller can do about it.
    public enum Kind: String, Sendable, Hashable {
        /// The server refused the statement; `sqlState` says why. Nothing of the statement took effect.
        case server
        /// No connection could be made. Nothing was sent.
        case unavailable
        /// The connection broke. An open transaction is rolled back by the server; a lone statement may have run.
        case connectionLost
        /// The connection broke while COMMIT was under way: committed or not, nobody knows. Look before retrying.
        case commitUnknown
        /// No connection of the pool became free within the acquire timeout.
        case acquireTimedOut
        /// The pool's waiting line is full.
        case tooManyWaiters
        /// The pool, connection or transaction handle was already closed.
        case closed
        /// A column is missing, null where a value is needed, or not of the type asked for.
        case decoding
        /// A parameter that cannot be sent (text with a NUL byte, too many parameters), or a call in a wrong state.
        case invalidParameter
    }

    public var kind: Kind
    /// The five characters of SQLSTATE, when the server answered (PostgreSQL manual, appendix A).
    public var sqlState: String?
    public var message: String
    /// The server's DETAIL; may quote values of rows.
    public var detail: String?
    public var hint: String?
    /// The violated constraint, for class 23 errors.
    public var constraint: String?
    /// The first line of the statement, with `$n` where its values stood.
    public var statement: String?

    public init(
        kind: Kind,
        sqlState: String? = nil,
        message: String,
        detail: String? = nil,
        hint: String? = nil,
        constraint: String? = nil,
        statement: String? = nil,
    ) {
        self.kind = kind
        self.sqlState = sqlState
        self.message = message
        self.detail = detail
        self.hint = hint
        self.constraint = constraint
        self.statement = statement
    }

    /// Serialization failure or deadlock: the whole transaction may simply run again.
    public var isRetryable: Bool { kind == .server && (sqlState == "40001" || sqlState == "40P01") }
    /// A unique constraint or index refused the row (23505).
    /// A table or column is not there: the schema is older than the program, or was never made.
    public var isOfMissingSchema: Bool { sqlState == "42P01" || sqlState == "42703" }

    public var isUniqueViolation: Bool { sqlState == "23505" }
    /// A foreign key refused the row (23503).
    public var isForeignKeyViolation: Bool { sqlState == "23503" }
    /// A check constraint refused the row (23514).
    public var isCheckViolation: Bool { sqlState == "23514" }
    /// Postgres is away: nothing was sent, or the connection broke.
    public var isConnectionFailure: Bool {
        kind == .unavailable || kind == .connectionLost || kind == .commitUnknown
    }

    public var description: String {
        var text = "Postgres \(kind.rawValue)"
        if let sqlState { text += " [\(sqlState)]" }
        text += ": \(message)"
        if let constraint { text += " (constraint \(constraint))" }
        if let hint { text += " (hint: \(hint))" }
        if let statement { text += " in: \(statement)" }
        return text
    }
}
