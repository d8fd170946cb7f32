/// An exact amount: a count of 10⁻¹² of a currency's unit.
///
/// Holds ±1.7 × 10²⁶ units, and the cost of a single token at any price of at most 6 decimals a million. Arithmetic
/// never rounds and never traps: what does not fit is thrown. What rounds takes a `Rounding`.
public struct Money: Hashable, Sendable {
    /// Decimals that an amount holds.
    public static let fractionDigits = 12
    /// Picounits in one unit of the currency.
    public static let picounitsPerUnit: Int128 = 1_000_000_000_000

    /// The amount in 10⁻¹² of the currency's unit.
    public let picounits: Int128
    /// What the amount is in.
    public let currency: Currency

    /// An amount of so many 10⁻¹² of the currency's unit.
    public init(picounits: Int128, currency: Currency) {
        self.picounits = picounits
        self.currency = currency
    }

    /// Nothing, in a currency.
    public static func zero(_ currency: Currency) -> Money { Money(picounits: 0, currency: currency) }

    /// Whether it is nothing.
    public var isZero: Bool { picounits == 0 }
    /// Whether it is less than nothing.
    public var isNegative: Bool { picounits < 0 }
}

// MARK: - Arithmetic

extension Money {
    /// Both amounts together, exactly.
    public func adding(_ other: Money) throws(MonetaryError) -> Money {
        try requireSameCurrency(other)
        let (sum, overflowed) = picounits.addingReportingOverflow(other.picounits)
        if overflowed { throw .overflow }
        return Money(picounits: sum, currency: currency)
    }

    /// This amount less the other, exactly.
    public func subtracting(_ other: Money) throws(MonetaryError) -> Money {
        try requireSameCurrency(other)
        let (difference, overflowed) = picounits.subtractingReportingOverflow(other.picounits)
        if overflowed { throw .overflow }
        return Money(picounits: difference, currency: currency)
    }

    /// The opposite amount.
    public func negated() throws(MonetaryError) -> Money {
        let (negative, overflowed) = Int128.zero.subtractingReportingOverflow(picounits)
        if overflowed { throw .overflow }
        return Money(picounits: negative, currency: currency)
    }

    /// The amount taken `quantity` times.
    public func multiplied(by quantity: Int128) throws(MonetaryError) -> Money {
        let (product, overflowed) = picounits.multipliedReportingOverflow(by: quantity)
        if overflowed { throw .overflow }
        return Money(picounits: product, currency: currency)
    }

    /// The amount taken `quantity` times.
    public func multiplied(by quantity: Int64) throws(MonetaryError) -> Money {
        try multiplied(by: Int128(quantity))
    }

    /// The share `ratio` of the amount, rounded once to 10⁻¹² (proration, percentages).
    public func multiplied(by ratio: Ratio, rounding: Rounding = .halfEven) throws(MonetaryError) -> Money {
        let share = try rounding.multiply(picounits, by: ratio.numerator, dividedBy: ratio.denominator)
        return Money(picounits: share, currency: currency)
    }

    /// The exact sum of `amounts`; the currency is named so that no amounts at all still have one.
    public static func sum(_ amounts: some Sequence<Money>, currency: Currency) throws(MonetaryError) -> Money {
        var total = Money.zero(currency)
        for amount in amounts { total = try total.adding(amount) }
        return total
    }

    /// True where this amount is smaller; amounts of different currencies have no order.
    public func isLess(than other: Money) throws(MonetaryError) -> Bool {
        try requireSameCurrency(other)
        return picounits < other.picounits
    }

    private func requireSameCurrency(_ other: Money) throws(MonetaryError) {
        guard currency == other.currency else { throw .currencyMismatch(currency, other.currency) }
    }
}

// MARK: - The minor unit

extension Money {
    /// An amount of whole minor units, such as cents.
    public init(minorUnits: Int128, currency: Currency) throws(MonetaryError) {
        let (product, overflowed) = minorUnits.multipliedReportingOverflow(by: currency.picounitsPerMinorUnit)
        if overflowed { throw .overflow }
        self.init(picounits: product, currency: currency)
    }

    /// The amount in whole minor units, such as cents, rounded.
    public func minorUnits(_ rounding: Rounding = .halfEven) throws(MonetaryError) -> Int128 {
        try rounding.divide(picounits, by: currency.picounitsPerMinorUnit)
    }

    /// The amount that can be paid: rounded to the currency's minor unit. Once per invoice line, nowhere else.
    public func roundedToMinorUnit(_ rounding: Rounding = .halfEven) throws(MonetaryError) -> Money {
        try Money(minorUnits: minorUnits(rounding), currency: currency)
    }

    /// True where the amount has no digits below the minor unit.
    public var isRoundedToMinorUnit: Bool { picounits % currency.picounitsPerMinorUnit == 0 }
}

// MARK: - Text

extension Money: CustomStringConvertible {
    /// Reads plain decimal text: an optional `-`, digits, and at most 12 digits after a dot.
    public init(parsing text: String, currency: Currency) throws(MonetaryError) {
        self.init(picounits: try DecimalText.parse(text, scale: Money.fractionDigits), currency: currency)
    }

    /// Reads back what Postgres prints for a `numeric(38,12)`; nil for `NaN` and all else that is not an amount.
    public init?(decimalText: String, currency: Currency) {
        guard let amount = try? Money(parsing: decimalText, currency: currency) else { return nil }
        self = amount
    }

    /// Canonical text without the currency: at least its minor digits, no trailing zeros beyond them (`12.50`,
    /// `0.000000123`).
    public var description: String {
        DecimalText.print(
            picounits, scale: Money.fractionDigits, minimumFractionDigits: currency.minorUnitDigits,
        )
    }

    /// All 12 decimals, as a `numeric(38,12)` column prints it (`12.500000000000`).
    public var decimalText: String {
        DecimalText.print(picounits, scale: Money.fractionDigits, minimumFractionDigits: Money.fractionDigits)
    }
}
