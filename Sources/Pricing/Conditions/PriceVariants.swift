import Metering

/// Rows of a version that are not stored with it, under conditions or of keys that an asterisk stands for: those that
/// are stored, else those that follow from the document.
struct PriceVariants: Sendable {
    private let table: PriceTable
    private let stored: [String: EffectivePrice]

    init(of document: PlanDocument, stored: [EffectivePrice]) {
        table = PriceTable(document)
        self.stored = Dictionary(stored.map { ($0.id, $0) }) { first, _ in first }
    }

    /// The row of a key that the entry of `price` prices, in the same tier and of the same meter; nil where a product
    /// is not exact, which no published version has.
    func row(of price: EffectivePrice, for priceKey: String, under conditions: PriceConditions) -> EffectivePrice? {
        guard
            let unitPrice = try? table.price(of: price.meter, price.priceKey, in: price.tier, under: conditions)
        else { return nil }
        let row = EffectivePrice(
            planID: price.planID, version: price.version, priceKey: priceKey, tier: price.tier, meter: price.meter,
            variant: conditions.variant(of: table.document, entry: price.priceKey, tier: price.tier),
            model: .perUnit(PerUnitPrice(unitPrice: unitPrice)))
        return stored.isEmpty ? row : stored[row.id] ?? row
    }
}
