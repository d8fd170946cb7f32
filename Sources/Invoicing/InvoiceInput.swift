public import Accounts
public import Identity
public import Metering
public import Monetary
public import Pricing
public import ServiceLevels

/// A tenant's subscription with the published versions of its plan.
public struct SubscriptionTerms: Hashable, Sendable {
    public let subscription: Subscription
    /// Shown on the lines.
    public let tenantName: String
    public let history: PlanHistory
    /// The account's, by which versions take effect; nil for a live account.
    public let clock: TestClock?

    public init(subscription: Subscription, tenantName: String, history: PlanHistory, clock: TestClock? = nil) {
        self.subscription = subscription
        self.tenantName = tenantName
        self.history = history
        self.clock = clock
    }

    public var id: SubscriptionID { subscription.id }

    /// True where it is in force just before `instant`.
    func isInForce(before instant: Timestamp) -> Bool {
        subscription.startsAt < instant && (subscription.endsAt.map { $0 >= instant } ?? true)
    }

    /// The version in force just before `instant`.
    func version(before instant: Timestamp) -> PlanVersion? {
        history.versions.last { $0.effectiveDate.instant(under: clock) < instant }
    }

    /// The version in force at `instant`.
    public func version(at instant: Timestamp) -> PlanVersion? { history.version(at: instant, under: clock) }
}

/// What a usage line is about: one meter of one model in one tier at one price.
public struct UsageCharge: Hashable, Sendable {
    public let subscriptionID: SubscriptionID
    public let plan: String
    public let planVersion: Int
    /// The public name.
    public let model: String
    public let priceKey: String
    /// The tier that served.
    public let tier: String
    public let meter: Meter
    /// The conditions of its price, as price rows name them; empty where none held.
    public let variant: String

    public init(
        subscriptionID: SubscriptionID, plan: String, planVersion: Int, model: String, priceKey: String, tier: String,
        meter: Meter, variant: String = ""
    ) {
        self.subscriptionID = subscriptionID
        self.plan = plan
        self.planVersion = planVersion
        self.model = model
        self.priceKey = priceKey
        self.tier = tier
        self.meter = meter
        self.variant = variant
    }
}

extension UsageCharge: Comparable {
    /// The order of lines: subscription, model, tier, conditions, meter, then the version.
    public static func < (left: UsageCharge, right: UsageCharge) -> Bool {
        if left.subscriptionID != right.subscriptionID { return left.subscriptionID < right.subscriptionID }
        if left.model != right.model { return left.model < right.model }
        if left.tier != right.tier { return left.tier < right.tier }
        if left.variant != right.variant { return left.variant < right.variant }
        if left.meter != right.meter { return left.meter < right.meter }
        return (left.plan, left.planVersion, left.priceKey) < (right.plan, right.planVersion, right.priceKey)
    }
}

/// A month's usage of one charge: sums over the rollups, and the price that makes an amount of them.
public struct RatedUsage: Hashable, Sendable {
    public let charge: UsageCharge
    public let price: PriceModel
    /// The plan version's rounding of lines.
    public let rounding: Rounding
    /// Base units billed.
    public let quantity: Int64
    /// What ingest made of it event by event. Only what the price makes of the quantity is billed; that both are equal
    /// is checked.
    public let rolledUp: Money

    public init(charge: UsageCharge, price: PriceModel, rounding: Rounding, quantity: Int64, rolledUp: Money) {
        self.charge = charge
        self.price = price
        self.rounding = rounding
        self.quantity = quantity
        self.rolledUp = rolledUp
    }

    /// What the quantity costs.
    public var amount: Money { price.amount(of: quantity, currency: rolledUp.currency) }
}

/// Usage of a month whose invoice is finalized: what the rollups say now beside what its lines and earlier adjustments
/// say. The difference is billed as an adjustment.
public struct EarlierUsage: Hashable, Sendable {
    public let period: ServicePeriod
    public let rated: RatedUsage
    public let invoicedQuantity: Int64
    /// Before rounding.
    public let invoicedExact: Money
    /// In whole minor units, as the lines asked for it.
    public let invoicedAmount: Money

    public init(
        period: ServicePeriod, rated: RatedUsage, invoicedQuantity: Int64, invoicedExact: Money,
        invoicedAmount: Money,
    ) {
        self.period = period
        self.rated = rated
        self.invoicedQuantity = invoicedQuantity
        self.invoicedExact = invoicedExact
        self.invoicedAmount = invoicedAmount
    }
}

/// A credit granted for a broken promise of an earlier month, and how much of it is on invoices already.
public struct CreditDue: Hashable, Sendable {
    public let resultID: ServiceLevelResultID
    public let subscriptionID: SubscriptionID
    /// The month in which the promise was broken.
    public let period: ServicePeriod
    public let plan: String
    public let planVersion: Int
    public let tier: String
    public let objective: Objective
    public let promised: Percentage
    public let attainment: Attainment
    public let creditPercent: Percentage
    /// The tier's exact charges of that month.
    public let base: Money
    /// Before rounding to the minor unit.
    public let exactCredit: Money
    /// In whole minor units.
    public let credit: Money
    /// Sum of the amounts of its lines on invoices that are not void, as a positive amount.
    public let applied: Money
    /// The same before rounding.
    public let appliedExact: Money
    public let evidence: PromiseEvidence

    public init(
        resultID: ServiceLevelResultID, subscriptionID: SubscriptionID, period: ServicePeriod, plan: String,
        planVersion: Int, tier: String, objective: Objective, promised: Percentage, attainment: Attainment,
        creditPercent: Percentage, base: Money, exactCredit: Money, credit: Money, applied: Money,
        appliedExact: Money, evidence: PromiseEvidence,
    ) {
        self.resultID = resultID
        self.subscriptionID = subscriptionID
        self.period = period
        self.plan = plan
        self.planVersion = planVersion
        self.tier = tier
        self.objective = objective
        self.promised = promised
        self.attainment = attainment
        self.creditPercent = creditPercent
        self.base = base
        self.exactCredit = exactCredit
        self.credit = credit
        self.applied = applied
        self.appliedExact = appliedExact
        self.evidence = evidence
    }
}

/// All that an invoice is made of. The same input gives the same draft, whatever the order of its parts.
public struct InvoiceInput: Sendable {
    public let accountID: AccountID
    public let currency: Currency
    public let month: BillingMonth
    /// How many invoices of this month are void: the next one gets another id.
    public let generation: Int
    public let subscriptions: [SubscriptionTerms]
    /// The month's own usage.
    public let usage: [RatedUsage]
    /// Usage of months that are invoiced.
    public let earlierUsage: [EarlierUsage]
    /// Credits granted for earlier months.
    public let credits: [CreditDue]

    public init(
        accountID: AccountID, currency: Currency, month: BillingMonth, generation: Int = 0,
        subscriptions: [SubscriptionTerms], usage: [RatedUsage], earlierUsage: [EarlierUsage] = [],
        credits: [CreditDue] = [],
    ) {
        self.accountID = accountID
        self.currency = currency
        self.month = month
        self.generation = generation
        self.subscriptions = subscriptions
        self.usage = usage
        self.earlierUsage = earlierUsage
        self.credits = credits
    }
}
