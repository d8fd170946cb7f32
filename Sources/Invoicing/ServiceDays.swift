import Accounts
import Identity
import Pricing

/// Consecutive local days of a month that belong to one subscription at one version of its plan.
struct ServiceStretch: Hashable {
    let subscriptionID: SubscriptionID
    let version: PlanVersion
    /// Indices of local days; 0 is the first of the month.
    var days: Range<Int>
    /// False for a day on which the subscription began and ended: nothing of the tenant was in force when it was over.
    let isCounted: Bool
}

/// Which day belongs to what. A local day belongs to the tenant's subscription that is in force when the day ends, at
/// the version in force then: the day on which a subscription begins counts, the day on which it ends in the middle
/// does not, and a version that takes effect during a day has that day. So days are never counted twice and never lost
/// when one subscription follows another.
enum ServiceDays {
    /// Of all subscriptions of one tenant: the stretches in the order of time, by plan.
    static func stretches(of subscriptions: [SubscriptionTerms], in month: BillingMonth) -> [String: [ServiceStretch]] {
        let ordered = subscriptions.sorted {
            ($0.subscription.startsAt, $0.id) < ($1.subscription.startsAt, $1.id)
        }
        var plans: [String: [ServiceStretch]] = [:]
        for day in 0..<month.dayCount {
            guard let (terms, instant, isCounted) = owner(of: day, ordered, month),
                let version = terms.version(before: instant)
            else { continue }
            let plan = terms.subscription.plan
            let next = ServiceStretch(
                subscriptionID: terms.id, version: version, days: day..<day + 1, isCounted: isCounted)
            var stretches = plans[plan] ?? []
            if let last = stretches.last, last.continues(in: next) {
                stretches[stretches.count - 1].days = last.days.lowerBound..<day + 1
            } else {
                stretches.append(next)
            }
            plans[plan] = stretches
        }
        return plans
    }

    /// Whose day it is, and the instant before which its version was in force. Where nothing is in force at the day's
    /// end, a subscription that lived within the day has it, uncounted.
    private static func owner(
        of day: Int, _ ordered: [SubscriptionTerms], _ month: BillingMonth
    ) -> (terms: SubscriptionTerms, before: Timestamp, isCounted: Bool)? {
        let end = month.end(ofDay: day)
        if let terms = ordered.last(where: { $0.isInForce(before: end) }) { return (terms, end, true) }
        let start = month.start(ofDay: day)
        let within = ordered.last {
            guard let endsAt = $0.subscription.endsAt else { return false }
            return $0.subscription.startsAt >= start && $0.subscription.startsAt < endsAt && endsAt < end
        }
        return within.flatMap { terms in terms.subscription.endsAt.map { (terms, $0, false) } }
    }
}

extension ServiceStretch {
    fileprivate func continues(in next: ServiceStretch) -> Bool {
        days.upperBound == next.days.lowerBound && subscriptionID == next.subscriptionID && isCounted && next.isCounted
            && version.version == next.version.version
    }
}
