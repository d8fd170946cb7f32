import Engines
import Identity
import Postgres
import Storage
import TestSupport
import Testing

@Suite(.database, .timeLimit(.minutes(10)))
struct SecretStorageTests {
    private static let now = StorageFixture.now
    private static let one = String(repeating: "11", count: 32)
    private static let two = String(repeating: "22", count: 32)

    private func hosts(_ texts: String...) -> [SecretHost] { texts.compactMap { SecretHost($0) } }

    private func backend(_ name: String, _ url: String, secret: String? = nil, apiKey: String? = nil) throws -> Backend
    {
        var settings = BackendSettings()
        if let secret { settings.credentials[.apiKey] = .secret(name: secret) }
        return try Backend(name: name, baseURL: url, apiKey: apiKey, kind: .openAI, settings: settings)
    }

    private func model(_ backend: Backend) -> CatalogueModel {
        CatalogueModel(
            publicName: "m-\(backend.name)", aliases: [], backend: backend, upstreamName: "m", priceKey: "m",
            contextTokensMax: 10, outputTokensMax: 10, tenantsAllowed: nil, createdAtSeconds: 0)
    }

    @discardableResult
    private func apply(_ backends: [Backend], _ database: Database) async throws -> CatalogueStorage.Changes {
        try await database.write { tx in
            try CatalogueStorage.apply(
                backends: backends, models: backends.map(model), now: Self.now, in: tx)
        }
    }

    /// Every text of the tables that could hold a value.
    private func stored(_ database: Database) async throws -> String {
        try await database.read { tx in
            let rows: [String] = try tx.query(
                """
                SELECT s::text FROM secrets s UNION ALL SELECT b::text FROM backends b
                UNION ALL SELECT c::text FROM snapshot_changes c
                """
            ).decodeAll()
            return rows.joined(separator: "\n")
        }
    }

    @Test func `a secret is made, replaced and deleted, and gateways learn of each`() async throws {
        let database = Database(try TestDatabase.required.pool)
        let keyring = try SecretKeyring(Self.one)
        let made = try await database.write { tx in
            try SecretStorage.set(
                "openai", to: "sk-first", hosts: hosts("api.openai.com"), by: keyring, now: Self.now, in: tx)
        }
        #expect(made.secret.version == 1 && made.backends.isEmpty)
        let mark = try await database.read { try ChangeStorage.newest(in: $0) }
        let same = try await database.write { tx in
            try SecretStorage.set("openai", to: "sk-first", hosts: nil, by: keyring, now: Self.now, in: tx)
        }
        #expect(same == made)
        #expect(try await database.read { try ChangeStorage.newest(in: $0) } == mark)
        let replaced = try await database.write { tx in
            try SecretStorage.set("openai", to: "sk-second", hosts: nil, by: keyring, now: Self.now, in: tx)
        }
        #expect(replaced.secret.version == 2 && replaced.secret.hosts == made.secret.hosts)
        #expect(replaced.secret.fingerprint != made.secret.fingerprint)
        let (part, newest) = try #require(
            try await database.read { try SnapshotStorage.difference(since: mark, in: $0) })
        #expect(part.secrets?["openai"] == replaced.secret && part.models != nil)
        let text = try await stored(database)
        #expect(!text.contains("sk-first") && !text.contains("sk-second"))
        try await database.write { _ = try SecretStorage.delete("openai", in: $0) }
        let gone = try #require(try await database.read { try SnapshotStorage.difference(since: newest, in: $0) })
        #expect(gone.part.secrets == [:])
        await #expect(throws: StorageError.notFound("secret openai")) {
            try await database.read { try SecretStorage.require("openai", in: $0) }
        }
    }

    @Test func `a secret that is used is not deleted, and not taken away from where it is used`() async throws {
        let database = Database(try TestDatabase.required.pool)
        let keyring = try SecretKeyring(Self.one)
        try await database.write { tx in
            _ = try SecretStorage.set(
                "openai", to: "sk-1", hosts: hosts("api.openai.com"), by: keyring, now: Self.now, in: tx)
        }
        try await apply([try backend("cloud", "https://api.openai.com", secret: "openai")], database)
        let used = try await database.read { try SecretStorage.require("openai", in: $0) }
        #expect(used.backends == ["cloud"])
        await #expect(throws: StorageError.self) {
            try await database.write { _ = try SecretStorage.delete("openai", in: $0) }
        }
        await #expect(throws: StorageError.self) {
            try await database.write { tx in
                _ = try SecretStorage.set(
                    "openai", to: "sk-1", hosts: hosts("other.example"), by: keyring, now: Self.now, in: tx)
            }
        }
        try await apply([try backend("cloud", "https://api.openai.com", apiKey: "k")], database)
        try await database.write { _ = try SecretStorage.delete("openai", in: $0) }
    }

    @Test func `a catalogue that sends a secret elsewhere, or names none there is, is refused whole`() async throws {
        let database = Database(try TestDatabase.required.pool)
        let keyring = try SecretKeyring(Self.one)
        try await database.write { tx in
            _ = try SecretStorage.set(
                "openai", to: "sk-1", hosts: hosts("https://api.openai.com"), by: keyring, now: Self.now, in: tx)
        }
        for (name, url, secret) in [
            ("own", "https://evil.example", "openai"), ("plain", "http://api.openai.com", "openai"),
            ("typo", "https://api.openai.com", "openal"),
        ] {
            let refusal = await #expect(throws: CatalogueRefusal.self) {
                try await apply(
                    [try backend(name, url, secret: secret), try backend("fine", "https://fine.example")], database)
            }
            #expect(refusal?.findings.count == 1 && refusal?.description.contains(name) == true)
            #expect(refusal?.description.contains("sk-1") == false)
        }
        #expect(try await database.read { try CatalogueStorage.backends(in: $0) }.isEmpty)
    }

    @Test func `applying the same catalogue with sealed values again changes nothing`() async throws {
        let database = Database(try TestDatabase.required.pool)
        let keyring = try SecretKeyring(Self.one)
        func sealed(_ key: String) throws -> Backend {
            try backend("a", "https://a.example", apiKey: key).sealed(by: keyring, nonce: SecretNonce.fresh)
        }
        #expect(try await apply([try sealed("k1")], database).added == ["backend a", "model m-a"])
        #expect(try await apply([try sealed("k1")], database).isEmpty)
        #expect(try await apply([try sealed("k2")], database).changed == ["backend a"])
        #expect(!(try await stored(database)).contains("k2"))
    }

    @Test func `rotation encrypts everything anew, once`() async throws {
        let database = Database(try TestDatabase.required.pool)
        let (old, both) = (try SecretKeyring(Self.one), try SecretKeyring("\(Self.two)\n\(Self.one)"))
        let new = try SecretKeyring(Self.two)
        try await database.write { tx in
            for name in ["a", "b"] {
                _ = try SecretStorage.set(
                    name, to: "value of \(name)", hosts: hosts("api.openai.com"), by: old, now: Self.now, in: tx)
            }
        }
        let backends = [
            try backend("sealed", "https://a.example", apiKey: "k1").sealed(by: old, nonce: SecretNonce.fresh),
            try backend("plain", "https://b.example", apiKey: "k2"),
            try backend("named", "https://api.openai.com", secret: "a"),
        ]
        try await apply(backends, database)
        await #expect(throws: StorageError.self) {
            try await database.write { _ = try SecretStorage.rotate(to: new, now: Self.now, in: $0) }
        }
        let done = try await database.write { try SecretStorage.rotate(to: both, now: Self.now, in: $0) }
        #expect(done.secrets == 2 && done.backends == 2)
        #expect(
            try await database.write { try SecretStorage.rotate(to: both, now: Self.now, in: $0) }
                == SecretStorage.Rotation())
        let (kept, secrets) = try await database.read { tx in
            (try CatalogueStorage.backends(in: tx), try SecretStorage.list(in: tx))
        }
        #expect(secrets.allSatisfy { $0.secret.version == 1 && $0.secret.sealed.keyID == new.keyIDs[0] })
        let byName = Dictionary(uniqueKeysWithValues: secrets.map { ($0.secret.name, $0.secret) })
        let opened = try kept.map { try $0.opened(by: new, secrets: byName).apiKey }
        #expect(opened == ["value of a", "k2", "k1"])
        #expect(!(try await stored(database)).contains("k2"))
    }

    @Test(arguments: [
        ("UPDATE secrets SET hosts = '{a/b}' WHERE secret = 'b'", "secret b"),
        ("UPDATE secrets SET sealed = '1:0:0:0' WHERE secret = 'b'", "secret b"),
        ("UPDATE backends SET kind = 'of-next-year'", "backend plain"),
        (#"UPDATE backends SET settings = '{"count": 5}'"#, "backend plain"),
    ])
    func `what does not read is never said to be encrypted anew`(statement: String, name: String) async throws {
        let database = Database(try TestDatabase.required.pool)
        let (old, both) = (try SecretKeyring(Self.one), try SecretKeyring("\(Self.two)\n\(Self.one)"))
        try await database.write { tx in
            for name in ["a", "b"] {
                _ = try SecretStorage.set(
                    name, to: "value of \(name)", hosts: hosts("api.openai.com"), by: old, now: Self.now, in: tx)
            }
        }
        try await apply([try backend("plain", "https://b.example", apiKey: "k2")], database)
        let before = try await stored(database)
        try await TestDatabase.required.pool.execute("\(unescaped: statement)")
        await #expect {
            try await database.write { _ = try SecretStorage.rotate(to: both, now: Self.now, in: $0) }
        } throws: {
            "\($0)".contains("\(name) (") && "\($0)".contains("nothing was encrypted anew")
        }
        guard name == "secret b" else { return }
        #expect(try await database.read { try SecretStorage.list(in: $0).map(\.secret.name) } == ["a"])
        // It can be deleted, and nobody has to read it for that.
        #expect(try await database.write { try SecretStorage.delete("b", in: $0) } == nil)
        #expect(try await database.write { try SecretStorage.rotate(to: both, now: Self.now, in: $0) }.secrets == 1)
        #expect(try await stored(database) != before)
    }

    @Test(arguments: [
        ("", "value", "h.example"), ("a b", "value", "h.example"), ("a", "", "h.example"),
        ("a", "two\nlines", "h.example"), ("a", "value", nil),
    ])
    func `what cannot be a secret is refused with the parameter`(
        name: String, value: String, host: String?
    ) async throws {
        let database = Database(try TestDatabase.required.pool)
        let hosts = host.map { [SecretHost($0)].compactMap { $0 } }
        let error = await #expect(throws: StorageError.self) {
            try await database.write { tx in
                _ = try SecretStorage.set(
                    name, to: value, hosts: hosts, by: SecretKeyring(Self.one), now: Self.now, in: tx)
            }
        }
        guard case .invalid? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }
}
