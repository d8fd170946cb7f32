import Accounts
import Identity
import Storage
import TestSupport
import Testing

@Suite(.database, .timeLimit(.minutes(10)))
struct AccountStorageTests {
    @Test func `what is stored is read back`() async throws {
        let made = try await StorageFixture.make()
        try await made.database.read { tx throws in
            #expect(try AccountStorage.find(made.account.id, in: tx) == made.account)
            #expect(try TenantStorage.find(made.tenant.id, in: tx) == made.tenant)
            #expect(try ProjectStorage.find(made.project.id, in: tx) == made.project)
            #expect(try APIKeyStorage.find(made.key.id, in: tx) == made.key)
            #expect(try SubscriptionStorage.find(made.subscription.id, in: tx) == made.subscription)
            #expect(try TenantStorage.list(account: made.account.id, in: tx).items == [made.tenant])
            #expect(try ProjectStorage.list(tenant: made.tenant.id, in: tx).items == [made.project])
            #expect(try APIKeyStorage.list(tenant: made.tenant.id, project: made.project.id, in: tx).items.count == 1)
            #expect(try SubscriptionStorage.list(account: made.account.id, in: tx).items == [made.subscription])
            #expect(try AccountStorage.find(StorageFixture.id(99), in: tx) == nil)
        }
    }

    @Test(arguments: ["", " "]) func `what nobody could recognise is refused in words`(name: String) async throws {
        let made = try await StorageFixture.make()
        let now = StorageFixture.now
        let project = Project(
            id: StorageFixture.id(41), accountID: made.account.id, tenantID: made.tenant.id, name: name, createdAt: now)
        let refused = StorageError.invalid(parameter: "name", message: "it must not be empty")
        await #expect(throws: refused) {
            try await made.database.write { tx in
                let tenant = Tenant(
                    id: StorageFixture.id(40), accountID: made.account.id, name: name, createdAt: now)
                try TenantStorage.insert(tenant, in: tx)
            }
        }
        await #expect(throws: refused) { try await made.database.write { try ProjectStorage.insert(project, in: $0) } }
        await #expect(throws: refused) {
            try await made.database.write { tx in
                let key = APIKey(
                    id: StorageFixture.id(42), project: made.project, name: name, secret: Secret(text: "tg_2"),
                    createdAt: now)
                try APIKeyStorage.insert(key, in: tx)
            }
        }
    }

    @Test func `a list is cut into pages without gap or overlap`() async throws {
        let made = try await StorageFixture.make()
        let tenants = (10..<17).map { number in
            Tenant(
                id: StorageFixture.id(UInt64(number)), accountID: made.account.id, name: "t\(number)",
                createdAt: StorageFixture.now)
        }
        try await made.database.write { tx in
            for tenant in tenants { try TenantStorage.insert(tenant, in: tx) }
        }
        let seen = try await made.database.read { tx throws in
            var seen: [Tenant] = []
            var page = try TenantStorage.list(PageRequest(limit: 3), in: tx)
            seen += page.items
            while page.hasMore {
                page = try TenantStorage.list(PageRequest(limit: 3, after: seen.last?.id.uuid), in: tx)
                seen += page.items
            }
            return seen
        }
        #expect(seen == [made.tenant] + tenants)
    }

    @Test func `a rotated key works beside its successor until it expires`() async throws {
        let made = try await StorageFixture.make()
        let successor = APIKey(
            id: StorageFixture.id(6), project: made.project, name: "second", secret: Secret(text: "tg_second"),
            createdAt: StorageFixture.now)
        let expiry = StorageFixture.now.advanced(byMilliseconds: 3_600_000)
        try await made.database.write { tx in
            try APIKeyStorage.rotate(made.key.id, to: successor, expiresAt: expiry, now: StorageFixture.now, in: tx)
        }
        let old = try await made.database.read { try APIKeyStorage.require(made.key.id, in: $0) }
        #expect(old.expiresAt == expiry && old.replacedBy == successor.id)
        #expect(old.state(at: StorageFixture.now) == .expiring && old.state(at: expiry) == .expired)
        await #expect(throws: StorageError.self) {
            try await made.database.write { tx in
                try APIKeyStorage.rotate(made.key.id, to: successor, expiresAt: expiry, now: StorageFixture.now, in: tx)
            }
        }
    }

    @Test func `each change that gateways must learn of has a number`() async throws {
        let made = try await StorageFixture.make()
        let before = try await made.database.read { try ChangeStorage.latest(in: $0) }
        try await made.database.write { tx in
            try APIKeyStorage.revoke(made.key.id, now: StorageFixture.now, in: tx)
            try APIKeyStorage.revoke(made.key.id, now: StorageFixture.now, in: tx)
        }
        let after = try await made.database.read { try ChangeStorage.latest(in: $0) }
        #expect(after == before + 1)
    }

    @Test func `a move of a clock says which change carries it`() async throws {
        let made = try await StorageFixture.make()
        let account = try await made.database.write { try StorageFixture.testAccount(in: $0) }
        let moved = try await made.database.write { tx in
            try TestSandbox.advance(account.id, byMilliseconds: 86_400_000, now: StorageFixture.now, in: tx)
        }
        #expect(moved.clockOffsetMilliseconds == 86_400_000)
        #expect(moved.clockChange == (try await made.database.read { try ChangeStorage.latest(in: $0) }))
        let again = try await made.database.write { tx in
            try TestSandbox.advance(account.id, byMilliseconds: 5, now: StorageFixture.now, in: tx)
        }
        #expect(again.clockOffsetMilliseconds == 86_400_005 && again.clock?.moves.count == 2)
    }

    @Test func `subscriptions of a tenant never overlap`() async throws {
        let made = try await StorageFixture.make()
        let later = StorageFixture.now.advanced(byMilliseconds: 86_400_000)
        func subscription(_ number: UInt64, startsAt: Timestamp) -> Subscription {
            Subscription(
                id: StorageFixture.id(number), accountID: made.account.id, tenantID: made.tenant.id,
                plan: "pay-as-you-go", startsAt: startsAt, createdAt: StorageFixture.now)
        }
        let second = subscription(7, startsAt: later)
        await #expect(throws: StorageError.self) {
            try await made.database.write { try SubscriptionStorage.insert(second, in: $0) }
        }
        try await made.database.write { tx in
            try SubscriptionStorage.end(made.subscription.id, at: later, now: StorageFixture.now, in: tx)
            try SubscriptionStorage.insert(second, in: tx)
        }
        let period = BillingPeriod(start: StorageFixture.now, end: later)
        let covering = try await made.database.read {
            try SubscriptionStorage.covering(period, account: made.account.id, in: $0)
        }
        #expect(covering.map(\.id) == [made.subscription.id])
    }

    @Test func `a repeated call gets the first answer, another call with its key a refusal`() async throws {
        let made = try await StorageFixture.make()
        let admin = AdminKey(
            id: StorageFixture.id(8), name: "ops", role: .admin, secretDigest: Secret(text: "tga_x").digest,
            secretHint: "tga_x", createdAt: StorageFixture.now)
        try await made.database.write { try AdminKeyStorage.insert(admin, in: $0) }
        @Sendable func begin(_ body: String) async throws -> IdempotencyStorage.Beginning {
            try await made.database.write { tx in
                let beginning = try IdempotencyStorage.begin(
                    adminKey: admin.id, key: "k", methodAndPath: "POST /v1/tenants",
                    requestDigest: SHA256Digest(of: body), now: StorageFixture.now, in: tx)
                if beginning == .first {
                    try IdempotencyStorage.finish(adminKey: admin.id, key: "k", status: 201, body: "{}", in: tx)
                }
                return beginning
            }
        }
        #expect(try await begin("a") == .first)
        #expect(try await begin("a") == .done(status: 201, body: "{}"))
        #expect(try await begin("b") == .mismatch)
        let found = try await made.database.read {
            try AdminKeyStorage.find(secretDigest: Secret(text: "tga_x").digest, in: $0)
        }
        #expect(found == admin)
        await #expect(throws: StorageError.self) {
            try await made.database.write { try AdminKeyStorage.revoke(admin.id, now: StorageFixture.now, in: $0) }
        }
    }
}
