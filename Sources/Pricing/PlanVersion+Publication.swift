import Metering
import Monetary

/// What keeps a version from being published, and may stand in versions that were published before there was the rule.
extension PlanVersion {
    /// Errors; empty where nothing stands in the way. `lines` are those of the text, by path.
    public func publicationFindings(lines: [String: Int] = [:]) -> [PlanFinding] {
        guard document.roundsPrices else { return [] }
        let table = PriceTable(document)
        var findings: [PlanFinding] = []
        for priceKey in document.models.keys.sorted() {
            for tier in table.tiers where table.sells(priceKey, in: tier) {
                let meters = document.prices(of: priceKey, tier: tier)?.rowMeters ?? []
                for conditions in table.conditions(of: priceKey, in: tier) {
                    guard let terms = table.terms(of: priceKey, in: tier, under: conditions) else { continue }
                    for meter in meters where findings.count < PlanFinding.countMax {
                        guard let words = roundedToZero(meter, priceKey, by: terms) else { continue }
                        let path = document.factorPath(priceKey: priceKey, tier: tier, conditions: conditions)
                        findings.append(PlanFinding(.error, path: path, line: lines[path], words))
                    }
                }
            }
        }
        return findings
    }

    /// Prices that rounding makes free: somebody would give away what they meant to sell cheaply.
    private func roundedToZero(_ meter: Meter, _ priceKey: String, by terms: PriceTable.Terms) -> String? {
        guard let base = terms.prices.unitPrice(of: meter), base != .free,
            let factor = try? terms.factor(of: meter), factor.coefficient != 0,
            let rounded = try? factor.applied(to: base, rounding: .halfEven), rounded == .free
        else { return nil }
        return
            "\(base) × \(factor) for \(meter.planKey) of \(priceKey) rounds to zero: give the tier a price of its own "
            + "for the model (\"0\" where it shall be free)"
    }
}
