import Metering
import Monetary

/// Multiplies a document's tiers out into rows. Only combinations that the document names become rows.
enum PriceTable {
    static func rows(of document: PlanDocument, lines: [String: Int]) throws(PlanRejection) -> [EffectivePrice] {
        let tiers = document.tiers.sorted { $0.key < $1.key }.map { Tier(name: $0.key, pricing: $0.value) }
        let batch = document.batch.map { [Tier(name: ServiceTier.batch, pricing: $0, path: "batch")] } ?? []
        try checkCount(of: document, tiers: tiers + batch, lines: lines)

        var rows: [EffectivePrice] = []
        var findings: [PlanFinding] = []
        for (priceKey, base) in document.models.sorted(by: { $0.key < $1.key }) {
            append(base, priceKey: priceKey, tier: ServiceTier.standard, of: document, to: &rows)
            for tier in tiers + batch {
                do {
                    guard
                        let prices = try prices(
                            of: priceKey, base: base, in: tier.pricing, rounds: document.roundsPrices)
                    else { continue }
                    append(prices, priceKey: priceKey, tier: tier.name, of: document, to: &rows)
                } catch {
                    findings.append(finding(error, priceKey: priceKey, tier: tier, lines: lines))
                }
            }
        }
        guard findings.isEmpty else { throw PlanRejection(findings: Array(findings.prefix(PlanFinding.countMax))) }
        return rows
    }

    /// Rows of a document in the order in which `rows` makes them.
    static func sorted(_ rows: [EffectivePrice], of document: PlanDocument) -> [EffectivePrice] {
        func place(_ row: EffectivePrice) -> (String, Int, String, Meter) {
            let isBatch = document.batch != nil && row.tier == ServiceTier.batch
            return (row.priceKey, row.tier == ServiceTier.standard ? 0 : isBatch ? 2 : 1, row.tier, row.meter)
        }
        return rows.sorted { place($0) < place($1) }
    }

    /// A tier, or batches, which are priced as one.
    private struct Tier {
        let name: String
        let pricing: TierPricing
        var path: String?
    }

    private static func checkCount(
        of document: PlanDocument, tiers: [Tier], lines: [String: Int]
    ) throws(PlanRejection) {
        var count = 0
        for (priceKey, base) in document.models {
            let multiplied = base.rowMeters.count
            count += multiplied
            for tier in tiers {
                let own = tier.pricing.prices[priceKey]?.rowMeters.count
                count += own ?? (tier.pricing.multiplier == nil ? 0 : multiplied)
            }
        }
        guard count <= PlanDocument.pricesMax else {
            let message = "\(count) rows of prices are too many; a version has at most \(PlanDocument.pricesMax)"
            throw PlanRejection(findings: [PlanFinding(.error, path: "models", line: lines["models"], message)])
        }
    }

    /// The tier's own prices, else the base prices times its multiplier; nil where the tier does not sell the model.
    private static func prices(
        of priceKey: String, base: TokenPrices, in tier: TierPricing, rounds: Bool,
    ) throws(MonetaryError) -> TokenPrices? {
        if let own = tier.prices[priceKey] { return own }
        guard let multiplier = tier.multiplier else { return nil }
        return try base.mapping { price throws(MonetaryError) in
            try rounds ? multiplier.applied(to: price, rounding: .halfEven) : multiplier.applied(to: price)
        }
    }

    private static func append(
        _ prices: TokenPrices, priceKey: String, tier: String, of document: PlanDocument,
        to rows: inout [EffectivePrice],
    ) {
        for meter in prices.rowMeters {
            guard let unitPrice = prices.unitPrice(of: meter) else { continue }
            rows.append(
                EffectivePrice(
                    planID: document.plan, version: document.version, priceKey: priceKey, tier: tier, meter: meter,
                    model: .perUnit(PerUnitPrice(unitPrice: unitPrice))))
        }
    }

    private static func finding(
        _ error: MonetaryError, priceKey: String, tier: Tier, lines: [String: Int],
    ) -> PlanFinding {
        let path = (tier.path ?? "tiers.\(tier.name)") + ".multiplier"
        let message =
            switch error {
            case .inexact(let product):
                "\(product) for \(priceKey) has more than \(UnitPrice.fractionDigits) decimals; "
                    + "shorten a factor, or add round_prices: half_even"
            default: "\(priceKey): \(error)"
            }
        return PlanFinding(.error, path: path, line: lines[path], message)
    }
}
