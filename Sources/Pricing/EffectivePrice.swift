public import Metering
public import Monetary

/// A row of a published version: what one meter of one model costs in one tier under the conditions that hold,
/// multipliers multiplied out.
public struct EffectivePrice: Hashable, Sendable {
    /// `plan@version/price_key/tier/meter`, such as `pay-as-you-go@1/sim-small/standard/input_tokens`, and behind it
    /// the variant where there is one. Names contain neither `@` nor `/`, so an id names one row for ever and can be
    /// read by people.
    public let id: String
    /// The plan's slug.
    public let planID: String
    /// The number of the plan's version.
    public let version: Int
    /// What the model catalogue says a model is priced as.
    public let priceKey: String
    /// A tier of the plan, as it names it.
    public let tier: String
    /// What is counted.
    public let meter: Meter
    /// The conditions that hold: `context_above_272000+region_us-*+time_peak`; empty where none does.
    public let variant: String
    /// How the count becomes an amount.
    public let model: PriceModel

    /// A row; its id follows from the rest.
    public init(
        planID: String, version: Int, priceKey: String, tier: String, meter: Meter, variant: String = "",
        model: PriceModel
    ) {
        id = EffectivePrice.id(
            planID: planID, version: version, priceKey: priceKey, tier: tier, meter: meter, variant: variant)
        self.planID = planID
        self.version = version
        self.priceKey = priceKey
        self.tier = tier
        self.meter = meter
        self.variant = variant
        self.model = model
    }

    /// The id that follows from what a row is about.
    public static func id(
        planID: String, version: Int, priceKey: String, tier: String, meter: Meter, variant: String
    ) -> String {
        "\(planID)@\(version)/\(priceKey)/\(tier)/\(meter.rawValue)" + (variant.isEmpty ? "" : "/" + variant)
    }

    /// The price of one base unit.
    public var unitPrice: UnitPrice { model.unitPrice }
}
