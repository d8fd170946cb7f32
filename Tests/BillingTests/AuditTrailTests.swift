import Accounts
import Engines
import Foundation
import Identity
import Postgres
import Storage
import Synchronization
import TestSupport
import Testing

@testable import Billing

@Suite(.database, .timeLimit(.minutes(10)))
struct AuditTrailTests {
    @Test func `every change leaves an entry and an event of its kind, in one order, and nothing else does`()
        async throws
    {
        let fixture = try BillingFixture()
        let seen = Mutex<[AuditChain: Int]>([:])
        let kinds = Mutex<Set<ChangeKind>>([])
        let deeds = Deeds(fixture: fixture) { kind, chain in
            let entries = try await fixture.entries(of: chain)
            let events = try await fixture.events(of: chain)
            let before = seen.withLock { seen in
                defer { seen[chain] = entries.count }
                return seen[chain] ?? 0
            }
            let new = entries.dropFirst(before)
            #expect(new.first?.action == kind.rawValue)
            // An account is deleted with its sandbox.
            let asked = kind == .accountDeleted ? .sandboxDeleted : kind
            #expect(new.allSatisfy { $0.reason == "because of \(asked.rawValue)" })
            #expect(new.allSatisfy { $0.principal == Principal(.operator, id: "clerk", origin: "desk-1") })
            #expect(events.map(\.number) == entries.map(\.number))
            #expect(events.map(\.name) == entries.map(\.action))
            #expect(events.map(\.payload) == entries.map { $0.after ?? $0.before ?? "" })
            kinds.withLock { $0.formUnion(new.compactMap { ChangeKind(rawValue: $0.action) }) }
        }
        try await deeds.all()
        #expect(kinds.withLock { $0 }.union(Deeds.kindsOfJobs) == Set(ChangeKind.allCases), "no deed makes them")
        let report = try await fixture.verify()
        #expect(report.faults.isEmpty, "\(report.faults)")
        #expect(report.entryCount == seen.withLock { $0.values.reduce(0, +) })
    }

    @Test func `an actor without the permission changes nothing and leaves no trace`() async throws {
        let fixture = try BillingFixture()
        let nobody = Actor.job("nothing", on: "here", may: [])
        let account = try await fixture.openAccount()
        let before = try await fixture.verify()
        await #expect(throws: PermissionDenied.self) {
            try await fixture.change(by: nobody) { try $0.updateAccount(account.id, name: "Mine") { $0 } }
        }
        for kind in ChangeKind.allCases {
            await #expect(throws: PermissionDenied.self) {
                try await fixture.change(by: nobody) { session in
                    try session.change(kind) { _ -> Change<Void> in .nothing(()) }
                }
            }
        }
        #expect(try await fixture.verify() == before)
    }

    @Test func `a role's key may what its role may, and is told what it would need`() async throws {
        let fixture = try BillingFixture()
        let account = try await fixture.openAccount()
        let viewer = Actor.adminKey(BillingFixture.key(.viewer), from: "192.0.2.7")
        let billing = Actor.adminKey(BillingFixture.key(.billing), from: "192.0.2.7")
        #expect(try await fixture.service.read(by: viewer) { try $0.account(account.id).id } == account.id)
        await #expect(throws: PermissionDenied.self) {
            try await fixture.service.read(by: billing) { try $0.adminKeys().items.count }
        }
        let denied = await #expect(throws: PermissionDenied.self) {
            try await fixture.change(by: billing) { try $0.updateAccount(account.id, name: "Mine") { $0 } }
        }
        #expect(
            denied?.description
                == "this needs the role admin; the key \(BillingFixture.key(.billing).id) (the billing) has billing")
        for role in AdminRole.allCases {
            #expect(role.permissions.allSatisfy { role.includes($0.role) })
        }
        #expect(AdminRole.admin.permissions == Permission.all)
    }

    @Test func `what changes nothing leaves no entry, and what fails neither`() async throws {
        let fixture = try BillingFixture()
        let account = try await fixture.openAccount()
        _ = try await fixture.change { try $0.updateAccount(account.id, name: account.name) { $0 } }
        _ = try await fixture.change { try $0.resumeAccount(account.id) }
        await #expect(throws: StorageError.self) {
            try await fixture.change { session in
                _ = try session.updateAccount(account.id, name: "Lost") { $0 }
                _ = try session.createProject(name: "x", of: TenantID(account.id.uuid))
            }
        }
        #expect(try await fixture.entries(of: .account(account.id)).map(\.action) == ["account.created"])
    }

    @Test func `changes made at once follow each other in each chain`() async throws {
        let fixture = try BillingFixture()
        var limits = PoolLimits(connectionCountMax: 8)
        limits.acquireTimeout = .seconds(60)
        let pool = ConnectionPool(try TestDatabase.required.configuration, limits: limits)
        let service = BillingService(Database(pool), now: { BillingFixture.now })
        let accounts = [try await fixture.openAccount("A"), try await fixture.openAccount("B")]
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<40 {
                group.addTask {
                    let account = accounts[number % 2]
                    _ = try await service.change(by: .clerk) { session in
                        _ = try session.setSeller(Deeds.seller("Provider \(number)"))
                        _ = try session.createTenant(name: "t\(number)", account: account.id)
                        return try session.updateAccount(account.id, name: "name \(number)") { $0 }
                    }
                }
            }
            try await group.waitForAll()
        }
        await pool.close()
        let report = try await fixture.verify()
        #expect(report.faults.isEmpty, "\(report.faults)")
        for account in accounts {
            // Opened, and 20 times: a tenant, its project, a name.
            let entries = try await fixture.entries(of: .account(account.id))
            #expect(entries.count == 61)
            #expect(try await fixture.events(of: .account(account.id)).count == 61)
            // What an entry says was before is what the one before it left.
            let renamed = entries.filter { $0.subject == "\(account.id)" }
            for (old, new) in zip(renamed, renamed.dropFirst()) { #expect(old.after == new.before) }
        }
        let seller = try await fixture.entries(of: .seller)
        #expect(seller.count == 40)
        for (old, new) in zip(seller, seller.dropFirst()) { #expect(old.after == new.before) }
    }

    @Test func `no secret, digest or hint of a key is in an entry or an event`() async throws {
        let fixture = try BillingFixture()
        let account = try await fixture.openAccount()
        let secrets = try await fixture.change { session in
            let (_, project) = try session.createTenant(name: "T", account: account.id)
            let key = try session.createAPIKey(name: "k", project: project.id)
            let rotated = try session.rotateAPIKey(key.key.id, overlapHours: 0).new
            let admin = try session.createAdminKey(name: "a", role: .admin)
            return [key.secret, rotated.secret, admin.secret]
        }
        let keyring = try SecretKeyring(String(repeating: "5a", count: 32))
        let stored = try await fixture.change { session in
            _ = try session.applyCatalogue(backends: [.example()], models: [])
            _ = try session.applyCatalogue(backends: [.example(apiKey: "another-key")], models: [])
            let host = try #require(SecretHost("engine.example"))
            return try session.setSecret("openai", to: "sk-very-secret", hosts: [host], by: keyring).secret
        }
        let text =
            try await (fixture.entries(of: .account(account.id)) + fixture.entries(of: .seller))
            .map { ($0.before ?? "") + ($0.after ?? "") }.joined()
            + (fixture.events(of: .account(account.id)) + fixture.events(of: .seller)).map(\.payload).joined()
        for secret in secrets {
            #expect(!text.contains(secret.text.dropFirst(4)))
            #expect(!text.contains(secret.digest.hexadecimal))
            #expect(!text.contains(secret.hint))
        }
        for hidden in [
            "key-of-the-engine", "another-key", "sk-very-secret", stored.fingerprint, stored.sealed.description,
        ] {
            #expect(!text.contains(hidden))
        }
        #expect(text.contains("\"role\":\"admin\""))
        // A new key of a backend shows, though it is not said.
        #expect(text.contains("\"changed\":[\"backend engine-1\"]"))
    }
}
