/// An exact decimal factor on prices, such as the `1.75` of a service tier. Never negative.
public struct Multiplier: Hashable, Sendable {
    /// Decimals that a multiplier's text may have.
    public static let fractionDigits = 12
    /// Decimals that a product of multipliers may have.
    public static let productFractionDigitsMax = 36

    /// The digits without the dot.
    public let coefficient: Int128
    /// How many of the digits stand behind the dot. As small as possible, so equal factors have equal parts.
    public let scale: Int

    /// The factor that changes nothing.
    public static let one = Multiplier(reducing: 1, scale: 0)

    /// Reads decimal text such as `"1.75"`.
    public init(parsing text: String) throws(MonetaryError) {
        let value = try DecimalText.parse(text, scale: Multiplier.fractionDigits)
        guard value >= 0 else { throw .negative(text) }
        self.init(reducing: value, scale: Multiplier.fractionDigits)
    }

    private init(reducing coefficient: Int128, scale: Int) {
        var (coefficient, scale) = (coefficient, coefficient == 0 ? 0 : scale)
        while scale > 0, coefficient % 10 == 0 {
            coefficient /= 10
            scale -= 1
        }
        self.coefficient = coefficient
        self.scale = scale
    }

    /// Both factors as one, exactly.
    public func multiplied(by other: Multiplier) throws(MonetaryError) -> Multiplier {
        let (product, overflowed) = coefficient.multipliedReportingOverflow(by: other.coefficient)
        if overflowed || scale + other.scale > Multiplier.productFractionDigitsMax { throw .overflow }
        return Multiplier(reducing: product, scale: scale + other.scale)
    }

    /// The price times this factor. Throws `.inexact` where the product has more than 6 decimals a million units.
    public func applied(to price: UnitPrice) throws(MonetaryError) -> UnitPrice {
        let down = try applied(to: price, rounding: .floor)
        guard try applied(to: price, rounding: .ceiling) == down else { throw .inexact("\(price) × \(self)") }
        return down
    }

    /// The price times this factor, rounded once to 6 decimals a million units.
    public func applied(to price: UnitPrice, rounding: Rounding) throws(MonetaryError) -> UnitPrice {
        let product = try rounding.multiply(
            Int128(price.picounits), by: coefficient, dividedBy: DecimalText.powerOfTen(scale),
        )
        guard let picounits = Int64(exactly: product) else { throw .overflow }
        return try UnitPrice(picounits: picounits)
    }
}

extension Multiplier: CustomStringConvertible {
    public var description: String { DecimalText.print(coefficient, scale: scale, minimumFractionDigits: 0) }
}
