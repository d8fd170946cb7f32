import Identity

/// All limits, by whom they limit, kept current rule by rule.
///
/// A value that shares what did not change with its copies: a change copies the slot of one account, a few thousandths
/// of all limits, and the row of slots. Everything that one request asks for stands in the slot of its account.
public struct LimitTable: Sendable {
    private struct Slot {
        /// How many rules of any scope an account has.
        var counts: [AccountID: Int] = [:]
        var rules: [UUIDv7: [LimitRule]] = [:]
    }

    /// Empty until there is a rule: most gateways have none.
    private var slots: [Slot] = []
    /// How many rules are inside.
    public private(set) var count = 0

    /// A power of two. A million limits make a thousand a slot.
    private static let slotCount = 1_024

    public init() {}

    /// Adds a rule that is not inside.
    public mutating func add(_ rule: LimitRule) {
        if slots.isEmpty { slots = Array(repeating: Slot(), count: Self.slotCount) }
        let index = Self.index(of: rule.accountID)
        slots[index].counts[rule.accountID, default: 0] += 1
        slots[index].rules[rule.scope.uuid, default: []].append(rule)
        count += 1
    }

    /// Removes a rule, given as it is inside.
    public mutating func remove(_ rule: LimitRule) {
        guard !slots.isEmpty else { return }
        let index = Self.index(of: rule.accountID)
        let scope = rule.scope.uuid
        guard let place = slots[index].rules[scope]?.firstIndex(of: rule) else { return }
        slots[index].rules[scope]?.remove(at: place)
        if slots[index].rules[scope]?.isEmpty == true { slots[index].rules[scope] = nil }
        let left = slots[index].counts[rule.accountID].map { $0 - 1 } ?? 0
        slots[index].counts[rule.accountID] = left == 0 ? nil : left
        count -= 1
        if count == 0 { slots = [] }
    }

    func rules(
        account: AccountID, tenant: TenantID, project: ProjectID, key: KeyID, model: String
    ) -> [LimitRule] {
        guard !slots.isEmpty else { return [] }
        let index = Self.index(of: account)
        // Accounts without a limit: this look is all that it costs.
        guard slots[index].counts[account] != nil else { return [] }
        var found: [LimitRule] = []
        for scope in [account.uuid, tenant.uuid, project.uuid, key.uuid] {
            for rule in slots[index].rules[scope] ?? []
            where rule.accountID == account && (rule.model ?? model) == model {
                found.append(rule)
            }
        }
        return found.count < 2 ? found : found.sorted { $0.id < $1.id }
    }

    /// The lower half of an id is random but for its first two bits.
    private static func index(of account: AccountID) -> Int { Int(account.uuid.low & UInt64(slotCount - 1)) }
}
