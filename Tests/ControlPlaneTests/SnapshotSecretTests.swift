import Engines
import Foundation
import Identity
import Logging
import Postgres
import Storage
import Synchronization
import TestSupport
import Testing

@testable import SnapshotSync

/// Secrets on their way from Postgres to a gateway and into its own copy.
@Suite(.database, .timeLimit(.minutes(10)))
struct SnapshotSecretTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    private static let one = String(repeating: "11", count: 32)
    private static let two = String(repeating: "22", count: 32)

    /// A gateway's supplier and what it handed over last.
    private final class Gateway: Sendable {
        let supplier: SnapshotSupplier
        private let box = Box()

        init(_ database: Database, path: String, key: String?) {
            var configuration = SnapshotSupplier.Configuration(filePath: path)
            configuration.keyring = { key.flatMap { try? SecretKeyring($0) } }
            supplier = SnapshotSupplier(
                database: database, configuration: configuration, logger: SnapshotSecretTests.logger,
                now: { Fixture.now }
            ) { [box] snapshot in box.snapshot.withLock { $0 = snapshot } }
        }

        private final class Box: Sendable {
            let snapshot = Mutex<SuppliedSnapshot?>(nil)
        }

        var snapshot: SuppliedSnapshot? { box.snapshot.withLock { $0 } }

        func backend(_ name: String) -> Backend? { snapshot?.catalogue.backend(named: name) }
    }

    private static func set(_ name: String, _ value: String, _ database: Database) async throws {
        try await database.write { tx in
            _ = try SecretStorage.set(
                name, to: value, hosts: [SecretHost("named.example")].compactMap { $0 },
                by: SecretKeyring(one), now: Fixture.now, in: tx)
        }
    }

    /// Three backends: one names a secret, one has a value of its own in clear, one needs none.
    private static func apply(_ database: Database) async throws {
        try await set("engine", "sk-named", database)
        var named = BackendSettings()
        named.credentials[.apiKey] = .secret(name: "engine")
        let backends = [
            try Backend(name: "named", baseURL: "https://named.example", apiKey: nil, settings: named),
            try Backend(name: "plain", baseURL: "https://plain.example", apiKey: "sk-plain"),
            try Backend(name: "open", baseURL: "https://open.example", apiKey: nil),
        ]
        let models = backends.map { backend in
            CatalogueModel(
                publicName: "m-\(backend.name)", aliases: [], backend: backend, upstreamName: "m", priceKey: "m",
                contextTokensMax: 10, outputTokensMax: 10, tenantsAllowed: nil, createdAtSeconds: 0)
        }
        try await database.write { tx in
            _ = try CatalogueStorage.apply(backends: backends, models: models, now: Fixture.now, in: tx)
        }
    }

    /// Nothing answers there.
    private static func away() throws -> Database {
        Database(
            ConnectionPool(
                try PostgresConfiguration(url: "postgresql://x@127.0.0.1:1/x"), connectionCountMax: 1))
    }

    private static func file(_ path: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
    }

    @Test func `a gateway with the key serves all, and its copy holds no value in clear`() async throws {
        try await Fixture.run { made in
            try await Self.apply(made.database)
            let path = made.directory + "/snapshot"
            let gateway = Gateway(made.database, path: path, key: Self.one)
            try await gateway.supplier.start()
            #expect(gateway.backend("named")?.apiKey == "sk-named" && gateway.backend("plain")?.apiKey == "sk-plain")
            #expect(gateway.snapshot?.faults == [])
            try await Self.set("engine", "sk-replaced", made.database)
            await gateway.supplier.refresh()
            #expect(gateway.backend("named")?.apiKey == "sk-replaced")
            await gateway.supplier.flushFile()
            for value in ["sk-named", "sk-replaced", "sk-plain", Self.one] {
                #expect(!(try Self.file(path)).contains(value), "\(value)")
            }
            let restarted = Gateway(try Self.away(), path: path, key: Self.one)
            try await restarted.supplier.start()
            #expect(restarted.backend("named")?.apiKey == "sk-replaced")
            #expect(restarted.backend("plain")?.apiKey == "sk-plain")
            #expect(restarted.snapshot?.faults == [])
        }
    }

    @Test func `a gateway without the key serves what needs none, and says what to do`() async throws {
        try await Fixture.run { made in
            try await Self.apply(made.database)
            let path = made.directory + "/snapshot"
            let gateway = Gateway(made.database, path: path, key: nil)
            try await gateway.supplier.start()
            let fault = try #require(gateway.snapshot?.faults.first)
            #expect(gateway.snapshot?.faults.count == 1 && fault.kind == .backend && fault.name == "named")
            #expect(fault.code == "secret_key_missing" && fault.reason.contains("secrets.key_file"))
            #expect(gateway.backend("named")?.outOfService != nil && gateway.backend("named")?.apiKey == nil)
            #expect(gateway.backend("plain")?.apiKey == "sk-plain" && gateway.backend("open")?.outOfService == nil)
            #expect(gateway.snapshot?.catalogue.backends.map(\.name) == ["open", "plain"])
            await gateway.supplier.flushFile()
            #expect(!(try Self.file(path)).contains("sk-plain"))
            // Its own copy has no value in clear: what needs one waits for Postgres.
            let restarted = Gateway(try Self.away(), path: path, key: nil)
            try await restarted.supplier.start()
            #expect(Set(restarted.snapshot?.faults.map(\.code) ?? []) == ["secret_key_missing", "secret_not_kept"])
            #expect(restarted.backend("open")?.outOfService == nil)
        }
    }

    @Test func `a gateway with another key, a deleted row and a changed row lose that backend only`() async throws {
        try await Fixture.run { made in
            try await Self.apply(made.database)
            let other = Gateway(made.database, path: made.directory + "/other", key: Self.two)
            try await other.supplier.start()
            #expect(other.snapshot?.faults.map(\.code) == ["secret_key_unknown"])
            let statements: [(SQL, String)] = [
                ("UPDATE secrets SET version = 7", "secret_does_not_open"),
                ("UPDATE secrets SET version = 1, hosts = '{plain.example}'", "secret_host_not_allowed"),
                ("UPDATE secrets SET hosts = '{named.example,evil.example}'", "secret_does_not_open"),
            ]
            for (statement, code) in statements {
                try await made.database.write { _ = try $0.execute(statement) }
                let gateway = Gateway(made.database, path: made.directory + "/snapshot", key: Self.one)
                try await gateway.supplier.start()
                #expect(gateway.snapshot?.faults.map(\.code) == [code])
                #expect(gateway.backend("plain")?.apiKey == "sk-plain")
            }
        }
    }
}
