import NaiveArithmetic

/// A plan made up by a seed: its YAML, and a rater of its own that works on the decimal text with fractions done by
/// hand.
struct RandomPlan {
    struct Prices {
        var input: String
        var output: String?
        var cacheRead: String?
        var cacheWrite: String?
    }

    struct Tier {
        var multiplier: String?
        var prices: [String: Prices] = [:]
    }

    var models: [String: Prices] = [:]
    var tiers: [String: Tier] = [:]

    init(using generator: inout SeededGenerator) {
        for index in 0..<Int.random(in: 1...4, using: &generator) {
            models["model-\(index)"] = RandomPlan.prices(using: &generator)
        }
        for name in ["priority", "flex", "batch"].prefix(Int.random(in: 0...3, using: &generator)) {
            var tier = Tier()
            // Prices have 3 decimals at most, so that 3 more of a multiplier stay exact.
            if !generator.flip(oneIn: 4) { tier.multiplier = RandomPlan.decimal(whole: 3, using: &generator) }
            for key in models.keys.sorted() where tier.multiplier == nil || generator.flip(oneIn: 3) {
                tier.prices[key] = RandomPlan.prices(using: &generator)
            }
            tiers[name] = tier
        }
    }

    /// Charges of one usage, in units of the currency; nil where the plan has no price for something that was used.
    func naiveCost(of usage: [String: Int64], model: String, tier: String) -> NaiveFraction? {
        var total = NaiveFraction(NaiveInteger(0))
        for (meter, quantity) in usage where quantity > 0 {
            guard let price = naivePrice(of: meter, model: model, tier: tier) else { return nil }
            total = total + price * NaiveFraction(NaiveInteger(quantity), over: NaiveInteger(1_000_000))
        }
        return total
    }

    private func naivePrice(of meter: String, model: String, tier: String) -> NaiveFraction? {
        guard let base = models[model] else { return nil }
        if tier == "standard" { return RandomPlan.price(of: meter, in: base) }
        guard let pricing = tiers[tier] else { return nil }
        if let own = pricing.prices[model] { return RandomPlan.price(of: meter, in: own) }
        guard let multiplier = pricing.multiplier else { return nil }
        return RandomPlan.price(of: meter, in: base).map { $0 * NaiveFraction(decimal: multiplier) }
    }

    private static func price(of meter: String, in prices: Prices) -> NaiveFraction? {
        let text =
            switch meter {
            case "input_tokens": prices.input
            case "cache_read_tokens": prices.cacheRead ?? prices.input
            case "cache_write_tokens": prices.cacheWrite ?? prices.input
            default: prices.output
            }
        return text.map { NaiveFraction(decimal: $0) }
    }

    private static func prices(using generator: inout SeededGenerator) -> Prices {
        Prices(
            input: decimal(whole: 20, using: &generator),
            output: generator.flip(oneIn: 5) ? nil : decimal(whole: 60, using: &generator),
            cacheRead: generator.flip(oneIn: 2) ? nil : decimal(whole: 3, using: &generator),
            cacheWrite: generator.flip(oneIn: 2) ? nil : decimal(whole: 30, using: &generator))
    }

    private static func decimal(whole: Int, using generator: inout SeededGenerator) -> String {
        let decimals = Int.random(in: 0...3, using: &generator)
        let fraction = (0..<decimals).map { _ in String(Int.random(in: 0...9, using: &generator)) }.joined()
        return "\(Int.random(in: 0...whole, using: &generator))" + (decimals > 0 ? "." + fraction : "")
    }
}

extension RandomPlan {
    var yaml: String {
        var text = """
            plan: random
            version: 1
            title: Random
            currency: USD
            effective_from: 2026-01-01T00:00:00Z
            models:

            """
        for (key, prices) in models { text += RandomPlan.yaml(prices, key: key, indent: "  ") }
        if !tiers.isEmpty { text += "tiers:\n" }
        for (name, tier) in tiers {
            text += "  \(name):\n"
            if let multiplier = tier.multiplier { text += "    multiplier: '\(multiplier)'\n" }
            if !tier.prices.isEmpty { text += "    prices:\n" }
            for (key, prices) in tier.prices { text += RandomPlan.yaml(prices, key: key, indent: "      ") }
        }
        return text
    }

    private static func yaml(_ prices: Prices, key: String, indent: String) -> String {
        let output = prices.output.map { "\"\($0)\"" } ?? "none"
        let cacheRead = prices.cacheRead.map { ", cache_read: \"\($0)\"" } ?? ""
        let cacheWrite = prices.cacheWrite.map { ", cache_write: \"\($0)\"" } ?? ""
        return "\(indent)\(key): {input: \"\(prices.input)\", output: \(output)\(cacheRead)\(cacheWrite)}\n"
    }
}
