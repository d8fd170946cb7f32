public import Identity

/// One upstream try (or one inference inside an answer): usage, and with it money.
public struct AttemptRecord: Hashable, Sendable {
    /// Carries the same millisecond as its request.
    public var id: AttemptID
    /// Its place among the attempts of its request, from 1: tries in their order, and behind a try the inferences
    /// inside its answer. No two of a request have the same.
    public var number: Int32
    /// The backend's name in the catalogue.
    public var backend: String
    /// What the backend calls the model.
    public var upstreamModel: String
    /// What the engine's answer says the model was; the upstream name when it is silent.
    public var modelServed: String
    /// The key under which plans price this model.
    public var priceKey: String
    /// The tier that the engine's answer names; nil when it is silent.
    public var tierServed: String?
    public var buckets: TokenBuckets
    public var usageSource: UsageSource
    /// False when part of the usage had to be estimated or the answer was cut before its usage.
    public var usageComplete: Bool
    /// Usage that contradicts itself goes to suspense instead of being priced; says how.
    public var contradiction: String?
    public var termination: Termination
    /// The engine's finish reason (`stop`, `length` …); nil when none was seen.
    public var finishReason: String?
    /// The engine's HTTP status; 0 when there was no answer.
    public var upstreamStatus: Int32
    /// The answer's own id, such as `chatcmpl-…`.
    public var upstreamID: String?
    /// Events with content that the gateway received from the engine.
    public var contentEvents: Int64
    /// As the engine's side of the gateway saw them.
    public var marks: TimeMarks
    /// Whether this attempt's answer is the one that the client got: by default the only one that is billed.
    public var isDelivered: Bool
    /// Such as `h100x8`; empty when the catalogue does not say.
    public var hardware: String
    /// Such as `fp8`; empty when the catalogue does not say.
    public var quantisation: String
    /// The engine's usage object as it came, at most `rawUsageBytesMax` bytes of JSON.
    public var rawUsage: [UInt8]

    /// What this inference was for.
    public var kind: InferenceKind
    /// What it came to beside tokens.
    public var units: UsageUnits
    /// The engine's own clock.
    public var timings: EngineTimings
    /// Whether it is billed at the price of batches.
    public var isBatch: Bool
    /// Where the backend stands, such as `eu-central-1`; empty when the catalogue does not say.
    public var region: String
    /// What the engine says it costs us, as decimal text in US dollars (OpenRouter's `cost`); nil when it is silent.
    public var engineCost: String?
    public var notes: RecordNotes

    /// The most raw usage that a record keeps.
    public static let rawUsageBytesMax = 4096

    /// An attempt just begun; the rest is filled in as things happen.
    public init(
        id: AttemptID, number: Int32 = 1, backend: String, upstreamModel: String, priceKey: String,
        hardware: String = "", quantisation: String = ""
    ) {
        self.id = id
        self.number = number
        self.backend = backend
        self.upstreamModel = upstreamModel
        self.modelServed = upstreamModel
        self.priceKey = priceKey
        self.tierServed = nil
        self.buckets = TokenBuckets()
        self.usageSource = .nothing
        self.usageComplete = false
        self.contradiction = nil
        self.termination = .upstreamError
        self.finishReason = nil
        self.upstreamStatus = 0
        self.upstreamID = nil
        self.contentEvents = 0
        self.marks = TimeMarks()
        self.isDelivered = true
        self.hardware = hardware
        self.quantisation = quantisation
        self.rawUsage = []
        self.kind = .primary
        self.units = UsageUnits()
        self.timings = EngineTimings()
        self.isBatch = false
        self.region = ""
        self.engineCost = nil
        self.notes = []
    }
}

extension AttemptRecord {
    /// The quantity of one meter, tokens or another unit.
    public func quantity(of meter: Meter) -> Int64 {
        if meter == .requests { return isAnsweredRequest ? 1 : 0 }
        return meter.isUnit ? units.quantity(of: meter) : buckets.quantity(of: meter)
    }

    /// Whether it is an answer, and not one of several inferences inside one, or a failure that made nothing.
    private var isAnsweredRequest: Bool {
        guard kind == .primary || kind == .batchItem else { return false }
        return termination == .complete || usageSource != .nothing
    }
}

/// A request and its attempts, as one journal entry holds them.
public struct UsageEntry: Hashable, Sendable {
    public var request: RequestRecord
    public var attempts: [AttemptRecord]

    /// The most attempts that one request can have.
    public static let attemptsMax = 64

    /// Joins a request and its attempts, in the order of their numbers.
    public init(request: RequestRecord, attempts: [AttemptRecord]) {
        self.request = request
        self.attempts = attempts
    }

    /// The inference that is the client's answer: the first one delivered, summaries, advice and parts of compound
    /// systems apart, because an answer's own record stands before those of the inferences inside it. Its tier is the
    /// request's. Nil where nothing was delivered.
    public var answer: AttemptRecord? {
        attempts.first { $0.isDelivered && ($0.kind == .primary || $0.kind == .fallback) }
            ?? attempts.first { $0.isDelivered }
    }
}

/// Requests refused at the gate (401, 402, 429 …): counts, never records.
public struct RefusalCount: Hashable, Sendable {
    /// Nil when the key was not known.
    public var accountID: AccountID?
    /// Nil when the key was not known.
    public var keyID: KeyID?
    /// A stable code such as `invalid_api_key`.
    public var reason: String
    /// The start of the minute, in billing time.
    public var minute: Timestamp
    public var count: Int64

    public init(accountID: AccountID?, keyID: KeyID?, reason: String, minute: Timestamp, count: Int64) {
        self.accountID = accountID
        self.keyID = keyID
        self.reason = reason
        self.minute = minute
        self.count = count
    }
}
