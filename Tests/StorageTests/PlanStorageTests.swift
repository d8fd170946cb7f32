import Accounts
import Engines
import Identity
import Metering
import Monetary
import PlanLanguage
import Postgres
import Pricing
import Storage
import TestSupport
import Testing

@Suite(.database, .timeLimit(.minutes(10)))
struct PlanStorageTests {
    private func apply(
        _ text: String, _ made: StorageFixture, now: Timestamp = StorageFixture.now
    ) async throws -> PlanStorage.Application {
        let version = try PlanVersion(yaml: text)
        return try await made.database.write { try PlanStorage.apply(version, now: now, in: $0) }
    }

    @Test func `applying a version again changes nothing`() async throws {
        let made = try await StorageFixture.make()
        let text = StorageFixture.planText(version: 1, effectiveFrom: "2026-01-01T00:00:00Z")
        let before = try await made.database.read { try ChangeStorage.latest(in: $0) }
        #expect(try await apply(text, made) == .unchanged)
        #expect(try await made.database.read { try ChangeStorage.latest(in: $0) } == before)
        let changed = StorageFixture.planText(version: 1, effectiveFrom: "2026-01-01T00:00:00Z", input: "0.16")
        await #expect(throws: PlanHistoryError.self) { try await apply(changed, made) }
    }

    @Test func `a version published before there was a rule for what is unpriced keeps what it was published under`()
        async throws
    {
        let made = try await StorageFixture.make()
        let read = { try await made.database.read { try PlanStorage.history(of: "pay-as-you-go", in: $0) } }
        #expect(try await read().versions.map(\.unpriced) == [.refuse])
        _ = try await made.database.write { try $0.execute("UPDATE plan_versions SET unpriced = 'suspend'") }
        #expect(try await read().versions.map(\.unpriced) == [.suspend])
        let text = StorageFixture.planText(version: 1, effectiveFrom: "2026-01-01T00:00:00Z")
        #expect(try await apply(text, made) == .unchanged)
        #expect(try await read().versions.map(\.unpriced) == [.suspend])
    }

    @Test func `what is stored is the same for the same content, whatever the file looked like`() async throws {
        let made = try await StorageFixture.make()
        let text =
            "# for the spring\n" + StorageFixture.planText(version: 2, effectiveFrom: "2026-10-01T02:00:00+02:00")
        #expect(try await apply(text, made) == .published)
        let stored = try await made.database.read { try PlanStorage.find("pay-as-you-go", version: 2, in: $0) }
        #expect(stored?.text == stored?.version.document.canonicalText)
        #expect(stored?.text.hasPrefix("language: 1\nplan: pay-as-you-go\n") == true)
        let plain = StorageFixture.planText(version: 2, effectiveFrom: "2026-10-01T00:00:00Z")
        #expect(try await apply(plain, made) == .unchanged)
    }

    @Test func `a document that was stored as it was written is read as ever`() async throws {
        let made = try await StorageFixture.make()
        let text = "# as it was written\n" + StorageFixture.planText(version: 1, effectiveFrom: "2026-01-01T00:00:00Z")
        let digest = SHA256Digest(of: text).hexadecimal
        try await TestDatabase.required.pool.execute("UPDATE plan_versions SET document = \(text), sha256 = \(digest)")
        let stored = try await made.database.read { try PlanStorage.find("pay-as-you-go", version: 1, in: $0) }
        #expect(stored?.text == text)
        #expect(stored?.version == (try PlanVersion(yaml: text)))
        #expect(try await apply(text, made) == .unchanged)
    }

    @Test func `usage is rated by the rows that were published, whatever the document says`() async throws {
        let made = try await StorageFixture.make()
        let text = StorageFixture.planText(version: 1, effectiveFrom: "2026-01-01T00:00:00Z") + "# of this test\n"
        let digest = SHA256Digest(of: text).hexadecimal
        let pool = try TestDatabase.required.pool
        try await pool.execute("UPDATE plan_versions SET document = \(text), sha256 = \(digest)")
        try await pool.execute("ALTER TABLE effective_prices DISABLE TRIGGER effective_prices_frozen")
        try await pool.execute(
            "UPDATE effective_prices SET picounits_per_unit = 123457 WHERE meter = 'input_tokens' AND tier = 'standard'"
        )
        let history = try await made.database.read { try PlanStorage.history(of: "pay-as-you-go", in: $0) }
        let version = try #require(history.versions.first)
        let input = version.prices.filter { $0.meter == .inputTokens && $0.tier == "standard" }
        #expect(!input.isEmpty && input.allSatisfy { $0.unitPrice.picounits == 123_457 })
        #expect(version.prices.count > input.count)
    }

    @Test(arguments: [
        "UPDATE effective_prices SET picounits_per_unit = 0", "DELETE FROM effective_prices",
        "UPDATE effective_prices SET tier = 'x'",
    ])
    func `a published price row never changes`(statement: String) async throws {
        _ = try await StorageFixture.make()
        await (try TestDatabase.required.pool).expectRefused(statement)
    }

    @Test func `a version whose rows are gone does not read, and says so`() async throws {
        let made = try await StorageFixture.make()
        let text = StorageFixture.planText(version: 1, effectiveFrom: "2026-01-01T00:00:00Z") + "# without rows\n"
        let digest = SHA256Digest(of: text).hexadecimal
        let pool = try TestDatabase.required.pool
        try await pool.execute("UPDATE plan_versions SET document = \(text), sha256 = \(digest)")
        try await pool.execute("ALTER TABLE effective_prices DISABLE TRIGGER effective_prices_frozen")
        try await pool.execute("DELETE FROM effective_prices")
        let history = try await made.database.read { try PlanStorage.history(of: "pay-as-you-go", in: $0) }
        #expect(history.versions.isEmpty && history.unreadable.first?.reason.contains("are missing") == true)
    }

    @Test func `a later version joins the history and its prices are rows`() async throws {
        let made = try await StorageFixture.make()
        let text = StorageFixture.planText(version: 2, effectiveFrom: "2026-10-01T00:00:00Z", input: "0.20")
        #expect(try await apply(text, made) == .published)
        let history = try await made.database.read { try PlanStorage.history(of: "pay-as-you-go", in: $0) }
        #expect(history.versions.map(\.version) == [1, 2])
        #expect(history.version(at: StorageFixture.now, under: nil)?.version == 1)
        let rows = try await TestDatabase.required.pool.query(
            """
            SELECT count(*), max(picounits_per_unit) FROM effective_prices
            WHERE version = 2 AND meter = 'input_tokens'
            """
        )
        #expect(rows[0][0] == "2" && rows[0][1] == "350000")
        let list = try await made.database.read { try PlanStorage.list(in: $0) }
        #expect(list.items.map(\.latestVersion) == [2])
    }

    @Test(arguments: [30, 365, 3650] as [Int64])
    func `a test clock that is days ahead holds up no price change`(days: Int64) async throws {
        let made = try await StorageFixture.make()
        let account = try await made.database.write { tx in
            let account = try StorageFixture.testAccount(in: tx)
            try TestSandbox.advance(account.id, byMilliseconds: days * 86_400_000, now: StorageFixture.now, in: tx)
            return try AccountStorage.require(account.id, in: tx)
        }
        let text = StorageFixture.planText(version: 2, effectiveFrom: "2026-10-01T00:00:00Z")
        #expect(try await apply(text, made) == .published)
        let history = try await made.database.read { try PlanStorage.history(of: "pay-as-you-go", in: $0) }
        let from = history.versions[1].effectiveDate
        #expect(from.instant(under: nil) == Timestamp("2026-10-01T00:00:00Z"))
        let ahead = account.billingTime(at: StorageFixture.now).advanced(byMilliseconds: 1000)
        #expect(from.instant(under: account.clock) == max(from.from, ahead))
    }

    @Test func `a catalogue is made exactly as applied`() async throws {
        let made = try await StorageFixture.make()
        let backend = try Backend(
            name: "sim", baseURL: "http://[::1]:9000/base/", apiKey: "secret", hardware: "cpu", quantisation: "")
        #expect(backend.baseURL == "http://[::1]:9000/base")
        let model = CatalogueModel(
            publicName: "sim-small", aliases: ["small"], backend: backend, upstreamName: "sim", priceKey: "sim-small",
            contextTokensMax: 8192, outputTokensMax: 4096, tenantsAllowed: [made.tenant.id], createdAtSeconds: 0)
        @Sendable func apply(_ backends: [Backend], _ models: [CatalogueModel]) async throws -> CatalogueStorage.Changes
        {
            try await made.database.write { tx in
                try CatalogueStorage.apply(backends: backends, models: models, now: StorageFixture.now, in: tx)
            }
        }
        #expect(try await apply([backend], [model]).added == ["backend sim", "model sim-small"])
        #expect(try await apply([backend], [model]).isEmpty)
        let stored = try await made.database.read { try CatalogueStorage.models(in: $0) }
        #expect(stored.map(\.publicName) == ["sim-small"] && stored[0].backend == backend)
        #expect(stored[0].tenantsAllowed == [made.tenant.id])
        let moved = try Backend(name: "sim", baseURL: "https://engine.example", apiKey: nil)
        let changes = try await apply([moved], [])
        #expect(changes.changed == ["backend sim"] && changes.removed == ["model sim-small"])
    }

    @Test func `routes, rules and settings are kept, and a change of one changes the model alone`() async throws {
        let made = try await StorageFixture.make()
        var settings = BackendSettings()
        settings.region = "eu-west-1"
        settings.aws = BackendSettings.AWSCredentials(accessKeyID: "id", secretAccessKey: "s", region: "eu-west-1")
        let cloud = try Backend(
            name: "cloud", baseURL: "https://cloud.example", apiKey: nil, kind: .bedrock, settings: settings)
        let own = try Backend(name: "own", baseURL: "http://own.example:8000", apiKey: nil, kind: .vllm)
        var rules = RoutingRules()
        rules.preference = .latency
        rules.regionsAllowed = ["eu-west-1"]
        rules.triesMax = 2
        func model(weight: Int64) -> CatalogueModel {
            CatalogueModel(
                publicName: "large", aliases: [],
                routes: [
                    ModelRoute(
                        backend: own, upstreamName: "large", weight: weight, inputCostPicounits: 5,
                        outputCostPicounits: 7),
                    ModelRoute(backend: cloud, upstreamName: "vendor.large", weight: 0),
                ], routing: rules, priceKey: "large", contextTokensMax: 8192, outputTokensMax: 4096,
                tenantsAllowed: nil, createdAtSeconds: StorageFixture.now.milliseconds / 1000)
        }
        @Sendable func apply(_ model: CatalogueModel) async throws -> CatalogueStorage.Changes {
            try await made.database.write { tx in
                try CatalogueStorage.apply(backends: [own, cloud], models: [model], now: StorageFixture.now, in: tx)
            }
        }
        #expect(try await apply(model(weight: 2)).added == ["backend cloud", "backend own", "model large"])
        #expect(try await made.database.read { try CatalogueStorage.models(in: $0) } == [model(weight: 2)])
        #expect(try await apply(model(weight: 2)).isEmpty)
        #expect(try await apply(model(weight: 5)).changed == ["model large"])
        #expect(try await made.database.read { try CatalogueStorage.models(in: $0) } == [model(weight: 5)])
    }

    @Test func `journals are registered, fenced by epoch and retired by hand`() async throws {
        let made = try await StorageFixture.make()
        let id: JournalID = StorageFixture.id(20)
        @Sendable func register(epoch: Int64) async throws -> RegisteredJournal {
            try await made.database.write { tx in
                try JournalStorage.register(id, gateway: "g1", epoch: epoch, now: StorageFixture.now, in: tx)
            }
        }
        #expect(try await register(epoch: 1).mark == JournalPosition(segment: 0, offset: 0))
        #expect(try await register(epoch: 3).epoch == 3)
        await #expect(throws: StorageError.self) { try await register(epoch: 2) }
        try await made.database.write {
            let later = StorageFixture.now.advanced(byMilliseconds: 60_000)
            try JournalStorage.retire(id, reason: "disk lost", now: later, in: $0)
        }
        await #expect(throws: StorageError.self) { try await register(epoch: 4) }
        #expect(try await made.database.read { try JournalStorage.list(includingRetired: false, in: $0) }.isEmpty)
    }
}
