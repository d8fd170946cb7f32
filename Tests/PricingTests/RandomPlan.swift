import NaiveArithmetic

/// A plan made up by a seed: its YAML, and a rater of its own that works on the decimal text with fractions done by
/// hand.
struct RandomPlan {
    struct Prices {
        /// By their names in the document; input and output may be missing, and then say `none`.
        var named: [String: String] = [:]
    }

    struct Tier {
        var multiplier: String?
        var prices: [String: Prices] = [:]
    }

    var models: [String: Prices] = [:]
    var tiers: [String: Tier] = [:]
    var batch: Tier?

    /// Tokens without a price cost what the next in the list costs, by their names in the document.
    static let parents = [
        "input_audio": "input", "input_image": "input", "input_video": "input", "cache_read": "input",
        "cache_read_audio": "cache_read", "cache_read_image": "cache_read", "cache_read_video": "cache_read",
        "cache_write": "input", "cache_write_1h": "cache_write", "cache_write_long": "cache_write",
        "output_audio": "output", "output_image": "output", "reasoning": "output",
    ]
    static let units = ["images", "audio_milliseconds", "characters", "searches", "compute_milliseconds"]

    init(using generator: inout SeededGenerator) {
        for index in 0..<Int.random(in: 1...4, using: &generator) {
            models["model-\(index)"] = RandomPlan.prices(using: &generator)
        }
        for name in ["priority", "flex", "batch"].prefix(Int.random(in: 0...3, using: &generator)) {
            tiers[name] = tier(using: &generator)
        }
        if tiers["batch"] == nil, generator.flip(oneIn: 2) { batch = tier(using: &generator) }
    }

    private func tier(using generator: inout SeededGenerator) -> Tier {
        var tier = Tier()
        // Prices have 3 decimals at most, so that 3 more of a multiplier stay exact.
        if !generator.flip(oneIn: 4) { tier.multiplier = RandomPlan.decimal(whole: 3, using: &generator) }
        for key in models.keys.sorted() where tier.multiplier == nil || generator.flip(oneIn: 3) {
            tier.prices[key] = RandomPlan.prices(using: &generator)
        }
        return tier
    }

    /// Charges of one usage, in units of the currency; nil where the plan has no price for something that was used.
    /// Units without a price are information beside anything that has one.
    func naiveCost(of usage: [String: Int64], model: String, tier: String) -> NaiveFraction? {
        var total = NaiveFraction(NaiveInteger(0))
        var isPriced = false
        var isUnpriced = false
        for (name, quantity) in usage where quantity > 0 {
            guard let price = naivePrice(of: name, model: model, tier: tier) else {
                guard RandomPlan.units.contains(name) else { return nil }
                isUnpriced = true
                continue
            }
            isPriced = true
            total = total + price * NaiveFraction(NaiveInteger(quantity), over: NaiveInteger(1_000_000))
        }
        return isUnpriced && !isPriced ? nil : total
    }

    private func naivePrice(of name: String, model: String, tier: String) -> NaiveFraction? {
        guard let base = models[model] else { return nil }
        if tier == "standard" { return RandomPlan.price(of: name, in: base) }
        guard let pricing = tier == "batch" ? batch ?? tiers[tier] : tiers[tier] else { return nil }
        if let own = pricing.prices[model] { return RandomPlan.price(of: name, in: own) }
        guard let multiplier = pricing.multiplier else { return nil }
        return RandomPlan.price(of: name, in: base).map { $0 * NaiveFraction(decimal: multiplier) }
    }

    private static func price(of name: String, in prices: Prices) -> NaiveFraction? {
        if let text = prices.named[name] { return NaiveFraction(decimal: text) }
        return parents[name].flatMap { price(of: $0, in: prices) }
    }

    private static func prices(using generator: inout SeededGenerator) -> Prices {
        var prices = Prices()
        if !generator.flip(oneIn: 8) { prices.named["input"] = decimal(whole: 20, using: &generator) }
        if !generator.flip(oneIn: 5) { prices.named["output"] = decimal(whole: 60, using: &generator) }
        for name in parents.keys.sorted() + units where generator.flip(oneIn: 3) {
            prices.named[name] = decimal(whole: 30, using: &generator)
        }
        if prices.named.isEmpty { prices.named["input"] = "1" }
        return prices
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
            text += RandomPlan.yaml(tier, indent: "    ")
        }
        if let batch { text += "batch:\n" + RandomPlan.yaml(batch, indent: "  ") }
        return text
    }

    private static func yaml(_ tier: Tier, indent: String) -> String {
        var text = tier.multiplier.map { "\(indent)multiplier: '\($0)'\n" } ?? ""
        if !tier.prices.isEmpty { text += "\(indent)prices:\n" }
        for (key, prices) in tier.prices { text += yaml(prices, key: key, indent: indent + "  ") }
        return text
    }

    private static func yaml(_ prices: Prices, key: String, indent: String) -> String {
        var named = prices.named.mapValues { "\"\($0)\"" }
        for required in ["input", "output"] where named[required] == nil { named[required] = "none" }
        let fields = named.map { "\($0.key): \($0.value)" }.joined(separator: ", ")
        return "\(indent)\(key): {\(fields)}\n"
    }
}
