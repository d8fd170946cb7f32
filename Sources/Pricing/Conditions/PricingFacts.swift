public import Identity

/// What prices depend on beside model, tier and counts.
public struct PricingFacts: Hashable, Sendable {
    /// Acceptance in billing time; nil: no price of some times applies.
    public var acceptedAt: Timestamp?
    /// Where the backend stands that served; empty where the catalogue does not say.
    public var region: String
    /// Tokens of the whole prompt.
    public var promptTokens: Int64

    public init(acceptedAt: Timestamp? = nil, region: String = "", promptTokens: Int64 = 0) {
        self.acceptedAt = acceptedAt
        self.region = region
        self.promptTokens = promptTokens
    }
}

/// The conditions of a document that may hold for one model in one tier.
struct ConditionList: Sendable {
    /// Bounds of the bands, ascending.
    private var bands: [Int64] = []
    private var regions: [Int] = []
    private var times: [Int] = []

    init() {}

    init(of document: PlanDocument, entry: String, priceKey: String, tier: String) {
        bands = document.prices(of: entry, tier: tier)?.context.map(\.above) ?? []
        regions = document.regions.indices.filter {
            document.regions[$0].scope.covers(priceKey: priceKey, tier: tier)
        }
        times = document.times.indices.filter { document.times[$0].scope.covers(priceKey: priceKey, tier: tier) }
    }

    /// Of each kind the one that counts: the last band that the prompt is beyond, the first region, the first time.
    func holding(for facts: PricingFacts, in document: PlanDocument) -> PriceConditions {
        var conditions = PriceConditions()
        if !bands.isEmpty { conditions.band = bands.lastIndex { facts.promptTokens > $0 } }
        if !regions.isEmpty, !facts.region.isEmpty {
            conditions.region = regions.first { NamePattern.matches(document.regions[$0].region, facts.region) }
        }
        if !times.isEmpty, let instant = facts.acceptedAt {
            conditions.time = times.first {
                let time = document.times[$0]
                return time.contains(instant, holidays: time.holidays.flatMap { document.holidays[$0] })
            }
        }
        return conditions
    }
}
