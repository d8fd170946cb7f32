public import Metering
public import Monetary

/// Why usage has no price. Such usage goes to suspense: visible, and blocking its account's invoice until resolved.
public enum RatingError: Error, Hashable, Sendable {
    /// The counts cannot be true.
    case contradictoryUsage(String)
    /// The plan does not sell this meter of this model in this tier.
    case noPrice(plan: String, version: Int, priceKey: String, tier: String, meter: Meter)

    /// A stable name for records and metrics.
    public var code: String {
        switch self {
        case .contradictoryUsage: "contradictory_usage"
        case .noPrice: "no_price"
        }
    }
}

extension RatingError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .contradictoryUsage(let reason): "the usage contradicts itself: \(reason)"
        case .noPrice(let plan, let version, let priceKey, let tier, let meter):
            "version \(version) of \(plan) has no price for \(meter.rawValue) of \(priceKey) in tier \(tier)"
        }
    }
}

/// What one meter of one attempt costs.
public struct RatedCharge: Hashable, Sendable {
    /// What was counted.
    public let meter: Meter
    /// Base units; above zero.
    public let quantity: Int64
    /// The row that priced it.
    public let price: EffectivePrice
    /// Exact.
    public let amount: Money
}

/// What one attempt costs, and whether that is billed.
public struct RatedAttempt: Hashable, Sendable {
    /// Why a priced attempt is not billed.
    public enum Waiver: String, CaseIterable, Sendable {
        /// Another attempt's answer was delivered.
        case notDelivered = "not_delivered"
        /// The gateway died under it, and the plan waives that.
        case gatewayLost = "gateway_lost"
        /// The engine did not say what it used, and the plan waives that.
        case usageMissing = "usage_missing"
    }

    /// The tier that was billed.
    public let tier: String
    /// In the order of the meters; a meter without quantity has none.
    public let charges: [RatedCharge]
    /// Nil where the charges are billed. Where they are not, they show what was waived.
    public let waiver: Waiver?
    /// The plan's.
    public let currency: Currency

    /// The sum of the charges, billed or not.
    public func total() throws(MonetaryError) -> Money {
        try Money.sum(charges.lazy.map(\.amount), currency: currency)
    }
}

/// From usage and a version of a plan to amounts. Pure: the same arguments give the same amounts for ever.
public enum Rating {
    /// Prices disjoint token counts. Linear, so that the charges of many events add up to the charge of their sum.
    ///
    /// - Parameters:
    ///   - tierServed: the tier that the engine's answer names; nil where it is silent.
    ///   - tierRequested: the tier that the client asked for; nil where it asked for none.
    public static func rate(
        _ buckets: TokenBuckets, priceKey: String, tierServed: String?, tierRequested: String?,
        version: PlanVersion,
    ) throws(RatingError) -> [RatedCharge] {
        guard buckets.isPlausible else {
            throw .contradictoryUsage("a count is below zero or above \(TokenBuckets.bucketMax)")
        }
        let tier = ServiceTier.billable(served: tierServed, requested: tierRequested)
        var charges: [RatedCharge] = []
        for meter in Meter.allCases {
            let quantity = buckets.quantity(of: meter)
            guard quantity > 0 else { continue }
            guard let price = version.price(priceKey: priceKey, tier: tier, meter: meter) else {
                throw .noPrice(
                    plan: version.planID, version: version.version, priceKey: priceKey, tier: tier, meter: meter)
            }
            let amount = price.model.amount(of: quantity, currency: version.currency)
            charges.append(RatedCharge(meter: meter, quantity: quantity, price: price, amount: amount))
        }
        return charges
    }

    /// Prices an attempt and applies the plan's policies to it.
    public static func rate(
        _ attempt: AttemptRecord, tierRequested: String?, version: PlanVersion,
    ) throws(RatingError) -> RatedAttempt {
        if let contradiction = attempt.contradiction { throw .contradictoryUsage(contradiction) }
        let charges = try rate(
            attempt.buckets, priceKey: attempt.priceKey, tierServed: attempt.tierServed,
            tierRequested: tierRequested, version: version)
        return RatedAttempt(
            tier: ServiceTier.billable(served: attempt.tierServed, requested: tierRequested), charges: charges,
            waiver: waiver(of: attempt, policies: version.policies), currency: version.currency)
    }

    /// An answer cut short is not waived for want of the engine's usage: the client received what was counted.
    private static func waiver(of attempt: AttemptRecord, policies: PlanPolicies) -> RatedAttempt.Waiver? {
        if !attempt.isDelivered { return .notDelivered }
        let isCounted = attempt.usageSource == .counted || attempt.usageSource == .estimated
        switch attempt.termination {
        case .gatewayLost where policies.onGatewayLoss == .waive: return .gatewayLost
        case .complete where isCounted && policies.usageMissing == .waive: return .usageMissing
        case .complete, .clientAbort, .upstreamError, .timeout, .limitReached, .gatewayLost: return nil
        }
    }
}
