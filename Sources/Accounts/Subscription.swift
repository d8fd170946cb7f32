public import Identity

/// A tenant's subscription to a plan over a span of billing time. A tenant has at most one at any instant.
public struct Subscription: Hashable, Sendable, Identifiable {
    public let id: SubscriptionID
    public let accountID: AccountID
    public let tenantID: TenantID
    /// The plan's slug; which version prices a request follows from its acceptance.
    public let plan: String
    /// Billing time of the first instant.
    public let startsAt: Timestamp
    /// Billing time of the first instant that is no longer in it; nil while nobody ended it.
    public var endsAt: Timestamp?
    public let createdAt: Timestamp

    public init(
        id: SubscriptionID, accountID: AccountID, tenantID: TenantID, plan: String, startsAt: Timestamp,
        endsAt: Timestamp? = nil, createdAt: Timestamp
    ) {
        self.id = id
        self.accountID = accountID
        self.tenantID = tenantID
        self.plan = plan
        self.startsAt = startsAt
        self.endsAt = endsAt
        self.createdAt = createdAt
    }

    /// How long after its end requests are still its own: gateways may not know of the end any sooner.
    public static let endNoticeMilliseconds: Int64 = 60_000

    /// The subscription by which a request is rated that names this one and was accepted at that instant of billing
    /// time: this one until `endNoticeMilliseconds` after its end, else the one that its tenant had by then. Nil where
    /// it had none.
    ///
    /// - Parameter all: the subscriptions that the tenant has or had with the account; asked for after the end alone.
    public func rating<Failure: Error>(
        at accepted: Timestamp, among all: () throws(Failure) -> [Subscription]
    ) throws(Failure) -> Subscription? {
        guard let endsAt, accepted >= endsAt.advanced(byMilliseconds: Self.endNoticeMilliseconds) else { return self }
        return try all().first {
            $0.accountID == accountID && $0.tenantID == tenantID && $0.isInForce(at: accepted)
        }
    }

    /// Whether it covers this instant of billing time.
    public func isInForce(at billingTime: Timestamp) -> Bool {
        startsAt <= billingTime && (endsAt.map { billingTime < $0 } ?? true)
    }

    /// Whether both cover a common instant.
    public func overlaps(_ other: Subscription) -> Bool {
        (other.endsAt.map { startsAt < $0 } ?? true) && (endsAt.map { other.startsAt < $0 } ?? true)
    }
}
