import Foundation
import Identity
import Metering
import NaiveArithmetic
import Testing

@testable import Accounts

/// What the table must say, the plain way.
private struct NaiveKeys {
    var keys: [SHA256Digest: SuppliedKey] = [:]
    var subscriptions: [TenantReference: [SuppliedSubscription]] = [:]
    var clocks: [TenantReference: TestClock] = [:]
    var plans: [String: [PlanTerms]] = [:]

    func grant(_ digest: SHA256Digest, at now: Timestamp) -> KeyGrant? {
        guard let key = keys[digest], key.expiresAt.map({ now < $0 }) ?? true else { return nil }
        let tenant = TenantReference(accountID: key.accountID, tenantID: key.tenantID)
        let offset = clocks[tenant]?.offsetMilliseconds ?? 0
        let billing = now.advanced(byMilliseconds: offset)
        let subscription = subscriptions[tenant]?.first {
            $0.startsAt <= billing && ($0.endsAt.map { billing < $0 } ?? true)
        }
        let clock = offset == 0 ? nil : clocks[tenant]
        let terms = subscription.flatMap { plans[$0.plan]?.last { $0.effectiveDate.instant(under: clock) <= billing } }
        return KeyGrant(
            keyID: key.id, accountID: key.accountID, tenantID: key.tenantID, projectID: key.projectID,
            subscriptionID: terms == nil ? nil : subscription?.id, plan: subscription?.plan ?? "",
            tiers: terms?.tiers ?? [], onClientAbort: terms?.onClientAbort ?? .drain, clockOffsetMilliseconds: offset,
            clock: clock)
    }
}

/// A small world, so that the same keys, tenants and plans are met again and again.
private struct World {
    static let keys: UInt64 = 60
    static let tenants: UInt64 = 12

    var random: SeededGenerator
    var table = KeyTable()
    var naive = NaiveKeys()

    static func id<Kind>(_ number: UInt64) -> TypedID<Kind> {
        TypedID(UUIDv7(milliseconds: 1_790_000_000_000, randomness: (0, number)))
    }
    static func digest(_ number: UInt64) -> SHA256Digest { SHA256Digest(of: "secret \(number)") }
    static func tenant(_ number: UInt64) -> TenantReference {
        TenantReference(accountID: id(number / 3), tenantID: id(1000 + number))
    }

    mutating func number(below limit: UInt64) -> UInt64 { UInt64.random(in: 0..<limit, using: &random) }
    mutating func instant() -> Timestamp { Timestamp(milliseconds: Int64(number(below: 20))) }

    mutating func step() {
        switch number(below: 11) {
        case 10:
            let gone = Set(naive.keys.values.map(\.id).filter { _ in number(below: 4) == 0 })
            table.removeKeys(withIDs: gone)
            naive.keys = naive.keys.filter { !gone.contains($0.value.id) }
        case 0...3: putKey()
        case 4...5:
            let digest = World.digest(number(below: World.keys))
            table.removeKey(withSecretDigest: digest)
            naive.keys[digest] = nil
        case 6...7: replaceSubscriptions()
        case 8:
            let tenant = World.tenant(number(below: World.tenants))
            let (early, late) = (Int64(number(below: 6)), Int64(number(below: 6)))
            let clock = TestClock(moves: [
                TestClock.Move(at: Timestamp(milliseconds: Int64(number(below: 5)) - 1000), offsetMilliseconds: early),
                TestClock.Move(at: Timestamp(milliseconds: -995), offsetMilliseconds: early + late),
            ])
            table.set(SuppliedClock(tenant: tenant, clock: clock))
            naive.clocks[tenant] = clock
        default:
            let plan = "plan-\(number(below: 4))"
            let versions = (0..<number(below: 3)).map { version in
                PlanTerms(
                    effectiveDate: EffectiveDate(
                        from: Timestamp(milliseconds: Int64(version) * 7),
                        publishedAt: version == 0 ? nil : Timestamp(milliseconds: Int64(number(below: 12)) - 1000)),
                    tiers: ["standard", "t\(version)"],
                    onClientAbort: version == 0 ? .drain : .cut)
            }
            table.setPlan(plan, versions: versions)
            naive.plans[plan] = versions
        }
    }

    private mutating func putKey() {
        let number = number(below: World.keys)
        let tenant = World.tenant(self.number(below: World.tenants))
        let expiry: Timestamp? = self.number(below: 2) == 0 ? instant() : nil
        let key = SuppliedKey(
            id: World.id(number), accountID: tenant.accountID, tenantID: tenant.tenantID, projectID: World.id(7),
            secretDigest: World.digest(number), expiresAt: expiry)
        table.put(key)
        naive.keys[key.secretDigest] = key
    }

    private mutating func replaceSubscriptions() {
        let tenant = World.tenant(number(below: World.tenants))
        table.removeSubscriptions(of: tenant)
        naive.subscriptions[tenant] = []
        var start = Int64(number(below: 6))
        for _ in 0..<number(below: 4) {
            let end = start + 1 + Int64(number(below: 6))
            let subscription = SuppliedSubscription(
                id: World.id(random.next() >> 2), tenant: tenant, plan: "plan-\(number(below: 4))",
                startsAt: Timestamp(milliseconds: start), endsAt: Timestamp(milliseconds: end))
            table.add(subscription)
            naive.subscriptions[tenant, default: []].append(subscription)
            start = end
        }
    }
}

struct KeyTableTests {
    @Test func `a table changed row by row says what a plain dictionary says, and its copies stay as they were`() {
        for seed in Seeds.all {
            var world = World(random: SeededGenerator(seed: seed))
            var kept: [(table: KeyTable, naive: NaiveKeys, now: Timestamp)] = []
            for step in 0..<120 {
                world.step()
                if step % 40 == 39 { kept.append((world.table, world.naive, world.instant())) }
            }
            for (table, naive, now) in kept {
                let directory = KeyDirectory(table: table, at: now)
                #expect(directory.count == naive.keys.count, "seed \(seed)")
                for number in 0..<World.keys {
                    let digest = World.digest(number)
                    #expect(
                        directory.grant(forSecretDigest: digest) == naive.grant(digest, at: now),
                        "seed \(seed), key \(number) at \(now.milliseconds)")
                }
            }
        }
    }

    @Test func `what a table holds makes the same table again`() {
        for seed in Seeds.all.prefix(50) {
            var world = World(random: SeededGenerator(seed: seed))
            for _ in 0..<200 { world.step() }
            var copy = KeyTable()
            for (plan, versions) in world.naive.plans { copy.setPlan(plan, versions: versions) }
            world.table.forEachClock { copy.set($0) }
            world.table.forEachKey { copy.put($0) }
            world.table.forEachSubscription { subscription, _ in copy.add(subscription) }
            for now in [0, 5, 10, 19].map({ Timestamp(milliseconds: $0) }) {
                for number in 0..<World.keys {
                    let digest = World.digest(number)
                    #expect(
                        copy.grant(forSecretDigest: digest, at: now)
                            == world.table.grant(forSecretDigest: digest, at: now), "seed \(seed)")
                }
            }
        }
    }

    @Test func `expired keys give their rows back`() {
        for seed in Seeds.all.prefix(50) {
            var world = World(random: SeededGenerator(seed: seed))
            for _ in 0..<200 { world.step() }
            let now = world.instant()
            world.table.removeExpiredKeys(at: now)
            let usable = world.naive.keys.filter { $0.value.expiresAt.map { now < $0 } ?? true }
            #expect(world.table.count == usable.count, "seed \(seed)")
            for digest in usable.keys {
                #expect(world.table.grant(forSecretDigest: digest, at: now) != nil, "seed \(seed)")
            }
        }
    }

    /// Each key has an account, a tenant, a project and a subscription of its own: the most memory a key can take.
    @Test func `a key takes at most 200 bytes, and finding it looks at two rows`() {
        let count: UInt64 = ProcessInfo.processInfo.environment["TOLLGATE_LONG"] == nil ? 50_000 : 1_000_000
        var table = KeyTable()
        var random = SeededGenerator(seed: 1)
        func id<Kind>() -> TypedID<Kind> {
            TypedID(UUIDv7(milliseconds: 1_790_000_000_000, randomness: (random.next(), random.next())))
        }
        for _ in 0..<count {
            let digest = SHA256Digest(words: (random.next(), random.next(), random.next(), random.next()))
            let key = SuppliedKey(
                id: id(), accountID: id(), tenantID: id(), projectID: id(), secretDigest: digest, expiresAt: nil)
            table.put(key)
            table.add(
                SuppliedSubscription(
                    id: id(), tenant: TenantReference(accountID: key.accountID, tenantID: key.tenantID), plan: "one",
                    startsAt: Timestamp(milliseconds: 0), endsAt: nil))
        }
        let bytes = table.byteCount / Int(count)
        #expect(bytes <= 200, "\(bytes) bytes a key")
    }

    @Test(arguments: [10, 1000, 60_000])
    func `a search in a table of any size looks at few rows`(count: Int) {
        var random = SeededGenerator(seed: 2)
        let hashes = (0..<count).map { _ in random.next() }
        var index = PositionIndex()
        for position in 0..<count { index.insert(position, hash: hashes[position]) { hashes[$0] } }
        var looks = 0
        for position in 0..<count {
            let found = index.position(hash: hashes[position]) { candidate in
                looks += 1
                return candidate == position
            }
            #expect(found == position)
        }
        #expect(looks <= 2 * count + 8, "\(looks) rows looked at for \(count)")
    }
}
