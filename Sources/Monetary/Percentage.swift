/// An exact percentage from 0 to 100 with at most 6 decimals, such as the `99.5` of a promise.
public struct Percentage: Hashable, Sendable {
    /// Decimals that a percentage's text may have.
    public static let fractionDigits = 6
    private static let millionthsMax: Int64 = 100_000_000

    /// Millionths of one percent: 99.5 % is 99 500 000.
    public let millionths: Int64

    /// Reads decimal text such as `"99.5"`, without a percent sign.
    public init(parsing text: String) throws(MonetaryError) {
        let value = try DecimalText.parse(text, scale: Percentage.fractionDigits)
        guard value >= 0 else { throw .negative(text) }
        guard value <= Percentage.millionthsMax else {
            throw .malformed(text: text, reason: "a percentage is at most 100")
        }
        millionths = Int64(value)
    }

    /// The percentage as a share of one: 99.5 % is 199/200.
    public var ratio: Ratio { Ratio(reducing: Int128(millionths), over: Int128(Percentage.millionthsMax)) }

    /// True where `part` of `whole` is at least this percentage, exactly. Of nothing, every share is reached.
    public func isReached(by part: Int64, of whole: Int64) -> Bool {
        Int128(part) * Int128(Percentage.millionthsMax) >= Int128(millionths) * Int128(whole)
    }
}

extension Percentage: Comparable {
    public static func < (left: Percentage, right: Percentage) -> Bool { left.millionths < right.millionths }
}

extension Percentage: CustomStringConvertible {
    /// Without a percent sign and needless zeros: the text that it is read from.
    public var description: String {
        DecimalText.print(Int128(millionths), scale: Percentage.fractionDigits, minimumFractionDigits: 0)
    }
}
