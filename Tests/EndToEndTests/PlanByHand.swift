import NaiveArithmetic
import TestSupport

/// What a plan file says, worked out by hand: prices as fractions, promises as counts. Written from docs/plans.md.
struct PlanByHand {
    private let yaml: PlainYAML

    init(file: String) throws { yaml = PlainYAML(try readText(file)) }

    /// A price per million; nil when the plan has none.
    func price(_ charge: ChargeByHand) -> NaiveFraction? {
        let (model, tier) = (charge.model, charge.tier)
        if tier == "standard" { return price(in: "models.\(model)", meter: charge.meter) }
        let own = "tiers.\(tier).prices.\(model)"
        if !yaml.keys(below: own).isEmpty { return price(in: own, meter: charge.meter) }
        guard let multiplier = yaml["tiers", tier, "multiplier"] else { return nil }
        return price(in: "models.\(model)", meter: charge.meter).map { $0 * NaiveFraction(decimal: multiplier) }
    }

    private func price(in section: String, meter: String) -> NaiveFraction? {
        let key = String(meter.dropLast("_tokens".count))
        // Without a price of its own, cached input costs what input costs.
        let text = yaml[section, key] ?? (key == "output" ? nil : yaml[section, "input"])
        return text.flatMap { $0 == "none" ? nil : NaiveFraction(decimal: $0) }
    }

    /// The monthly fee; zero when there is none.
    var baseFee: NaiveFraction { NaiveFraction(decimal: yaml["base_fee", "amount"] ?? yaml["base_fee"] ?? "0") }

    /// The tiers that something is promised for.
    var promisedTiers: [String] { yaml.keys(below: "promises") }

    /// A tier's promises.
    func promises(of tier: String) -> [PromiseByHand] {
        let path = "promises.\(tier)"
        return yaml.keys(below: path).map { index in
            let promise = "\(path).\(index)"
            return PromiseByHand(
                objective: yaml[promise, "objective"] ?? "",
                promised: NaiveFraction(decimal: yaml[promise, "percent"] ?? "0"),
                thresholdMilliseconds: yaml[promise, "threshold_ms"].flatMap { Int64($0) } ?? 0,
                minimumRequests: yaml[promise, "minimum_requests"].flatMap { Int($0) } ?? 1,
                steps: yaml.keys(below: "\(promise).credits").map { step in
                    PromiseByHand.Step(
                        below: NaiveFraction(decimal: yaml[promise, "credits", step, "below"] ?? "0"),
                        credit: NaiveFraction(decimal: yaml[promise, "credits", step, "credit_percent"] ?? "0"))
                })
        }
    }
}

/// What a line of an invoice is for.
struct ChargeByHand: Hashable {
    let model: String
    let tier: String
    let meter: String
}

/// A promise, judged on what the engine's own log says of each request.
struct PromiseByHand {
    struct Step {
        let below: NaiveFraction
        let credit: NaiveFraction
    }

    let objective: String
    let promised: NaiveFraction
    let thresholdMilliseconds: Int64
    let minimumRequests: Int
    /// The last step that applies counts.
    let steps: [Step]

    /// The percentage of the tier's charges that the requests of a month give back; nil when the promise was kept or is
    /// not judged.
    func credit(_ lines: [BookLine]) -> NaiveFraction? {
        let judged = lines.compactMap { isGood($0) }
        guard judged.count >= minimumRequests, !judged.isEmpty else { return nil }
        let attained = NaiveFraction(
            NaiveInteger(100 * judged.count(where: { $0 })), over: NaiveInteger(judged.count))
        guard attained < promised else { return nil }
        return steps.last { attained < $0.below }?.credit
    }

    /// Nil for a request that does not count.
    private func isGood(_ line: BookLine) -> Bool? {
        if objective == "availability" {
            return line.outcome == "complete" || (line.outcome == "client_gone" && line.tokensSent > 0)
        }
        guard line.isStream, line.firstTokenMilliseconds > 0 else { return nil }
        return line.firstTokenMilliseconds - line.startedMilliseconds <= thresholdMilliseconds
    }
}

extension NaiveFraction {
    static let zero = NaiveFraction(NaiveInteger(0))

    /// The nearest multiple of 10⁻ᵈⁱᵍⁱᵗˢ, ties to the even one.
    func rounded(digits: Int) -> NaiveFraction {
        let scale = NaiveInteger.powerOfTen(digits)
        let scaled = self * NaiveFraction(scale)
        let floor = scaled.floor
        let twiceRest = (scaled + NaiveFraction(-floor)) * NaiveFraction(NaiveInteger(2))
        let one = NaiveFraction(NaiveInteger(1))
        let isUp = one < twiceRest || (one == twiceRest && floor.isOdd)
        return NaiveFraction(isUp ? floor + NaiveInteger(1) : floor, over: scale)
    }

    var negated: NaiveFraction { NaiveFraction(-numerator, over: denominator) }
}
