public import Identity

/// What others are told of a change.
public struct OutboxEvent: Hashable, Sendable, Identifiable {
    public let id: EventID
    public let chain: AuditChain
    /// That of the change's audit entry: events of a chain are told in its order.
    public let number: Int64
    /// Such as `api_key.rotated`; docs/events.md has them all.
    public let name: String
    /// Real time.
    public let occurredAt: Timestamp
    /// A JSON object.
    public let payload: String

    public init(
        id: EventID, chain: AuditChain, number: Int64, name: String, occurredAt: Timestamp, payload: String
    ) {
        self.id = id
        self.chain = chain
        self.number = number
        self.name = name
        self.occurredAt = occurredAt
        self.payload = payload
    }
}
