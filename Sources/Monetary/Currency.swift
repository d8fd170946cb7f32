/// A currency: its ISO 4217 code and how many digits its minor unit has (2 for cents, 0 for yen, 3 for fils).
///
/// Four bytes without references, so that a `Money` stays small. An unknown code is refused, never guessed to have
/// 2 digits.
public struct Currency: Hashable, Sendable {
    /// Three ASCII letters in the upper bytes, the number of minor digits in the lowest.
    private let packed: UInt32

    /// Looks a code up in the table of ISO 4217. Codes are upper case.
    public init(code: String) throws(MonetaryError) {
        guard let digits = CurrencyTable.minorDigits[code] else { throw .unknownCurrency(code) }
        self.init(knownCode: code, minorUnitDigits: digits)
    }

    private init(knownCode code: String, minorUnitDigits: Int) {
        packed = code.utf8.reduce(0) { $0 << 8 | UInt32($1) } << 8 | UInt32(minorUnitDigits)
    }

    /// The three-letter code, such as `USD`.
    public var code: String {
        String(
            decoding: [packed >> 24, packed >> 16, packed >> 8].map { UInt8(truncatingIfNeeded: $0) }, as: UTF8.self)
    }

    /// How many decimals an amount that can be paid has.
    public var minorUnitDigits: Int { Int(packed & 0xFF) }

    /// 10⁻¹² units in one minor unit: 10 000 000 000 for cents.
    public var picounitsPerMinorUnit: Int128 { DecimalText.powerOfTen(12 - minorUnitDigits) }
}

extension Currency {
    /// US dollar.
    public static let usd = Currency(knownCode: "USD", minorUnitDigits: 2)
    /// Euro.
    public static let eur = Currency(knownCode: "EUR", minorUnitDigits: 2)
    /// Pound sterling.
    public static let gbp = Currency(knownCode: "GBP", minorUnitDigits: 2)
    /// Yen, which has no minor unit.
    public static let jpy = Currency(knownCode: "JPY", minorUnitDigits: 0)
    /// Kuwaiti dinar of 1000 fils.
    public static let kwd = Currency(knownCode: "KWD", minorUnitDigits: 3)

    /// Every known currency, in the order of its code.
    public static let all: [Currency] = CurrencyTable.minorDigits.sorted { $0.key < $1.key }.map {
        Currency(knownCode: $0.key, minorUnitDigits: $0.value)
    }
}

extension Currency: CustomStringConvertible {
    public var description: String { code }
}
