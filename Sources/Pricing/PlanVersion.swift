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
    private let rows: [Key: Int]

    private struct Key: Hashable {
        let priceKey: String
        let tier: String
        let meter: Meter
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
        rows = Dictionary(
            uniqueKeysWithValues: prices.enumerated().map { index, price in
                (Key(priceKey: price.priceKey, tier: price.tier, meter: price.meter), index)
            })
    }

    /// The row that prices one meter of a model in a tier; nil where the plan does not sell it.
    public func price(priceKey: String, tier: String, meter: Meter) -> EffectivePrice? {
        rows[Key(priceKey: priceKey, tier: tier, meter: meter)].map { prices[$0] }
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

    /// The names of the plan's tiers, the base tier first.
    public var tiers: [String] { [ServiceTier.standard] + document.tiers.keys.sorted() }

    /// What a tier promises; empty where it promises nothing.
    public func promises(of tier: String) -> [ServicePromise] { document.promises[tier] ?? [] }
}
