import Accounts
import Identity
import PlanLanguage
import Postgres
import Pricing
import Storage
import TestSupport
import Testing

@testable import Ingest

/// A change makes stale what it is about, and nothing else.
@Suite(.database, .timeLimit(.minutes(10))) struct RatingContextTests {
    private func read(_ made: Fixture, from old: RatingContext = RatingContext()) async throws -> RatingContext {
        try await RatingContext.reading(
            accounts: [made.account.id], subscriptions: [made.subscription.id], startingFrom: old, from: made.database)
    }

    /// Changes every row behind the changes' back, so that whatever is read again differs.
    private func spoil(_ made: Fixture) async throws {
        for statement in [
            "UPDATE accounts SET name = 'Renamed'",
            "UPDATE subscriptions SET created_at = created_at + interval '1 day'",
            "UPDATE plan_versions SET sha256 = 'spoilt'",
        ] { try await made.pool.executePastTriggers("\(unescaped: statement)") }
    }

    private struct Kept: Hashable {
        var account: Bool
        var subscription: Bool
        var plan: Bool
    }

    private func kept(_ new: RatingContext, _ old: RatingContext, _ made: Fixture) -> Kept {
        Kept(
            account: new.account(made.account.id)?.name == "Example",
            subscription: new.subscription(made.subscription.id) == old.subscription(made.subscription.id),
            plan: new.history(of: "pay-as-you-go") == old.history(of: "pay-as-you-go"))
    }

    @Test(arguments: SnapshotChangeKind.allCases)
    func `a change forgets what it names`(kind: SnapshotChangeKind) async throws {
        try await Fixture.run { made in
            let old = try await read(made)
            try await spoil(made)
            let entity =
                switch kind {
                case .account, .clock: "\(made.account.id)"
                case .tenant: "\(made.tenant.id)"
                case .key: "\(made.key.id)"
                case .subscription: "\(made.subscription.id)"
                case .plan: "pay-as-you-go@2"
                case .catalogue: "catalogue"
                case .limit: "\(Fixture.id(9, as: IDKinds.Limit.self))"
                }
            _ = try await made.database.write { try ChangeStorage.record(kind, entity: entity, in: $0) }
            let expected =
                switch kind {
                case .account, .clock: Kept(account: false, subscription: true, plan: true)
                case .subscription: Kept(account: true, subscription: false, plan: true)
                case .plan: Kept(account: true, subscription: true, plan: false)
                case .tenant, .key, .catalogue, .limit: Kept(account: true, subscription: true, plan: true)
                }
            #expect(kept(try await read(made, from: old), old, made) == expected)
        }
    }

    @Test func `a book of another database is thrown away`() async throws {
        try await Fixture.run { made in
            let old = try await read(made)
            try await spoil(made)
            // As after a restore: the newest change has another text under the same number.
            try await made.pool.execute("UPDATE snapshot_changes SET entity = entity || '0'")
            #expect(
                kept(try await read(made, from: old), old, made)
                    == Kept(account: false, subscription: false, plan: false))
        }
    }

    @Test func `a tenant's new subscription rates what names the one that ended`() async throws {
        try await Fixture.run { made in
            let end = Fixture.now.advanced(byMilliseconds: 3_600_000)
            try await made.database.write { tx in
                _ = try SubscriptionStorage.end(made.subscription.id, at: end, now: Fixture.now, in: tx)
            }
            let old = try await read(made)
            let ended = try #require(old.subscription(made.subscription.id))
            let later = end.advanced(byMilliseconds: 60_000)
            #expect(try old.subscription(ended, ratingAt: later).get() == nil)
            let next = Subscription(
                id: Fixture.id(77), accountID: made.account.id, tenantID: made.tenant.id, plan: "pay-as-you-go",
                startsAt: end, createdAt: Fixture.now)
            try await made.database.write { try SubscriptionStorage.insert(next, in: $0) }
            let new = try await read(made, from: old)
            #expect(try new.subscription(ended, ratingAt: later).get()?.id == next.id)
        }
    }

    @Test func `what does not read is asked for again with any change`() async throws {
        try await Fixture.run { made in
            try await made.pool.execute("UPDATE accounts SET time_zone = 'Nowhere/Land'")
            let old = try await read(made)
            #expect(old.account(made.account.id) == nil && !old.faults.isEmpty)
            try await made.pool.execute("UPDATE accounts SET time_zone = 'Europe/Berlin'")
            _ = try await made.database.write {
                try ChangeStorage.record(.limit, entity: "\(Fixture.id(9, as: IDKinds.Limit.self))", in: $0)
            }
            let new = try await read(made, from: old)
            #expect(new.account(made.account.id) != nil && new.faults.isEmpty)
        }
    }
}
