public import Accounts
public import Engines
import Identity
import Pricing
import Storage

/// What a gateway is supplied with: everything it needs to admit and route, of one moment.
public struct SuppliedSnapshot: Sendable {
    /// The newest change inside; heartbeats report it once the gateway works by it.
    public let change: Int64
    public let keys: KeyDirectory
    public let catalogue: ModelCatalogue

    /// A snapshot of change `change`.
    public init(change: Int64, keys: KeyDirectory, catalogue: ModelCatalogue) {
        self.change = change
        self.keys = keys
        self.catalogue = catalogue
    }
}

/// From rows of the database to a snapshot. Pure: the same rows at the same time give the same snapshot.
struct SnapshotBuilder {
    let rows: SnapshotRows
    private let subscriptions: [TenantID: [Subscription]]

    init(rows: SnapshotRows) {
        self.rows = rows
        subscriptions = Dictionary(grouping: rows.subscriptions, by: \.tenantID)
    }

    /// The snapshot that is right when the real time is `now`.
    func snapshot(at now: Timestamp) -> SuppliedSnapshot {
        var grants: [SHA256Digest: KeyGrant] = [:]
        grants.reserveCapacity(rows.keys.count)
        for key in rows.keys where key.isUsable(at: now) {
            grants[key.secretDigest] = grant(of: key, at: now)
        }
        return SuppliedSnapshot(
            change: rows.change, keys: KeyDirectory(grants: grants), catalogue: ModelCatalogue(models: rows.models))
    }

    /// The next real time at which the same rows give another snapshot: a key expires, a subscription begins or ends,
    /// a plan's next version takes effect. Nil when nothing is ahead.
    func boundary(after now: Timestamp) -> Timestamp? {
        var times = rows.keys.compactMap(\.expiresAt)
        for subscription in rows.subscriptions {
            let offset = rows.clockOffsets[subscription.accountID] ?? 0
            let versions = rows.histories[subscription.plan]?.versions.map(\.effectiveFrom) ?? []
            for billing in [subscription.startsAt] + [subscription.endsAt].compactMap({ $0 }) + versions {
                times.append(billing.advanced(byMilliseconds: -offset))
            }
        }
        return times.filter { $0 > now }.min()
    }

    private func grant(of key: APIKey, at now: Timestamp) -> KeyGrant {
        let offset = rows.clockOffsets[key.accountID] ?? 0
        let billingTime = now.advanced(byMilliseconds: offset)
        let subscription = subscriptions[key.tenantID]?.first {
            $0.accountID == key.accountID && $0.isInForce(at: billingTime)
        }
        let version = subscription.flatMap { rows.histories[$0.plan]?.version(at: billingTime) }
        return KeyGrant(
            keyID: key.id, accountID: key.accountID, tenantID: key.tenantID, projectID: key.projectID,
            subscriptionID: version == nil ? nil : subscription?.id, plan: subscription?.plan ?? "",
            tiers: version?.tiers ?? [], onClientAbort: policy(version?.policies.onClientAbort),
            clockOffsetMilliseconds: offset)
    }

    private func policy(_ policy: PlanPolicies.ClientAbort?) -> ClientAbortPolicy {
        switch policy {
        case .cut: .cut
        case .drain, nil: .drain
        }
    }
}
