public import Accounts
public import Identity
public import Monetary
public import ServiceLevels

/// One promise's result for one month, as it is stored.
public struct StoredPromiseResult: Hashable, Sendable, Identifiable {
    public let id: ServiceLevelResultID
    public let accountID: AccountID
    public let subscriptionID: SubscriptionID
    public let period: BillingPeriod
    public let plan: String
    public let planVersion: Int
    public let tier: String
    public let objective: Objective
    public let promised: Percentage
    public let status: PromiseStatus
    public let attainment: Attainment
    public let excluded: Int64
    /// Zero where nothing is given back.
    public let creditPercent: Percentage
    /// The tier's exact charges of the month.
    public let base: Money
    public let exactCredit: Money
    /// Rounded to the minor unit.
    public let credit: Money
    public let evidence: PromiseEvidence
    /// How it was told which requests and charges belong to the tier.
    public let rule: PromiseScope.Rule
    /// Billing time.
    public let evaluatedAt: Timestamp

    public init(
        id: ServiceLevelResultID, accountID: AccountID, subscriptionID: SubscriptionID, period: BillingPeriod,
        plan: String, planVersion: Int, tier: String, objective: Objective, promised: Percentage,
        status: PromiseStatus, attainment: Attainment, excluded: Int64, creditPercent: Percentage, base: Money,
        exactCredit: Money, credit: Money, evidence: PromiseEvidence, rule: PromiseScope.Rule = .current,
        evaluatedAt: Timestamp
    ) {
        self.id = id
        self.accountID = accountID
        self.subscriptionID = subscriptionID
        self.period = period
        self.plan = plan
        self.planVersion = planVersion
        self.tier = tier
        self.objective = objective
        self.promised = promised
        self.status = status
        self.attainment = attainment
        self.excluded = excluded
        self.creditPercent = creditPercent
        self.base = base
        self.exactCredit = exactCredit
        self.credit = credit
        self.evidence = evidence
        self.rule = rule
        self.evaluatedAt = evaluatedAt
    }
}

/// A result whose credit is granted, and what of it is on final invoices or was paid out.
public struct GrantedResult: Hashable, Sendable {
    public let result: StoredPromiseResult
    /// Positive.
    public let applied: Money
    public let appliedExact: Money

    /// What is still owed of it, and the same before rounding.
    public func remaining() throws(MonetaryError) -> (amount: Money, exact: Money) {
        (try result.credit.subtracting(applied), try result.exactCredit.subtracting(appliedExact))
    }
}

extension StoredPromiseResult {
    /// Equal but for the moment of evaluation.
    func isSame(as other: StoredPromiseResult) -> Bool {
        (base, exactCredit, evidence, attainment, status, creditPercent)
            == (other.base, other.exactCredit, other.evidence, other.attainment, other.status, other.creditPercent)
            && (planVersion, promised, credit, rule) == (other.planVersion, other.promised, other.credit, other.rule)
    }
}
