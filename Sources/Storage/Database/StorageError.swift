/// Why storage refused, in words for whoever asked. What Postgres itself reports stays a `PostgresError`.
public enum StorageError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Not found.
    case notFound(String)
    /// It cannot be done as things stand.
    case conflict(String)
    /// An argument is wrong; names it.
    case invalid(parameter: String, message: String)
    /// What is stored cannot be read back: someone changed the database by hand, or an older program reads it.
    case corrupt(String)

    /// Refuses a name that says nothing.
    static func requireName(_ name: String) throws(StorageError) {
        guard name.contains(where: { !$0.isWhitespace }) else {
            throw .invalid(parameter: "name", message: "it must not be empty")
        }
    }

    public var description: String {
        switch self {
        case .notFound(let what): "there is no \(what)"
        case .conflict(let message): message
        case .invalid(let parameter, let message): "\(parameter): \(message)"
        case .corrupt(let message): "the database holds something unreadable: \(message)"
        }
    }
}
