public import Identity
public import Metering

/// What an API key stands for: all that the gateway needs to admit a request, without asking anyone.
public struct KeyGrant: Hashable, Sendable {
    public let keyID: KeyID
    public let accountID: AccountID
    public let tenantID: TenantID
    public let projectID: ProjectID
    /// The tenant's current subscription; nil when it has none, and then nothing is admitted.
    public let subscriptionID: SubscriptionID?
    /// The plan's slug.
    public let plan: String
    /// The tiers that the plan sells; a request for another is refused.
    public let tiers: [String]
    public let onClientAbort: ClientAbortPolicy
    /// Billing time minus real time (the account's test clock), in milliseconds.
    public let clockOffsetMilliseconds: Int64
    /// The account's test clock, by which versions of its plan take effect; nil where it was never moved.
    public let clock: TestClock?

    public init(
        keyID: KeyID, accountID: AccountID, tenantID: TenantID, projectID: ProjectID,
        subscriptionID: SubscriptionID?, plan: String, tiers: [String], onClientAbort: ClientAbortPolicy,
        clockOffsetMilliseconds: Int64, clock: TestClock? = nil
    ) {
        self.keyID = keyID
        self.accountID = accountID
        self.tenantID = tenantID
        self.projectID = projectID
        self.subscriptionID = subscriptionID
        self.plan = plan
        self.tiers = tiers
        self.onClientAbort = onClientAbort
        self.clockOffsetMilliseconds = clockOffsetMilliseconds
        self.clock = clock
    }
}
