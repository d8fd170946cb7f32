public import Identity

/// All limits of a moment, by whom they limit. Immutable: a change makes a new directory.
public final class LimitDirectory: Sendable {
    /// Accounts that have a limit of any scope: for all others one look is all that it costs.
    private let accounts: Set<AccountID>
    private let rules: [UUIDv7: [LimitRule]]

    /// A directory without limits.
    public static let empty = LimitDirectory(rules: [])

    /// A directory of these rules.
    public init(rules: [LimitRule]) {
        accounts = Set(rules.lazy.map(\.accountID))
        self.rules = Dictionary(grouping: rules, by: \.scope.uuid)
    }

    /// No request has a limit.
    public var isEmpty: Bool { accounts.isEmpty }

    /// The rules that a request must fit, in the order of their ids; `model` is the public name of the model asked for.
    public func rules(
        account: AccountID, tenant: TenantID, project: ProjectID, key: KeyID, model: String
    ) -> [LimitRule] {
        guard !accounts.isEmpty, accounts.contains(account) else { return [] }
        var found: [LimitRule] = []
        for scope in [account.uuid, tenant.uuid, project.uuid, key.uuid] {
            for rule in rules[scope] ?? [] where rule.accountID == account && (rule.model ?? model) == model {
                found.append(rule)
            }
        }
        return found.count < 2 ? found : found.sorted { $0.id < $1.id }
    }
}
