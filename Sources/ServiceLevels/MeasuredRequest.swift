public import Identity
public import Metering

/// What promises look at of one request record.
public struct MeasuredRequest: Hashable, Sendable {
    public let id: RequestID
    public let subscriptionID: SubscriptionID
    /// The tier for whose promises it counts; see `PromiseScope`.
    public let tier: String
    /// The tier that served it, where that is not the one asked for.
    public let servedInstead: String?
    public let isStream: Bool
    public let outcome: RequestOutcome
    public let httpStatus: Int32
    /// A stable code for what went wrong; empty on success.
    public let reason: String
    /// When the first byte went out to the client, in microseconds since acceptance; nil when none did.
    public let firstByteMicroseconds: Int64?
    /// When the first token went out to the client, in microseconds since acceptance; nil when none did.
    public let firstTokenMicroseconds: Int64?
    /// When the answer ended, in microseconds since acceptance.
    public let endMicroseconds: Int64?

    public init(
        id: RequestID, subscriptionID: SubscriptionID, tier: String, isStream: Bool, outcome: RequestOutcome,
        httpStatus: Int32, reason: String, firstByteMicroseconds: Int64?, firstTokenMicroseconds: Int64?,
        endMicroseconds: Int64?, servedInstead: String? = nil,
    ) {
        self.id = id
        self.subscriptionID = subscriptionID
        self.tier = tier
        self.isStream = isStream
        self.outcome = outcome
        self.httpStatus = httpStatus
        self.reason = reason
        self.firstByteMicroseconds = firstByteMicroseconds
        self.firstTokenMicroseconds = firstTokenMicroseconds
        self.endMicroseconds = endMicroseconds
        self.servedInstead = servedInstead
    }

    /// Acceptance in billing time.
    public var acceptedAt: Timestamp { id.uuid.timestamp }
}
