public import Monetary

/// How a quantity becomes an amount. One case and one file a model; whoever adds one is led through every place that
/// has to know by the compiler.
public enum PriceModel: Hashable, Sendable {
    /// So much a unit, from the first to the last.
    case perUnit(PerUnitPrice)

    /// Whether amounts of single events add up to the amount of their sum. Only linear charges are final per event;
    /// all others are functions of a period's totals.
    public var isLinear: Bool {
        switch self {
        case .perUnit: true
        }
    }

    /// The price of one base unit.
    public var unitPrice: UnitPrice {
        switch self {
        case .perUnit(let price): price.unitPrice
        }
    }

    /// What `quantity` base units cost, exactly.
    public func amount(of quantity: Int64, currency: Currency) -> Money {
        switch self {
        case .perUnit(let price): price.amount(of: quantity, currency: currency)
        }
    }
}
