/// Names of service tiers, and the rule which tier is billed.
public enum ServiceTier {
    /// The base tier, which every plan has.
    public static let standard = "standard"
    /// The name under which the prices of batches stand. No client asks for it: an attempt says that it is part of one.
    public static let batch = "batch"

    /// Names by which clients and engines mean the base tier: `default` is what OpenAI calls it, and `auto` leaves the
    /// choice to the engine and is never a price.
    private static let namesOfStandard: Set<String> = ["", "auto", "default", standard]

    /// The plan's name of a tier that a request or an answer names.
    public static func canonical(_ name: String) -> String { namesOfStandard.contains(name) ? standard : name }

    /// The tier that is billed: the one that served, by the engine's answer. Only where the answer is silent, the one
    /// that was asked for. So a priority request that was served as `default` costs the standard price.
    public static func billable(served: String?, requested: String?) -> String {
        if let served, !served.isEmpty { return canonical(served) }
        return canonical(requested ?? standard)
    }
}
