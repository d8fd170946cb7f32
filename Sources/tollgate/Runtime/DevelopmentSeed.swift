import Accounts
import Billing
import Engines
import Foundation
import Identity
import Invoicing
import Monetary
import PlanLanguage
import Pricing
import Storage

/// The keys of a `tollgate dev` installation, kept beside its data because secrets are shown once only.
struct DevelopmentKeys: Codable, Sendable {
    let adminKey: String
    let demoKey: String

    static func load(from path: String) throws -> DevelopmentKeys? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        return try JSONDecoder().decode(DevelopmentKeys.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
    }

    func save(to path: String) throws {
        let created = FileManager.default.createFile(
            atPath: path, contents: try JSONEncoder().encode(self), attributes: [.posixPermissions: 0o600])
        guard created else { throw CocoaError(.fileWriteUnknown, userInfo: [NSFilePathErrorKey: path]) }
    }
}

/// Which engine stands behind the gateway, and what it serves.
struct DevelopmentEngine: Sendable {
    let url: String
    let apiKey: String?
    /// Nil serves the simulator's models.
    let model: String?

    /// The catalogue's backend.
    func backend() throws -> Backend {
        guard let parts = URLComponents(string: url), let scheme = parts.scheme, ["http", "https"].contains(scheme),
            let host = parts.host, !host.isEmpty
        else {
            throw ConfigurationError(complaints: ["--engine: '\(url)' is no URL such as http://127.0.0.1:8000"])
        }
        var path = parts.path
        while path.hasSuffix("/") { path.removeLast() }
        if path.hasSuffix("/v1") { path.removeLast(3) }
        return Backend(
            name: "engine", isTLS: scheme == "https", host: host,
            port: parts.port ?? (scheme == "https" ? 443 : 80), basePath: path, apiKey: apiKey)
    }

    /// The catalogue's models.
    func models(of backend: Backend) -> [CatalogueModel] {
        (model.map { [$0] } ?? DemoCatalogue.models).map { name in
            CatalogueModel(
                publicName: name, aliases: [], backend: backend, upstreamName: name, priceKey: name,
                contextTokensMax: model == nil ? 131_072 : 4096, outputTokensMax: model == nil ? 32_768 : 4096,
                tenantsAllowed: nil, createdAtSeconds: now().milliseconds / 1000)
        }
    }
}

/// Fills a new installation with what a newcomer needs: the plans, a seller, an account with a key.
struct DevelopmentSeed: Sendable {
    let database: Database
    let plansDirectory: String
    let engine: DevelopmentEngine
    let keysPath: String
    let keyring: SecretKeyring?
    let mode: AccountMode

    private var service: BillingService { BillingService(database, now: now) }

    func plant() async throws -> DevelopmentKeys {
        try await service.change(by: Actor.here.because("tollgate dev")) { [mode] in
            try $0.setDefaultAccountMode(mode)
        }
        let backend = try engine.backend()
        let models = engine.models(of: backend)
        try await service.change(by: Actor.here.because("tollgate dev")) { [keyring] in
            _ = try $0.applyCatalogue(backends: [backend], models: models, sealedBy: keyring)
        }
        if let keys = try DevelopmentKeys.load(from: keysPath) { return keys }
        try await applyPlans()
        let keys = try await makeAccount()
        try keys.save(to: keysPath)
        return keys
    }

    private func applyPlans() async throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: plansDirectory)
            .filter { $0.hasSuffix(".yaml") }.sorted()
        for file in files {
            let version = try PlansCommand.version(inFile: "\(plansDirectory)/\(file)")
            try await service.change(by: Actor.here.because("tollgate dev")) {
                _ = try $0.publishPlan(version)
            }
        }
    }

    private func makeAccount() async throws -> DevelopmentKeys {
        let calendar = try BillingCalendar(zoneName: "UTC")
        let billing = BillingDetails(legalName: "Demo Inc.", address: ["1 Loopback Street", "Localhost"])
        let seller = Seller(
            name: "Tollgate Demo Provider Ltd", address: ["1 Tollgate Road", "12345 Springfield"],
            taxID: "DE 000 000 000", email: "billing@provider.example", paymentTermsDays: 14,
            paymentInstructions: "This is a demonstration: please do not pay.")
        return try await service.change(by: Actor.here.because("tollgate dev")) { session in
            _ = try session.setSeller(seller)
            let account = try session.openAccount(
                name: "Demo", currency: .usd, calendar: calendar, billing: billing, mode: mode)
            let (tenant, project) = try session.createTenant(name: "Demo", account: account.id)
            let key = try session.createAPIKey(name: "demo", project: project.id)
            _ = try session.subscribe(
                tenant.id, to: "pay-as-you-go", from: calendar.period(containing: session.now).start)
            let adminKey = try session.createAdminKey(name: "dev", role: .admin)
            return DevelopmentKeys(adminKey: adminKey.secret.text, demoKey: key.secret.text)
        }
    }
}
