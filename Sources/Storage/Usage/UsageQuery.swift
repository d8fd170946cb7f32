public import Accounts
public import Engines
public import Identity
public import Metering
public import Monetary

/// What sums of usage are asked for.
public struct UsageQuery: Hashable, Sendable {
    /// What rows of the answer are told apart by, beside meter and currency.
    public enum Dimension: String, CaseIterable, Hashable, Sendable {
        /// The local hour of the account's zone, as its UTC start.
        case hour
        /// The local day of the account's zone.
        case day
        case account, tenant, project, key, model
        /// What the model is priced as.
        case priceKey = "price_key"
        case tier

        /// Its place in an answer.
        var column: String { "by_" + rawValue }
    }

    /// Of which usage.
    public enum Span: Hashable, Sendable {
        /// Billing time; half-open. Sums are kept by local hour, so both are whole hours of the accounts' zones.
        case instants(from: Timestamp, to: Timestamp)
        /// A billing month, of each account in its own zone.
        case month(CivilMonth)
    }

    public var span: Span
    public var account: AccountID?
    /// Of accounts of that mode; nil for both.
    public var mode: AccountMode?
    public var tenant: TenantID?
    public var project: ProjectID?
    public var key: KeyID?
    public var model: String?
    public var tier: String?
    public var meter: Meter?
    /// Requests that carry all of these tags. With tags the answer is summed from single records, which is slower.
    public var tags: [Tag]
    public var groupBy: Set<Dimension>

    /// The most rows of an answer.
    public static let rowsMax = 10_000

    /// All usage of a span, told apart by meter and currency only.
    public init(from: Timestamp, to: Timestamp, groupBy: Set<Dimension> = []) {
        self.init(.instants(from: from, to: to), groupBy: groupBy)
    }

    /// All usage of a span, told apart by meter and currency only.
    public init(_ span: Span, groupBy: Set<Dimension> = []) {
        self.span = span
        self.tags = []
        self.groupBy = groupBy
    }
}

/// What a query of usage found.
public struct UsageSums: Hashable, Sendable {
    /// In the order of what they are grouped by, then of the meters.
    public let totals: [UsageTotal]
    /// Accounts whose usage is missing, because their rows do not read.
    public let leftOut: [ServiceFault]
}

/// A sum of usage: what was billed and what was waived of one meter.
public struct UsageTotal: Hashable, Sendable {
    /// Only what the query grouped by is set. Ids are in their prefixed form, hours RFC 3339, days `2026-11-23`.
    public let group: [UsageQuery.Dimension: String]
    public let meter: Meter
    /// Billed base units.
    public let quantity: Int128
    /// Billed, exact.
    public let amount: Money
    public let waivedQuantity: Int128
    public let waivedAmount: Money
    /// Attempts that added to the billed quantity.
    public let records: Int64
}

/// A request as it is stored, with its attempts.
public struct StoredRequest: Hashable, Sendable {
    public let request: RequestRecord
    /// The tier that promises and prices go by.
    public let tier: String
    public let journalID: JournalID
    /// The end of its entry in the journal.
    public let mark: JournalPosition
    /// By number.
    public let attempts: [StoredAttempt]
}

/// An attempt as it is stored, with what rating made of it.
public struct StoredAttempt: Hashable, Sendable {
    public let record: AttemptRecord
    public let rating: RatingState
    public let plan: String?
    public let planVersion: Int?
    /// The tier that was billed.
    public let tier: String
    /// The conditions of its prices; empty where none held.
    public let variant: String
    /// Billed where `rating` says rated; else what was waived, or zero.
    public let amount: Money
}

/// Which single records are asked for.
public struct RecordFilter: Hashable, Sendable {
    public var account: AccountID?
    /// Of accounts of that mode; nil for both.
    public var mode: AccountMode?
    public var tenant: TenantID?
    public var project: ProjectID?
    public var key: KeyID?
    public var model: String?
    public var outcome: RequestOutcome?
    public var tags: [Tag] = []
    /// Billing time; half-open.
    public var from: Timestamp?
    public var to: Timestamp?

    public init() {}
}

extension UsageQuery {
    /// Whether it is about one account, by whatever name.
    public var isNamed: Bool { account != nil || tenant != nil || project != nil || key != nil }
}

extension RecordFilter {
    /// Whether it is about one account, by whatever name.
    public var isNamed: Bool { account != nil || tenant != nil || project != nil || key != nil }
}
