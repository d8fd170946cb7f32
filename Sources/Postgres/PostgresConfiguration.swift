import CLibPQ

/// Where Postgres is, who asks, and how long anything may take.
public struct PostgresConfiguration: Sendable, Hashable, CustomStringConvertible {
    /// libpq keywords (PostgreSQL manual, 34.1.2): `host`, `port`, `dbname`, `user`, `password`, `sslmode` …
    public var keywords: [String: String]
    /// Shown in `pg_stat_activity`.
    public var applicationName = "tollgate"
    public var connectTimeoutSeconds = 3
    /// A statement that runs longer is cancelled by the server (57014). 0 is no limit.
    public var statementTimeoutMilliseconds = 30_000
    /// A statement that waits longer for a lock fails (55P03). 0 is no limit.
    public var lockTimeoutMilliseconds = 5_000
    /// A transaction that sits idle longer is ended by the server with its connection. 0 is no limit.
    public var idleInTransactionTimeoutMilliseconds = 30_000

    /// `host` is a name, an address, or the directory of a Unix socket.
    public init(host: String, port: Int = 5432, database: String, user: String, password: String? = nil) {
        keywords = ["host": host, "port": String(port), "dbname": database, "user": user]
        keywords["password"] = password
    }

    /// Reads a connection URI (`postgres://user@host:5432/database?sslmode=require`) or libpq's `key=value` form.
    public init(url: String) throws(PostgresError) {
        var complaint: UnsafeMutablePointer<CChar>?
        guard let options = PQconninfoParse(url, &complaint) else {
            let reason = complaint.map { String(cString: $0) } ?? "out of memory"
            PQfreemem(complaint)
            throw PostgresError(kind: .invalidParameter, message: "the database URL cannot be read: \(trimmed(reason))")
        }
        defer { PQconninfoFree(options) }
        keywords = [:]
        var option = options
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val { keywords[String(cString: keyword)] = String(cString: value) }
            option += 1
        }
    }

    /// The database's name, when one was given.
    public var database: String? { keywords["dbname"] }

    /// The same server, another database.
    public func database(_ name: String) -> PostgresConfiguration {
        var copy = self
        copy.keywords["dbname"] = name
        return copy
    }

    /// Without the password.
    public var description: String {
        let host = keywords["host"] ?? keywords["hostaddr"] ?? "default host"
        return "\(keywords["user"] ?? "default user")@\(host):\(keywords["port"] ?? "5432")/\(database ?? "")"
    }

    /// What libpq is given: the caller's keywords, and those that this module relies on.
    var connectionParameters: [(key: String, value: String)] {
        var all = keywords
        all["application_name"] = applicationName
        all["connect_timeout"] = String(connectTimeoutSeconds)
        all["client_encoding"] = "UTF8"
        all["keepalives_idle"] = all["keepalives_idle"] ?? "30"
        all["tcp_user_timeout"] = all["tcp_user_timeout"] ?? "10000"
        let settings = [
            "statement_timeout=\(statementTimeoutMilliseconds)",
            "lock_timeout=\(lockTimeoutMilliseconds)",
            "idle_in_transaction_session_timeout=\(idleInTransactionTimeoutMilliseconds)",
            "TimeZone=UTC", "DateStyle=ISO", "bytea_output=hex",
        ]
        all["options"] = ([all["options"]].compactMap { $0 } + settings.map { "-c \($0)" }).joined(separator: " ")
        return all.sorted { $0.key < $1.key }.map { (key: $0.key, value: $0.value) }
    }
}

/// Text from libpq without the line ends it likes to add.
func trimmed(_ text: String) -> String {
    text.split(whereSeparator: \.isNewline).joined(separator: " ").trimmingSpaces
}

extension String {
    fileprivate var trimmingSpaces: String {
        var slice = self[...]
        while slice.first == " " { slice.removeFirst() }
        while slice.last == " " { slice.removeLast() }
        return String(slice)
    }
}
