import Accounts
import Billing
import Documents
import Foundation
import Identity
import Ingest
import Invoicing
import Ledger
import Logging
import Metering
import Monetary
import PlanLanguage
import Pricing
import Reconciliation
import Storage
import TestSupport
import UsageJournal

/// A tenant of an account, and the subscription that its next requests go by.
struct GoldenCustomer: Sendable {
    /// `acme/lab`
    let name: String
    let accountID: AccountID
    let tenantID: TenantID
    var subscriptionID: SubscriptionID
}

/// The installation that a case plays on: a database of its own and one gateway's journal. Everything of the program
/// that cases touch is called from here and from `GoldenUsage`, so that a change of names stays a change of this file.
actor GoldenWorld {
    private let golden: GoldenCase
    private let database: Database
    private let journal: Journal
    private let directory: String
    private var accounts: [String: AccountID] = [:]
    private var customers: [String: GoldenCustomer] = [:]
    private var subscriptions = 0
    private var sequence: UInt64 = 0
    private var report: [String] = []
    private var stylesheet = ""

    /// Before everything that cases tell.
    private static let beginning = Timestamp("2023-12-01T00:00:00Z") ?? Timestamp(milliseconds: 0)

    static func uuid(_ name: String) -> UUIDv7 { UUIDv7(derivedFrom: SHA256Digest(of: "golden \(name)")) }

    static func make(_ golden: GoldenCase) async throws -> GoldenWorld {
        let directory = FileManager.default.temporaryDirectory.path + "/tollgate-golden-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let journal = try Journal.open(
            JournalConfiguration(directory: directory + "/journal", segmentBytes: 256 * 1024, realTime: { beginning })
        ).journal
        let database = Database(try TestDatabase.required.pool)
        let seller = Seller(
            name: "Tokens Ltd", address: ["1 Quay", "Dublin"], taxID: "IE1234567FA", email: "billing@tokens.example",
            paymentTermsDays: 14, paymentInstructions: "IBAN IE29 AIBK 9311 5212 3456 78")
        try await database.write { try SellerStorage.set(seller, in: $0) }
        return GoldenWorld(golden: golden, database: database, journal: journal, directory: directory)
    }

    private init(golden: GoldenCase, database: Database, journal: Journal, directory: String) {
        self.golden = golden
        self.database = database
        self.journal = journal
        self.directory = directory
    }

    func close() {
        journal.close()
        try? FileManager.default.removeItem(atPath: directory)
    }

    // MARK: steps

    func play(_ step: GoldenStep) async throws {
        switch step.verb {
        case "plan": try await publish(step)
        case "account": try await createAccount(step)
        case "subscribe": try await subscribe(step)
        case "end": try await end(step)
        case "use": try await use(step)
        case "ingest": try await ingest(step)
        case "run": try await run(step)
        case "preview": try await preview(step)
        case "pay", "void": try await act(step)
        case "waive": try await waive(step)
        default: throw GoldenError(line: step.line, "nothing is called \(step.verb)")
        }
    }

    private func instant(_ text: String, _ step: GoldenStep) throws -> Timestamp {
        guard let instant = Timestamp(text) else { throw GoldenError(line: step.line, "\(text) is no instant") }
        return instant
    }

    private func month(_ text: String, _ step: GoldenStep) throws -> CivilMonth {
        guard let month = CivilMonth(text) else { throw GoldenError(line: step.line, "\(text) is no month") }
        return month
    }

    private func account(_ name: String, _ step: GoldenStep) throws -> AccountID {
        guard let id = accounts[name] else { throw GoldenError(line: step.line, "there is no account \(name)") }
        return id
    }

    private func customer(_ step: GoldenStep) throws -> GoldenCustomer {
        let name = try step.subject(0)
        guard let customer = customers[name] else { throw GoldenError(line: step.line, "\(name) has no subscription") }
        return customer
    }

    private func publish(_ step: GoldenStep) async throws {
        try step.allow(["at"])
        let text = try golden.text(step.subject(0))
        let now = try step["at"].map { try instant($0, step) } ?? Self.beginning
        try await database.write { tx in
            _ = try PlanStorage.apply(PlanVersion(yaml: text), now: now, in: tx)
        }
    }

    private func createAccount(_ step: GoldenStep) async throws {
        try step.allow(["currency", "zone", "name", "legal", "address", "tax", "email"])
        let name = try step.subject(0)
        let id = AccountID(Self.uuid("account \(name)"))
        let account = Account(
            id: id, name: step["name"] ?? name, currency: try Currency(code: step.required("currency")),
            calendar: try BillingCalendar(zoneName: step["zone"] ?? "UTC"),
            billing: BillingDetails(
                legalName: step["legal"] ?? "", address: step["address"]?.components(separatedBy: "|") ?? [],
                taxID: step["tax"] ?? "", email: step["email"] ?? ""), createdAt: Self.beginning)
        try await database.write { try AccountStorage.insert(account, in: $0) }
        accounts[name] = id
    }

    /// The tenant comes with its first subscription.
    private func subscribe(_ step: GoldenStep) async throws {
        try step.allow(["from", "to", "tenant"])
        let name = try step.subject(0)
        let parts = name.split(separator: "/", maxSplits: 1).map(String.init)
        let accountID = try account(parts[0], step)
        subscriptions += 1
        let tenant = Tenant(
            id: TenantID(Self.uuid("tenant \(name)")), accountID: accountID,
            name: step["tenant"] ?? parts[parts.count - 1],
            createdAt: Self.beginning)
        let subscription = Subscription(
            // In the order of the case, as ids are in the order of time.
            id: SubscriptionID(
                UUIDv7(
                    milliseconds: Self.beginning.milliseconds + Int64(subscriptions),
                    randomness: (UInt64(subscriptions), UInt64(subscriptions)))),
            accountID: accountID, tenantID: tenant.id, plan: try step.subject(1),
            startsAt: try instant(step.required("from"), step), endsAt: try step["to"].map { try instant($0, step) },
            createdAt: Self.beginning)
        let isNew = customers[name] == nil
        try await database.write { tx in
            if isNew { try TenantStorage.insert(tenant, in: tx) }
            try SubscriptionStorage.insert(subscription, in: tx)
        }
        customers[name] = GoldenCustomer(
            name: name, accountID: accountID, tenantID: tenant.id, subscriptionID: subscription.id)
    }

    private func end(_ step: GoldenStep) async throws {
        try step.allow(["at", "now"])
        let id = try customer(step).subscriptionID
        let end = try instant(step.required("at"), step)
        let now = try step["now"].map { try instant($0, step) } ?? end
        try await database.write { tx in _ = try SubscriptionStorage.end(id, at: end, now: now, in: tx) }
    }

    private func use(_ step: GoldenStep) async throws {
        let usage = GoldenUsage(
            step: step, customer: try customer(step), acceptedAt: try instant(step.subject(1), step))
        for entry in try usage.entries(sequence: &sequence) {
            journal.appendClose(entry, reservation: try journal.appendOpen(entry)) { _ in }
        }
    }

    /// Takes in what was used since, and a heartbeat of that real time; then the ledger is posted.
    private func ingest(_ step: GoldenStep) async throws {
        try step.allow(["through"])
        let now = try instant(step.required("through"), step)
        try journal.appendHeartbeat(JournalHeartbeat(realTime: now, snapshotChange: 1_000_000))
        while journal.durablePosition < journal.writtenPosition { try await Task.sleep(for: .milliseconds(1)) }
        let ingester = Ingester(
            journal: journal, database: database, configuration: Ingester.Configuration(gateway: "gw-1"),
            logger: Logger(label: "golden") { _ in SwiftLogNoOpLogHandler() }, now: { now })
        ingester.finish()
        try await ingester.run()
        _ = try await LedgerPoster(database: database).postAll(now: now)
    }

    // MARK: invoices

    private func run(_ step: GoldenStep) async throws {
        try step.allow(["at", "only"])
        let month = try month(step.subject(0), step)
        var options = InvoiceRun.Options(month: month, now: try instant(step.required("at"), step))
        options.accounts = try step["only"].map { [try account($0, step)] }
        let outcome = try await InvoiceRun(database: database, by: .clerk, options: options).run()
        report.append("run \(month)")
        for line in outcome.accounts.sorted(by: { name(of: $0.accountID) < name(of: $1.accountID) }) {
            report.append("  \(name(of: line.accountID)): \(Self.words(line.result))")
        }
    }

    private func name(of id: AccountID) -> String { accounts.first { $0.value == id }?.key ?? "\(id)" }

    private static func words(_ result: InvoiceRunReport.AccountResult) -> String {
        switch result {
        case .finalized(let invoice): "finalized \(invoice.number ?? "") \(invoice.total)"
        case .drafted(let invoice): "drafted \(invoice.total)"
        case .already(let invoice): "unchanged \(invoice.number ?? "")"
        case .wouldInvoice(let document): "would invoice \(document.totals.total)"
        case .nothingToBill: "nothing to bill"
        case .notClosed(let obstacles): "waits: " + obstacles.map(\.description).joined(separator: "; ")
        case .onHold(let reason): "on hold: \(reason)"
        case .failed(let reason): "failed: \(reason)"
        case .deleted: "deleted"
        }
    }

    private func preview(_ step: GoldenStep) async throws {
        try step.allow([])
        let (name, month) = (try step.subject(0), try month(step.subject(1), step))
        let preview = try await InvoiceActions(database: database, by: .clerk).preview(
            account: try account(name, step), month: month)
        report.append("preview \(name) \(month): \(preview.document?.totals.total ?? "nothing")")
    }

    private func act(_ step: GoldenStep) async throws {
        try step.allow(["at"])
        let (number, now) = (try step.subject(0), try instant(step.required("at"), step))
        let invoice = try await database.read { try InvoiceStorage.find(number: number, in: $0) }
        guard let invoice else { throw GoldenError(line: step.line, "there is no invoice \(number)") }
        let actions = InvoiceActions(database: database, by: .clerk)
        do {
            if step.verb == "pay" {
                _ = try await actions.markPaid(invoice.id, now: now)
            } else {
                _ = try await actions.void(invoice.id, now: now)
            }
            report.append("\(step.verb) \(number)")
        } catch {
            report.append("\(step.verb) \(number): \(error)")
        }
    }

    private func waive(_ step: GoldenStep) async throws {
        try step.allow(["at", "reason"])
        let (id, now) = (try account(step.subject(0), step), try instant(step.required("at"), step))
        let reason = try step.required("reason")
        let waived = try await database.write { tx in
            let page = try SuspenseStorage.list(
                SuspenseFilter(account: id), PageRequest(limit: PageRequest.limitMax), in: tx)
            return try page.items.map {
                _ = try SuspenseStorage.waive(
                    account: id, attempts: [$0.attemptID], reason: reason, actor: "an operator", now: now, in: tx)
                return "  \($0.acceptedAt) \($0.reason): \($0.detail)"
            }
        }
        report.append("waive \(try step.subject(0)): \(waived.count)")
        report += waived
    }

    // MARK: what came of it

    /// Each invoice as JSON and HTML, and a report of runs, balances and reconcile.
    func results() async throws -> [String: String] {
        var files: [String: String] = [:]
        for (name, id) in accounts.sorted(by: { $0.key < $1.key }) {
            let (account, invoices, balances) = try await database.read { tx in
                let account = try AccountStorage.require(id, in: tx)
                return (
                    account, try InvoiceStorage.all(of: id, in: tx), try LedgerStorage.balances(of: account, in: tx)
                )
            }
            report.append("books of \(name)")
            for invoice in invoices {
                report.append(
                    "  \(invoice.number ?? "draft") \(invoice.state.rawValue) \(invoice.total) \(invoice.currency) "
                        + "(exactly \(invoice.exactTotal))")
                guard let number = invoice.number else { continue }
                files["\(number).json"] = GoldenFiles.laidOut(invoice.documentJSON)
                files["\(number).html"] = try html(invoice, account)
                guard try invoice.document().canonicalJSON() == invoice.documentJSON else {
                    throw GoldenError(line: 0, "\(number) reads as another document than it was written as")
                }
            }
            for (ledgerAccount, balance) in balances.sorted(by: { $0.key.rawValue < $1.key.rawValue })
            where !balance.isZero {
                report.append("  \(ledgerAccount.rawValue) \(balance)")
            }
        }
        // The same on every page: one case holds it.
        if golden.name == "demo" { files["stylesheet.css"] = stylesheet }
        try await reconcile()
        files["report.txt"] = report.joined(separator: "\n") + "\n"
        return files
    }

    private func html(_ invoice: StoredInvoice, _ account: Account) throws -> String {
        let since = invoice.state == .paid ? invoice.paidAt : invoice.voidedAt
        let page = InvoiceHTML.render(
            try invoice.document(),
            standing: InvoiceStatus(
                invoice.state, since: since.map { account.calendar.day(of: $0).description }))
        let (body, style) = try GoldenFiles.splitStyle(page)
        stylesheet = style
        return body
    }

    /// A stored document as it would be stored again, and its page.
    static func read(document json: String) throws -> (json: String, page: String) {
        let document = try InvoiceDocument(json: json)
        return (try document.canonicalJSON(), try GoldenFiles.splitStyle(InvoiceHTML.render(document)).page)
    }

    private func reconcile() async throws {
        var options = ReconciliationRun.Options(now: Self.beginning)
        options.journalDirectories = [journal.directory]
        let result = try await ReconciliationRun(database: database, options: options).run()
        report.append("reconcile: \(result.isEqual ? "equal" : "DIFFERENT")")
        for check in result.checks {
            report += check.differences.map { "  \(check.name): \($0)" }
            report += check.notes.map { "  note: \($0)" }
        }
    }
}
