import NaiveArithmetic

/// A plan made up by a seed: its YAML, and a rater of its own that works on the decimal text with fractions done by
/// hand.
struct RandomPlan {
    struct Prices {
        /// By their names in the document; input and output may be missing, and then say `none`.
        var named: [String: String] = [:]
        var bands: [Band] = []
    }

    /// Beyond so many tokens of input, prices of their own, or factors.
    struct Band {
        var above: Int64
        var prices: [String: String]?
        var factors = Factors()
    }

    struct Factors {
        var common: String?
        var named: [String: String] = [:]
    }

    struct Region {
        var pattern: String
        var models: [String]
        var factors: Factors
    }

    /// Hours of UTC on days of the week, Monday first.
    struct Hours {
        var name: String
        var days: [Int]
        var from: Int
        var to: Int
        var factors: Factors
    }

    struct Tier {
        var multiplier: String?
        var prices: [String: Prices] = [:]
    }

    var models: [String: Prices] = [:]
    var tiers: [String: Tier] = [:]
    var batch: Tier?
    var regions: [Region] = []
    var times: [Hours] = []

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
        for pattern in ["us-1", "us-*", "*"] where generator.flip(oneIn: 3) {
            let some = models.keys.sorted().filter { _ in generator.flip(oneIn: 2) }
            regions.append(Region(pattern: pattern, models: some, factors: factors(using: &generator)))
        }
        for name in ["day", "night"] where generator.flip(oneIn: 3) {
            let (early, late) = (Int.random(in: 0...11, using: &generator), Int.random(in: 12...23, using: &generator))
            let isNight = generator.flip(oneIn: 2)
            times.append(
                Hours(
                    name: name, days: (0...6).filter { _ in generator.flip(oneIn: 2) },
                    from: isNight ? late : early, to: isNight ? early : late, factors: factors(using: &generator)))
        }
    }

    /// With one decimal: a price has two, a tier's multiplier one, and band, place and time one each.
    private func factors(using generator: inout SeededGenerator) -> Factors {
        var factors = Factors()
        if generator.flip(oneIn: 2) { factors.common = "\(Int.random(in: 0...3, using: &generator)).5" }
        let all = Array(models.values) + (Array(tiers.values) + (batch.map { [$0] } ?? [])).flatMap(\.prices.values)
        let named = ["input", "output"].filter { name in all.allSatisfy { $0.named[name] != nil } }
        if named.isEmpty { factors.common = "1.5" }
        for name in named where factors.common == nil || generator.flip(oneIn: 3) {
            factors.named[name] = "\(Int.random(in: 0...4, using: &generator)).2"
        }
        return factors
    }

    private func tier(using generator: inout SeededGenerator) -> Tier {
        var tier = Tier()
        if !generator.flip(oneIn: 4) { tier.multiplier = RandomPlan.decimal(whole: 3, digits: 1, using: &generator) }
        for key in models.keys.sorted() where tier.multiplier == nil || generator.flip(oneIn: 3) {
            tier.prices[key] = RandomPlan.prices(using: &generator)
        }
        return tier
    }

    /// Charges of one usage, in units of the currency; nil where the plan has no price for something that was used.
    /// Units without a price are information beside anything that has one.
    func naiveCost(
        of usage: [String: Int64], model: String, tier: String, region: String = "", minute: Int64? = nil
    ) -> NaiveFraction? {
        let input = Set(RandomPlan.parents.keys).subtracting(["output_audio", "output_image", "reasoning"])
        let prompt = usage.filter { input.contains($0.key) || $0.key == "input" }.values.reduce(0, +)
        var total = NaiveFraction(NaiveInteger(0))
        var isPriced = false
        var isUnpriced = false
        for (name, quantity) in usage where quantity > 0 {
            guard
                let price = naivePrice(
                    of: name, model: model, tier: tier, prompt: prompt, region: region, minute: minute)
            else {
                guard RandomPlan.units.contains(name) else { return nil }
                isUnpriced = true
                continue
            }
            isPriced = true
            total = total + price * NaiveFraction(NaiveInteger(quantity), over: NaiveInteger(1_000_000))
        }
        return isUnpriced && !isPriced ? nil : total
    }

    private func naivePrice(
        of name: String, model: String, tier: String, prompt: Int64, region: String, minute: Int64?
    ) -> NaiveFraction? {
        guard let base = models[model] else { return nil }
        var prices = base
        // What the count is charged as: itself where it has a price, else what it falls back to.
        var factor = NaiveFraction(decimal: "1")
        var tierFactors: Factors?
        if tier != "standard" {
            guard let pricing = tier == "batch" ? batch ?? tiers[tier] : tiers[tier] else { return nil }
            if let own = pricing.prices[model] {
                prices = own
            } else if let multiplier = pricing.multiplier {
                tierFactors = Factors(common: multiplier)
            } else {
                return nil
            }
        }
        guard let charged = RandomPlan.charged(name, in: prices) else { return nil }
        var priced = prices.named
        if let factors = tierFactors { factor = factor * RandomPlan.factor(of: charged, in: factors) }
        if let band = prices.bands.last(where: { prompt > $0.above }) {
            priced = band.prices ?? priced
            factor = factor * RandomPlan.factor(of: charged, in: band.factors)
        }
        let fitting = regions.first { entry in
            (entry.models.isEmpty || entry.models.contains(model)) && !region.isEmpty
                && (entry.pattern == region || entry.pattern == "*"
                    || entry.pattern == "us-*" && region.hasPrefix("us-"))
        }
        if let fitting { factor = factor * RandomPlan.factor(of: charged, in: fitting.factors) }
        if let minute, let hours = times.first(where: { $0.contains(minute: minute) }) {
            factor = factor * RandomPlan.factor(of: charged, in: hours.factors)
        }
        guard let text = priced[charged] else { return nil }
        return NaiveFraction(decimal: text) * factor
    }

    /// The four that every model is asked about have rows of their own, where they or their parents have a price.
    private static func charged(_ name: String, in prices: Prices) -> String? {
        if prices.named[name] != nil { return name }
        return parents[name].flatMap { charged($0, in: prices) }
    }

    private static func factor(of name: String, in factors: Factors) -> NaiveFraction {
        if let text = factors.named[name] { return NaiveFraction(decimal: text) }
        if let parent = parents[name] { return factor(of: parent, in: factors) }
        return NaiveFraction(decimal: factors.common ?? "1")
    }

    private static func prices(using generator: inout SeededGenerator) -> Prices {
        var prices = Prices()
        if !generator.flip(oneIn: 8) { prices.named["input"] = decimal(whole: 20, using: &generator) }
        if !generator.flip(oneIn: 5) { prices.named["output"] = decimal(whole: 60, using: &generator) }
        for name in parents.keys.sorted() + units where generator.flip(oneIn: 3) {
            prices.named[name] = decimal(whole: 30, using: &generator)
        }
        if prices.named.isEmpty { prices.named["input"] = "1" }
        for above in [0, 5_000, 200_000] as [Int64] where generator.flip(oneIn: 5) {
            var band = Band(above: above)
            if generator.flip(oneIn: 2) {
                band.prices = prices.named.mapValues { _ in decimal(whole: 40, using: &generator) }
            } else {
                band.factors.common = "\(Int.random(in: 1...3, using: &generator)).5"
            }
            prices.bands.append(band)
        }
        return prices
    }

    private static func decimal(whole: Int, digits: Int = 2, using generator: inout SeededGenerator) -> String {
        let decimals = Int.random(in: 0...digits, using: &generator)
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
        if !regions.isEmpty { text += "regions:\n" }
        for region in regions {
            let models = region.models.isEmpty ? "" : ", models: [\(region.models.joined(separator: ", "))]"
            text += "  - {region: '\(region.pattern)'\(models), \(region.factors.yaml)}\n"
        }
        if !times.isEmpty { text += "times:\n" }
        for hours in times {
            let names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
            let days = hours.days.isEmpty ? "" : "days: [\(hours.days.map { names[$0] }.joined(separator: ", "))], "
            let (from, to) = (RandomPlan.clock(hours.from), RandomPlan.clock(hours.to))
            text += "  - {name: \(hours.name), zone: UTC, \(hours.factors.yaml), "
            text += "when: [{\(days)from: \"\(from)\", to: \"\(to)\"}]}\n"
        }
        return text
    }

    private static func clock(_ hour: Int) -> String { (hour < 10 ? "0" : "") + "\(hour):00" }

    private static func yaml(_ tier: Tier, indent: String) -> String {
        var text = tier.multiplier.map { "\(indent)multiplier: '\($0)'\n" } ?? ""
        if !tier.prices.isEmpty { text += "\(indent)prices:\n" }
        for (key, prices) in tier.prices { text += yaml(prices, key: key, indent: indent + "  ") }
        return text
    }

    private static func yaml(_ prices: Prices, key: String, indent: String) -> String {
        var named = prices.named.mapValues { "\"\($0)\"" }
        for required in ["input", "output"] where named[required] == nil { named[required] = "none" }
        var fields = named.map { "\($0.key): \($0.value)" }
        if !prices.bands.isEmpty {
            fields.append("context: [\(prices.bands.map { "{\($0.yaml(beside: named))}" }.joined(separator: ", "))]")
        }
        return "\(indent)\(key): {\(fields.joined(separator: ", "))}\n"
    }
}

extension RandomPlan.Factors {
    var yaml: String {
        var parts = common.map { ["multiplier: \"\($0)\""] } ?? []
        let single = named.map { "\($0.key): \"\($0.value)\"" }
        if !single.isEmpty { parts.append("multipliers: {\(single.joined(separator: ", "))}") }
        return parts.joined(separator: ", ")
    }
}

extension RandomPlan.Band {
    func yaml(beside named: [String: String]) -> String {
        guard let prices else { return "above: \(above), \(factors.yaml)" }
        var texts = prices.mapValues { "\"\($0)\"" }
        for required in ["input", "output"] where texts[required] == nil { texts[required] = "none" }
        return "above: \(above), prices: {\(texts.map { "\($0.key): \($0.value)" }.joined(separator: ", "))}"
    }
}

extension RandomPlan.Hours {
    /// Minutes since 1970-01-01, a Thursday.
    func contains(minute: Int64) -> Bool {
        let (day, hour) = (minute / 1440, Int(minute % 1440) / 60)
        func begins(on day: Int64) -> Bool { days.isEmpty || days.contains(Int((day + 3) % 7)) }
        if from < to { return begins(on: day) && hour >= from && hour < to }
        return begins(on: day) && hour >= from || begins(on: day - 1) && hour < to
    }
}
