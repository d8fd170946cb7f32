public import Identity
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
        case .noPrice: Self.noPriceCode
        }
    }

    /// The code of usage that has no price.
    public static let noPriceCode = "no_price"
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
    /// The meter of the row that priced it; counts of its children without a row of their own are in it.
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
    /// The conditions of its prices, as their rows name them; empty where none held.
    public let variant: String
    /// In the order of the meters; a meter without quantity has none.
    public let charges: [RatedCharge]
    /// Nil where the charges are billed. Where they are not, they show what was waived.
    public let waiver: Waiver?
    /// The plan's.
    public let currency: Currency

    /// The sum of the charges, billed or not.
    public func total() throws(MonetaryError) -> Money {
        var total = Money.zero(currency)
        for charge in charges { total = try total.adding(charge.amount) }
        return total
    }
}

/// From usage and a version of a plan to amounts. Pure: the same arguments give the same amounts for ever.
public enum Rating {
    /// Prices disjoint counts. Linear, so that the charges of many events add up to the charge of their sum.
    ///
    /// Tokens without a price of their own are charged with their meter's parent, in one charge. Units without a price
    /// are information as long as anything else of the usage has one; alone they have no price.
    ///
    /// - Parameters:
    ///   - tierServed: the tier that the engine's answer names; nil where it is silent.
    ///   - requests: answers that it is, for fees a request.
    ///   - tierRequested: the tier that the client asked for; nil where it asked for none.
    ///   - acceptedAt: in billing time; nil: no price of some times applies.
    ///   - region: where the backend stands that served.
    public static func rate(
        _ buckets: TokenBuckets, units: UsageUnits = UsageUnits(), requests: Int64 = 0, priceKey: String,
        tierServed: String?, tierRequested: String?, acceptedAt: Timestamp? = nil, region: String = "",
        version: PlanVersion,
    ) throws(RatingError) -> [RatedCharge] {
        try charges(
            buckets, units, requests, priceKey: priceKey,
            tier: ServiceTier.billable(served: tierServed, requested: tierRequested),
            facts: PricingFacts(acceptedAt: acceptedAt, region: region, promptTokens: buckets.inputTotal),
            version: version)
    }

    /// Prices an attempt and applies the plan's policies to it.
    ///
    /// - Parameters:
    ///   - surface: how the client asked: what costs nothing there (counting a prompt, handling the files of batches)
    ///     has no charges, whatever was counted.
    ///   - tierRequested: the tier that the client asked for; nil where it asked for none.
    public static func rate(
        _ attempt: AttemptRecord, surface: Surface, tierRequested: String?, version: PlanVersion,
    ) throws(RatingError) -> RatedAttempt {
        let tier = version.billedTier(of: attempt, requested: tierRequested)
        guard surface.bills(attempt.kind) else {
            return RatedAttempt(tier: tier, variant: "", charges: [], waiver: nil, currency: version.currency)
        }
        if let contradiction = attempt.contradiction { throw .contradictoryUsage(contradiction) }
        let charges = try charges(
            attempt.buckets, attempt.units, attempt.quantity(of: .requests), priceKey: attempt.priceKey, tier: tier,
            facts: PricingFacts(
                acceptedAt: attempt.id.uuid.timestamp, region: attempt.region,
                promptTokens: attempt.buckets.inputTotal),
            version: version)
        return RatedAttempt(
            tier: tier, variant: charges.first?.price.variant ?? "", charges: charges,
            waiver: waiver(of: attempt, policies: version.policies),
            currency: version.currency)
    }

    private static func charges(
        _ buckets: TokenBuckets, _ units: UsageUnits, _ requests: Int64, priceKey: String, tier: String,
        facts: PricingFacts, version: PlanVersion
    ) throws(RatingError) -> [RatedCharge] {
        guard buckets.isPlausible, units.isPlausible else {
            throw .contradictoryUsage("a count is below zero or above \(TokenBuckets.bucketMax)")
        }
        let prices = version.modelPrices(priceKey: priceKey, tier: tier, facts: facts)
        // By the row that prices it; a few at most, so that looking through them is the fastest.
        var priced: [(price: EffectivePrice, quantity: Int64)] = []
        var unpriced: Meter?
        for meter in Meter.allCases {
            // That somebody asked is no usage of its own: it is looked at last, and needs no price.
            guard meter != .requests else { continue }
            let quantity = meter.isUnit ? units.quantity(of: meter) : buckets.quantity(of: meter)
            guard quantity > 0 else { continue }
            if let price = prices?.price(of: meter) {
                if let index = priced.firstIndex(where: { $0.price.meter == price.meter }) {
                    // Fifteen counts of at most a trillion: the sum fits.
                    priced[index].quantity += quantity
                } else {
                    priced.append((price, quantity))
                }
            } else if meter.isUnit {
                unpriced = unpriced ?? meter
            } else {
                throw noPrice(of: meter, priceKey, tier, version)
            }
        }
        if let unpriced, priced.isEmpty { throw noPrice(of: unpriced, priceKey, tier, version) }
        if requests > 0, let price = prices?.price(of: .requests) { priced.append((price, requests)) }
        if priced.count > 1 { priced.sort { $0.price.meter < $1.price.meter } }
        var charges: [RatedCharge] = []
        charges.reserveCapacity(priced.count)
        for (base, quantity) in priced {
            guard let price = prices?.conditional(base) else { throw noPrice(of: base.meter, priceKey, tier, version) }
            charges.append(
                RatedCharge(
                    meter: price.meter, quantity: quantity, price: price,
                    amount: price.model.amount(of: quantity, currency: version.currency)))
        }
        return charges
    }

    private static func noPrice(
        of meter: Meter, _ priceKey: String, _ tier: String, _ version: PlanVersion
    ) -> RatingError {
        .noPrice(plan: version.planID, version: version.version, priceKey: priceKey, tier: tier, meter: meter)
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
