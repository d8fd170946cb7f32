public import Identity
import Metering

/// Every key that may be used with what it stands for, in flat rows: at most 200 bytes a key, also where each key has a
/// tenant and a subscription of its own.
///
/// A value: whoever holds a copy has it unchanged, while the owner goes on changing single rows of his (see
/// `ChunkedArray`). Times are kept, not what is so now, so nothing needs to be built anew when a key expires, a
/// subscription begins or a version of a plan takes effect.
public struct KeyTable: Sendable {
    private var keys = ChunkedArray<KeyRow>()
    private var keyIndex = PositionIndex()
    private var tenants = ChunkedArray<TenantRow>()
    private var tenantIndex = PositionIndex()
    /// The clocks of the tenants that have one that was moved, by their place: those of tests, so there are few.
    private var clocks: [UInt32: TestClock] = [:]
    private var subscriptions = ChunkedArray<SubscriptionRow>()
    /// The first of the rows that are free for reuse.
    private var freeSubscription = SubscriptionRow.none
    private var plans: [PlanRow] = []
    private var planPositions: [String: UInt32] = [:]

    public init() {}

    /// How many keys there are, expired ones that are still inside too.
    public var count: Int { keys.count }

    /// What the key whose secret has this digest stands for at this real time; nil for one unknown, revoked or expired.
    public func grant(forSecretDigest digest: SHA256Digest, at now: Timestamp) -> KeyGrant? {
        guard let position = position(of: digest) else { return nil }
        let key = keys[position]
        guard now.milliseconds < key.expiresAt else { return nil }
        let tenant = tenants[Int(key.tenant)]
        let billingTime = now.milliseconds &+ tenant.clockOffset
        let subscription = subscription(of: tenant, at: billingTime)
        let plan = subscription.map { plans[Int($0.plan)] }
        let clock = tenant.clockOffset == 0 ? nil : clocks[key.tenant]
        let terms = plan?.terms(at: billingTime, under: clock)
        return KeyGrant(
            keyID: key.id, accountID: tenant.reference.accountID, tenantID: tenant.reference.tenantID,
            projectID: key.projectID, subscriptionID: terms == nil ? nil : subscription?.id, plan: plan?.slug ?? "",
            tiers: terms?.tiers ?? [], onClientAbort: terms?.onClientAbort ?? .drain,
            clockOffsetMilliseconds: tenant.clockOffset, clock: clock)
    }

    private func subscription(of tenant: TenantRow, at billingTime: Int64) -> SubscriptionRow? {
        var next = tenant.firstSubscription
        while next != SubscriptionRow.none {
            let row = subscriptions[Int(next)]
            if row.startsAt <= billingTime && billingTime < row.endsAt { return row }
            next = row.next
        }
        return nil
    }

    private func position(of digest: SHA256Digest) -> Int? {
        keyIndex.position(hash: digest.words.0) { keys[$0].digest == digest }
    }

    // MARK: Keys

    /// Adds the key, or puts it in the place of what had its digest.
    public mutating func put(_ key: SuppliedKey) {
        let tenant = TenantReference(accountID: key.accountID, tenantID: key.tenantID)
        let row = KeyRow(
            digest: key.secretDigest, id: key.id, projectID: key.projectID,
            expiresAt: key.expiresAt?.milliseconds ?? .max, tenant: UInt32(tenantPosition(tenant)))
        if let position = position(of: key.secretDigest) {
            keys[position] = row
            return
        }
        keys.append(row)
        keyIndex.insert(keys.count - 1, hash: key.secretDigest.words.0) { [keys] in keys[$0].digest.words.0 }
    }

    /// Takes the key with this digest out, if it is there.
    public mutating func removeKey(withSecretDigest digest: SHA256Digest) {
        guard let position = position(of: digest) else { return }
        keyIndex.remove(position, hash: digest.words.0) { [keys] in keys[$0].digest.words.0 }
        let last = keys.count - 1
        if position != last {
            keys[position] = keys[last]
            keyIndex.move(last, to: position, hash: keys[position].digest.words.0)
        }
        keys.removeLast()
    }

    /// Gives back the rows of keys that have expired.
    public mutating func removeExpiredKeys(at now: Timestamp) {
        removeKeys { $0.expiresAt <= now.milliseconds }
    }

    /// Takes the keys with these ids out, in one pass over all keys.
    public mutating func removeKeys(withIDs ids: Set<KeyID>) {
        removeKeys { ids.contains($0.id) }
    }

    private mutating func removeKeys(where isGone: (KeyRow) -> Bool) {
        var position = keys.count - 1
        // From the end: what comes into a place that became free was looked at already.
        while position >= 0 {
            if isGone(keys[position]) { removeKey(withSecretDigest: keys[position].digest) }
            position -= 1
        }
    }

    // MARK: Tenants and what is theirs

    /// How far the test clock of a tenant's account is ahead, in milliseconds; 0 for a tenant without rows.
    public func clockOffset(of tenant: TenantReference) -> Int64 {
        let hash = TenantRow.hash(of: tenant)
        return tenantIndex.position(hash: hash) { tenants[$0].reference == tenant }
            .map { tenants[$0].clockOffset } ?? 0
    }

    /// The test clock of a tenant's account stands so far ahead.
    public mutating func set(_ clock: SuppliedClock) {
        let position = tenantPosition(clock.tenant)
        tenants[position].clockOffset = clock.offsetMilliseconds
        clocks[UInt32(position)] = clock.offsetMilliseconds == 0 ? nil : clock.clock
    }

    /// Adds a subscription to those of its tenant. A tenant has at most one at any instant.
    public mutating func add(_ subscription: SuppliedSubscription) {
        let position = tenantPosition(subscription.tenant)
        let row = SubscriptionRow(
            id: subscription.id, startsAt: subscription.startsAt.milliseconds,
            endsAt: subscription.endsAt?.milliseconds ?? .max, plan: planPosition(subscription.plan),
            next: tenants[position].firstSubscription)
        if freeSubscription == SubscriptionRow.none {
            subscriptions.append(row)
            tenants[position].firstSubscription = UInt32(subscriptions.count - 1)
        } else {
            let free = freeSubscription
            freeSubscription = subscriptions[Int(free)].next
            subscriptions[Int(free)] = row
            tenants[position].firstSubscription = free
        }
    }

    /// Takes all subscriptions of a tenant out, before those that it has now are added.
    public mutating func removeSubscriptions(of tenant: TenantReference) {
        let position = tenantPosition(tenant)
        var next = tenants[position].firstSubscription
        tenants[position].firstSubscription = SubscriptionRow.none
        while next != SubscriptionRow.none {
            let after = subscriptions[Int(next)].next
            subscriptions[Int(next)].next = freeSubscription
            freeSubscription = next
            next = after
        }
    }

    private mutating func tenantPosition(_ tenant: TenantReference) -> Int {
        let hash = TenantRow.hash(of: tenant)
        if let position = tenantIndex.position(hash: hash, where: { tenants[$0].reference == tenant }) {
            return position
        }
        tenants.append(TenantRow(reference: tenant, clockOffset: 0, firstSubscription: SubscriptionRow.none))
        tenantIndex.insert(tenants.count - 1, hash: hash) { [tenants] in TenantRow.hash(of: tenants[$0].reference) }
        return tenants.count - 1
    }

    // MARK: Plans

    /// The versions of a plan, in the order of their dates; they replace those known before.
    public mutating func setPlan(_ slug: String, versions: [PlanTerms]) {
        let position = planPosition(slug)
        plans[Int(position)].versions = versions
    }

    private mutating func planPosition(_ slug: String) -> UInt32 {
        if let known = planPositions[slug] { return known }
        plans.append(PlanRow(slug: slug, versions: []))
        planPositions[slug] = UInt32(plans.count - 1)
        return UInt32(plans.count - 1)
    }
}

// MARK: - Everything inside

extension KeyTable {
    /// Calls `body` with each key.
    public func forEachKey(_ body: (SuppliedKey) throws -> Void) rethrows {
        for position in 0..<keys.count {
            let row = keys[position]
            let tenant = tenants[Int(row.tenant)].reference
            try body(
                SuppliedKey(
                    id: row.id, accountID: tenant.accountID, tenantID: tenant.tenantID, projectID: row.projectID,
                    secretDigest: row.digest, expiresAt: KeyTable.instant(row.expiresAt)))
        }
    }

    /// Calls `body` with each subscription and what its account's test clock is ahead.
    public func forEachSubscription(_ body: (SuppliedSubscription, _ clockOffset: Int64) throws -> Void) rethrows {
        for position in 0..<tenants.count {
            let tenant = tenants[position]
            var next = tenant.firstSubscription
            while next != SubscriptionRow.none {
                let row = subscriptions[Int(next)]
                try body(
                    SuppliedSubscription(
                        id: row.id, tenant: tenant.reference, plan: plans[Int(row.plan)].slug,
                        startsAt: Timestamp(milliseconds: row.startsAt), endsAt: KeyTable.instant(row.endsAt)),
                    tenant.clockOffset)
                next = row.next
            }
        }
    }

    /// Calls `body` for each tenant whose account has a test clock that was moved.
    public func forEachClock(_ body: (SuppliedClock) throws -> Void) rethrows {
        for position in 0..<tenants.count where tenants[position].clockOffset != 0 {
            let tenant = tenants[position]
            try body(SuppliedClock(tenant: tenant.reference, clock: clocks[UInt32(position)] ?? TestClock()))
        }
    }

    /// Bytes of memory that the rows and indexes hold, those shared with copies too.
    public var byteCount: Int {
        keys.byteCount + keyIndex.byteCount + tenants.byteCount + tenantIndex.byteCount + subscriptions.byteCount
    }

    private static func instant(_ milliseconds: Int64) -> Timestamp? {
        milliseconds == .max ? nil : Timestamp(milliseconds: milliseconds)
    }
}

// MARK: - Rows

private struct KeyRow: Sendable {
    let digest: SHA256Digest
    let id: KeyID
    let projectID: ProjectID
    /// Milliseconds of real time; the largest number for never.
    let expiresAt: Int64
    let tenant: UInt32
}

private struct TenantRow: Sendable {
    let reference: TenantReference
    var clockOffset: Int64
    var firstSubscription: UInt32

    /// Ids made in one millisecond differ in their lower half only, so both halves are mixed (the multiplier is that of
    /// Fibonacci hashing; the shift brings its upper bits down to where slots are counted).
    static func hash(of tenant: TenantReference) -> UInt64 {
        let (id, account) = (tenant.tenantID.uuid, tenant.accountID.uuid)
        var mixed = (id.low ^ account.low &* 31 ^ id.high) &* 0x9E37_79B9_7F4A_7C15
        mixed ^= mixed >> 32
        return mixed
    }
}

private struct SubscriptionRow: Sendable {
    /// No row.
    static let none = UInt32.max

    let id: SubscriptionID
    /// Milliseconds of billing time.
    let startsAt: Int64
    let endsAt: Int64
    let plan: UInt32
    /// The tenant's next one, or the next free row.
    var next: UInt32
}

private struct PlanRow: Sendable {
    let slug: String
    var versions: [PlanTerms]

    /// The last version that has taken effect.
    func terms(at billingTime: Int64, under clock: TestClock?) -> PlanTerms? {
        versions.last { $0.effectiveDate.instant(under: clock).milliseconds <= billingTime }
    }
}
