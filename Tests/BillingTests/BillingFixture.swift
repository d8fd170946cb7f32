import Accounts
import Identity
import Invoicing
import Monetary
import PlanLanguage
import Postgres
import Pricing
import Storage
import TestSupport
import Testing

@testable import Billing

/// For tests of use cases and their trail, on the running test's database: everything is made through them, and there
/// is no usage. For months there is `BillingWorld`.
struct BillingFixture {
    static let now = Timestamp(milliseconds: 1_790_000_000_000)  // 2026-09-21T14:13:20Z

    let database: Database
    let service: BillingService

    init() throws {
        database = Database(try TestDatabase.required.pool)
        service = BillingService(database, now: { BillingFixture.now })
    }

    static func key(_ role: AdminRole) -> AdminKey {
        let secret = Secret(text: "tga_\(role.rawValue)")
        return AdminKey(
            id: AdminKeyID(UUIDv7(milliseconds: now.milliseconds, randomness: (7, 7))), name: "the \(role.rawValue)",
            role: role, secretDigest: secret.digest, secretHint: secret.hint, createdAt: now)
    }

    func change<Result: Sendable>(
        by actor: Actor = .clerk, reason: String = "",
        _ body: @Sendable (WriteSession) throws -> Result
    ) async throws -> Result {
        try await service.change(by: actor.because(reason), body)
    }

    func openAccount(_ name: String = "Example") async throws -> Account {
        try await change {
            try $0.openAccount(name: name, currency: .eur, calendar: BillingCalendar(zoneName: "Europe/Berlin"))
        }
    }

    /// A plan to subscribe to.
    static let plan = """
        plan: standard
        version: 1
        title: Standard
        currency: EUR
        effective_from: 2026-01-01T00:00:00Z
        models:
          sim-small:
            input: "0.15"
            output: "0.60"
        """

    func publishPlan() async throws {
        try await change {
            _ = try $0.publishPlan(PlanVersion(yaml: BillingFixture.plan))
        }
    }

    /// A journal whose gateway is silent, with a place that could not be read.
    func registerJournal() async throws -> JournalID {
        let id = JournalID(UUIDv7(milliseconds: 1, randomness: (9, 9)))
        let past = BillingFixture.now.advanced(byMilliseconds: -86_400_000)
        try await database.write {
            _ = try JournalStorage.register(id, gateway: "gateway-1", epoch: 1, now: past, in: $0)
        }
        let pool = try TestDatabase.required.pool
        try await pool.withTransaction { tx in
            _ = try tx.execute(
                """
                INSERT INTO journal_quarantines (journal_id, segment, byte_offset, length, reason, found_at)
                VALUES (\(id), 3, 4096, 17, 'checksum', \(past))
                """)
        }
        return id
    }

    func entries(of chain: AuditChain) async throws -> [AuditEntry] {
        try await database.read { try AuditStorage.entries(of: chain, after: 0, limit: 1000, in: $0) }
    }

    func events(of chain: AuditChain) async throws -> [OutboxEvent] {
        try await database.read { try OutboxStorage.events(of: chain, in: $0) }
    }

    func verify() async throws -> AuditReport {
        try await service.read(by: .clerk) { try $0.verifyAuditTrail() }
    }
}
