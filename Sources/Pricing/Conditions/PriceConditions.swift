/// Which conditions of a document hold for an attempt: places in its lists; nil where none does.
struct PriceConditions: Hashable, Sendable {
    /// Among the bands of the model's prices in the tier.
    var band: Int?
    var region: Int?
    var time: Int?

    var isNone: Bool { band == nil && region == nil && time == nil }

    /// The name of rows under these conditions: `context_above_272000+region_us-*+time_peak`; empty where none holds.
    func variant(of document: PlanDocument, entry: String, tier: String) -> String {
        let bands = document.prices(of: entry, tier: tier)?.context ?? []
        return [
            band.map { bands[$0].variant }, region.map { document.regions[$0].variant },
            time.map { document.times[$0].variant },
        ].compactMap(\.self).joined(separator: "+")
    }
}
