import Accounts
import Identity
import Monetary
import PlanLanguage
import Pricing
import Storage
import TestSupport
import Testing

/// A seller with one plan, and a customer with a project, a key and a subscription.
struct StorageFixture {
    static let now = Timestamp(milliseconds: 1_790_000_000_000)  // 2026-09-21T13:33:20Z

    let database: Database
    let account: Account
    let tenant: Tenant
    let project: Project
    let key: APIKey
    let subscription: Subscription

    static func id<Kind>(_ number: UInt64, as kind: Kind.Type = Kind.self) -> TypedID<Kind> {
        TypedID(UUIDv7(milliseconds: now.milliseconds, randomness: (number, number)))
    }

    static func planText(version: Int, effectiveFrom: String, input: String = "0.15") -> String {
        """
        plan: pay-as-you-go
        version: \(version)
        title: Pay as you go
        currency: EUR
        effective_from: \(effectiveFrom)
        models:
          sim-small:
            input: "\(input)"
            output: "0.60"
        tiers:
          priority:
            multiplier: "1.75"
        """
    }

    /// Another account, for tests, with a clock of its own.
    static func testAccount(_ number: UInt64 = 71, in tx: DatabaseTransaction) throws -> Account {
        let account = Account(
            id: id(number), name: "Test \(number)", currency: .eur, calendar: try BillingCalendar(zoneName: "UTC"),
            sandboxID: SandboxID(id(number, as: IDKinds.Account.self).uuid), createdAt: now)
        try TestSandbox.open(of: account, in: tx)
        try AccountStorage.insert(account, in: tx)
        return account
    }

    /// Stores everything in the running test's database.
    static func make(zone: String = "Europe/Berlin") async throws -> StorageFixture {
        let database = Database(try TestDatabase.required.pool)
        let account = Account(
            id: id(1), name: "Example", currency: .eur, calendar: try BillingCalendar(zoneName: zone),
            billing: BillingDetails(legalName: "Example \"GmbH\"", address: ["Street 1", "Town, {x}"]), createdAt: now)
        let tenant = Tenant(id: id(2), accountID: account.id, name: "Research", createdAt: now)
        let project = Project(
            id: id(3), accountID: account.id, tenantID: tenant.id, name: "Chat", createdAt: now)
        let key = APIKey(
            id: id(4), project: project, name: "first", secret: Secret(text: "tg_first"), createdAt: now)
        let subscription = Subscription(
            id: id(5), accountID: account.id, tenantID: tenant.id, plan: "pay-as-you-go",
            startsAt: now.advanced(byMilliseconds: -1000), createdAt: now)
        let text = planText(version: 1, effectiveFrom: "2026-01-01T00:00:00Z")
        let version = try PlanVersion(yaml: text)
        try await database.write { tx in
            try PlanStorage.apply(version, now: now, in: tx)
            try AccountStorage.insert(account, in: tx)
            try TenantStorage.insert(tenant, in: tx)
            try ProjectStorage.insert(project, in: tx)
            try APIKeyStorage.insert(key, in: tx)
            try SubscriptionStorage.insert(subscription, in: tx)
        }
        return StorageFixture(
            database: database, account: account, tenant: tenant, project: project, key: key,
            subscription: subscription)
    }
}
