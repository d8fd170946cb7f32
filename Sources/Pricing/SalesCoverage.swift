public import Identity

/// Which models the plans sell, to hold against what clients may name: what nobody sells is refused, or its
/// usage waits in suspense.
public struct SalesCoverage: Sendable {
    /// Price keys of the versions in force, with an asterisk where they are beginnings.
    private let soldNow: Set<String>
    /// Price keys of versions that are published and not in force yet, with the first instant.
    private let soldFrom: [String: Timestamp]

    /// What these plans sell at an instant, and from then on.
    public init(_ histories: some Sequence<PlanHistory>, at now: Timestamp) {
        var soldNow: Set<String> = []
        var soldFrom: [String: Timestamp] = [:]
        for history in histories {
            if let version = history.version(at: now, under: nil) { soldNow.formUnion(version.prices.map(\.priceKey)) }
            for version in history.versions where version.effectiveFrom > now {
                for key in Set(version.prices.map(\.priceKey)) {
                    soldFrom[key] = min(soldFrom[key] ?? version.effectiveFrom, version.effectiveFrom)
                }
            }
        }
        self.soldNow = soldNow
        self.soldFrom = soldFrom
    }

    /// What is wrong with offering a model under a price key; nil where a plan in force sells it.
    public func warning(model: String, priceKey: String) -> String? {
        if soldNow.contains(priceKey) || soldNow.contains(where: { NamePattern.matches($0, priceKey) }) { return nil }
        let name = model == priceKey ? "model \(model)" : "model \(model) (price key \(priceKey))"
        if let instant = soldFrom.filter({ NamePattern.matches($0.key, priceKey) }).values.min() {
            return "\(name) is sold by no plan before \(instant): until then it is refused, or waits in suspense"
        }
        return "\(name) is sold by no plan: it is refused, or its usage waits in suspense and holds up invoices"
    }
}
