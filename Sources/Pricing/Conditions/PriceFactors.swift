public import Metering
public import Monetary

/// Factors on the prices of a model, by meter.
public struct PriceFactors: Hashable, Sendable {
    /// For meters that have no factor of their own and whose parents have none. Nil: 1.
    public var common: Multiplier?
    /// By meter. Like prices, they fall back: a meter without a factor takes its parent's.
    public var byMeter: [Meter: Multiplier]

    public init(common: Multiplier? = nil, byMeter: [Meter: Multiplier] = [:]) {
        self.common = common
        self.byMeter = byMeter
    }

    /// Whether nothing is said.
    public var isEmpty: Bool { common == nil && byMeter.isEmpty }

    /// What the price of `meter` is multiplied by.
    public func factor(of meter: Meter) -> Multiplier {
        var next: Meter? = meter
        while let current = next {
            if let factor = byMeter[current] { return factor }
            next = current.parent
        }
        return common ?? .one
    }
}
