import Metering
import Monetary

/// Multiplies a document's tiers out into rows. Only combinations that the document names become rows.
enum PriceTable {
    static func rows(of document: PlanDocument, lines: [String: Int]) throws(PlanRejection) -> [EffectivePrice] {
        let tiers = document.tiers.sorted { $0.key < $1.key }
        let countMax = document.models.count * (tiers.count + 1) * Meter.allCases.count
        guard countMax <= PlanDocument.pricesMax else {
            let message = "\(countMax) rows of prices are too many; a version has at most \(PlanDocument.pricesMax)"
            throw PlanRejection(findings: [PlanFinding(.error, path: "models", line: lines["models"], message)])
        }

        var rows: [EffectivePrice] = []
        var findings: [PlanFinding] = []
        for (priceKey, base) in document.models.sorted(by: { $0.key < $1.key }) {
            append(base, priceKey: priceKey, tier: ServiceTier.standard, of: document, to: &rows)
            for (name, tier) in tiers {
                do {
                    guard let prices = try prices(of: priceKey, base: base, in: tier, rounds: document.roundsPrices)
                    else { continue }
                    append(prices, priceKey: priceKey, tier: name, of: document, to: &rows)
                } catch {
                    findings.append(finding(error, priceKey: priceKey, tier: name, lines: lines))
                }
            }
        }
        guard findings.isEmpty else { throw PlanRejection(findings: Array(findings.prefix(PlanFinding.countMax))) }
        return rows
    }

    /// The tier's own prices, else the base prices times its multiplier; nil where the tier does not sell the model.
    private static func prices(
        of priceKey: String, base: TokenPrices, in tier: TierPricing, rounds: Bool,
    ) throws(MonetaryError) -> TokenPrices? {
        if let own = tier.prices[priceKey] { return own }
        guard let multiplier = tier.multiplier else { return nil }
        func multiplied(_ price: UnitPrice?) throws(MonetaryError) -> UnitPrice? {
            guard let price else { return nil }
            return try rounds
                ? multiplier.applied(to: price, rounding: .halfEven) : multiplier.applied(to: price)
        }
        guard let input = try multiplied(base.input) else { return nil }
        return TokenPrices(
            input: input, output: try multiplied(base.output), cacheRead: try multiplied(base.cacheRead),
            cacheWrite: try multiplied(base.cacheWrite))
    }

    private static func append(
        _ prices: TokenPrices, priceKey: String, tier: String, of document: PlanDocument,
        to rows: inout [EffectivePrice],
    ) {
        for meter in Meter.allCases {
            guard let unitPrice = prices.unitPrice(of: meter) else { continue }
            rows.append(
                EffectivePrice(
                    planID: document.plan, version: document.version, priceKey: priceKey, tier: tier, meter: meter,
                    model: .perUnit(PerUnitPrice(unitPrice: unitPrice))))
        }
    }

    private static func finding(
        _ error: MonetaryError, priceKey: String, tier: String, lines: [String: Int],
    ) -> PlanFinding {
        let path = "tiers.\(tier).multiplier"
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
