import Accounts
import Engines
import Foundation
import Identity
import Logging
import Monetary
import PlanLanguage
import Postgres
import Pricing
import SnapshotSync
import Storage
import Synchronization
import TestSupport
import Testing

/// A supplier that follows the database, beside one that loads everything: both must say the same.
@Suite(.database, .timeLimit(.minutes(10)))
struct SnapshotDifferenceTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    private static let day: Int64 = 86_400_000

    /// The last snapshot that a supplier handed over.
    private final class Taken: Sendable {
        private let box = Mutex<(count: Int, last: SuppliedSnapshot?)>((0, nil))
        var snapshot: SuppliedSnapshot { get throws { try #require(box.withLock { $0.last }) } }
        var count: Int { box.withLock { $0.count } }
        func take(_ snapshot: SuppliedSnapshot) { box.withLock { $0 = ($0.count + 1, snapshot) } }
    }

    private func supplier(
        _ made: Fixture, database: Database? = nil, file: String? = nil,
        now: @escaping @Sendable () -> Timestamp = { Fixture.now }
    ) -> (SnapshotSupplier, Taken) {
        let taken = Taken()
        var configuration = SnapshotSupplier.Configuration(filePath: file)
        configuration.touchMilliseconds = 0
        let supplier = SnapshotSupplier(
            database: database ?? made.database, configuration: configuration, logger: Self.logger, now: now
        ) { taken.take($0) }
        return (supplier, taken)
    }

    private static let nowhere = Database(.init(.init(host: "/nonexistent", database: "none", user: "none")))

    /// Changes of every kind that the program knows, each with the secrets whose grants tell.
    private struct Change {
        let name: String
        let run: @Sendable (Transaction) throws -> Void
    }

    private static func backend() throws -> Backend {
        try Backend(name: "sim", baseURL: "http://127.0.0.1:9000", apiKey: "k")
    }

    private static func model(_ made: Fixture, _ name: String) throws -> CatalogueModel {
        CatalogueModel(
            publicName: name, aliases: [], backend: try backend(), upstreamName: "sim", priceKey: "sim-small",
            contextTokensMax: 10, outputTokensMax: 5, tenantsAllowed: nil, createdAtSeconds: 0)
    }

    private static func changes(_ made: Fixture) throws -> [Change] {
        let now = Fixture.now
        let account = Account(
            id: Fixture.id(11), name: "Second", currency: .eur, calendar: try BillingCalendar(zoneName: "UTC"),
            sandboxID: Sandbox.id(ofItsOwn: Fixture.id(11)), createdAt: now)
        let tenant = Tenant(id: Fixture.id(12), accountID: account.id, name: "T", createdAt: now)
        let late = Tenant(id: Fixture.id(22), accountID: account.id, name: "Late", createdAt: now)
        let project = Project(
            id: Fixture.id(13), accountID: account.id, tenantID: tenant.id, name: "P", createdAt: now)
        let lateProject = Project(
            id: Fixture.id(23), accountID: account.id, tenantID: late.id, name: "P", createdAt: now)
        @Sendable func key(_ number: UInt64, _ project: Project) -> APIKey {
            APIKey(
                id: Fixture.id(number), project: project, name: "k\(number)", secret: Secret(text: "tg_\(number)"),
                createdAt: now)
        }
        let subscription = Subscription(
            id: Fixture.id(15), accountID: account.id, tenantID: tenant.id, plan: "pay-as-you-go", startsAt: now,
            createdAt: now)
        let next = Subscription(
            id: Fixture.id(16), accountID: account.id, tenantID: tenant.id, plan: "pay-as-you-go",
            startsAt: now.advanced(byMilliseconds: 10 * day), createdAt: now)
        let text = Fixture.planText(version: 2, effectiveFrom: "2027-01-01T00:00:00Z")
        let version = try PlanVersion(yaml: text)
        return [
            Change(name: "account") { tx in
                try TestSandbox.open(of: account, in: tx)
                try AccountStorage.insert(account, in: tx)
            },
            Change(name: "tenant and key") { tx in
                try TenantStorage.insert(tenant, in: tx)
                try ProjectStorage.insert(project, in: tx)
                try APIKeyStorage.insert(key(14, project), in: tx)
            },
            Change(name: "subscription") { try SubscriptionStorage.insert(subscription, in: $0) },
            Change(name: "clock") {
                _ = try TestSandbox.advance(account.id, byMilliseconds: day, now: now, in: $0)
            },
            Change(name: "a tenant of an account whose clock was moved before") { tx in
                try TenantStorage.insert(late, in: tx)
                try ProjectStorage.insert(lateProject, in: tx)
                try APIKeyStorage.insert(key(24, lateProject), in: tx)
            },
            Change(name: "end of a subscription") { tx in
                _ = try SubscriptionStorage.end(
                    subscription.id, at: now.advanced(byMilliseconds: 3 * day), now: now, in: tx)
            },
            Change(name: "next subscription") { try SubscriptionStorage.insert(next, in: $0) },
            Change(name: "plan") { _ = try PlanStorage.apply(version, now: now, in: $0) },
            Change(name: "catalogue") { tx in
                _ = try CatalogueStorage.apply(
                    backends: [try backend()], models: [try model(made, "m")], now: now, in: tx)
            },
            Change(name: "rotation") { tx in
                try APIKeyStorage.rotate(
                    Fixture.id(14), to: key(17, project), expiresAt: now.advanced(byMilliseconds: day), now: now,
                    in: tx)
            },
            Change(name: "revocation") { _ = try APIKeyStorage.revoke(made.key.id, now: now, in: $0) },
        ]
    }

    private static let secrets = ["tg_first", "tg_14", "tg_17", "tg_24"]

    private func expectEqual(_ one: SuppliedSnapshot, _ other: SuppliedSnapshot, _ comment: String) {
        #expect(one.change == other.change, "\(comment)")
        for secret in Self.secrets {
            let digest = Secret(text: secret).digest
            #expect(
                one.keys.grant(forSecretDigest: digest) == other.keys.grant(forSecretDigest: digest),
                "\(comment): \(secret)")
        }
        #expect(
            (one.catalogue.model(named: "m") == nil) == (other.catalogue.model(named: "m") == nil), "\(comment)")
    }

    @Test func `after each kind of change, following says what loading everything says, and so does the file`()
        async throws
    {
        try await Fixture.run { made in
            let clock = Mutex(Fixture.now)
            let now: @Sendable () -> Timestamp = { clock.withLock { $0 } }
            let path = made.directory + "/snapshot"
            let (following, followed) = supplier(made, file: path, now: now)
            try await following.start()
            for change in try Self.changes(made) {
                try await made.database.write { try change.run($0) }
                await following.refresh()
                let (loading, loaded) = supplier(made, now: now)
                try await loading.start()
                expectEqual(try followed.snapshot, try loaded.snapshot, change.name)

                await following.flushFile()
                let (restarted, read) = supplier(made, database: Self.nowhere, file: path, now: now)
                try await restarted.start()
                expectEqual(try read.snapshot, try loaded.snapshot, "file after \(change.name)")
            }
            // Time alone: every boundary of every row passes, without another change.
            for days in [1, 2, 3, 9, 10, 40, 120] as [Int64] {
                clock.withLock { $0 = Fixture.now.advanced(byMilliseconds: days * Self.day) }
                await following.refresh()
                let (loading, loaded) = supplier(made, now: now)
                try await loading.start()
                expectEqual(try followed.snapshot, try loaded.snapshot, "\(days) days on")
            }
        }
    }

    @Test func `a change that names one key loads that key and not the others`() async throws {
        try await Fixture.run { made in
            let (following, taken) = supplier(made)
            try await following.start()
            // Behind the gateway's back: only a load of everything would see it.
            try await made.pool.execute("UPDATE api_keys SET revoked_at = now()")
            let key = APIKey(
                id: Fixture.id(31), project: made.project, name: "new", secret: Secret(text: "tg_new"),
                createdAt: Fixture.now)
            try await made.database.write { try APIKeyStorage.insert(key, in: $0) }
            await following.refresh()
            let snapshot = try taken.snapshot
            #expect(snapshot.keys.grant(forSecretDigest: key.secretDigest) != nil)
            #expect(snapshot.keys.grant(forSecretDigest: made.secret.digest) != nil)
        }
    }

    @Test func `tokenizers that backends name are supplied, and one that is not covered is left out`() async throws {
        try await Fixture.run { made in
            let good = made.directory + "/good.json"
            let bad = made.directory + "/bad.json"
            let bytes = (0...255).map {
                #""<0x\#($0 < 16 ? "0" : "")\#(String($0, radix: 16, uppercase: true))>":\#($0)"#
            }
            let file = """
                {"pre_tokenizer":{"type":"Metaspace","replacement":"▁"},
                 "model":{"type":"BPE","byte_fallback":true,"vocab":{\(bytes.joined(separator: ","))},"merges":[]}}
                """
            try Data(file.utf8).write(to: URL(fileURLWithPath: good))
            try Data("{}".utf8).write(to: URL(fileURLWithPath: bad))
            let (following, taken) = supplier(made)
            try await following.start()
            for (name, path) in [("m", good), ("n", bad)] {
                var settings = BackendSettings()
                settings.tokenizerPath = path
                let named = try Self.backend().with(settings)
                let model = CatalogueModel(
                    publicName: name, aliases: [], backend: named, upstreamName: "sim", priceKey: "sim-small",
                    contextTokensMax: 10, outputTokensMax: 5, tenantsAllowed: nil, createdAtSeconds: 0)
                try await made.database.write { tx in
                    _ = try CatalogueStorage.apply(backends: [named], models: [model], now: Fixture.now, in: tx)
                }
                await following.refresh()
                #expect(try taken.snapshot.tokenizers.keys.sorted() == (path == good ? [good] : []))
            }
        }
    }

    @Test func `without a change nothing is supplied again`() async throws {
        try await Fixture.run { made in
            let (following, taken) = supplier(made)
            try await following.start()
            await following.refresh()
            await following.refresh()
            #expect(taken.count == 1)
        }
    }

    @Test(arguments: ["an unknown kind", "a restored database", "a gap"])
    func `everything is loaded where differences do not suffice`(what: String) async throws {
        try await Fixture.run { made in
            let (following, taken) = supplier(made)
            try await following.start()
            try await made.pool.execute("UPDATE api_keys SET revoked_at = now()")
            switch what {
            case "an unknown kind": try await made.pool.execute("SELECT record_change('weather', 'rain')")
            case "a restored database":
                let number = try taken.snapshot.change
                try await made.pool.execute("DELETE FROM snapshot_changes WHERE number = \(number)")
                try await made.pool.execute("SELECT record_change('catalogue', 'catalogue')")
            default:
                try await made.pool.execute("SELECT record_change('catalogue', 'catalogue')")
                try await made.pool.execute("SELECT record_change('catalogue', 'catalogue')")
                let number = try taken.snapshot.change + 1
                try await made.pool.execute("DELETE FROM snapshot_changes WHERE number = \(number)")
            }
            await following.refresh()
            #expect(try taken.snapshot.keys.grant(forSecretDigest: made.secret.digest) == nil)
        }
    }
}
