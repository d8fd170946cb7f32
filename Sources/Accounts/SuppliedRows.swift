public import Identity
public import Metering

/// A key as gateways are supplied with it.
public struct SuppliedKey: Hashable, Sendable {
    public let id: KeyID
    public let accountID: AccountID
    public let tenantID: TenantID
    public let projectID: ProjectID
    public let secretDigest: SHA256Digest
    /// Real time from which it is refused; nil for a key that was not rotated.
    public let expiresAt: Timestamp?

    public init(
        id: KeyID, accountID: AccountID, tenantID: TenantID, projectID: ProjectID, secretDigest: SHA256Digest,
        expiresAt: Timestamp?
    ) {
        self.id = id
        self.accountID = accountID
        self.tenantID = tenantID
        self.projectID = projectID
        self.secretDigest = secretDigest
        self.expiresAt = expiresAt
    }
}

/// A tenant of an account: what subscriptions and test clocks belong to.
public struct TenantReference: Hashable, Sendable {
    public let accountID: AccountID
    public let tenantID: TenantID

    public init(accountID: AccountID, tenantID: TenantID) {
        self.accountID = accountID
        self.tenantID = tenantID
    }
}

/// A subscription as gateways are supplied with it; times are billing time.
public struct SuppliedSubscription: Hashable, Sendable {
    public let id: SubscriptionID
    public let tenant: TenantReference
    /// The plan's slug.
    public let plan: String
    public let startsAt: Timestamp
    /// The first instant that is no longer in it; nil while nobody ended it.
    public let endsAt: Timestamp?

    public init(id: SubscriptionID, tenant: TenantReference, plan: String, startsAt: Timestamp, endsAt: Timestamp?) {
        self.id = id
        self.tenant = tenant
        self.plan = plan
        self.startsAt = startsAt
        self.endsAt = endsAt
    }
}

/// The test clock of a tenant's account; one that was never moved for a live account.
public struct SuppliedClock: Hashable, Sendable {
    public let tenant: TenantReference
    public let clock: TestClock

    public init(tenant: TenantReference, clock: TestClock) {
        self.tenant = tenant
        self.clock = clock
    }

    /// Billing time minus real time.
    public var offsetMilliseconds: Int64 { clock.offsetMilliseconds }
}

/// What a version of a plan means for admission.
public struct PlanTerms: Hashable, Sendable {
    /// From when the version is in force.
    public let effectiveDate: EffectiveDate
    /// The tiers that it sells.
    public let tiers: [String]
    public let onClientAbort: ClientAbortPolicy

    public init(effectiveDate: EffectiveDate, tiers: [String], onClientAbort: ClientAbortPolicy) {
        self.effectiveDate = effectiveDate
        self.tiers = tiers
        self.onClientAbort = onClientAbort
    }
}
