import Accounts
import Identity
import Postgres
import Storage
import TestSupport
import Testing

@testable import Billing

/// What someone does in the database whom its triggers cannot stop.
@Suite(.database, .timeLimit(.minutes(10)))
struct AuditTamperingTests {
    static let tampering: [(String, String)] = [
        ("UPDATE audit_entries SET reason = 'nothing to see' WHERE number = 2 AND CHAIN", "entry 2 was changed"),
        (
            "UPDATE audit_entries SET after = replace(after::text, 'three', 'four')::json WHERE number = 3 AND CHAIN",
            "entry 3 was changed"
        ),
        ("UPDATE audit_entries SET origin = '192.0.2.1' WHERE number = 1 AND CHAIN", "entry 1 was changed"),
        (
            "UPDATE audit_entries SET recorded_at = recorded_at - interval '1 day' WHERE number = 2 AND CHAIN",
            "entry 2 was changed"
        ),
        ("UPDATE audit_entries SET before = NULL WHERE number = 3 AND CHAIN", "entry 3 was changed"),
        ("DELETE FROM audit_entries WHERE number = 3 AND CHAIN", "entry 3 is missing"),
        ("DELETE FROM audit_entries WHERE number = 1 AND CHAIN", "entry 1 is missing"),
        ("DELETE FROM audit_entries WHERE number IN (2, 3) AND CHAIN", "entries 2 to 3 are missing"),
        ("DELETE FROM audit_entries WHERE number = 4 AND CHAIN", "entry 4, the newest, is missing"),
        ("DELETE FROM audit_entries WHERE CHAIN", "entries 1 to 4 are missing"),
        (
            """
            UPDATE audit_entries SET number = 5 - number + 100 WHERE number IN (2, 3) AND CHAIN;
            UPDATE audit_entries SET number = number - 100 WHERE number > 100 AND CHAIN
            """, "entry 2 does not follow entry 1: one of them was put in another's place"
        ),
        ("DELETE FROM audit_heads WHERE CHAIN", "the chain has no head"),
        ("DELETE FROM audit_entries WHERE CHAIN; DELETE FROM audit_heads WHERE CHAIN", "the chain has no head"),
        ("UPDATE audit_heads SET number = 3 WHERE CHAIN", "the chain's head is not its newest entry, 4"),
    ]

    @Test(arguments: tampering) func `is found`(statement: String, message: String) async throws {
        let fixture = try BillingFixture()
        let other = try await fixture.openAccount("Other")
        let account = try await fixture.openAccount("one")
        for name in ["two", "three", "four and last"] {
            _ = try await fixture.change { try $0.updateAccount(account.id, name: name) { $0 } }
        }
        #expect(try await fixture.verify().faults.isEmpty)
        let sql = statement.replacing("CHAIN", with: "account_id = '\(account.id.uuid)'")
        try await TestDatabase.required.pool.executePastTriggers(script: sql)
        let faults = try await fixture.verify().faults
        #expect(faults.contains(AuditFault(.account(account.id), faults.first?.number ?? 0, message)), "\(faults)")
        #expect(faults.allSatisfy { $0.chain != .account(other.id) })
    }

    @Test(arguments: [
        "UPDATE audit_entries SET reason = 'x'", "DELETE FROM audit_entries", "TRUNCATE audit_entries CASCADE",
        "UPDATE audit_heads SET number = number + 1", "DELETE FROM audit_heads", "TRUNCATE audit_heads",
        "INSERT INTO audit_heads SELECT gen_random_uuid(), 3, sha256 FROM audit_heads LIMIT 1",
        "UPDATE outbox_events SET name = 'x'", "DELETE FROM outbox_events", "TRUNCATE outbox_events",
        """
        INSERT INTO audit_entries
        SELECT account_id, 7, entry_id, recorded_at, action, subject, actor_kind, actor_id, actor_name, origin, before,
            after, reason, previous_sha256, sha256
        FROM audit_entries
        """,
    ]) func `is refused by the database`(statement: String) async throws {
        let fixture = try BillingFixture()
        _ = try await fixture.openAccount()
        await (try TestDatabase.required.pool).expectRefused(statement)
        #expect(try await fixture.verify().faults.isEmpty)
    }

    @Test func `a page of one chain goes by number, of all by time, and filters hold`() async throws {
        let fixture = try BillingFixture()
        let account = try await fixture.openAccount()
        for number in 0..<6 {
            _ = try await fixture.change(by: number < 3 ? .clerk : .operator("other", on: "desk-2")) {
                try $0.updateAccount(account.id, name: "name \(number)") { $0 }
            }
        }
        _ = try await fixture.change { try $0.setSeller(Deeds.seller("Provider")) }
        func pages(_ filter: AuditStorage.Filter) async throws -> [AuditEntry] {
            var entries: [AuditEntry] = []
            while true {
                let after = entries.last?.id.uuid
                let page = try await fixture.service.read(by: .clerk) {
                    try $0.auditEntries(filter, PageRequest(limit: 2, after: after))
                }
                entries += page.items
                if !page.hasMore { return entries }
            }
        }
        let chain = AuditChain.account(account.id)
        #expect(try await pages(.init(chain: chain)).map(\.number) == Array(1...7))
        #expect(try await pages(.init()).count == 8)
        #expect(try await pages(.init(chain: .seller)).map(\.action) == ["seller.updated"])
        #expect(try await pages(.init(chain: chain, actor: "other")).map(\.number) == [5, 6, 7])
        #expect(try await pages(.init(action: "account.created")).map(\.number) == [1])
        #expect(try await pages(.init(subject: "seller")).count == 1)
    }
}
