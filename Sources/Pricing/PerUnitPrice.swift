public import Monetary

/// The linear model: a price for each unit. Additive, so the charge of a month is the sum of its events' charges to the
/// last 10⁻¹².
public struct PerUnitPrice: Hashable, Sendable {
    /// What one unit costs.
    public let unitPrice: UnitPrice

    public init(unitPrice: UnitPrice) { self.unitPrice = unitPrice }

    /// Quantity × price. Both are 64 bits wide, so the amount always fits.
    public func amount(of quantity: Int64, currency: Currency) -> Money {
        unitPrice.cost(of: quantity, currency: currency)
    }
}
