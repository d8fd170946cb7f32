public import Identity
public import Metering
public import Monetary
public import Pricing

/// What rating made of an attempt.
public enum RatingState: String, CaseIterable, Hashable, Sendable {
    /// Priced and billed.
    case rated
    /// Priced and, by the plan's rule, not billed; the amount says what was waived.
    case waived
    /// Another attempt's answer was delivered.
    case notBillable = "not_billable"
    /// Without a price, or contradictory: waits in suspense.
    case suspended
}

/// The part of an attempt's amount that one price row gives.
public struct IngestLine: Hashable, Sendable {
    /// The effective price row.
    public let priceID: String
    /// Base units, above zero.
    public let quantity: Int64
    public let amount: Money

    public init(priceID: String, quantity: Int64, amount: Money) {
        self.priceID = priceID
        self.quantity = quantity
        self.amount = amount
    }
}

extension IngestAttempt {
    /// An attempt, priced.
    public init(_ record: AttemptRecord, rated: RatedAttempt, by version: PlanVersion) throws(MonetaryError) {
        self.init(
            record: record, rating: rated.waiver == nil ? .rated : .waived, plan: version.planID,
            planVersion: version.version, tier: rated.tier, variant: rated.variant, amount: try rated.total(),
            lines: rated.charges.map {
                IngestLine(priceID: $0.price.id, quantity: $0.quantity, amount: $0.amount)
            }, conditionalPrices: rated.charges.map(\.price).filter { !version.isStoredAtPublication($0) })
    }
}

/// An attempt and what it costs.
public struct IngestAttempt: Hashable, Sendable {
    public var record: AttemptRecord
    public var rating: RatingState
    /// The plan and version that priced it; nil where none did.
    public var plan: String?
    public var planVersion: Int?
    /// The tier that was billed.
    public var tier: String
    /// The conditions of its prices; empty where none held.
    public var variant: String
    /// The sum of the lines: billed, or waived.
    public var amount: Money
    public var lines: [IngestLine]
    /// The rows of its lines that were not stored when the version was published.
    public var conditionalPrices: [EffectivePrice]
    /// Why it waits in suspense: a stable code and a sentence; nil where it does not.
    public var suspense: Suspense?

    /// A reason to wait.
    public struct Suspense: Hashable, Sendable {
        public let reason: String
        public let detail: String

        public init(reason: String, detail: String) {
            self.reason = reason
            self.detail = detail
        }
    }

    public init(
        record: AttemptRecord, rating: RatingState, plan: String?, planVersion: Int?, tier: String,
        variant: String = "", amount: Money, lines: [IngestLine], conditionalPrices: [EffectivePrice] = [],
        suspense: Suspense? = nil
    ) {
        self.record = record
        self.rating = rating
        self.plan = plan
        self.planVersion = planVersion
        self.tier = tier
        self.variant = variant
        self.amount = amount
        self.lines = lines
        self.conditionalPrices = conditionalPrices
        self.suspense = suspense
    }
}

/// A request, its rated attempts, and where they belong in the account's calendar.
public struct IngestRequest: Hashable, Sendable {
    public var request: RequestRecord
    /// The tier that promises and prices go by: served, else requested.
    public var tier: String
    public var attempts: [IngestAttempt]
    /// The billing period of acceptance.
    public var periodStart: Timestamp
    /// The local hour of acceptance.
    public var hourStart: Timestamp
    /// The end of its entry in the journal: it is inside every position that is not before it.
    public var mark: JournalPosition

    public init(
        request: RequestRecord, tier: String, attempts: [IngestAttempt], periodStart: Timestamp,
        hourStart: Timestamp, mark: JournalPosition
    ) {
        self.request = request
        self.tier = tier
        self.attempts = attempts
        self.periodStart = periodStart
        self.hourStart = hourStart
        self.mark = mark
    }
}

/// A stretch of a journal, rated: what one transaction of ingest stores.
public struct IngestBatch: Sendable {
    public let journalID: JournalID
    public let epoch: Int64
    /// Where the database must stand, or nothing is stored.
    public var from: JournalPosition
    /// Where it stands afterwards.
    public var to: JournalPosition
    public var requests: [IngestRequest] = []
    public var refusals: [RefusalCount] = []
    public var quarantines: [StoredQuarantine] = []
    /// The last heartbeat in the stretch: real time, and the change that the gateway had applied.
    public var heartbeat: (through: Timestamp, snapshotChange: Int64)?
    /// Real time at which it is stored; nil where nobody asked.
    public var storedAt: Timestamp?
    /// Acceptance of the oldest request still open at `to`.
    public var oldestOpenAt: Timestamp?
    /// What changed of that by account; nil for an account that has none open any more.
    public var openChanges: [AccountID: Timestamp?] = [:]
    /// Whether all that is open at `to` is known by account.
    public var opensByAccount = true

    public init(journalID: JournalID, epoch: Int64, from: JournalPosition, to: JournalPosition) {
        self.journalID = journalID
        self.epoch = epoch
        self.from = from
        self.to = to
    }
}
