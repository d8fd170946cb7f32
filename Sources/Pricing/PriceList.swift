public import Metering

/// What one key costs in one tier: without further conditions, and under each that may hold.
public struct PriceList: Sendable {
    public let tier: String
    /// In the order of the meters.
    public let prices: [EffectivePrice]
    /// Each condition alone; several that hold together multiply.
    public let conditions: [(variant: String, prices: [EffectivePrice])]
}

extension PlanVersion {
    /// The prices of a key in these tiers, those among them in which the plan sells it.
    public func priceLists(for priceKey: String, tiers: [String]) -> [PriceList] {
        guard let entry = document.entry(for: priceKey) else { return [] }
        let table = PriceTable(document)
        return tiers.compactMap { tier in
            guard table.sells(entry, in: tier) else { return nil }
            let known = table.conditions(of: entry, in: tier).filter { conditions in
                let isCovered =
                    [
                        conditions.region.map { document.regions[$0].scope },
                        conditions.time.map { document.times[$0].scope },
                    ].compactMap(\.self).allSatisfy { $0.covers(priceKey: priceKey, tier: tier) }
                let count = [conditions.band, conditions.region, conditions.time].count { $0 != nil }
                return count == 1 && isCovered
            }
            return PriceList(
                tier: tier, prices: prices(of: priceKey, entry, in: tier, PriceConditions()),
                conditions: known.map {
                    ($0.variant(of: document, entry: entry, tier: tier), prices(of: priceKey, entry, in: tier, $0))
                })
        }
    }

    private func prices(
        of priceKey: String, _ entry: String, in tier: String, _ conditions: PriceConditions
    ) -> [EffectivePrice] {
        Meter.allCases.compactMap { meter in
            price(priceKey: entry, tier: tier, meter: meter).flatMap {
                conditional($0, for: priceKey, under: conditions)
            }
        }
    }
}
