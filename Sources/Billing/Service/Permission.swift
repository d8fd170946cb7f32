public import Accounts

/// Something that an actor may look at or change.
public struct Permission: Hashable, Sendable, CustomStringConvertible {
    public enum Area: String, CaseIterable, Sendable {
        case accounts
        /// Projects too.
        case tenants
        case apiKeys = "api_keys"
        case adminKeys = "admin_keys"
        case limits
        case seller
        case plans
        case catalogue
        case secrets
        case subscriptions
        case usage
        case suspense
        case journals
        /// Runs too, and whom they pass over.
        case invoices
        case credits
        case serviceLevels = "service_levels"
        case audit
    }

    public enum Verb: String, CaseIterable, Sendable {
        case read
        case write
    }

    public let area: Area
    public let verb: Verb

    public static func read(_ area: Area) -> Permission { Permission(area: area, verb: .read) }
    public static func write(_ area: Area) -> Permission { Permission(area: area, verb: .write) }

    public static let all = Set(Area.allCases.flatMap { [Permission.read($0), .write($0)] })

    /// The least role of an admin key that has it.
    public var role: AdminRole {
        switch (verb, area) {
        case (_, .adminKeys), (_, .audit): .admin
        case (.read, _): .viewer
        case (.write, .plans), (.write, .subscriptions), (.write, .suspense), (.write, .invoices), (.write, .credits),
            (.write, .usage), (.write, .serviceLevels):
            .billing
        case (.write, .accounts), (.write, .tenants), (.write, .apiKeys), (.write, .limits), (.write, .seller),
            (.write, .catalogue), (.write, .secrets), (.write, .journals):
            .admin
        }
    }

    /// Such as `api_keys:write`.
    public var description: String { "\(area.rawValue):\(verb.rawValue)" }
}

extension AdminRole {
    /// Everything that a key of this role may do.
    public var permissions: Set<Permission> { Permission.all.filter { includes($0.role) } }
}
