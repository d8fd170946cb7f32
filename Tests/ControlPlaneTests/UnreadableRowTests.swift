import Accounts
import Engines
import Identity
import Ingest
import Limits
import Logging
import Metering
import PlanLanguage
import Postgres
import Pricing
import Storage
import TestSupport
import Testing

@testable import SnapshotSync

/// One row that does not read puts out of service what depends on it, is named, and nothing else happens.
@Suite(.database, .timeLimit(.minutes(10)))
struct UnreadableRowTests {
    private static let key = String(repeating: "11", count: 32)

    /// What is stored beside the fixture: a second plan with a subscription, three backends with a model each, a
    /// secret, a limit, and a second key.
    private func fill(_ made: Fixture) async throws {
        let text = Fixture.planText().replacing("plan: pay-as-you-go", with: "plan: other")
        let version = try PlanVersion(yaml: text)
        let subscription = Subscription(
            id: Fixture.id(50), accountID: made.account.id, tenantID: made.tenant.id, plan: "other",
            startsAt: made.subscription.startsAt, createdAt: Fixture.now)
        let other = Tenant(id: Fixture.id(51), accountID: made.account.id, name: "Other", createdAt: Fixture.now)
        let moved = Subscription(
            id: subscription.id, accountID: made.account.id, tenantID: other.id, plan: "other",
            startsAt: subscription.startsAt, createdAt: Fixture.now)
        let key = APIKey(
            id: Fixture.id(52), project: made.project, name: "second", secret: Secret(text: "tg_second"),
            createdAt: Fixture.now)
        let rule = LimitRule(
            id: Fixture.id(53), accountID: made.account.id, scope: .key(key.id), model: nil, kind: .requestsPerMinute,
            value: 100, isShadow: false)
        let hosts = [SecretHost("named.example")].compactMap { $0 }
        var named = BackendSettings()
        named.credentials[.apiKey] = .secret(name: "engine")
        let backends = [
            try Backend(name: "bad", baseURL: "https://bad.example", apiKey: nil),
            try Backend(name: "fine", baseURL: "https://fine.example", apiKey: nil),
            try Backend(name: "named", baseURL: "https://named.example", apiKey: nil, settings: named),
        ]
        let models = backends.map { backend in
            CatalogueModel(
                publicName: "m-\(backend.name)", aliases: [], backend: backend, upstreamName: "m", priceKey: "m",
                contextTokensMax: 10, outputTokensMax: 10, tenantsAllowed: nil, createdAtSeconds: 0)
        }
        try await made.database.write { tx in
            try PlanStorage.apply(version, now: Fixture.now, in: tx)
            try TenantStorage.insert(other, in: tx)
            try SubscriptionStorage.insert(moved, in: tx)
            try APIKeyStorage.insert(key, in: tx)
            try LimitStorage.insert(rule, now: Fixture.now, in: tx)
            _ = try SecretStorage.set(
                "engine", to: "sk", hosts: hosts, by: SecretKeyring(Self.key), now: Fixture.now, in: tx)
            _ = try CatalogueStorage.apply(backends: backends, models: models, now: Fixture.now, in: tx)
        }
    }

    private func execute(_ statements: String, _ made: Fixture) async throws {
        for statement in statements.split(separator: ";") {
            try await made.pool.execute("\(unescaped: String(statement))")
        }
    }

    private func snapshot(_ made: Fixture) async throws -> SuppliedSnapshot {
        try await made.database.read { tx in
            var state = SnapshotState(now: Fixture.now)
            _ = try SnapshotStorage.load(now: Fixture.now, in: tx) { state.apply($0, now: Fixture.now) }
            // As it comes back from a gateway's own copy.
            var copy = SnapshotState(now: Fixture.now)
            try state.forEachPart(rowsMax: 100) { part in
                let bytes = try SnapshotPartCoding.bytes(of: part)
                copy.apply(try bytes.withUnsafeBytes { try SnapshotPartCoding.part(of: $0) }, now: Fixture.now)
            }
            let copied = copy.snapshot(at: Fixture.now) { try? SecretKeyring(Self.key) }
            #expect(copied.catalogue.models.count == 3)
            return state.snapshot(at: Fixture.now) { try? SecretKeyring(Self.key) }
        }
    }

    /// Statements that spoil one row, and what is out of service then.
    private static let spoilt: [(String, ServiceFault.Kind, String)] = [
        ("UPDATE plan_versions SET document = 'nonsense' WHERE plan = 'other'", .planVersion, "other@1"),
        ("UPDATE plan_versions SET sha256 = 'x' WHERE plan = 'other'", .planVersion, "other@1"),
        ("UPDATE backends SET base_url = 'gopher://x' WHERE backend = 'bad'", .backend, "bad"),
        ("UPDATE backends SET kind = 'of-next-year' WHERE backend = 'bad'", .backend, "bad"),
        (#"UPDATE backends SET settings = '{"count": 5}' WHERE backend = 'bad'"#, .backend, "bad"),
        ("UPDATE backends SET settings = '[]' WHERE backend = 'bad'", .backend, "bad"),
        ("ALTER TABLE limits DROP CONSTRAINT limits_kind_check; UPDATE limits SET kind = 'new'", .limit, "53"),
        ("ALTER TABLE limits DROP CONSTRAINT limits_scope_check; UPDATE limits SET scope = 'new'", .limit, "53"),
        (
            """
            ALTER TABLE api_keys DROP CONSTRAINT api_keys_secret_sha256_check;
            UPDATE api_keys SET secret_sha256 = '\\x00' WHERE name = 'second'
            """, .key, "52"
        ),
        (
            "ALTER TABLE secrets DROP CONSTRAINT secrets_sealed_check; UPDATE secrets SET sealed = 'x'", .secret,
            "engine"
        ),
        ("UPDATE secrets SET sealed = '1:0:0:0'", .secret, "engine"),
        ("UPDATE secrets SET hosts = '{a/b}'", .secret, "engine"),
        (
            """
            ALTER TABLE catalogue_models DROP CONSTRAINT catalogue_models_prefer_check;
            UPDATE catalogue_models SET prefer = 'beauty' WHERE model = 'm-bad'
            """, .model, "m-bad"
        ),
        ("DELETE FROM catalogue_routes WHERE model = 'm-bad'", .model, "m-bad"),
    ]

    @Test(arguments: spoilt.indices)
    func `a snapshot names the row and has all others`(index: Int) async throws {
        let (statement, kind, name) = Self.spoilt[index]
        try await Fixture.run { made in
            try await fill(made)
            #expect(try await snapshot(made).faults.isEmpty)
            try await execute(statement, made)
            let snapshot = try await snapshot(made)
            let faults = snapshot.faults.filter { $0.code == "unreadable_row" }
            #expect(faults.count == 1 && faults.first?.kind == kind && faults.first?.reason.isEmpty == false)
            let expected = Int(name).map { number in
                kind == .limit ? "\(Fixture.id(UInt64(number)) as LimitID)" : "\(Fixture.id(UInt64(number)) as KeyID)"
            }
            #expect(faults.first?.name == expected ?? name)
            // Everything else is as it was.
            #expect(snapshot.keys.grant(forSecretDigest: made.secret.digest)?.subscriptionID == made.subscription.id)
            #expect(snapshot.catalogue.backend(named: "fine")?.outOfService == nil)
            #expect(snapshot.catalogue.models.map(\.publicName) == ["m-bad", "m-fine", "m-named"])
            let isServed = snapshot.catalogue.model(named: "m-bad")?.routes.contains { $0.backend.outOfService == nil }
            #expect(isServed == (kind != .backend && kind != .model))
            let opened = snapshot.catalogue.backend(named: "named")
            #expect((opened?.apiKey == "sk") == (kind != .secret))
            #expect((opened?.outOfService == nil) == (kind != .secret))
            // And it is what `doctor` says.
            let told = try await made.database.read {
                try SnapshotInspection.faults(keyring: SecretKeyring(Self.key), now: Fixture.now, in: $0)
            }
            #expect(Set(told) == snapshot.faults)
        }
    }

    @Test func `a limit that does not read lets nothing pass, and the others are granted`() async throws {
        try await Fixture.run { made in
            try await fill(made)
            let fine = LimitRule(
                id: Fixture.id(60), accountID: made.account.id, scope: .key(made.key.id), model: nil,
                kind: .requestsPerMinute, value: 100, isShadow: false)
            try await made.database.write { try LimitStorage.insert(fine, now: Fixture.now, in: $0) }
            try await execute(
                """
                ALTER TABLE limits DROP CONSTRAINT limits_kind_check;
                UPDATE limits SET kind = 'new' WHERE scope_id <> '\(made.key.id.uuid.hexadecimal)'
                """, made)
            let closed = try await made.database.read { tx in
                var rules: [LimitRule] = []
                _ = try SnapshotStorage.load(now: Fixture.now, in: tx) { rules += $0.limits }
                return rules.first { $0.id != fine.id }
            }
            #expect(closed?.value == 0 && closed?.isShadow == false)
            let requests = [fine.id, Fixture.id(53)].map { id in
                SliceRequest(
                    accountID: made.account.id, limitID: id, spent: 0, spentConfirmed: 0, isFirst: true, free: 0,
                    reserved: 0, need: 1, wanted: 1, ahead: 0)
            }
            let grants = try await made.database.write { tx in
                try LimitSliceStorage.exchange(requests, gateway: made.key.id.uuid, in: tx)
            }
            #expect(grants.map(\.limitID) == [fine.id])
        }
    }

    @Test func `changes are followed past a row that does not read, and it is taken in again once it reads`()
        async throws
    {
        try await Fixture.run { made in
            try await fill(made)
            var state = SnapshotState(now: Fixture.now)
            func follow(_ statement: SQL, _ kind: SnapshotChangeKind, _ entity: String) async throws {
                state = try await next(state, statement, kind, entity, made).state
            }
            func faults() -> [String] { names(state) }
            try await follow("SELECT 1", .catalogue, "catalogue")
            #expect(faults() == [])
            try await follow("UPDATE backends SET kind = 'x' WHERE backend = 'bad'", .catalogue, "catalogue")
            #expect(faults() == ["bad"])
            try await follow("UPDATE plan_versions SET sha256 = 'x' || sha256 WHERE plan = 'other'", .plan, "other@1")
            #expect(faults() == ["bad", "other@1"])
            try await follow("UPDATE secrets SET hosts = '{a/b}'", .catalogue, "secret engine")
            #expect(faults() == ["bad", "engine", "named", "other@1"])
            try await follow("UPDATE secrets SET hosts = '{named.example}'", .catalogue, "secret engine")
            #expect(faults() == ["bad", "other@1"])
            try await follow("UPDATE backends SET kind = 'openai' WHERE backend = 'bad'", .catalogue, "catalogue")
            #expect(faults() == ["other@1"])
            try await follow("UPDATE plan_versions SET sha256 = substr(sha256, 2)", .plan, "other@1")
            // The fixture's own plan lost its first digit by that.
            try await follow("SELECT 1", .plan, "pay-as-you-go@1")
            #expect(faults() == ["pay-as-you-go@1"])
        }
    }

    /// The state after a statement and a change, and whether everything had to be loaded for it.
    private func next(
        _ state: SnapshotState, _ statement: SQL, _ kind: SnapshotChangeKind, _ entity: String, _ made: Fixture
    ) async throws -> (state: SnapshotState, isLoaded: Bool) {
        try await made.pool.executePastTriggers(statement)
        try await made.database.write { _ = try ChangeStorage.record(kind, entity: entity, in: $0) }
        return try await made.database.read { tx in
            var state = state
            if let (part, mark) = try SnapshotStorage.difference(since: state.mark, in: tx) {
                state.apply(part, now: Fixture.now)
                state.reach(mark)
                return (state, false)
            }
            state = SnapshotState(now: Fixture.now)
            let mark = try SnapshotStorage.load(now: Fixture.now, in: tx) { state.apply($0, now: Fixture.now) }
            state.reach(mark)
            return (state, true)
        }
    }

    private func names(_ state: SnapshotState) -> [String] {
        var state = state
        return state.snapshot(at: Fixture.now) { try? SecretKeyring(Self.key) }.faults.map(\.name).sorted()
    }

    @Test func `a subscription that does not read is named until its own tenant is read anew`() async throws {
        try await Fixture.run { made in
            try await fill(made)
            let (bad, tenant) = (Fixture.id(50) as SubscriptionID, Fixture.id(51) as TenantID)
            let first = SnapshotState(now: Fixture.now)
            let spoil: SQL = "UPDATE subscriptions SET starts_at = '-infinity' WHERE plan = 'other'"
            var (state, _) = try await next(first, spoil, .subscription, "\(bad)", made)
            #expect(names(state) == ["\(bad)"])
            let others: [(SnapshotChangeKind, String)] = [
                (.tenant, "\(made.tenant.id)"), (.subscription, "\(made.subscription.id)"), (.key, "\(made.key.id)"),
                (.catalogue, "catalogue"), (.tenant, "\(tenant)"), (.account, "\(made.account.id)"),
            ]
            for (kind, entity) in others {
                state = try await next(state, "SELECT 1", kind, entity, made).state
                #expect(names(state) == ["\(bad)"], "\(kind) \(entity)")
            }
            let mend: SQL = "UPDATE subscriptions SET starts_at = '2026-01-01' WHERE plan = 'other'"
            state = try await next(state, mend, .tenant, "\(made.tenant.id)", made).state
            #expect(names(state) == ["\(bad)"], "nobody said so of its own tenant")
            state = try await next(state, "SELECT 1", .tenant, "\(tenant)", made).state
            #expect(names(state).isEmpty)
        }
    }

    @Test(arguments: [true, false])
    func `a key that did not read is no longer named once it reads, also where it is revoked`(
        isRevoked: Bool
    ) async throws {
        try await Fixture.run { made in
            try await fill(made)
            let bad: KeyID = Fixture.id(52)
            let first = SnapshotState(now: Fixture.now)
            try await made.pool.execute("ALTER TABLE api_keys DROP CONSTRAINT api_keys_secret_sha256_check")
            let spoil: SQL = "UPDATE api_keys SET secret_sha256 = '\\x00' WHERE name = 'second'"
            var (state, _) = try await next(first, spoil, .catalogue, "elsewhere", made)
            state = SnapshotState(now: Fixture.now)
            state = try await made.database.read { [state] tx in
                var state = state
                let mark = try SnapshotStorage.load(now: Fixture.now, in: tx) { state.apply($0, now: Fixture.now) }
                state.reach(mark)
                return state
            }
            #expect(names(state) == ["\(bad)"])
            state = try await next(state, "SELECT 1", .key, "\(made.key.id)", made).state
            #expect(names(state) == ["\(bad)"])
            let digest = String(repeating: "ab", count: 32)
            try await made.pool.execute(
                "UPDATE api_keys SET secret_sha256 = decode(\(digest), 'hex') WHERE name = 'second'")
            let then: SQL = isRevoked ? "UPDATE api_keys SET revoked_at = now() WHERE name = 'second'" : "SELECT 1"
            let (after, isLoaded) = try await next(state, then, .key, "\(bad)", made)
            #expect(names(after).isEmpty && !isLoaded)
        }
    }

    /// A statement that spoils what prices the second subscription, and the reason that its usage is held for.
    private static let held: [(SQL, String)] = [
        ("UPDATE plan_versions SET document = 'plan: other' WHERE plan = 'other'", "plan_version_unreadable"),
        (
            "UPDATE plan_versions SET effective_from = '-infinity', sha256 = 'x' WHERE plan = 'other'",
            "plan_version_unreadable"
        ),
        ("UPDATE subscriptions SET starts_at = '-infinity' WHERE plan = 'other'", "subscription_unreadable"),
    ]

    @Test(arguments: held.indices)
    func `ingest holds the usage that depends on the row and stores all other usage`(index: Int) async throws {
        let (statement, reason) = Self.held[index]
        try await Fixture.run { made in
            try await fill(made)
            try await made.pool.executePastTriggers(statement)
            try await made.withJournal { journal in
                let entries = (0..<6).map { number in
                    made.entry(UInt64(number), accepted: Fixture.now) { entry in
                        if number % 2 == 0 { entry.request.subscriptionID = Fixture.id(50) }
                    }
                }
                try await made.append(entries, to: journal)
                let status = try await made.ingestAll(journal)
                #expect(status.requests == 6 && status.trouble == nil)
            }
            let reasons: [String] = try await made.pool.query("SELECT reason FROM suspense").decodeAll()
            #expect(reasons == [reason, reason, reason])
            let billed: Int64 = try await made.pool.query("SELECT sum(quantity)::bigint FROM usage_rollups").onlyValue()
            #expect(billed == 3 * 120)
        }
    }

    @Test func `ingest holds the usage of an account that does not read`() async throws {
        try await Fixture.run { made in
            try await made.pool.execute("UPDATE accounts SET time_zone = 'Nowhere/Nothing'")
            try await made.withJournal { journal in
                try await made.append([made.entry(1, accepted: Fixture.now)], to: journal)
                #expect(try await made.ingestAll(journal).requests == 1)
            }
            let reasons: [String] = try await made.pool.query("SELECT reason FROM suspense").decodeAll()
            #expect(reasons == ["account_unreadable"])
        }
    }

    @Test func `a catalogue with a row that does not read can be applied anew`() async throws {
        try await Fixture.run { made in
            try await fill(made)
            try await made.pool.execute("UPDATE backends SET kind = 'x' WHERE backend = 'bad'")
            let backend = try Backend(name: "bad", baseURL: "https://bad.example", apiKey: nil)
            let changes = try await made.database.write { tx in
                try CatalogueStorage.apply(backends: [backend], models: [], now: Fixture.now, in: tx)
            }
            #expect(changes.changed == ["backend bad"])
            let stored = try await made.database.read { try CatalogueStorage.backends(in: $0) }
            #expect(stored == [backend])
        }
    }
}
