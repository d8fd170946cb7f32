import Identity
import Monetary
import Pricing

/// A stretch of local days of one month that one plan version's base fee is for.
struct BaseFeeStretch: Hashable {
    let version: PlanVersion
    /// Indices of local days; 0 is the first of the month.
    var days: Range<Int>
}

/// The base fee's days. A local day belongs to what is in force when it ends: the day on which a subscription begins
/// counts, the day on which it ends in the middle does not, and a version that takes effect during a day has that day.
/// So days are never counted twice and never lost when one subscription follows another.
enum BaseFeeDays {
    /// Stretches of consecutive days of one version, in the order of time.
    static func stretches(of terms: SubscriptionTerms, in month: BillingMonth) -> [BaseFeeStretch] {
        var stretches: [BaseFeeStretch] = []
        for day in 0..<month.dayCount {
            let end = month.end(ofDay: day)
            guard terms.isInForce(before: end), let version = terms.version(before: end) else { continue }
            if let last = stretches.last, last.days.upperBound == day, last.version.version == version.version {
                stretches[stretches.count - 1].days = last.days.lowerBound..<day + 1
            } else {
                stretches.append(BaseFeeStretch(version: version, days: day..<day + 1))
            }
        }
        return stretches
    }

    /// What is charged for them. A fee that is not prorated is charged whole and once a month: where the month's last
    /// version has such a fee, it is the only one. Otherwise each version's fee counts by its days.
    static func fees(
        for stretches: [BaseFeeStretch], daysInMonth: Int,
    ) throws(MonetaryError) -> [(stretch: BaseFeeStretch, exact: Money)] {
        guard let last = stretches.last else { return [] }
        if let fee = last.version.baseFee, fee.proration == .none { return [(last, fee.amount)] }
        var fees: [(BaseFeeStretch, Money)] = []
        for stretch in stretches {
            guard let fee = stretch.version.baseFee else { continue }
            let byDays = BaseFee(amount: fee.amount, proration: .days)
            let exact = try byDays.amount(coveringDays: Int64(stretch.days.count), of: Int64(daysInMonth))
            fees.append((stretch, exact))
        }
        return fees
    }
}

extension InvoiceBuilder {
    /// A line for each stretch of days that a base fee is charged for.
    mutating func addBaseFees(of terms: SubscriptionTerms) throws(InvoicingError) {
        let stretches = BaseFeeDays.stretches(of: terms, in: input.month)
        let daysInMonth = input.month.dayCount
        let fees: [(stretch: BaseFeeStretch, exact: Money)]
        do throws(MonetaryError) {
            fees = try BaseFeeDays.fees(for: stretches, daysInMonth: daysInMonth)
        } catch {
            throw .money(error)
        }
        for (stretch, exact) in fees where !exact.isZero {
            let version = stretch.version
            let isWhole = stretch.days.count == daysInMonth || exact == version.baseFee?.amount
            let share = isWhole ? "" : ", \(stretch.days.count) of \(daysInMonth) days"
            try add(
                kind: .baseFee, terms: terms, plan: version.planID, planVersion: version.version,
                charge: "base_fee/\(version.planID)/\(version.version)",
                description: "\(version.title): base fee\(share)",
                period: input.month.period(ofDays: stretch.days), exact: exact, rounding: version.rounding)
        }
    }
}
