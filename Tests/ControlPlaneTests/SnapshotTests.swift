import Accounts
import Engines
import Foundation
import Identity
import Logging
import Metering
import Postgres
import SnapshotSync
import Storage
import Synchronization
import TestSupport
import Testing

@Suite(.database, .timeLimit(.minutes(10)))
struct SnapshotTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func supplier(
        _ made: Fixture, database: Database? = nil, now: @escaping @Sendable () -> Timestamp = { Fixture.now },
        apply: @escaping @Sendable (SuppliedSnapshot) -> Void
    ) -> SnapshotSupplier {
        var configuration = SnapshotSupplier.Configuration(filePath: made.directory + "/snapshot")
        configuration.keyring = { try? SecretKeyring(String(repeating: "0f", count: 32)) }
        return SnapshotSupplier(
            database: database ?? made.database, configuration: configuration,
            logger: Self.logger, now: now, apply: apply)
    }

    @Test func `a key's grant says account, subscription and tiers`() async throws {
        try await Fixture.run { made in
            let box = Mutex<SuppliedSnapshot?>(nil)
            let supplier = supplier(made) { snapshot in box.withLock { $0 = snapshot } }
            try await supplier.start()
            let snapshot = try #require(box.withLock { $0 })
            let grant = try #require(snapshot.keys.grant(forSecretDigest: made.secret.digest))
            #expect(grant.accountID == made.account.id && grant.subscriptionID == made.subscription.id)
            #expect(grant.tiers == ["standard", "priority"] && grant.onClientAbort == .drain)
            #expect(supplier.appliedChange.value == snapshot.change)
        }
    }

    @Test func `a revoked key leaves the snapshot as soon as Postgres says so`() async throws {
        try await Fixture.run { made in
            let (snapshots, continuation) = AsyncStream.makeStream(of: SuppliedSnapshot.self)
            let supplier = supplier(made) { continuation.yield($0) }
            try await supplier.start()
            let running = Task { await supplier.run() }
            try await made.database.write { tx in
                _ = try APIKeyStorage.revoke(made.key.id, now: Fixture.now, in: tx)
            }
            for await snapshot in snapshots where snapshot.keys.grant(forSecretDigest: made.secret.digest) == nil {
                break
            }
            running.cancel()
            await running.value
        }
    }

    @Test func `a moved clock and the end of a subscription reach the grant`() async throws {
        try await Fixture.run { made in
            let box = Mutex<SuppliedSnapshot?>(nil)
            let supplier = supplier(made) { snapshot in box.withLock { $0 = snapshot } }
            try await supplier.start()
            let day: Int64 = 86_400_000
            try await made.database.write { tx in
                _ = try SubscriptionStorage.end(
                    made.subscription.id, at: Fixture.now.advanced(byMilliseconds: day), now: Fixture.now, in: tx)
            }
            await supplier.refresh()
            #expect(box.withLock { $0?.keys.grant(forSecretDigest: made.secret.digest)?.subscriptionID } != nil)
            try await made.database.write { tx in
                _ = try TestSandbox.advance(made.account.id, byMilliseconds: day, now: Fixture.now, in: tx)
            }
            await supplier.refresh()
            let grant = try #require(box.withLock { $0?.keys.grant(forSecretDigest: made.secret.digest) })
            #expect(grant.subscriptionID == nil && grant.clockOffsetMilliseconds == day)
        }
    }

    @Test func `time alone ends a subscription, also while Postgres is away`() async throws {
        try await Fixture.run { made in
            let box = Mutex<SuppliedSnapshot?>(nil)
            let clock = Mutex(Fixture.now)
            try await made.database.write { tx in
                _ = try SubscriptionStorage.end(
                    made.subscription.id, at: Fixture.now.advanced(byMilliseconds: 1000), now: Fixture.now, in: tx)
            }
            let supplier = supplier(made, now: { clock.withLock { $0 } }) { snapshot in box.withLock { $0 = snapshot } }
            try await supplier.start()
            #expect(box.withLock { $0?.keys.grant(forSecretDigest: made.secret.digest)?.subscriptionID } != nil)
            await made.pool.close()
            clock.withLock { $0 = $0.advanced(byMilliseconds: 1000) }
            await supplier.refresh()
            #expect(box.withLock { $0?.keys.grant(forSecretDigest: made.secret.digest)?.subscriptionID } == nil)
        }
    }

    @Test func `a gateway restarted without Postgres serves from its copy`() async throws {
        let nowhere = Database(.init(.init(host: "/nonexistent", database: "none", user: "none")))
        try await Fixture.run { made in
            var settings = BackendSettings()
            settings.region = "eu-west-1"
            settings.aws = BackendSettings.AWSCredentials(accessKeyID: "id", secretAccessKey: "s", region: "eu-west-1")
            let backend = try Backend(
                name: "sim", baseURL: "http://127.0.0.1:9000", apiKey: "k", kind: .bedrock, settings: settings)
            var rules = RoutingRules()
            rules.preference = .price
            rules.regionsAllowed = ["eu-west-1"]
            let routes = [
                ModelRoute(backend: backend, upstreamName: "sim", weight: 3),
                ModelRoute(
                    backend: backend, upstreamName: "sim-2", weight: 0, inputCostPicounits: 1, outputCostPicounits: 2),
            ]
            let model = CatalogueModel(
                publicName: "sim-small", aliases: ["small"], routes: routes, routing: rules, priceKey: "sim-small",
                contextTokensMax: 10, outputTokensMax: 5, tenantsAllowed: [made.tenant.id], createdAtSeconds: 0)
            try await made.database.write { tx in
                _ = try CatalogueStorage.apply(backends: [backend], models: [model], now: Fixture.now, in: tx)
            }
            try await supplier(made) { _ in }.start()
            let box = Mutex<SuppliedSnapshot?>(nil)
            let restarted = supplier(made, database: nowhere) { snapshot in box.withLock { $0 = snapshot } }
            try await restarted.start()
            let snapshot = try #require(box.withLock { $0 })
            let grant = snapshot.keys.grant(forSecretDigest: made.secret.digest)
            #expect(grant?.subscriptionID == made.subscription.id && grant?.tiers == ["standard", "priority"])
            let stored = snapshot.catalogue.model(named: "small")
            #expect(stored?.routes == routes && stored?.routing == rules)
            #expect(snapshot.change > 0)

            let nextDay = Fixture.now.advanced(byMilliseconds: 24 * 3_600_000 + 1)
            await #expect(throws: SnapshotFileError.self) {
                try await supplier(made, database: nowhere, now: { nextDay }) { _ in }.start()
            }
            let path = made.directory + "/snapshot"
            var bytes = try #require(FileManager.default.contents(atPath: path))
            bytes[bytes.count / 2] ^= 1
            try bytes.write(to: URL(fileURLWithPath: path))
            await #expect(throws: SnapshotFileError.self) {
                try await supplier(made, database: nowhere) { _ in }.start()
            }
        }
    }
}
