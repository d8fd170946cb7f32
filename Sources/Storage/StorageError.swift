/// Why storage refused, in words for whoever asked. What Postgres itself reports stays a `PostgresError`.
public enum StorageError: Error, Equatable, Sendable, CustomStringConvertible {
    /// There is no such thing.
    case notFound(String)
    /// It cannot be done as things stand.
    case conflict(String)
    /// An argument is wrong; names it.
    case invalid(parameter: String, message: String)
    /// What is stored cannot be read back: someone changed the database by hand, or an older program reads it.
    case corrupt(String)

    public var description: String {
        switch self {
        case .notFound(let what): "there is no \(what)"
        case .conflict(let message): message
        case .invalid(let parameter, let message): "\(parameter): \(message)"
        case .corrupt(let message): "the database holds something unreadable: \(message)"
        }
    }
}
