/// Who changes something, and from where.
public struct Principal: Hashable, Sendable {
    public enum Kind: String, CaseIterable, Sendable {
        /// A key of the admin API.
        case adminKey = "admin_key"
        /// Someone at the command line.
        case `operator`
        /// A job of the program itself.
        case job
    }

    public let kind: Kind
    /// An admin key's id, a user of the machine, a job's name.
    public let id: String
    /// An admin key's name; else empty.
    public let name: String
    /// The address or the host that it came from.
    public let origin: String

    public init(_ kind: Kind, id: String, name: String = "", origin: String) {
        self.kind = kind
        self.id = id
        self.name = name
        self.origin = origin
    }
}

extension Principal: CustomStringConvertible {
    /// As it stands beside what it changed.
    public var description: String {
        switch kind {
        case .adminKey: "admin key \(id) (\(name))"
        case .operator: "shell: \(id)"
        case .job: "job: \(id)"
        }
    }
}
