public import Accounts
public import Engines
import HeapModule
import Identity
public import Limits
import Metering
public import Pricing
import Storage
public import Tokenizers

/// What a gateway is supplied with: everything it needs to admit and route, of one moment.
public struct SuppliedSnapshot: Sendable {
    /// The newest change inside; heartbeats report it once the gateway works by it.
    public let change: Int64
    public let keys: KeyDirectory
    public let catalogue: ModelCatalogue
    /// Every published version of every plan.
    public let prices: PriceSnapshot
    public let limits: LimitDirectory
    /// Tokenizers that backends name, by the path that they name; those that cannot be counted with are not there.
    public let tokenizers: [String: Tokenizer]
    /// Under which gateways seal ids of files and batches; empty where it is not known.
    public let sealingSecret: [UInt8]
    /// What of it cannot be used, and why.
    public let faults: Set<ServiceFault>

    public init(
        change: Int64, keys: KeyDirectory, catalogue: ModelCatalogue, prices: PriceSnapshot,
        limits: LimitDirectory = .empty, tokenizers: [String: Tokenizer] = [:], sealingSecret: [UInt8] = [],
        faults: Set<ServiceFault> = []
    ) {
        self.change = change
        self.keys = keys
        self.catalogue = catalogue
        self.prices = prices
        self.limits = limits
        self.tokenizers = tokenizers
        self.sealingSecret = sealingSecret
        self.faults = faults
    }
}

/// Everything that snapshots are made of, kept current part by part. Pure: the same parts and the same time give the
/// same snapshot.
///
/// A value that shares its rows with its copies, so a snapshot, and the copy that is being written to disk, cost
/// nothing and stay as they were.
struct SnapshotState: Sendable {
    /// How often rows of keys that have expired are given back: once a day.
    private static let sweepMilliseconds: Int64 = 86_400_000
    /// How many instants there may be beside twice as many as at the last count.
    private static let boundariesSpare = 10_000

    private(set) var mark = ChangeMark(number: 0)
    private(set) var keys = KeyTable()
    private(set) var histories: [String: PlanHistory] = [:]
    /// As they are stored: their credentials are not opened.
    private(set) var models: [CatalogueModel] = []
    private(set) var secrets: [String: BackendSecret] = [:]
    private(set) var limits: [LimitID: LimitRule] = [:]
    private(set) var sealingSecret: [UInt8] = []
    private var limitTable = LimitTable()
    /// Of the models with their credentials in clear; nil when they have to be opened first.
    private var catalogue: ModelCatalogue? = ModelCatalogue(models: [])
    private var catalogueFaults: Set<ServiceFault> = []
    /// Of rows that did not read, but for plans and the catalogue, which know theirs.
    private var rowFaults: Set<ServiceFault> = []
    private var subscriptionFaults: Set<SnapshotPart.SubscriptionFault> = []
    private var boundaries = Heap<Int64>()
    private var boundariesMax = boundariesSpare
    /// The test clocks that there are or were.
    private var clocks: Set<TestClock> = []
    private var sweptAt: Timestamp

    init(now: Timestamp) {
        sweptAt = now
    }

    /// The next real time at which the same rows give another snapshot: a key expires, a subscription begins or ends, a
    /// plan's next version takes effect. Nil when nothing is ahead.
    var boundary: Timestamp? { boundaries.min.map { Timestamp(milliseconds: $0) } }

    /// The snapshot that is right when the real time is `now`. `keyring` opens credentials, where any changed.
    mutating func snapshot(
        at now: Timestamp, tokenizers: [String: Tokenizer] = [:], keyring: () -> SecretKeyring? = { nil }
    ) -> SuppliedSnapshot {
        if now.milliseconds - sweptAt.milliseconds >= Self.sweepMilliseconds {
            keys.removeExpiredKeys(at: now)
            sweptAt = now
        }
        while let next = boundaries.min, next <= now.milliseconds { boundaries.removeMin() }
        return SuppliedSnapshot(
            change: mark.number, keys: KeyDirectory(table: keys, at: now), catalogue: opened(keyring),
            prices: PriceSnapshot(histories: histories), limits: LimitDirectory(table: limitTable),
            tokenizers: tokenizers, sealingSecret: sealingSecret, faults: faults)
    }

    private var faults: Set<ServiceFault> {
        var faults = rowFaults.union(catalogueFaults).union(subscriptionFaults.map(\.fault))
        for (plan, history) in histories {
            for version in history.unreadable {
                faults.insert(.unreadable(.planVersion, "\(plan)@\(version.number)", version.reason))
            }
        }
        return faults
    }

    private mutating func opened(_ keyring: () -> SecretKeyring?) -> ModelCatalogue {
        if let catalogue { return catalogue }
        let opened = CredentialOpening(models, secrets: secrets, keyring: keyring())
        catalogueFaults = opened.faults
        let catalogue = ModelCatalogue(models: opened.models)
        self.catalogue = catalogue
        return catalogue
    }

    /// The state is now that of this change.
    mutating func reach(_ mark: ChangeMark) {
        self.mark = mark
    }

    /// Takes a part in.
    mutating func apply(_ part: SnapshotPart, now: Timestamp) {
        takeFaults(of: part)
        for clock in part.clocks {
            keys.set(clock)
            guard clock.offsetMilliseconds != 0, clocks.insert(clock.clock).inserted else { continue }
            for history in histories.values { addBoundaries(of: history, under: [clock.clock], now) }
        }
        for (plan, history) in part.histories {
            histories[plan] = history
            keys.setPlan(plan, versions: history.versions.map { PlanTerms($0) })
            addBoundaries(of: history, under: [nil] + clocks.map { $0 }, now)
        }
        for key in part.keys {
            keys.put(key)
            if let expiry = key.expiresAt { addBoundary(expiry.milliseconds, now) }
        }
        for digest in part.removedKeys { keys.removeKey(withSecretDigest: digest) }
        if !part.goneKeys.isEmpty { keys.removeKeys(withIDs: part.goneKeys) }
        for tenant in part.replacedTenants { keys.removeSubscriptions(of: tenant) }
        for subscription in part.subscriptions {
            keys.add(subscription)
            addBoundaries(of: subscription, offset: keys.clockOffset(of: subscription.tenant), now)
        }
        if let secret = part.sealingSecret { sealingSecret = secret }
        if let models = part.models {
            self.models = models
            catalogue = nil
        }
        if let secrets = part.secrets {
            self.secrets = secrets
            catalogue = nil
        }
        for rule in part.limits {
            if let old = limits.updateValue(rule, forKey: rule.id) { limitTable.remove(old) }
            limitTable.add(rule)
        }
        for id in part.removedLimits {
            if let old = limits.removeValue(forKey: id) { limitTable.remove(old) }
        }
        if boundaries.count > boundariesMax { countBoundaries(now) }
    }

    /// What a part says anew of something takes the place of what was wrong with it.
    private mutating func takeFaults(of part: SnapshotPart) {
        if !rowFaults.isEmpty {
            let limits = Set(part.limits.map(\.id.description) + part.removedLimits.map(\.description))
            let keys = Set(part.readKeys.map(\.description))
            rowFaults = rowFaults.filter { fault in
                switch fault.kind {
                case .limit: !limits.contains(fault.name)
                case .secret: part.secrets == nil
                case .key: !keys.contains(fault.name)
                case .account, .backend, .model, .planVersion, .subscription: true
                }
            }
        }
        if !subscriptionFaults.isEmpty {
            let tenants = Set(part.replacedTenants)
            subscriptionFaults = subscriptionFaults.filter { !tenants.contains($0.tenant) }
        }
        for fault in part.faults where rowFaults.count < ServiceFault.countMax { rowFaults.insert(fault) }
        for fault in part.subscriptionFaults where subscriptionFaults.count < ServiceFault.countMax {
            subscriptionFaults.insert(fault)
        }
    }

    private mutating func addBoundary(_ instant: Int64, _ now: Timestamp) {
        if instant > now.milliseconds { boundaries.insert(instant) }
    }

    private mutating func addBoundaries(of history: PlanHistory, under clocks: [TestClock?], _ now: Timestamp) {
        for version in history.versions {
            for clock in clocks {
                let instant = version.effectiveDate.instant(under: clock)
                addBoundary(instant.milliseconds - (clock?.offsetMilliseconds ?? 0), now)
            }
        }
    }

    private mutating func addBoundaries(of subscription: SuppliedSubscription, offset: Int64, _ now: Timestamp) {
        addBoundary(subscription.startsAt.milliseconds - offset, now)
        if let end = subscription.endsAt { addBoundary(end.milliseconds - offset, now) }
    }

    /// Forgets the instants that mean nothing any more, of clocks that moved on and subscriptions that changed.
    private mutating func countBoundaries(_ now: Timestamp) {
        boundaries = []
        clocks = []
        let table = keys
        table.forEachClock { clocks.insert($0.clock) }
        for history in histories.values { addBoundaries(of: history, under: [nil] + clocks.map { $0 }, now) }
        table.forEachKey { key in
            if let expiry = key.expiresAt { addBoundary(expiry.milliseconds, now) }
        }
        table.forEachSubscription { addBoundaries(of: $0, offset: $1, now) }
        boundariesMax = 2 * boundaries.count + Self.boundariesSpare
    }
}

extension PlanTerms {
    /// What admission needs of a version.
    init(_ version: PlanVersion) {
        let policy: ClientAbortPolicy =
            switch version.policies.onClientAbort {
            case .cut: .cut
            case .drain: .drain
            }
        self.init(effectiveDate: version.effectiveDate, tiers: version.tiers, onClientAbort: policy)
    }
}
