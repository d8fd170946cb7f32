public import Identity
public import Metering
public import Monetary

/// A version of a plan that can be published: a document without errors, and the rows of prices that follow from it.
/// Immutable; a change of prices is another version.
public struct PlanVersion: Sendable {
    /// What the version was made from.
    public let document: PlanDocument
    /// Every combination that the plan sells, in the order of price key, tier (the base tier first) and meter, without
    /// further conditions.
    public let prices: [EffectivePrice]
    /// What becomes of what the version has no price for: what the document says, but for versions published before
    /// there was this rule (`published(under:)`).
    public private(set) var unpriced: UnpricedRule
    /// Real time; nil where nobody knows.
    public private(set) var publishedAt: Timestamp?
    private let rows: [Key: Row]
    private let variants: PriceVariants
    /// Whether an entry of `models` is for several keys.
    private let hasStars: Bool

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
        /// What may hold for it beyond model and tier.
        var conditions = ConditionList()
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

    /// A version that was published: it costs what the rows say that were stored for it, in any order, whatever its
    /// document would be multiplied out to today. Rows of further conditions are stored when they are first used.
    public init(document: PlanDocument, published prices: [EffectivePrice]) throws(PlanRejection) {
        try PlanRules.require(of: document, lines: [:])
        let stored = prices.filter { $0.variant.isEmpty && document.models[$0.priceKey] != nil }
        self.init(
            document: document, rows: PriceTable.sorted(stored, of: document),
            variants: prices.filter { !$0.variant.isEmpty || document.models[$0.priceKey] == nil })
    }

    private init(document: PlanDocument, rows prices: [EffectivePrice], variants: [EffectivePrice] = []) {
        self.document = document
        self.prices = prices
        self.variants = PriceVariants(of: document, stored: variants)
        hasStars = document.models.keys.contains(where: NamePattern.isPattern)
        unpriced = document.unpriced
        var rows: [Key: Row] = [:]
        for (index, price) in prices.enumerated() {
            rows[Key(priceKey: price.priceKey, tier: price.tier), default: Row()].indices[price.meter.order] =
                Int32(index)
        }
        for (key, row) in rows {
            var row = row
            let written = document.prices(of: key.priceKey, tier: key.tier)
            row.conditions = ConditionList(
                of: document, entry: key.priceKey, priceKey: key.priceKey, tier: key.tier)
            let unsold = written?.unsold ?? []
            row.unsold = unsold.reduce(into: []) { $0.formUnion(MeterSet($1)) }
            let known = ModelPrices(
                indices: row.indices, unsold: row.unsold, prices: prices, priceKey: key.priceKey,
                conditions: PriceConditions(), variants: self.variants)
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
        modelPrices(priceKey: priceKey, tier: tier, facts: PricingFacts())?.named(meter)
    }

    /// All rows of a model in a tier under the conditions that hold; nil where the plan does not sell the model in it.
    func modelPrices(priceKey: String, tier: String, facts: PricingFacts) -> ModelPrices? {
        let own = rows[Key(priceKey: priceKey, tier: tier)]
        guard let (row, entry) = own.map({ ($0, priceKey) }) ?? starred(priceKey, tier) else { return nil }
        let conditions =
            own == nil
            ? ConditionList(of: document, entry: entry, priceKey: priceKey, tier: tier) : row.conditions
        return ModelPrices(
            indices: row.indices, unsold: row.unsold, prices: prices, priceKey: priceKey,
            conditions: conditions.holding(for: facts, in: document), variants: variants)
    }

    /// The row of the entry with an asterisk that prices a key without an entry of its own.
    private func starred(_ priceKey: String, _ tier: String) -> (Row, entry: String)? {
        guard hasStars, document.models[priceKey] == nil, let entry = document.entry(for: priceKey) else { return nil }
        return rows[Key(priceKey: entry, tier: tier)].map { ($0, entry) }
    }

    /// The meters of a model in a tier that have a price, their own or their parent's; nil where the plan does not sell
    /// the model in it. One look into a table.
    public func sold(priceKey: String, tier: String) -> MeterSet? {
        rows[Key(priceKey: priceKey, tier: tier)]?.sold ?? starred(priceKey, tier)?.0.sold
    }

    /// The row of a key under conditions, by that of the entry that prices it.
    func conditional(
        _ price: EffectivePrice, for priceKey: String, under conditions: PriceConditions
    ) -> EffectivePrice? {
        conditions.isNone && price.priceKey == priceKey
            ? price : variants.row(of: price, for: priceKey, under: conditions)
    }

    /// Whether a row was stored when the version was published; others are stored when they are first used.
    public func isStoredAtPublication(_ price: EffectivePrice) -> Bool {
        price.variant.isEmpty && document.models[price.priceKey] != nil
    }

    /// Whether the plan sells the model at all: in some tier, or in batches.
    public func sells(priceKey: String) -> Bool { document.entry(for: priceKey) != nil }

    /// The tier under which the lines of a model's batches are sold.
    public var batchTier: String {
        document.batch != nil || document.tiers[ServiceTier.batch] != nil ? ServiceTier.batch : ServiceTier.standard
    }

    /// The rows of one model in one tier under some conditions.
    struct ModelPrices {
        fileprivate let indices: [Int32]
        fileprivate let unsold: MeterSet
        fileprivate let prices: [EffectivePrice]
        fileprivate let priceKey: String
        fileprivate let conditions: PriceConditions
        fileprivate let variants: PriceVariants

        /// The row of this very meter without further conditions.
        func named(_ meter: Meter) -> EffectivePrice? {
            let index = indices[meter.order]
            return index < 0 ? nil : prices[Int(index)]
        }

        /// The row under the conditions that hold; nil where its price cannot be told.
        func conditional(_ price: EffectivePrice) -> EffectivePrice? {
            conditions.isNone && price.priceKey == priceKey
                ? price : variants.row(of: price, for: priceKey, under: conditions)
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
        return isUnpriced(served, of: attempt, requested: requested) ? askedTier(requested) : served
    }

    /// Whether the tier that served has no price, so that the one that was asked for is billed.
    public func billsRequestedTier(of attempt: AttemptRecord, requested: String?) -> Bool {
        isUnpriced(servedTier(of: attempt, requested: requested), of: attempt, requested: requested)
    }

    private func isUnpriced(_ served: String, of attempt: AttemptRecord, requested: String?) -> Bool {
        guard unpriced == .refuse else { return false }
        let requested = askedTier(requested)
        return served != requested && sold(priceKey: attempt.priceKey, tier: served) == nil
            && sold(priceKey: attempt.priceKey, tier: requested) != nil
    }

    private func servedTier(of attempt: AttemptRecord, requested: String?) -> String {
        if attempt.isBatch, batchTier == ServiceTier.batch { return ServiceTier.batch }
        // What batches cost is for their lines alone, whatever an engine calls the tier of something else; and where
        // the plan does not price them, they cost what anything costs.
        let isSilent = attempt.tierServed == ServiceTier.batch && (attempt.isBatch || document.batch != nil)
        return ServiceTier.billable(served: isSilent ? nil : attempt.tierServed, requested: askedTier(requested))
    }

    /// The tier that was asked for. What batches cost is none that anybody can ask for.
    private func askedTier(_ requested: String?) -> String {
        let isOfBatches = requested == ServiceTier.batch && document.batch != nil
        return isOfBatches ? ServiceTier.standard : ServiceTier.canonical(requested ?? "")
    }

    /// The names of the plan's tiers, the base tier first. What batches cost is none of them: no client asks for it.
    public var tiers: [String] { [ServiceTier.standard] + document.tiers.keys.sorted() }

    /// What a tier promises; empty where it promises nothing.
    public func promises(of tier: String) -> [ServicePromise] { document.promises[tier] ?? [] }
}
