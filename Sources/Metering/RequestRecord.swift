public import Identity

/// A label that the client put on its request, kept on the record and usable in usage queries.
public struct Tag: Hashable, Sendable {
    /// 1 to 64 bytes.
    public let name: String
    /// At most 512 bytes.
    public let value: String

    /// The most tags that a record keeps.
    public static let countMax = 20
    /// The longest name, in bytes of UTF-8.
    public static let nameBytesMax = 64
    /// The longest value, in bytes of UTF-8.
    public static let valueBytesMax = 512

    /// A label; the gateway checks the bounds and leaves out what exceeds them, with a note on the record.
    public init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}

/// One authenticated request, whatever became of it. Promises are judged on these, money on attempts.
public struct RequestRecord: Hashable, Sendable {
    /// Carries the acceptance in billing time.
    public var id: RequestID
    public var accountID: AccountID
    public var tenantID: TenantID
    public var projectID: ProjectID
    public var keyID: KeyID
    /// The subscription whose plan prices this request, as the snapshot had it at acceptance.
    public var subscriptionID: SubscriptionID
    /// The form in which the client asked.
    public var surface: Surface
    /// The first 16 bytes of SHA-256 over key id and `Idempotency-Key`, then 16 bytes that tell what was asked; empty
    /// when the client sent no key.
    public var idempotencyDigest: [UInt8]
    /// The model as the client wrote it: its own name or an alias.
    public var modelRequested: String
    /// The model's own name in the catalogue: limits, prices, rollups, invoices and metrics go by it.
    public var model: String
    /// A tier of the plan; `standard` when the client named none.
    public var tierRequested: String
    public var isStream: Bool
    public var outcome: RequestOutcome
    /// The status that the client was sent; 499 when it left before there was one.
    public var httpStatus: Int32
    /// A stable code for what went wrong, such as `upstream_unavailable`; empty on success.
    public var reason: String
    /// As the client saw them: `firstByte` and the tokens are when the gateway wrote them out.
    public var marks: TimeMarks
    public var tags: [Tag]
    /// Billing time minus real time at acceptance, in milliseconds (the account's test clock).
    public var clockOffsetMilliseconds: Int64
    public var notes: RecordNotes

    /// A record of a request just accepted; the rest is filled in as things happen. `model` is nil where the client
    /// wrote the model's own name.
    public init(
        id: RequestID, accountID: AccountID, tenantID: TenantID, projectID: ProjectID, keyID: KeyID,
        subscriptionID: SubscriptionID, surface: Surface, modelRequested: String, model: String? = nil,
        idempotencyDigest: [UInt8] = [],
        tierRequested: String = "standard", isStream: Bool = false, outcome: RequestOutcome = .success,
        httpStatus: Int32 = 200, reason: String = "", marks: TimeMarks = TimeMarks(), tags: [Tag] = [],
        clockOffsetMilliseconds: Int64 = 0, notes: RecordNotes = []
    ) {
        self.id = id
        self.accountID = accountID
        self.tenantID = tenantID
        self.projectID = projectID
        self.keyID = keyID
        self.subscriptionID = subscriptionID
        self.surface = surface
        self.idempotencyDigest = idempotencyDigest
        self.modelRequested = modelRequested
        self.model = model ?? modelRequested
        self.tierRequested = tierRequested
        self.isStream = isStream
        self.outcome = outcome
        self.httpStatus = httpStatus
        self.reason = reason
        self.marks = marks
        self.tags = tags
        self.clockOffsetMilliseconds = clockOffsetMilliseconds
        self.notes = notes
    }

    /// What was asked for.
    public var operation: Operation { surface.operation }

    /// Acceptance in billing time: prices and periods go by it.
    public var acceptedAt: Timestamp { id.uuid.timestamp }
}
