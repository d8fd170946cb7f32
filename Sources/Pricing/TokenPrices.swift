public import Metering
public import Monetary

/// The prices of one model in one tier, per 1 000 000 tokens of each meter.
public struct TokenPrices: Hashable, Sendable {
    /// Tokens of the prompt that no cache served.
    public var input: UnitPrice
    /// Nil for models that make no tokens, such as embeddings. Should they ever report some, that usage has no price
    /// and goes to suspense.
    public var output: UnitPrice?
    /// Nil: tokens read from a cache cost what input costs. Zero is a price: they are free.
    public var cacheRead: UnitPrice?
    /// Nil: tokens written to a cache cost what input costs. Zero is a price: they are free.
    public var cacheWrite: UnitPrice?

    /// Prices of a model.
    public init(input: UnitPrice, output: UnitPrice?, cacheRead: UnitPrice? = nil, cacheWrite: UnitPrice? = nil) {
        self.input = input
        self.output = output
        self.cacheRead = cacheRead
        self.cacheWrite = cacheWrite
    }

    /// The price of one token of `meter`; nil where the model has none.
    public func unitPrice(of meter: Meter) -> UnitPrice? {
        switch meter {
        case .inputTokens: input
        case .cacheReadTokens: cacheRead ?? input
        case .cacheWriteTokens: cacheWrite ?? input
        case .outputTokens: output
        }
    }
}

/// How a tier's prices follow from those of the base tier.
public struct TierPricing: Hashable, Sendable {
    /// Times the base tier's price, for each model that has no prices of its own here. Nil: only those models are sold.
    public var multiplier: Multiplier?
    /// Prices of the tier's own, by price key.
    public var prices: [String: TokenPrices]

    /// A tier; one of the two must be there.
    public init(multiplier: Multiplier? = nil, prices: [String: TokenPrices] = [:]) {
        self.multiplier = multiplier
        self.prices = prices
    }
}
