/// How a value between two integers becomes one of them. Integer arithmetic only.
public enum Rounding: String, CaseIterable, Sendable {
    /// To the nearest; a tie goes to the even neighbour. The default everywhere.
    case halfEven = "half_even"
    /// To the nearest; a tie goes away from zero (what invoices in many countries call commercial rounding).
    case halfUp = "half_up"
    /// Away from zero.
    case up
    /// Towards zero.
    case down
    /// Towards positive infinity.
    case ceiling
    /// Towards negative infinity.
    case floor

    /// `dividend` ÷ `divisor`, rounded once.
    public func divide(_ dividend: Int128, by divisor: Int128) throws(MonetaryError) -> Int128 {
        try multiply(dividend, by: 1, dividedBy: divisor)
    }

    /// `value` × `factor` ÷ `divisor`, rounded once; the product may be as wide as 256 bits.
    public func multiply(_ value: Int128, by factor: Int128, dividedBy divisor: Int128) throws(MonetaryError) -> Int128
    {
        guard divisor != 0 else { throw .divisionByZero }
        let isNegative = ((value < 0) != (factor < 0)) != (divisor < 0)
        let product = value.magnitude.multipliedFullWidth(by: factor.magnitude)
        guard product.high < divisor.magnitude else { throw .overflow }
        var (quotient, remainder) = divisor.magnitude.dividingFullWidth(product)
        if increments(quotient: quotient, remainder: remainder, divisor: divisor.magnitude, isNegative: isNegative) {
            let (sum, overflowed) = quotient.addingReportingOverflow(1)
            if overflowed { throw .overflow }
            quotient = sum
        }
        guard let result = Int128(magnitude: quotient, isNegative: isNegative) else { throw .overflow }
        return result
    }

    /// True where the magnitude of the quotient has to grow by one.
    private func increments(quotient: UInt128, remainder: UInt128, divisor: UInt128, isNegative: Bool) -> Bool {
        guard remainder != 0 else { return false }
        // Compare the remainder with its complement: doubling it could overflow.
        let complement = divisor - remainder
        switch self {
        case .halfEven: return remainder > complement || (remainder == complement && quotient & 1 == 1)
        case .halfUp: return remainder >= complement
        case .up: return true
        case .down: return false
        case .ceiling: return !isNegative
        case .floor: return isNegative
        }
    }
}
