public import Metering
public import Monetary

/// How the price of a row came about: the base price that the plan writes, and what it was multiplied by.
public struct PriceExplanation: Hashable, Sendable {
    /// One factor and what it is for: `fast`, `context_above_272000`, `region_us-*`, `time_peak`.
    public struct Factor: Hashable, Sendable {
        public let name: String
        public let factor: Multiplier
    }

    /// The row.
    public let price: EffectivePrice
    /// What the plan writes, for 1 000 000.
    public let base: UnitPrice
    /// Where it writes it: nil for the model, else the name of the tier or of the band.
    public let source: String?
    /// The meter that the base price is written for: the row's own, or a parent's that it falls back to.
    public let writtenFor: Meter
    /// In the order in which they are multiplied.
    public let factors: [Factor]

    /// Whether the price is the product of the others. Where it is not, it was rounded, or is a stored one that the
    /// document would not be multiplied out to today.
    public var isExact: Bool {
        var product = Multiplier.one
        for factor in factors {
            guard let next = try? product.multiplied(by: factor.factor) else { return false }
            product = next
        }
        return (try? product.applied(to: base)) == price.unitPrice
    }

    /// `2 × 2 (context_above_272000) × 1.1 (region_us-*) = 4.4 for 1 000 000`
    public var text: String {
        let parts = ["\(base)" + (source.map { " (\($0))" } ?? "")] + factors.map { "\($0.factor) (\($0.name))" }
        let product = parts.joined(separator: " × ")
        return factors.isEmpty ? product : "\(product) \(isExact ? "=" : "≈") \(price.unitPrice)"
    }
}

extension PlanVersion {
    /// How a charge's price came about; nil where the document has no such price, as that of another version.
    public func explanation(of price: EffectivePrice) -> PriceExplanation? {
        let table = PriceTable(document)
        guard price.planID == planID, price.version == version, let entry = document.entry(for: price.priceKey),
            let conditions = table.conditions(of: entry, in: price.tier).first(where: {
                $0.variant(of: document, entry: entry, tier: price.tier) == price.variant
            }), let terms = table.terms(of: entry, in: price.tier, under: conditions),
            let base = terms.prices.unitPrice(of: price.meter)
        else { return nil }
        var writtenFor = price.meter
        while terms.prices.named(writtenFor) == nil, let parent = writtenFor.parent { writtenFor = parent }
        func name(of source: PriceTable.Terms.Source) -> String {
            table.name(of: source, entry, in: price.tier, under: conditions)
        }
        return PriceExplanation(
            price: price, base: base, source: terms.source.map(name), writtenFor: writtenFor,
            factors: terms.factors.map {
                PriceExplanation.Factor(name: name(of: $0.of), factor: $0.factors.factor(of: price.meter))
            })
    }
}
