/// Something in the database that cannot be used, and why; what does not depend on it works.
public struct ServiceFault: Hashable, Codable, Sendable {
    /// What it is.
    public enum Kind: String, Codable, Sendable {
        case account, backend, key, limit, model, secret, subscription
        case planVersion = "plan_version"
    }

    public let kind: Kind
    /// Which one.
    public let name: String
    /// A stable word for metrics.
    public let code: String
    /// For people; holds no secret.
    public let reason: String

    /// The most that are kept of one database.
    public static let countMax = 1000

    /// A fault of one thing.
    public init(kind: Kind, name: String, code: String, reason: String) {
        self.kind = kind
        self.name = name
        self.code = code
        self.reason = reason
    }

    /// A row that does not read.
    public static func unreadable(_ kind: Kind, _ name: String, _ reason: String) -> ServiceFault {
        ServiceFault(kind: kind, name: name, code: "unreadable_row", reason: reason)
    }
}
