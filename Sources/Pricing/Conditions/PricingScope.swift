/// Which models and tiers a condition is about.
public struct PricingScope: Hashable, Sendable {
    /// Price keys, or their beginnings with an asterisk (`gpt-*`); empty: all.
    public var models: [String]
    /// Names of tiers, `batch` among them; empty: all.
    public var tiers: [String]

    public init(models: [String] = [], tiers: [String] = []) {
        self.models = models
        self.tiers = tiers
    }

    public func covers(priceKey: String, tier: String) -> Bool {
        (models.isEmpty || models.contains { NamePattern.matches($0, priceKey) })
            && (tiers.isEmpty || tiers.contains(tier))
    }

    /// Whether it is about everything that another scope is about.
    func includes(_ other: PricingScope) -> Bool {
        let coversModels =
            models.isEmpty
            || !other.models.isEmpty
                && other.models.allSatisfy { name in models.contains { NamePattern.matches($0, name) } }
        let coversTiers = tiers.isEmpty || !other.tiers.isEmpty && other.tiers.allSatisfy(tiers.contains)
        return coversModels && coversTiers
    }

    /// Whether it can be about a key that an entry of `models` prices.
    func mayCover(_ entry: String, tier: String) -> Bool {
        (models.isEmpty || models.contains { NamePattern.overlap($0, entry) })
            && (tiers.isEmpty || tiers.contains(tier))
    }
}

/// A name, or the beginning of names followed by an asterisk.
public enum NamePattern {
    static func isPattern(_ text: String) -> Bool { text.utf8.last == UInt8(ascii: "*") }

    public static func matches(_ pattern: String, _ name: String) -> Bool {
        isPattern(pattern) ? name.utf8.starts(with: pattern.utf8.dropLast()) : pattern == name
    }

    /// Whether some name fits both.
    static func overlap(_ left: String, _ right: String) -> Bool {
        matches(left, right) || matches(right, left)
    }
}

/// What a place costs more or less: where the backend stands that served.
public struct RegionPricing: Hashable, Sendable {
    /// The region of the catalogue's backend, or the beginning of regions with an asterisk (`us-*`).
    public var region: String
    public var scope: PricingScope
    public var factors: PriceFactors

    public init(region: String, scope: PricingScope = PricingScope(), factors: PriceFactors) {
        self.region = region
        self.scope = scope
        self.factors = factors
    }

    /// The name of its rows: `region_us-*`.
    public var variant: String { "\(PriceVariant.region)\(region)" }
}
