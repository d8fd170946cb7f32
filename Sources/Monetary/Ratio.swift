/// An exact fraction, for proration and shares: kept in lowest terms and rounded once, at the end.
public struct Ratio: Hashable, Sendable {
    /// Carries the sign.
    public let numerator: Int128
    /// Always above zero.
    public let denominator: Int128

    /// Nothing of something.
    public static let zero = Ratio(reducing: 0, over: 1)
    /// The whole.
    public static let one = Ratio(reducing: 1, over: 1)

    /// `numerator` ÷ `denominator` in lowest terms.
    public init(_ numerator: Int128, over denominator: Int128) throws(MonetaryError) {
        guard denominator != 0 else { throw .divisionByZero }
        let divisor = Ratio.greatestCommonDivisor(numerator.magnitude, denominator.magnitude)
        let isNegative = (numerator < 0) != (denominator < 0)
        guard let top = Int128(magnitude: numerator.magnitude / divisor, isNegative: isNegative),
            let bottom = Int128(exactly: denominator.magnitude / divisor)
        else { throw .overflow }
        self.numerator = top
        self.denominator = bottom
    }

    /// For parts that are known to be in range, with a denominator above zero.
    init(reducing numerator: Int128, over denominator: Int128) {
        let divisor = Int128(Ratio.greatestCommonDivisor(numerator.magnitude, denominator.magnitude))
        self.numerator = numerator / divisor
        self.denominator = denominator / divisor
    }

    /// The exact sum.
    public func adding(_ other: Ratio) throws(MonetaryError) -> Ratio {
        // The denominators' common part is divided out first, so that sums of like fractions do not grow.
        let shared = Int128(Ratio.greatestCommonDivisor(denominator.magnitude, other.denominator.magnitude))
        let left = try Ratio.product(numerator, other.denominator / shared)
        let right = try Ratio.product(other.numerator, denominator / shared)
        let (sum, overflowed) = left.addingReportingOverflow(right)
        if overflowed { throw .overflow }
        return try Ratio(sum, over: Ratio.product(denominator / shared, other.denominator))
    }

    /// The exact difference.
    public func subtracting(_ other: Ratio) throws(MonetaryError) -> Ratio {
        try adding(other.multiplied(by: Ratio(reducing: -1, over: 1)))
    }

    /// The exact product.
    public func multiplied(by other: Ratio) throws(MonetaryError) -> Ratio {
        let left = try Ratio(numerator, over: other.denominator)
        let right = try Ratio(other.numerator, over: denominator)
        return try Ratio(
            Ratio.product(left.numerator, right.numerator),
            over: Ratio.product(left.denominator, right.denominator),
        )
    }

    /// The exact quotient; by zero it is an error.
    public func divided(by other: Ratio) throws(MonetaryError) -> Ratio {
        try multiplied(by: Ratio(other.denominator, over: other.numerator))
    }

    /// The nearest whole number by `rounding`.
    public func rounded(_ rounding: Rounding = .halfEven) throws(MonetaryError) -> Int128 {
        try rounding.divide(numerator, by: denominator)
    }

    private static func product(_ left: Int128, _ right: Int128) throws(MonetaryError) -> Int128 {
        let (product, overflowed) = left.multipliedReportingOverflow(by: right)
        if overflowed { throw .overflow }
        return product
    }

    /// Euclid's; zero and n give n, and two zeros give 1 so that the result can always divide.
    private static func greatestCommonDivisor(_ left: UInt128, _ right: UInt128) -> UInt128 {
        var (left, right) = (left, right)
        while right != 0 { (left, right) = (right, left % right) }
        return max(left, 1)
    }
}

extension Ratio: CustomStringConvertible {
    public var description: String { "\(numerator)/\(denominator)" }
}
