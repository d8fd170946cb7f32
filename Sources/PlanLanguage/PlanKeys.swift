import Metering
import Pricing

/// The keys of each mapping of a plan document, in the order in which people are told them: what the reader knows and
/// the JSON Schema allows.
enum PlanKeys {
    static let plan = [
        "language", "plan", "version", "title", "currency", "effective_from", "rounding", "round_prices", "unpriced",
        "base_fee", "policies", "models", "tiers", "batch", "regions", "times", "holidays", "promises",
    ]
    static let baseFee = ["amount", "prorate"]
    static let policies = ["on_client_abort", "on_gateway_loss", "usage_missing"]
    static let prices = base + TokenPrices.furtherMeters.map(\.planKey) + ["context"]
    static let base = ["input", "output", "cache_read", "cache_write"]
    static let factors = Meter.allCases.map(\.planKey)
    static let band = ["above", "from", "multiplier", "multipliers", "prices"]
    static let tier = ["multiplier", "multipliers", "prices"]
    static let region = ["region", "models", "tiers", "multiplier", "multipliers"]
    static let time = ["name", "zone", "holidays", "when", "models", "tiers", "multiplier", "multipliers"]
    static let span = ["days", "from", "to"]
    static let holidays = ["until", "days"]
    static let promise = ["objective", "percent", "threshold_ms", "minimum_requests", "credits"]
    static let credit = ["below", "credit_percent"]
}
