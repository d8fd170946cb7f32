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
    /// Where a model's rows of a tier stand in `prices`, by the order of their meters; -1 where there is none.
    private let rows: [Key: [Int32]]

    private struct Key: Hashable {
        let priceKey: String
        let tier: String
    }

    /// Makes the version of a document, or says everything that is wrong with it.
    public init(document: PlanDocument) throws(PlanRejection) {
        try self.init(document: document, lines: [:])
    }

    /// Reads a plan's YAML: a file of `pricing-plans`, or the canonical text of a published version.
    public init(yaml: String) throws(PlanRejection) {
        let (document, findings, lines) = PlanReader.read(yaml)
        guard let document else { throw PlanRejection(findings: findings) }
        try self.init(document: document, lines: lines)
    }

    init(document: PlanDocument, lines: [String: Int]) throws(PlanRejection) {
        let errors = PlanRules.findings(in: document, lines: lines).filter { $0.severity == .error }
        guard errors.isEmpty else { throw PlanRejection(findings: errors) }
        self.document = document
        prices = try PriceTable.rows(of: document, lines: lines)
        var rows: [Key: [Int32]] = [:]
        let none = Meter.allCases.map { _ in -1 as Int32 }
        for (index, price) in prices.enumerated() {
            rows[Key(priceKey: price.priceKey, tier: price.tier), default: none][price.meter.order] = Int32(index)
        }
        self.rows = rows
    }

    /// The row of one meter of a model in a tier; nil where the plan has none. Usage of a meter without a row of its
    /// own may still have a price: its parent's.
    public func price(priceKey: String, tier: String, meter: Meter) -> EffectivePrice? {
        modelPrices(priceKey: priceKey, tier: tier)?.named(meter)
    }

    /// All rows of a model in a tier; nil where the plan does not sell the model in it.
    func modelPrices(priceKey: String, tier: String) -> ModelPrices? {
        rows[Key(priceKey: priceKey, tier: tier)].map { ModelPrices(indices: $0, prices: prices) }
    }

    /// The rows of one model in one tier.
    struct ModelPrices {
        fileprivate let indices: [Int32]
        fileprivate let prices: [EffectivePrice]

        /// The row of this very meter.
        func named(_ meter: Meter) -> EffectivePrice? {
            let index = indices[meter.order]
            return index < 0 ? nil : prices[Int(index)]
        }

        /// The row that prices the meter: its own, else its parent's.
        func price(of meter: Meter) -> EffectivePrice? {
            named(meter) ?? meter.parent.flatMap { price(of: $0) }
        }
    }
}

/// Rows follow from the document, so equal documents make equal versions.
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
    /// The first instant that this version prices.
    public var effectiveFrom: Timestamp { document.effectiveFrom }
    /// How an invoice line becomes an amount that can be paid.
    public var rounding: Rounding { document.rounding }
    /// The monthly fee; nil where there is none.
    public var baseFee: BaseFee? { document.baseFee }
    /// What is billed when an answer did not end as it should.
    public var policies: PlanPolicies { document.policies }

    /// The tier that an attempt is billed in: that of batches where it is part of one and the plan prices them, else
    /// the one that served, else the one that was asked for.
    public func billedTier(of attempt: AttemptRecord, requested: String?) -> String {
        guard attempt.isBatch else { return ServiceTier.billable(served: attempt.tierServed, requested: requested) }
        if document.batch != nil || document.tiers[ServiceTier.batch] != nil { return ServiceTier.batch }
        // Batches cost what anything costs here, whatever the engine calls the tier.
        let served = attempt.tierServed == ServiceTier.batch ? nil : attempt.tierServed
        return ServiceTier.billable(served: served, requested: requested)
    }

    /// The names of the plan's tiers, the base tier first. What batches cost is none of them: no client asks for it.
    public var tiers: [String] { [ServiceTier.standard] + document.tiers.keys.sorted() }

    /// What a tier promises; empty where it promises nothing.
    public func promises(of tier: String) -> [ServicePromise] { document.promises[tier] ?? [] }
}
