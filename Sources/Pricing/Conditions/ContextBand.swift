/// Prices for requests with long prompts: where the prompt is longer than a bound, the whole request costs other
/// prices.
public struct ContextBand: Hashable, Sendable {
    /// How the prices follow from those of short prompts.
    public enum Change: Hashable, Sendable {
        case factors(PriceFactors)
        /// In place of the model's; for every meter that the model has a price for.
        case prices(TokenPrices)
    }

    /// Tokens of the whole prompt (fresh, read from caches, written to them, of every kind) beyond which it applies.
    public var above: Int64
    public var change: Change

    public init(above: Int64, change: Change) {
        self.above = above
        self.change = change
    }

    /// The name of its rows: `context_above_272000`.
    public var variant: String { "\(PriceVariant.context)\(above)" }
}
