/// For which tier's promises a request counts. The charges that a credit is a share of are those of the same requests.
public struct PromiseScope: Hashable, Sendable {
    /// How the scope was told when a month was judged; a month that is closed stays judged by its own rule.
    public enum Rule: Int16, CaseIterable, Hashable, Sendable {
        /// Requests by the tier that served them, charges by the tier of their price, those of batches among them.
        case tierServed = 1
        /// Requests and their charges by the tier asked for; batches are in neither.
        case tierAskedFor = 2
        /// The same, and a tenant's subscriptions to one plan are judged as one: who leaves and comes back within a
        /// month is promised what everybody else is.
        case subscriptionsJoined = 3

        /// What months are judged by now.
        public static let current = Rule.subscriptionsJoined
    }

    /// Whose promises count.
    public let tier: String
    /// The tier that served it, where that is not the one asked for: the promise of a tier that one asks for is that
    /// one gets it.
    public let servedInstead: String?

    /// By canonical names. Who asks for no tier in particular (`base`) is promised what the tier promises that they got
    /// and pay for.
    public init(asked: String, served: String, base: String, rule: Rule = .current) {
        let gotAnother = rule != .tierServed && asked != base && asked != served
        tier = gotAnother ? asked : served
        servedInstead = gotAnother ? served : nil
    }
}
