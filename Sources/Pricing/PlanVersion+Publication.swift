import Monetary

/// What keeps a version from being published, and may stand in versions that were published before there was the rule.
extension PlanVersion {
    /// Errors; empty where nothing stands in the way. `lines` are those of the text, by path.
    public func publicationFindings(lines: [String: Int] = [:]) -> [PlanFinding] {
        guard document.roundsPrices else { return [] }
        let tiers = document.tiers.sorted { $0.key < $1.key }.map { (path: "tiers.\($0.key)", pricing: $0.value) }
        let batch = document.batch.map { [(path: "batch", pricing: $0)] } ?? []
        return (tiers + batch).flatMap { zeroPrices(in: $0.pricing, path: $0.path + ".multiplier", lines: lines) }
    }

    /// Prices that rounding makes free: somebody would give away what they meant to sell cheaply.
    private func zeroPrices(in tier: TierPricing, path: String, lines: [String: Int]) -> [PlanFinding] {
        guard let multiplier = tier.multiplier, multiplier.coefficient != 0 else { return [] }
        var findings: [PlanFinding] = []
        for (priceKey, base) in document.models.sorted(by: { $0.key < $1.key }) where tier.prices[priceKey] == nil {
            for meter in base.rowMeters {
                guard findings.count < PlanFinding.countMax, let price = base.unitPrice(of: meter), price != .free,
                    let rounded = try? multiplier.applied(to: price, rounding: .halfEven), rounded == .free
                else { continue }
                findings.append(
                    PlanFinding(
                        .error, path: path, line: lines[path],
                        "\(price) × \(multiplier) for \(meter.planKey) of \(priceKey) rounds to zero: give the tier a "
                            + "price of its own for the model (\"0\" where it shall be free)"))
            }
        }
        return findings
    }
}
