public import Identity
public import Metering
public import Monetary

/// A version of a plan that can be published: a document without errors, and the rows of prices that follow from it.
/// Immutable; a change of prices is another version.
public struct PlanVersion: Sendable {
    /// What the version was made from.
    public let document: PlanDocument
    /// Every combination that the plan sells, in the order of price key, tier (the base tier first) and meter.
    public let prices: [EffectivePrice]
    /// What becomes of what the version has no price for: what the document says, but for versions published before
    /// there was this rule (`published(under:)`).
    public private(set) var unpriced: UnpricedRule
    /// Real time; nil where nobody knows.
    public private(set) var publishedAt: Timestamp?
    private let rows: [Key: Row]

    private struct Key: Hashable {
        let priceKey: String
        let tier: String
    }

    /// What is known of a model in a tier.
    private struct Row {
        /// Where its rows stand in `prices`, by the order of their meters; -1 where there is none.
        var indices = Meter.allCases.map { _ in -1 as Int32 }
        /// What must not fall back to its parent's price.
        var unsold: MeterSet = []
        /// Every meter that has a price, its own or its parent's.
        var sold: MeterSet = []
    }

    /// Makes the version of a document, or says everything that is wrong with it.
    public init(document: PlanDocument) throws(PlanRejection) {
        try self.init(document: document, lines: [:])
    }

    /// Makes the version of a document that was read from text.
    /// - Parameter lines: where each path stands, for what is wrong with it.
    public init(document: PlanDocument, lines: [String: Int]) throws(PlanRejection) {
        try PlanRules.require(of: document, lines: lines)
        self.init(document: document, rows: try PriceTable.rows(of: document, lines: lines))
    }

    /// A version that was published: it costs what the rows say that were stored with it, in any order, whatever its
    /// document would be multiplied out to today.
    public init(document: PlanDocument, published prices: [EffectivePrice]) throws(PlanRejection) {
        try PlanRules.require(of: document, lines: [:])
        self.init(document: document, rows: PriceTable.sorted(prices, of: document))
    }

    private init(document: PlanDocument, rows prices: [EffectivePrice]) {
        self.document = document
        self.prices = prices
        unpriced = document.unpriced
        var rows: [Key: Row] = [:]
        for (index, price) in prices.enumerated() {
            rows[Key(priceKey: price.priceKey, tier: price.tier), default: Row()].indices[price.meter.order] =
                Int32(index)
        }
        for (key, row) in rows {
            var row = row
            let unsold = document.prices(priceKey: key.priceKey, tier: key.tier)?.unsold ?? []
            row.unsold = unsold.reduce(into: []) { $0.formUnion(MeterSet($1)) }
            let known = ModelPrices(indices: row.indices, unsold: row.unsold, prices: prices)
            for meter in Meter.allCases where known.price(of: meter) != nil { row.sold.formUnion(MeterSet(meter)) }
            rows[key] = row
        }
        self.rows = rows
    }

    /// The same version as it was published: when, and under the rule that was stored with it.
    public func published(under rule: UnpricedRule, at instant: Timestamp?) -> PlanVersion {
        var version = self
        version.unpriced = rule
        version.publishedAt = instant
        return version
    }

    /// The row of one meter of a model in a tier; nil where the plan has none. Usage of a meter without a row of its
    /// own may still have a price: its parent's.
    public func price(priceKey: String, tier: String, meter: Meter) -> EffectivePrice? {
        modelPrices(priceKey: priceKey, tier: tier)?.named(meter)
    }

    /// All rows of a model in a tier; nil where the plan does not sell the model in it.
    func modelPrices(priceKey: String, tier: String) -> ModelPrices? {
        rows[Key(priceKey: priceKey, tier: tier)].map {
            ModelPrices(indices: $0.indices, unsold: $0.unsold, prices: prices)
        }
    }

    /// The meters of a model in a tier that have a price, their own or their parent's; nil where the plan does not sell
    /// the model in it. One look into a table.
    public func sold(priceKey: String, tier: String) -> MeterSet? {
        rows[Key(priceKey: priceKey, tier: tier)]?.sold
    }

    /// Whether the plan sells the model at all: in some tier, or in batches.
    public func sells(priceKey: String) -> Bool { document.models[priceKey] != nil }

    /// The tier under which the lines of a model's batches are sold.
    public var batchTier: String {
        document.batch != nil || document.tiers[ServiceTier.batch] != nil ? ServiceTier.batch : ServiceTier.standard
    }

    /// The rows of one model in one tier.
    struct ModelPrices {
        fileprivate let indices: [Int32]
        fileprivate let unsold: MeterSet
        fileprivate let prices: [EffectivePrice]

        /// The row of this very meter.
        func named(_ meter: Meter) -> EffectivePrice? {
            let index = indices[meter.order]
            return index < 0 ? nil : prices[Int(index)]
        }

        /// The row that prices the meter: its own, else its parent's.
        func price(of meter: Meter) -> EffectivePrice? {
            if unsold.contains(meter) { return nil }
            return named(meter) ?? meter.parent.flatMap { price(of: $0) }
        }
    }
}

/// What is published under a number never changes, so equal documents are equal versions.
extension PlanVersion: Hashable {
    public static func == (left: PlanVersion, right: PlanVersion) -> Bool { left.document == right.document }

    public func hash(into hasher: inout Hasher) { hasher.combine(document) }
}

extension PlanVersion {
    /// The plan's slug.
    public var planID: String { document.plan }
    /// Counts from 1.
    public var version: Int { document.version }
    /// The plan's name on invoices.
    public var title: String { document.title }
    /// What every price is in.
    public var currency: Currency { document.currency }
    /// The first instant that this version prices, for all but test clocks that had passed it.
    public var effectiveFrom: Timestamp { document.effectiveFrom }
    /// The first instant that it prices. Before a plan's first version nothing had a price that it could change, so it
    /// reaches back under every clock.
    public var effectiveDate: EffectiveDate {
        EffectiveDate(from: effectiveFrom, publishedAt: version == 1 ? nil : publishedAt)
    }
    /// How an invoice line becomes an amount that can be paid.
    public var rounding: Rounding { document.rounding }
    /// The monthly fee; nil where there is none.
    public var baseFee: BaseFee? { document.baseFee }
    /// What is billed when an answer did not end as it should.
    public var policies: PlanPolicies { document.policies }

    /// The tier that an attempt is billed in: that of batches where it is part of one and the plan prices them, else
    /// the one that served, else the one that was asked for. A version that refuses what it has no price for admitted
    /// the tier that was asked for because it sells that: where it has no row for the tier that served, that one
    /// counts.
    public func billedTier(of attempt: AttemptRecord, requested: String?) -> String {
        let served = servedTier(of: attempt, requested: requested)
        return isUnpriced(served, of: attempt, requested: requested) ? ServiceTier.canonical(requested ?? "") : served
    }

    /// Whether the tier that served has no price, so that the one that was asked for is billed.
    public func billsRequestedTier(of attempt: AttemptRecord, requested: String?) -> Bool {
        isUnpriced(servedTier(of: attempt, requested: requested), of: attempt, requested: requested)
    }

    private func isUnpriced(_ served: String, of attempt: AttemptRecord, requested: String?) -> Bool {
        guard unpriced == .refuse else { return false }
        let requested = ServiceTier.canonical(requested ?? "")
        return served != requested && sold(priceKey: attempt.priceKey, tier: served) == nil
            && sold(priceKey: attempt.priceKey, tier: requested) != nil
    }

    private func servedTier(of attempt: AttemptRecord, requested: String?) -> String {
        guard attempt.isBatch else { return ServiceTier.billable(served: attempt.tierServed, requested: requested) }
        if batchTier == ServiceTier.batch { return ServiceTier.batch }
        // Batches cost what anything costs here, whatever the engine calls the tier.
        let served = attempt.tierServed == ServiceTier.batch ? nil : attempt.tierServed
        return ServiceTier.billable(served: served, requested: requested)
    }

    /// The names of the plan's tiers, the base tier first. What batches cost is none of them: no client asks for it.
    public var tiers: [String] { [ServiceTier.standard] + document.tiers.keys.sorted() }

    /// What a tier promises; empty where it promises nothing.
    public func promises(of tier: String) -> [ServicePromise] { document.promises[tier] ?? [] }
}
