public import Metering
public import Monetary

/// The prices of one model in one tier, per 1 000 000 base units of each meter: tokens, pictures, milliseconds,
/// characters, searches.
public struct TokenPrices: Hashable, Sendable {
    /// Tokens of the prompt that no cache served. Nil for models that read none; should they ever report some, that
    /// usage has no price and goes to suspense.
    public var input: UnitPrice?
    /// Nil for models that make no tokens, such as embeddings. Should they ever report some, that usage has no price
    /// and goes to suspense.
    public var output: UnitPrice?
    /// Nil: tokens read from a cache cost what input costs. Zero is a price: they are free.
    public var cacheRead: UnitPrice?
    /// Nil: tokens written to a cache cost what input costs. Zero is a price: they are free.
    public var cacheWrite: UnitPrice?
    /// What the plan names beyond the four above: tokens of other kinds and lifetimes, and units. Tokens not in here
    /// cost what their meter's parent costs; units not in here have no price.
    public var further: [Meter: UnitPrice]
    /// Kinds of tokens that the plan does not sell, though it has a price for their parent (`input_audio: none`). Usage
    /// of them has no price.
    public var unsold: Set<Meter>
    /// Prices for long prompts, the shortest first; the last that applies counts.
    public var context: [ContextBand]

    public init(
        input: UnitPrice?, output: UnitPrice?, cacheRead: UnitPrice? = nil, cacheWrite: UnitPrice? = nil,
        further: [Meter: UnitPrice] = [:], unsold: Set<Meter> = [], context: [ContextBand] = []
    ) {
        self.input = input
        self.output = output
        self.cacheRead = cacheRead
        self.cacheWrite = cacheWrite
        self.further = further
        self.unsold = unsold
        self.context = context
    }

    /// The meters that `further` may name, in the order of the meters.
    public static let furtherMeters = Meter.allCases.filter {
        ![.inputTokens, .outputTokens, .cacheReadTokens, .cacheWriteTokens].contains($0)
    }

    /// The price that the plan writes for `meter`; nil where it writes none.
    public func named(_ meter: Meter) -> UnitPrice? {
        switch meter {
        case .inputTokens: input
        case .outputTokens: output
        case .cacheReadTokens: cacheRead
        case .cacheWriteTokens: cacheWrite
        default: further[meter]
        }
    }

    /// The price of one base unit of `meter`: its own, else its parent's; nil where the model has none.
    public func unitPrice(of meter: Meter) -> UnitPrice? {
        if unsold.contains(meter) { return nil }
        return named(meter) ?? meter.parent.flatMap { unitPrice(of: $0) }
    }

    /// The meters that get a row: the four that every model is asked about, and what the plan names beyond them.
    /// Others do not multiply rows; whoever looks for their price goes on to their parent's.
    var rowMeters: [Meter] {
        Meter.allCases.filter { meter in
            switch meter {
            case .inputTokens, .outputTokens, .cacheReadTokens, .cacheWriteTokens: unitPrice(of: meter) != nil
            default: further[meter] != nil
            }
        }
    }

    /// The meters that the plan writes a price for.
    var namedMeters: [Meter] { Meter.allCases.filter { named($0) != nil } }
}

extension Meter {
    /// How plan documents call its price: `input`, `cache_write_1h`, `images`.
    public var planKey: String {
        rawValue.hasSuffix("_tokens") ? String(rawValue.dropLast("_tokens".count)) : rawValue
    }
}

/// How a tier's prices follow from those of the base tier.
public struct TierPricing: Hashable, Sendable {
    /// Times the base tier's prices, for each model that has no prices of its own here. Empty: only those models are
    /// sold.
    public var factors: PriceFactors
    /// Prices of the tier's own, by price key.
    public var prices: [String: TokenPrices]

    /// A tier; one of the two must say something.
    public init(factors: PriceFactors, prices: [String: TokenPrices] = [:]) {
        self.factors = factors
        self.prices = prices
    }

    public init(multiplier: Multiplier? = nil, prices: [String: TokenPrices] = [:]) {
        self.init(factors: PriceFactors(common: multiplier), prices: prices)
    }
}
