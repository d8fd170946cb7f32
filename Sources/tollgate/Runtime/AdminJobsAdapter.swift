import Accounts
import AdminAPI
import Billing
import BillingJobs
import Identity
import Invoicing
import Ledger
import Monetary
import Storage

/// Lets the admin API start the jobs.
struct AdminJobsAdapter: AdminJobs {
    let database: Database
    let graceMilliseconds: Int64

    func runInvoices(_ request: InvoiceRunRequest, by actor: Actor) async throws -> InvoiceRunAnswer {
        var options = InvoiceRun.Options(
            month: request.period, now: now(), accounts: request.accounts, mode: request.mode)
        options.isDryRun = request.isDryRun
        options.graceMilliseconds = graceMilliseconds
        let report = try await InvoiceRun(database: database, by: actor, options: options).run()
        return InvoiceRunAnswer(items: report.accounts.map(item))
    }

    func finalizeInvoice(_ id: InvoiceID, by actor: Actor) async throws {
        try await refusing { _ = try await InvoiceActions(database: database, by: actor).finalize(id, now: now()) }
    }

    func payInvoice(_ id: InvoiceID, by actor: Actor) async throws {
        try await refusing { _ = try await InvoiceActions(database: database, by: actor).markPaid(id, now: now()) }
    }

    func voidInvoice(_ id: InvoiceID, by actor: Actor) async throws {
        try await refusing { _ = try await InvoiceActions(database: database, by: actor).void(id, now: now()) }
    }

    func previewInvoice(of account: AccountID, month: CivilMonth, by actor: Actor) async throws -> InvoicePreview {
        try await InvoiceActions(database: database, by: actor).preview(account: account, month: month)
    }

    func resolveSuspense(_ order: SuspenseOrder, by actor: Actor) async throws -> SuspenseReport {
        try await SuspenseActions(database: database, by: actor).resolve(order, now: now())
    }

    func payOutCredits(to account: AccountID, reason: String, by actor: Actor) async throws -> CreditPayoutReport {
        try await CreditActions(database: database, by: actor).payOut(to: account, reason: reason, now: now())
    }

    func serviceLevels(of account: AccountID, month: CivilMonth) async throws -> ServiceLevelStanding {
        let report = try await ServiceLevelReport.make(
            account: account, month: month, now: now(), database: database)
        return ServiceLevelStanding(isFinal: report.isFinal, results: report.results)
    }

    private func item(_ outcome: InvoiceRunReport.AccountOutcome) -> InvoiceRunAnswer.Item {
        let words = outcome.result.words
        var item = InvoiceRunAnswer.Item(accountID: outcome.accountID, outcome: words.result)
        switch outcome.result {
        case .finalized(let invoice), .drafted(let invoice), .already(let invoice):
            item.invoiceID = invoice.id
            item.number = invoice.number
            item.total = "\(invoice.total)"
            item.currency = invoice.total.currency.code
        case .wouldInvoice(let document):
            item.total = document.totals.total
            item.currency = document.currency
        case .nothingToBill, .notClosed, .onHold, .failed:
            item.reason = words.detail
        }
        return item
    }

    /// What the invoice's rules forbid is the caller's affair, not a failure of the server.
    private func refusing(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let error as InvoicingError {
            throw JobRefusal("\(error)")
        } catch let error as BooksError {
            throw JobRefusal("\(error); `tollgate reconcile` shows where the books differ")
        }
    }
}
