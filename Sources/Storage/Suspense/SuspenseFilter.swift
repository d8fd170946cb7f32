public import Accounts
public import Identity
public import Monetary

/// How usage left suspense.
public enum SuspenseOutcome: String, CaseIterable, Hashable, Sendable {
    /// Nobody pays for it.
    case waived
    /// It has a price after all.
    case rated
}

/// Why nobody could say which version of which plan prices usage: codes under which it is in suspense.
public enum UnknownTerms: String, CaseIterable, Hashable, Sendable {
    case unknownAccount = "unknown_account"
    case accountUnreadable = "account_unreadable"
    case unknownSubscription = "unknown_subscription"
    case subscriptionUnreadable = "subscription_unreadable"
    case subscriptionEnded = "subscription_ended"
    case noPlanVersion = "no_plan_version"
    case planVersionUnreadable = "plan_version_unreadable"

    /// Whether the account's hours and months were not known either, so that UTC's stood in for them.
    public var isOfCalendar: Bool { self == .unknownAccount || self == .accountUnreadable }
}

/// Usage without a price, or that contradicts itself. It blocks its account's invoice until someone resolves it.
public struct SuspendedUsage: Hashable, Sendable {
    public let accountID: AccountID
    public let attemptID: AttemptID
    /// Nil where the database refused the record: only its place in the journal is known.
    public let requestID: RequestID?
    public let acceptedAt: Timestamp
    public let periodStart: Timestamp
    /// A stable code, such as `no_price`.
    public let reason: String
    public let detail: String
    public let model: String?
    public let priceKey: String?
    public let resolvedAt: Timestamp?
    public let outcome: SuspenseOutcome?
    /// Why, in the words of who resolved it.
    public let resolution: String?
    public let resolvedBy: String?
    /// The version that priced it, where it was rated.
    public let plan: String?
    public let planVersion: Int?
}

/// Which suspended usage is meant.
public struct SuspenseFilter: Hashable, Sendable {
    public var account: AccountID?
    /// Of accounts of that mode; nil for both.
    public var mode: AccountMode?
    public var attempts: [AttemptID]?
    /// A stable code, such as `no_price`.
    public var reason: String?
    /// The model's own name.
    public var model: String?
    public var priceKey: String?
    /// Acceptance, billing time; half-open.
    public var from: Timestamp?
    public var to: Timestamp?

    /// The most attempts that one filter names.
    public static let attemptsMax = 10_000

    public init(account: AccountID? = nil) {
        self.account = account
    }

    /// True where nothing is left out: a slip of the hand should not forgive everybody everything.
    public var isEverything: Bool {
        var filter = self
        filter.mode = nil
        return filter == SuspenseFilter()
    }
}

/// What shall become of suspended usage, and who says so.
public struct SuspenseOrder: Hashable, Sendable {
    public var outcome: SuspenseOutcome
    public var filter: SuspenseFilter
    /// Why; it stays with the usage.
    public var reason: String
    /// What the caller knows the reason as.
    public var reasonParameter = "reason"
    /// Computes everything and stores nothing.
    public var isDryRun = false

    /// An order for all that the filter lets through.
    public init(_ outcome: SuspenseOutcome, _ filter: SuspenseFilter, reason: String) {
        self.outcome = outcome
        self.filter = filter
        self.reason = reason
    }
}

/// What an order did.
public struct SuspenseReport: Hashable, Sendable {
    /// Records that left suspense.
    public var resolved = 0
    /// Accounts to which they belong.
    public var accounts: Set<AccountID> = []
    /// What is billed for them, by currency; nothing where they were waived.
    public var amounts: [Currency: Money] = [:]
    /// Records that still have no price, by what is wrong with them.
    public var unpriced: [String: Int] = [:]

    /// The most explanations that are told apart; what comes later is counted under `other`.
    public static let explanationsMax = 50

    public init() {}

    /// Counts records that stay.
    public mutating func stays(because explanation: String, count: Int = 1) {
        let isNew = unpriced[explanation] == nil
        let key = isNew && unpriced.count >= Self.explanationsMax ? "other" : explanation
        unpriced[key, default: 0] += count
    }

    /// Takes over what was done to another account.
    public mutating func add(_ other: SuspenseReport) throws(MonetaryError) {
        resolved += other.resolved
        accounts.formUnion(other.accounts)
        for (currency, amount) in other.amounts {
            amounts[currency] = try (amounts[currency] ?? .zero(currency)).adding(amount)
        }
        for (explanation, count) in other.unpriced { stays(because: explanation, count: count) }
    }
}
