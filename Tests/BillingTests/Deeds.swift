import Accounts
import Identity
import Invoicing
import Monetary
import Storage

@testable import Billing

/// One way to make each kind of change, in an order in which each is possible.
struct Deeds {
    let fixture: BillingFixture

    /// Does everything once, each as a transaction of its own, as `actor`; tells each kind with the chain that it left
    /// its trace in.
    func all(
        by actor: Actor = BillingFixture.clerk, after each: (ChangeKind, AuditChain) async throws -> Void
    ) async throws {
        try await fixture.publishPlan()
        func doing<Result: Sendable>(
            _ kind: ChangeKind, in chain: (Result) -> AuditChain, _ body: @Sendable (WriteSession) throws -> Result
        ) async throws -> Result {
            let result = try await fixture.change(by: actor, reason: "because of \(kind.rawValue)", body)
            try await each(kind, chain(result))
            return result
        }
        let account = try await doing(.accountCreated, in: { .account($0.id) }) {
            try $0.openAccount(name: "Example", currency: .eur, calendar: BillingCalendar(zoneName: "Europe/Berlin"))
        }
        let chain = AuditChain.account(account.id)
        _ = try await doing(.accountUpdated, in: { _ in chain }) {
            try $0.updateAccount(account.id, name: "Other") { $0 }
        }
        _ = try await doing(.accountClockAdvanced, in: { _ in chain }) {
            try $0.advanceClock(of: account.id, to: $0.now.advanced(byMilliseconds: 5))
        }
        try await fixture.database.write { try AccountStorage.park(account.id, reason: "books differ", in: $0) }
        _ = try await doing(.accountResumed, in: { _ in chain }) { try $0.resumeAccount(account.id) }
        let (tenant, project) = try await doing(.tenantCreated, in: { _ in chain }) {
            try $0.createTenant(name: "Research", account: account.id)
        }
        _ = try await doing(.tenantUpdated, in: { _ in chain }) { try $0.renameTenant(tenant.id, to: "Search") }
        _ = try await doing(.projectCreated, in: { _ in chain }) { try $0.createProject(name: "Chat", of: tenant.id) }
        let key = try await doing(.apiKeyCreated, in: { _ in chain }) {
            try $0.createAPIKey(name: "first", project: project.id)
        }
        let rotated = try await doing(.apiKeyRotated, in: { _ in chain }) {
            try $0.rotateAPIKey(key.key.id, overlapHours: 1)
        }
        _ = try await doing(.apiKeyRevoked, in: { _ in chain }) { try $0.revokeAPIKey(rotated.new.key.id) }
        let subscription = try await doing(.subscriptionCreated, in: { _ in chain }) {
            try $0.subscribe(tenant.id, to: "standard", from: nil)
        }
        _ = try await doing(.subscriptionEnded, in: { _ in chain }) {
            try $0.endSubscription(subscription.id, at: $0.now.advanced(byMilliseconds: 86_400_000))
        }
        let admin = try await doing(.adminKeyCreated, in: { _ in .seller }) {
            try $0.createAdminKey(name: "ops", role: .viewer)
        }
        _ = try await doing(.adminKeyRevoked, in: { _ in .seller }) { try $0.revokeAdminKey(admin.key.id) }
        _ = try await doing(.sellerUpdated, in: { _ in .seller }) {
            try $0.setSeller(
                Seller(
                    name: "Provider", address: [], taxID: "", email: "", paymentTermsDays: 14, paymentInstructions: ""))
        }
    }
}
