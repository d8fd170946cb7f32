import Identity
import Metering
import Pricing

/// Changes of what long prompts, places and times cost.
extension PlanDiff {
    static func conditions(_ older: PlanDocument, _ newer: PlanDocument) -> [PlanChange] {
        let (before, after) = (described(older), described(newer))
        return union(before, after).compactMap { change(.condition, $0, before[$0], after[$0]) }
    }

    /// Each condition's words by its subject. The place in its list is part of them: the first that applies counts.
    private static func described(_ document: PlanDocument) -> [String: String] {
        var words: [String: String] = [:]
        for tier in [ServiceTier.standard] + document.tiers.keys.sorted() + [ServiceTier.batch] {
            let models = tier == ServiceTier.standard ? document.models : ownPrices(of: tier, in: document)
            for (key, prices) in models {
                for band in prices.context {
                    words["\(key)/\(tier)/\(band.variant)"] =
                        switch band.change {
                        case .factors(let factors): describe(factors)
                        case .prices(let long): describe(long)
                        }
                }
            }
        }
        for (index, region) in document.regions.enumerated() {
            words["regions[\(index)]"] =
                (["\(region.region)"] + describe(region.scope) + [describe(region.factors)]).joined(separator: ", ")
        }
        for (index, time) in document.times.enumerated() {
            let spans = time.spans.map { span in
                let days = WeeklySpan.Day.allCases.filter { span.days.contains($0) }.map(\.rawValue)
                return (days.isEmpty ? "" : days.joined(separator: "/") + " ") + "minutes \(span.from) to \(span.to)"
            }
            let calendar = time.holidays.map { ["holidays \($0)"] } ?? []
            words["times[\(index)]"] =
                (["\(time.name) (\(time.zone.name))"] + spans + calendar + describe(time.scope)
                + [describe(time.factors)]).joined(separator: ", ")
        }
        for (name, calendar) in document.holidays {
            words["holidays/\(name)"] =
                "\(calendar.days.map(\.description).joined(separator: " ")) until \(calendar.until)"
        }
        return words
    }

    private static func ownPrices(of tier: String, in document: PlanDocument) -> [String: TokenPrices] {
        (tier == ServiceTier.batch ? document.batch ?? document.tiers[tier] : document.tiers[tier])?.prices ?? [:]
    }

    /// `× 2, output × 1.5`
    static func describe(_ factors: PriceFactors) -> String {
        let single = factors.byMeter.sorted { $0.key < $1.key }.map { "\($0.key.planKey) × \($0.value)" }
        return ((factors.common.map { ["× \($0)"] } ?? []) + single).joined(separator: ", ")
    }

    private static func describe(_ scope: PricingScope) -> [String] {
        [scope.models, scope.tiers].filter { !$0.isEmpty }.map { "for " + $0.joined(separator: "/") }
    }

    private static func describe(_ prices: TokenPrices) -> String {
        Meter.allCases.compactMap { meter in
            prices.named(meter).map { "\(meter.planKey) \($0)" }
                ?? (prices.unsold.contains(meter) ? "\(meter.planKey) none" : nil)
        }.joined(separator: ", ")
    }
}
