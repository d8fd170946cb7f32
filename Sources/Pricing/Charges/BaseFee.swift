public import Monetary

/// A fee for each month of the subscription, whether anything was used or not.
public struct BaseFee: Hashable, Sendable {
    /// What a month that the subscription covers in part costs.
    public enum Proration: String, CaseIterable, Sendable {
        /// The whole fee.
        case none
        /// The fee × covered local days ÷ days of the month.
        case days
    }

    /// For a whole month; zero or more.
    public var amount: Money
    /// What part of a month costs.
    public var proration: Proration

    public init(amount: Money, proration: Proration = .days) {
        self.amount = amount
        self.proration = proration
    }
}

extension BaseFee: PeriodCharge {
    public static var name: String { "base_fee" }
    public var reads: Set<String> { [] }

    /// A fee that is not prorated is charged whole and once a period, where the plan was in force on any day of it;
    /// the last terms decide how much, and it stands on the first of their days. Otherwise each day has its equal
    /// share of the fee that was in force when the day ended.
    public static func amounts(
        of segments: [ChargeSegment<BaseFee>], in period: ChargePeriod
    ) throws(MonetaryError) -> [[Money]] {
        let last = segments.indices.last
        let isWhole = segments.last?.terms.proration == Proration.none
        var amounts: [[Money]] = []
        for (index, segment) in segments.enumerated() {
            let fee = segment.terms.amount
            var days = segment.days.map { _ in Money.zero(fee.currency) }
            if isWhole {
                if index == last { days[0] = fee }
            } else if segment.isCounted {
                days = Array(try fee.divided(amongEqual: period.dayCount)[segment.days])
            }
            amounts.append(days)
        }
        return amounts
    }
}
