/// The price of one base unit (a token, a millisecond): a whole number of 10⁻¹² of the currency's unit.
///
/// People write it per 1 000 000 base units with at most 6 decimals (`"0.0375"` a million tokens is 37 500 picounits a
/// token), which is why the price of one unit is always whole. 64 bits hold 9.2 × 10¹² units a million.
public struct UnitPrice: Hashable, Sendable {
    /// Base units that a price text speaks of.
    public static let unitsPerQuote: Int64 = 1_000_000
    /// Decimals that a price text may have.
    public static let fractionDigits = 6

    /// Picounits (10⁻¹² of the currency's unit) for one base unit; never negative.
    public let picounits: Int64

    /// A price read back from where a price was stored.
    public init(picounits: Int64) throws(MonetaryError) {
        guard picounits >= 0 else { throw .negative(String(picounits)) }
        self.picounits = picounits
    }

    /// Reads decimal text per 1 000 000 base units, such as `"0.15"`.
    public init(parsing text: String) throws(MonetaryError) {
        let value = try DecimalText.parse(text, scale: UnitPrice.fractionDigits)
        guard value >= 0 else { throw .negative(text) }
        guard let picounits = Int64(exactly: value) else { throw .overflow }
        self.picounits = picounits
    }

    /// Free of charge. That is a price: it is not the absence of one.
    public static let free = UnitPrice(knownPicounits: 0)

    private init(knownPicounits: Int64) { picounits = knownPicounits }

    /// What `quantity` base units cost, in picounits. Exact; the product of two 64-bit numbers always fits.
    public func cost(of quantity: Int64) -> Int128 { Int128(picounits) * Int128(quantity) }

    /// What `quantity` base units cost. Exact.
    public func cost(of quantity: Int64, currency: Currency) -> Money {
        Money(picounits: cost(of: quantity), currency: currency)
    }
}

extension UnitPrice: Comparable {
    public static func < (left: UnitPrice, right: UnitPrice) -> Bool { left.picounits < right.picounits }
}

extension UnitPrice: CustomStringConvertible {
    /// The price per 1 000 000 base units, without needless zeros: the text that it is read from.
    public var description: String {
        DecimalText.print(Int128(picounits), scale: UnitPrice.fractionDigits, minimumFractionDigits: 0)
    }
}
