public import Monetary

/// What share of the counted requests was good. Kept as two counts: no digit is lost before it is compared.
public struct Attainment: Hashable, Sendable {
    public let good: Int64
    /// Good and bad together; what was excluded is not in here.
    public let counted: Int64

    /// `good` is at most `counted`.
    public init(good: Int64, counted: Int64) {
        self.good = good
        self.counted = counted
    }

    /// True where the share is at least `percentage`. Of no requests at all, every share is reached.
    public func reaches(_ percentage: Percentage) -> Bool {
        percentage.isReached(by: good, of: counted)
    }

    /// The share in percent with 4 decimals, cut and never rounded up, so that 99.99999 % does not read as kept.
    /// `100` only where every request was good; `–` of no requests.
    public var percentText: String {
        guard counted > 0 else { return "–" }
        let tenThousandths = Int128(good) * 1_000_000 / Int128(counted)
        let fraction = String(tenThousandths % 10_000 + 10_000).dropFirst()
        let digits = fraction.replacingTrailingZeros()
        return "\(tenThousandths / 10_000)" + (digits.isEmpty ? "" : "." + digits)
    }
}

extension Substring {
    fileprivate func replacingTrailingZeros() -> Substring {
        var digits = self
        while digits.last == "0" { digits.removeLast() }
        return digits
    }
}
