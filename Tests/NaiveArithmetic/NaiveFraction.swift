/// An exact fraction of two naive integers, never reduced. The denominator is above zero.
public struct NaiveFraction: Sendable {
    public var numerator: NaiveInteger
    public var denominator: NaiveInteger

    public init(_ numerator: NaiveInteger, over denominator: NaiveInteger = NaiveInteger(1)) {
        self.numerator = denominator.isNegative ? -numerator : numerator
        self.denominator = denominator.magnitude
    }

    /// Reads decimal text such as `-0.0375` by moving the dot.
    public init(decimal text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let decimals = parts.count > 1 ? String(parts[1]) : ""
        self.init(NaiveInteger(String(parts[0]) + decimals), over: NaiveInteger.powerOfTen(decimals.count))
    }

    public static func + (left: NaiveFraction, right: NaiveFraction) -> NaiveFraction {
        NaiveFraction(
            left.numerator * right.denominator + right.numerator * left.denominator,
            over: left.denominator * right.denominator)
    }

    public static func * (left: NaiveFraction, right: NaiveFraction) -> NaiveFraction {
        NaiveFraction(left.numerator * right.numerator, over: left.denominator * right.denominator)
    }

    /// The two whole numbers around the fraction (equal when it is whole).
    public var floor: NaiveInteger {
        let (quotient, remainder) = numerator.divided(by: denominator)
        return numerator.isNegative && !remainder.isZero ? quotient - NaiveInteger(1) : quotient
    }

    public var isWhole: Bool { numerator.divided(by: denominator).remainder.isZero }
}

extension NaiveFraction: Comparable {
    public static func == (left: NaiveFraction, right: NaiveFraction) -> Bool {
        left.numerator * right.denominator == right.numerator * left.denominator
    }

    public static func < (left: NaiveFraction, right: NaiveFraction) -> Bool {
        left.numerator * right.denominator < right.numerator * left.denominator
    }
}

extension NaiveFraction: CustomStringConvertible {
    public var description: String { "\(numerator)/\(denominator)" }
}
