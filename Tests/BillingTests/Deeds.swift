import Accounts
import Engines
import Identity
import Invoicing
import Limits
import Monetary
import PlanLanguage
import Pricing
import Storage

@testable import Billing

/// One way to make each kind of change, in an order in which each is possible.
struct Deeds {
    let fixture: BillingFixture
    /// Called after each, with the chain that it left its trace in.
    let each: (ChangeKind, AuditChain) async throws -> Void

    /// What jobs and invoice actions change; the other tests here do each of them.
    static let kindsOfJobs: Set<ChangeKind> = [
        .accountPutOnHold, .suspenseRated, .suspenseWaived, .creditsPaidOut, .invoiceFinalized, .invoicePaid,
        .invoiceVoided, .creditNoteIssued, .creditNoteRefunded,
    ]

    static func seller(_ name: String) -> Seller {
        Seller(name: name, address: [], taxID: "", email: "", paymentTermsDays: 14, paymentInstructions: "")
    }

    /// Does everything once, each as a transaction of its own.
    func all() async throws {
        try await sellerWide()
        let account = try await opened()
        let (tenant, project) = try await tenants(of: account)
        try await keys(of: project, account)
        try await subscriptions(of: tenant)
        try await limits(of: tenant)
        try await deleted(account)
    }

    /// One use case, and an entry in each chain.
    private func deleted(_ account: Account) async throws {
        let sandbox = Sandbox.id(ofItsOwn: account.id)
        try await doing(.sandboxDeleted) { try $0.deleteSandbox(sandbox) }
        try await each(.accountDeleted, .account(account.id))
    }

    @discardableResult
    private func doing<Result: Sendable>(
        _ kind: ChangeKind, in chain: (Result) -> AuditChain = { _ in .seller },
        _ body: @Sendable (WriteSession) throws -> Result
    ) async throws -> Result {
        let result = try await fixture.change(reason: "because of \(kind.rawValue)", body)
        try await each(kind, chain(result))
        return result
    }

    private func sellerWide() async throws {
        try await doing(.planPublished) {
            try $0.publishPlan(PlanVersion(yaml: BillingFixture.plan)).outcome
        }
        let keyring = try SecretKeyring(String(repeating: "5a", count: 32))
        try await doing(.secretSet) {
            try $0.setSecret(
                "openai", to: "sk-very-secret", hosts: SecretHost("engine.example").map { [$0] }, by: keyring)
        }
        try await doing(.catalogueUpdated) { try $0.applyCatalogue(backends: [.example()], models: []) }
        let newer = try SecretKeyring(
            String(repeating: "6b", count: 32) + "\n" + String(repeating: "5a", count: 32))
        try await doing(.secretsReencrypted) { try $0.reencryptSecrets(under: newer) }
        try await doing(.secretDeleted) { try $0.deleteSecret("openai") }
        let admin = try await doing(.adminKeyCreated) { try $0.createAdminKey(name: "ops", role: .viewer) }
        try await doing(.adminKeyRevoked) { try $0.revokeAdminKey(admin.key.id) }
        try await doing(.sellerUpdated) { try $0.setSeller(Deeds.seller("Provider")) }
        try await doing(.installationUpdated) { try $0.setDefaultAccountMode(.test) }
        try await doing(.installationUpdated) { try $0.setDefaultAccountMode(.live) }
        let sandbox = try await doing(.sandboxCreated) { try $0.createSandbox(name: "Trial") }
        try await doing(.sandboxClockAdvanced) { try $0.advanceClock(of: sandbox.id, .byMilliseconds(5)) }
        let journal = try await fixture.registerJournal()
        try await doing(.journalDamageReleased) {
            try $0.releaseJournalDamage(of: journal, at: nil, reason: "because of journal.damage_released")
        }
        try await doing(.journalRetired) { try $0.retireJournal(journal, reason: "because of journal.retired") }
    }

    private func opened() async throws -> Account {
        let account = try await doing(.accountCreated, in: { .account($0.id) }) {
            try $0.openAccount(
                name: "Example", currency: .eur, calendar: BillingCalendar(zoneName: "Europe/Berlin"), mode: .test)
        }
        let chain = AuditChain.account(account.id)
        try await doing(.accountUpdated, in: { _ in chain }) { try $0.updateAccount(account.id, name: "Other") { $0 } }
        try await doing(.accountClockAdvanced, in: { _ in chain }) {
            try $0.advanceClock(of: account.id, to: $0.now.advanced(byMilliseconds: 5))
        }
        try await fixture.database.write { try AccountStorage.putOnHold(account.id, reason: "books differ", in: $0) }
        try await doing(.accountResumed, in: { _ in chain }) { try $0.resumeAccount(account.id) }
        return account
    }

    private func tenants(of account: Account) async throws -> (Tenant, Project) {
        let chain = AuditChain.account(account.id)
        let made = try await doing(.tenantCreated, in: { _ in chain }) {
            try $0.createTenant(name: "Research", account: account.id)
        }
        try await doing(.tenantUpdated, in: { _ in chain }) { try $0.renameTenant(made.tenant.id, to: "Search") }
        try await doing(.projectCreated, in: { _ in chain }) { try $0.createProject(name: "Chat", of: made.tenant.id) }
        return made
    }

    private func keys(of project: Project, _ account: Account) async throws {
        let chain = AuditChain.account(account.id)
        let key = try await doing(.apiKeyCreated, in: { _ in chain }) {
            try $0.createAPIKey(name: "first", project: project.id)
        }
        let rotated = try await doing(.apiKeyRotated, in: { _ in chain }) {
            try $0.rotateAPIKey(key.key.id, overlapHours: 1)
        }
        try await doing(.apiKeyRevoked, in: { _ in chain }) { try $0.revokeAPIKey(rotated.new.key.id) }
    }

    private func subscriptions(of tenant: Tenant) async throws {
        let chain = AuditChain.account(tenant.accountID)
        let subscription = try await doing(.subscriptionCreated, in: { _ in chain }) {
            try $0.subscribe(tenant.id, to: "standard", from: nil)
        }
        try await doing(.subscriptionEnded, in: { _ in chain }) {
            try $0.endSubscription(subscription.id, at: $0.now.advanced(byMilliseconds: 86_400_000))
        }
    }

    private func limits(of tenant: Tenant) async throws {
        let chain = AuditChain.account(tenant.accountID)
        let limit = try await doing(.limitCreated, in: { _ in chain }) {
            try $0.createLimit(.requestsPerMinute, of: .tenant(tenant.id), model: nil, value: 60, isShadow: false)
        }
        try await doing(.limitUpdated, in: { _ in chain }) {
            try $0.setLimit(.requestsPerMinute, of: .tenant(tenant.id), model: nil, value: 70, isShadow: false)
        }
        try await doing(.limitDeleted, in: { _ in chain }) { try $0.deleteLimit(limit.rule.id) }
    }
}

extension Backend {
    /// With a key that must be seen nowhere.
    static func example(apiKey: String = "key-of-the-engine") -> Backend {
        Backend(name: "engine-1", isTLS: true, host: "engine.example", port: 443, basePath: "", apiKey: apiKey)
    }
}
