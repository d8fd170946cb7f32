public import Accounts

/// Who looks at something or changes it, from where, and what it may: the holder of an admin key, someone at the
/// command line, or a job of the program.
public struct Actor: Hashable, Sendable {
    public let principal: Principal
    public let permissions: Set<Permission>
    /// Why it acts, in its own words: the reason of every change that has none of its own.
    public private(set) var reason = ""
    /// Nil for whoever is no admin key.
    private let role: AdminRole?

    private init(_ principal: Principal, _ permissions: Set<Permission>, role: AdminRole? = nil) {
        self.principal = principal
        self.permissions = permissions
        self.role = role
    }

    /// The holder of an admin key, calling from a network address.
    public static func adminKey(_ key: AdminKey, from address: String) -> Actor {
        Actor(
            Principal(.adminKey, id: "\(key.id)", name: key.name, origin: address), key.role.permissions,
            role: key.role)
    }

    /// Someone at the command line. Whoever can reach the database may do everything.
    public static func `operator`(_ user: String, on host: String) -> Actor {
        Actor(Principal(.operator, id: user, origin: host), Permission.all)
    }

    /// A job, with what it needs and nothing else.
    public static func job(_ name: String, on host: String, may permissions: Set<Permission>) -> Actor {
        Actor(Principal(.job, id: name, origin: host), permissions)
    }

    /// The same, saying why.
    public func because(_ reason: String) -> Actor {
        var actor = self
        actor.reason = reason
        return actor
    }

    public func require(_ permission: Permission) throws(PermissionDenied) {
        guard permissions.contains(permission) else {
            throw PermissionDenied(permission: permission, principal: principal, role: role)
        }
    }
}

/// An actor asked for something that it may not do.
public struct PermissionDenied: Error, Hashable, Sendable, CustomStringConvertible {
    public let permission: Permission
    public let principal: Principal
    let role: AdminRole?

    public var description: String {
        guard let role else { return "\(principal) may not do this: it lacks the permission \(permission)" }
        return "this needs the role \(permission.role.rawValue); the key \(principal.id) (\(principal.name)) has "
            + "\(role.rawValue)"
    }
}
