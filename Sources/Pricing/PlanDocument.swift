public import Identity
public import Metering
public import Monetary

/// What a plan document says: one version of one plan, before tiers are multiplied out. `docs/plans.md` explains each
/// key.
public struct PlanDocument: Hashable, Sendable {
    /// The plan's name in commands, URLs and price ids: lower-case words joined by dashes.
    public var plan: String
    /// Counts from 1, without gaps.
    public var version: Int
    /// The plan's name on invoices.
    public var title: String
    /// What every price of the plan is in.
    public var currency: Currency
    /// Requests accepted from this instant on are priced by this version.
    public var effectiveFrom: Timestamp
    /// How an invoice line becomes an amount that can be paid.
    public var rounding: Rounding
    /// Whether a tier's price with more than 6 decimals is rounded half to even, instead of being refused.
    public var roundsPrices: Bool
    /// What becomes of what the plan has no price for.
    public var unpriced: UnpricedRule
    /// The monthly fee; nil where there is none.
    public var baseFee: BaseFee?
    /// What is billed when an answer did not end as it should.
    public var policies: PlanPolicies
    /// The prices of the base tier, by price key.
    public var models: [String: TokenPrices]
    /// The other tiers, by name.
    public var tiers: [String: TierPricing]
    /// What batches cost; nil where they cost what their tier costs.
    public var batch: TierPricing?
    /// What places cost more or less; the first that applies counts.
    public var regions: [RegionPricing]
    /// What times cost more or less; the first that applies counts.
    public var times: [TimePricing]
    /// Calendars of holidays, by name.
    public var holidays: [String: HolidayCalendar]
    /// What is promised, by tier.
    public var promises: [String: [ServicePromise]]

    /// A document put together by hand; `PlanVersion` checks it.
    public init(
        plan: String, version: Int, title: String, currency: Currency, effectiveFrom: Timestamp,
        rounding: Rounding = .halfEven, roundsPrices: Bool = false, unpriced: UnpricedRule = .refuse,
        baseFee: BaseFee? = nil,
        policies: PlanPolicies = PlanPolicies(), models: [String: TokenPrices],
        tiers: [String: TierPricing] = [:], batch: TierPricing? = nil, regions: [RegionPricing] = [],
        times: [TimePricing] = [], holidays: [String: HolidayCalendar] = [:],
        promises: [String: [ServicePromise]] = [:]
    ) {
        self.plan = plan
        self.version = version
        self.title = title
        self.currency = currency
        self.effectiveFrom = effectiveFrom
        self.rounding = rounding
        self.roundsPrices = roundsPrices
        self.unpriced = unpriced
        self.baseFee = baseFee
        self.policies = policies
        self.models = models
        self.tiers = tiers
        self.batch = batch
        self.regions = regions
        self.times = times
        self.holidays = holidays
        self.promises = promises
    }
}

extension PlanDocument {
    /// Whether some price depends on more than model, tier and meter.
    public var hasConditions: Bool {
        !regions.isEmpty || !times.isEmpty || models.values.contains { !$0.context.isEmpty }
            || tiers.values.contains { $0.prices.values.contains { !$0.context.isEmpty } }
            || batch?.prices.values.contains { !$0.context.isEmpty } ?? false
    }

    /// What the document says about a tier, or about batches, which are priced as one; nil for the base tier.
    func pricing(of tier: String) -> TierPricing? {
        tier == ServiceTier.batch ? batch ?? tiers[tier] : tiers[tier]
    }

    /// What the document writes about an entry of `models` in a tier: the tier's own prices, else the base tier's.
    func prices(of entry: String, tier: String) -> TokenPrices? {
        pricing(of: tier)?.prices[entry] ?? models[entry]
    }

    /// The entry of `models` that prices a key: its own, else that of the longest beginning with an asterisk.
    func entry(for priceKey: String) -> String? {
        if models[priceKey] != nil { return priceKey }
        return models.keys.filter { NamePattern.isPattern($0) && NamePattern.matches($0, priceKey) }
            .max { $0.utf8.count < $1.utf8.count }
    }
}

/// The limits of a document. They bound what a version costs in memory, in the snapshot and in Postgres.
extension PlanDocument {
    /// Bytes of YAML.
    public static let textBytesMax = 4 * 1024 * 1024
    /// Characters of a plan's slug, a price key or a tier's name.
    public static let nameLengthMax = 64
    /// Characters of a title.
    public static let titleLengthMax = 120
    /// Tiers beside the base tier.
    public static let tiersMax = 32
    /// Promises of one tier.
    public static let promisesPerTierMax = 8
    /// Steps of one credit ladder.
    public static let creditStepsMax = 16
    /// Bands of long prompts of one model.
    public static let bandsMax = 16
    /// Regions, and entries of models and tiers in one scope.
    public static let regionsMax = 64
    /// Times, and spans of one.
    public static let timesMax = 32
    /// Calendars of holidays.
    public static let holidayCalendarsMax = 16
    /// Days of one calendar.
    public static let holidaysMax = 1_000
    /// Products of base prices and factors that one version may come to.
    public static let productsMax = 10_000_000
    /// Price rows of one version that are stored when it is published.
    public static let pricesMax = 100_000
    /// The highest version number.
    public static let versionMax = 1_000_000
}

/// What becomes of a request for something that the plan has no price for.
public enum UnpricedRule: String, CaseIterable, Hashable, Sendable {
    /// It is not sold: admission refuses it.
    case refuse
    /// It is served, and its usage waits in suspense for a price.
    case suspend
}

/// What is billed when an answer did not end as it should.
public struct PlanPolicies: Hashable, Sendable {
    /// Whether tokens that were counted, not reported, are billed.
    public enum Counted: String, CaseIterable, Sendable {
        /// The count is billed and labelled as such.
        case billCounted = "bill_counted"
        /// Nothing is billed; the waived amount stays visible.
        case waive
    }

    /// For plain answers; a stream whose client left is always cut.
    public var onClientAbort: ClientAbortPolicy
    /// For requests that were running when their gateway died.
    public var onGatewayLoss: Counted
    /// For answers that ended normally without the engine saying what it used.
    public var usageMissing: Counted

    /// The defaults are those of a document that does not say.
    public init(
        onClientAbort: ClientAbortPolicy = .drain, onGatewayLoss: Counted = .waive, usageMissing: Counted = .billCounted
    ) {
        self.onClientAbort = onClientAbort
        self.onGatewayLoss = onGatewayLoss
        self.usageMissing = usageMissing
    }
}
