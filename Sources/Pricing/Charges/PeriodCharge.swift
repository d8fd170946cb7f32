public import Monetary

/// A charge that is a function of a period: of what was used in it, on which days it was in force, and whether the
/// period is closed. It depends on nothing else, least of all on what is booked already, so the result is the same
/// whenever it is computed: whoever books it books the difference.
public protocol PeriodCharge: Hashable, Sendable {
    /// Names the charge within its plan and is part of its lines' identity, so it never changes: `base_fee`.
    static var name: String { get }

    /// The names of the charges whose amounts it is computed from. They make no circle.
    var reads: Set<String> { get }

    /// What each segment comes to on each of its days, exact to 10⁻¹², in their order.
    ///
    /// - Parameter segments: in the order of time; no two share a day.
    static func amounts(
        of segments: [ChargeSegment<Self>], in period: ChargePeriod
    ) throws(MonetaryError) -> [[Money]]
}

/// Consecutive local days of a period on which one version's terms of a charge were in force, and what was used on
/// them.
public struct ChargeSegment<Charge: PeriodCharge>: Sendable {
    public let terms: Charge
    /// 0 is the period's first day; never empty.
    public let days: Range<Int>
    /// False where the subscription had ended before the only day of the segment did: days are counted by what is in
    /// force when they end, and this one belongs to nobody.
    public let isCounted: Bool
    /// Base units by the id of their effective price, then by local day.
    public let quantities: [String: [Int: Int64]]

    public init(terms: Charge, days: Range<Int>, isCounted: Bool = true, quantities: [String: [Int: Int64]] = [:]) {
        assert(!days.isEmpty, "a segment has days")
        self.terms = terms
        self.days = days
        self.isCounted = isCounted
        self.quantities = quantities
    }
}

/// What all segments of a charge share.
public struct ChargePeriod: Sendable {
    public let dayCount: Int
    /// Whether nothing that belongs to the period can still arrive: true-ups are due only then.
    public let isClosed: Bool
    /// The amounts of the charges that this one reads, by name.
    public let amounts: [String: Money]

    public init(dayCount: Int, isClosed: Bool, amounts: [String: Money] = [:]) {
        self.dayCount = dayCount
        self.isClosed = isClosed
        self.amounts = amounts
    }
}
