import Accounts
import Billing
import Engines
import Identity
import Invoicing
import Ledger
import Monetary
import Storage
import Synchronization

@testable import AdminAPI

/// Jobs that remember how they were called and answer what the test set.
final class RecordingJobs: AdminJobs {
    struct Calls {
        var runs: [InvoiceRunRequest] = []
        var finalized: [InvoiceID] = []
        var paid: [InvoiceID] = []
        var voided: [InvoiceID] = []
        var months: [CivilMonth] = []
        var refusal: String?
        var preview = InvoicePreview(document: nil, suspended: [:])
        var suspense: [SuspenseOrder] = []
        /// Whoever called last.
        var actor: Actor?
        var suspenseReport = SuspenseReport()
        /// Where orders of a few attempts are carried out; nil where none is.
        var waivesIn: Database?
        var results: [StoredPromiseResult] = []
        /// Runs wait as long as this is set.
        var isHeld = false
    }

    let calls = Mutex(Calls())
    private func refuse() throws {
        if let refusal = calls.withLock({ $0.refusal }) { throw JobRefusal(refusal) }
    }

    func runInvoices(_ request: InvoiceRunRequest, by actor: Actor) async throws -> InvoiceRunAnswer {
        calls.withLock { $0.runs.append(request) }
        while calls.withLock({ $0.isHeld }) { try await Task.sleep(for: .milliseconds(10)) }
        try refuse()
        return InvoiceRunAnswer(
            items: (request.accounts ?? []).map {
                .init(accountID: $0, outcome: "waiting", reason: "journal gateway-1 is behind")
            })
    }

    func finalizeInvoice(_ id: InvoiceID, by actor: Actor) async throws {
        try refuse()
        calls.withLock {
            $0.finalized.append(id)
            $0.actor = actor
        }
    }

    func payInvoice(_ id: InvoiceID, by actor: Actor) async throws {
        try refuse()
        calls.withLock {
            $0.paid.append(id)
            $0.actor = actor
        }
    }

    func voidInvoice(_ id: InvoiceID, by actor: Actor) async throws {
        try refuse()
        calls.withLock {
            $0.voided.append(id)
            $0.actor = actor
        }
    }

    func previewInvoice(of account: AccountID, month: CivilMonth, by actor: Actor) async throws -> InvoicePreview {
        calls.withLock { $0.preview }
    }

    func resolveSuspense(_ order: SuspenseOrder, by actor: Actor) async throws -> SuspenseReport {
        try refuse()
        var (report, database) = calls.withLock {
            $0.suspense.append(order)
            $0.actor = actor
            return ($0.suspenseReport, $0.waivesIn)
        }
        guard let database, let account = order.filter.account, let attempts = order.filter.attempts else {
            return report
        }
        report.resolved = try await database.write { tx in
            try SuspenseStorage.waive(
                account: account, attempts: attempts, reason: order.reason, actor: "\(actor.principal)",
                now: Timestamp(milliseconds: 0), in: tx)
        }
        return report
    }

    func payOutCredits(to account: AccountID, reason: String, by actor: Actor) async throws -> CreditPayoutReport {
        try refuse()
        return CreditPayoutReport(amount: Money(picounits: 1_500_000_000_000, currency: .usd), credits: 2)
    }

    func serviceLevels(of account: AccountID, month: CivilMonth) async throws -> ServiceLevelStanding {
        calls.withLock {
            $0.months.append(month)
            return ServiceLevelStanding(isFinal: true, results: $0.results)
        }
    }
}

/// Stands in for the reader of catalogues, which lives in another part: one backend and model of the document's name.
enum CatalogueFixture {
    static func read(_ text: String) throws -> AdminServices.Catalogue {
        if text.hasPrefix("secret: ") { return try naming(text.dropFirst(8).split(separator: " ").map(String.init)) }
        guard text.hasPrefix("serve: ") else { throw DocumentRejection("line 1: only `serve: NAME` is known here") }
        let name = String(text.dropFirst(7)).trimmingSuffix("\n")
        let backend = try Backend(name: "engine-1", baseURL: "http://127.0.0.1:8000", apiKey: "secret-of-the-engine")
        let model = CatalogueModel(
            publicName: name, aliases: ["alias-of-\(name)"], backend: backend, upstreamName: "up/\(name)",
            priceKey: name, contextTokensMax: 8192, outputTokensMax: 4096, tenantsAllowed: nil, createdAtSeconds: 0)
        return AdminServices.Catalogue(backends: [backend], models: [model])
    }

    /// `secret: NAME at HOST`: a backend there that names the secret.
    private static func naming(_ words: [String]) throws -> AdminServices.Catalogue {
        guard words.count == 3 else { throw DocumentRejection("line 1: `secret: NAME at HOST`") }
        var settings = BackendSettings()
        settings.credentials[.apiKey] = .secret(name: words[0])
        let backend = try Backend(name: "engine", baseURL: "https://\(words[2])", apiKey: nil, settings: settings)
        return AdminServices.Catalogue(backends: [backend], models: [])
    }
}

extension String {
    fileprivate func trimmingSuffix(_ suffix: String) -> String {
        hasSuffix(suffix) ? String(dropLast(suffix.count)) : self
    }
}

/// Plan documents.
enum PlanFixture {
    static func text(version: Int = 1, effectiveFrom: String = "2026-01-01T00:00:00Z", input: String = "0.15") -> String
    {
        """
        plan: pay-as-you-go
        version: \(version)
        title: Pay as you go
        currency: USD
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
}

/// The API's own, of all the types of that name that a test can see.
typealias JSONValue = AdminAPI.JSONValue
