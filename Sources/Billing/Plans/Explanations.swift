import Accounts
public import Identity
import Invoicing
public import Metering
public import Monetary
public import Pricing
public import Storage

/// How an amount came about, from counts and prices.
public struct AmountExplanation: Hashable, Sendable {
    /// One charge: a quantity times a price.
    public struct Step: Hashable, Sendable {
        public let meter: Meter
        public let quantity: Int64
        /// The row, as it was stored.
        public let price: EffectivePrice
        /// How its price came about; nil where the plan's document cannot tell.
        public let explanation: PriceExplanation?
        public let amount: Money
    }

    /// What is explained: an attempt, or a line.
    public let subject: String
    public let plan: String
    public let planVersion: Int
    public let model: String
    public let tier: String
    /// The conditions of its prices in words; empty where none held.
    public let conditions: [String]
    public let steps: [Step]
    /// The sum of the steps.
    public let exact: Money
    /// What became of it: billed, waived and why, rounded to what is paid.
    public let outcome: String
}

extension ReadSession {
    /// How each delivered attempt of a request came to its amount. What waits in suspense has no amount yet.
    public func explain(_ id: RequestID) throws -> [AmountExplanation] {
        try look(.read(.usage)) { tx in
            guard let found = try RecordStorage.find(id, in: tx) else {
                throw StorageError.notFound("record of \(id) (yet: ingest may be behind)")
            }
            return try found.attempts.filter { $0.rating == .rated || $0.rating == .waived }.map { attempt in
                guard let plan = attempt.plan, let number = attempt.planVersion,
                    let version = try PlanStorage.find(plan, version: number, in: tx)?.version
                else { throw StorageError.corrupt("the plan that priced \(attempt.record.id) is not there") }
                let rated: RatedAttempt
                do throws(RatingError) {
                    rated = try Rating.rate(
                        attempt.record, surface: found.request.surface, tierRequested: found.request.tierRequested,
                        version: version)
                } catch {
                    throw StorageError.corrupt("attempt \(attempt.record.id) has an amount without a price: \(error)")
                }
                let total = try rated.total()
                let stored = "stored as \(attempt.amount), which is something else: run tollgate reconcile"
                let outcome =
                    rated.waiver.map { "waived: \($0.rawValue)" } ?? (total == attempt.amount ? "billed" : stored)
                return AmountExplanation(
                    subject: "attempt \(attempt.record.number) of \(id)", plan: plan, planVersion: number,
                    model: attempt.record.priceKey, tier: rated.tier,
                    conditions: PriceVariant.labels(of: rated.variant),
                    steps: rated.charges.map {
                        AmountExplanation.Step(
                            meter: $0.meter, quantity: $0.quantity, price: $0.price,
                            explanation: version.explanation(of: $0.price), amount: $0.amount)
                    }, exact: total, outcome: outcome)
            }
        }
    }

    /// How a line of usage came to its amount.
    public func explain(_ id: InvoiceLineID) throws -> AmountExplanation {
        try look(.read(.invoices)) { tx in
            guard let line = try InvoiceStorage.usageLine(id, in: tx) else {
                throw StorageError.notFound("line \(id) of usage")
            }
            let charge = line.charge
            guard let version = try PlanStorage.find(charge.plan, version: charge.planVersion, in: tx)?.version else {
                throw StorageError.corrupt("the plan that priced line \(id) is not there")
            }
            let price = EffectivePrice(
                planID: charge.plan, version: charge.planVersion, priceKey: charge.priceKey, tier: charge.tier,
                meter: charge.meter, variant: charge.variant,
                model: .perUnit(PerUnitPrice(unitPrice: line.unitPrice)))
            let step = AmountExplanation.Step(
                meter: charge.meter, quantity: line.quantity, price: price,
                explanation: version.explanation(of: price), amount: line.amount)
            return AmountExplanation(
                subject: "line \(id)", plan: charge.plan, planVersion: charge.planVersion, model: charge.model,
                tier: charge.tier, conditions: PriceVariant.labels(of: charge.variant), steps: [step],
                exact: line.amount,
                outcome: "\(line.rounded.map { "\($0)" } ?? "-") on the invoice, rounded \(version.rounding.rawValue)")
        }
    }
}
