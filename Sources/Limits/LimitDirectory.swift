public import Identity

/// All limits of a moment, by whom they limit. Immutable: a change makes a new directory, which shares with this one
/// what did not change.
public final class LimitDirectory: Sendable {
    private let table: LimitTable

    /// A directory without limits.
    public static let empty = LimitDirectory(table: LimitTable())

    /// What this table says now.
    public init(table: LimitTable) { self.table = table }

    public convenience init(rules: [LimitRule]) {
        var table = LimitTable()
        for rule in rules { table.add(rule) }
        self.init(table: table)
    }

    /// No request has a limit.
    public var isEmpty: Bool { table.count == 0 }

    /// The rules that a request must fit, in the order of their ids; `model` is the public name of the model asked for.
    public func rules(
        account: AccountID, tenant: TenantID, project: ProjectID, key: KeyID, model: String
    ) -> [LimitRule] {
        table.rules(account: account, tenant: tenant, project: project, key: key, model: model)
    }
}
