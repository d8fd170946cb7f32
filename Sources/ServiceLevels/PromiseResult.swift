public import Identity
public import Monetary

/// Whether a promise was kept.
public enum PromiseStatus: String, CaseIterable, Hashable, Sendable {
    case kept
    case broken
    /// Too few requests counted to judge.
    case notJudged = "not_judged"
}

/// What a month's requests say about one promise.
public struct PromiseResult: Sendable {
    public let tally: PromiseTally
    public let status: PromiseStatus
    /// The ladder's answer; zero unless broken.
    public let creditPercent: Percentage?

    public init(_ tally: PromiseTally) {
        self.tally = tally
        let attainment = tally.attainment
        if attainment.counted < tally.promise.minimumRequests || attainment.counted == 0 {
            status = .notJudged
            creditPercent = nil
        } else if attainment.reaches(tally.promise.promised) {
            status = .kept
            creditPercent = nil
        } else {
            status = .broken
            creditPercent = tally.promise.ladder.credit(for: attainment)
        }
    }

    public var promise: TierPromise { tally.promise }
    public var attainment: Attainment { tally.attainment }
}

/// The results of one tier's promises for a month and what they earn together.
public struct TierCredit: Sendable {
    /// In the order of their objectives' names.
    public let results: [PromiseResult]
    /// The index of the result that earns the credit; nil when none does.
    public let decisiveIndex: Int?
    /// The tier's exact charges of the month.
    public let base: Money
    /// `base` × the decisive percentage, rounded once to 10⁻¹².
    public let exactCredit: Money
    /// The credit as it is granted: `exactCredit` rounded once to the minor unit.
    public let credit: Money

    /// Several broken promises of one tier do not add up: the largest credit is given, and a percentage is at most 100,
    /// so a tier never gives back more than it charged. Among equals the objective first by name decides.
    public init(
        results: [PromiseResult], charges base: Money, rounding: Rounding = .halfEven,
    ) throws(MonetaryError) {
        let ordered = results.sorted { $0.promise.sortKey < $1.promise.sortKey }
        var decisive: Int?
        for (index, result) in ordered.enumerated() {
            guard let percent = result.creditPercent else { continue }
            if let best = decisive, let bestPercent = ordered[best].creditPercent, percent <= bestPercent { continue }
            decisive = index
        }
        self.results = ordered
        self.base = base
        if let decisive, let percent = ordered[decisive].creditPercent, !base.isNegative {
            exactCredit = try base.multiplied(by: percent.ratio)
            credit = try exactCredit.roundedToMinorUnit(rounding)
        } else {
            exactCredit = .zero(base.currency)
            credit = .zero(base.currency)
        }
        decisiveIndex = exactCredit.isZero ? nil : decisive
    }
}

extension TierPromise {
    /// Orders promises of one tier.
    var sortKey: (String, Int64) { (objective.name, objective.thresholdMilliseconds ?? 0) }
}

/// Names one promise's result for one month: the same promise always gets the same id.
public struct PromiseResultIdentity: Hashable, Sendable {
    public let accountID: AccountID
    public let subscriptionID: SubscriptionID
    public let periodStart: Timestamp
    public let tier: String
    public let objective: Objective

    public init(
        accountID: AccountID, subscriptionID: SubscriptionID, periodStart: Timestamp, tier: String,
        objective: Objective,
    ) {
        self.accountID = accountID
        self.subscriptionID = subscriptionID
        self.periodStart = periodStart
        self.tier = tier
        self.objective = objective
    }

    /// Derived from all of the above.
    public var resultID: ServiceLevelResultID {
        let parts = [
            "service-level", "\(accountID)", "\(subscriptionID)", "\(periodStart)", tier, objective.name,
            "\(objective.thresholdMilliseconds ?? 0)",
        ]
        return ServiceLevelResultID(UUIDv7(derivedFrom: SHA256Digest(of: parts.joined(separator: "\n"))))
    }
}
