public import Identity
import Metering

/// Every key that may be used at one moment, by the SHA-256 of its secret. Immutable: a change, or the passing of an
/// instant at which something begins or ends, brings a new directory, which shares all rows that did not change.
public final class KeyDirectory: Sendable {
    private let table: KeyTable
    /// Real time: keys expired and subscriptions ended by then are not granted.
    private let now: Timestamp

    /// What this table says at the real time `now`.
    public init(table: KeyTable, at now: Timestamp) {
        self.table = table
        self.now = now
    }

    /// How many keys are inside.
    public var count: Int { table.count }

    /// The grant of the key whose secret has this digest; nil for a key unknown, revoked or expired.
    public func grant(forSecretDigest digest: SHA256Digest) -> KeyGrant? {
        table.grant(forSecretDigest: digest, at: now)
    }
}

extension KeyDirectory {
    /// A directory of these grants, for all time. Those of one tenant must agree about its subscription and its clock.
    public convenience init(grants: [SHA256Digest: KeyGrant]) {
        var table = KeyTable()
        let always = Timestamp(milliseconds: .min)
        for (digest, grant) in grants {
            let tenant = TenantReference(accountID: grant.accountID, tenantID: grant.tenantID)
            table.put(
                SuppliedKey(
                    id: grant.keyID, accountID: grant.accountID, tenantID: grant.tenantID, projectID: grant.projectID,
                    secretDigest: digest, expiresAt: nil))
            let clock = grant.clock ?? TestClock(alwaysAheadByMilliseconds: grant.clockOffsetMilliseconds)
            table.set(SuppliedClock(tenant: tenant, clock: clock))
            table.removeSubscriptions(of: tenant)
            guard let subscription = grant.subscriptionID else { continue }
            table.add(
                SuppliedSubscription(
                    id: subscription, tenant: tenant, plan: grant.plan, startsAt: always, endsAt: nil))
            table.setPlan(
                grant.plan,
                versions: [
                    PlanTerms(
                        effectiveDate: EffectiveDate(from: always, publishedAt: nil), tiers: grant.tiers,
                        onClientAbort: grant.onClientAbort)
                ])
        }
        self.init(table: table, at: Timestamp(milliseconds: 0))
    }
}
