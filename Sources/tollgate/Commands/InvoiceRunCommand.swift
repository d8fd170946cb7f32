import Accounts
import ArgumentParser
import Billing
import Foundation
import Identity
import Invoicing
import Storage

/// `tollgate invoices run`
struct InvoiceRunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Close a month and make its invoices final; running it again changes nothing.",
        discussion: "Exit 1 when an account is not done: each says why.")

    @OptionGroup var options: ConfigurationOptions
    @OptionGroup var output: OutputOptions
    @Option(help: "The calendar month, such as 2026-11.") var period: String
    @Option(help: "Only this account; repeat for more.") var account: [String] = []
    @OptionGroup var mode: ModeOptions
    @Flag(help: "Compute and show, store nothing.") var dryRun = false
    @Option(help: "Seconds to try again for, where only gateways' heartbeats are missing; at most 3600.")
    var wait = 15

    func validate() throws {
        guard (0...3600).contains(wait) else { throw ValidationError("--wait is 0 to 3600 seconds") }
    }

    func run() async throws {
        var settings = InvoiceRun.Options(month: try InvoicesCommand.month(period), now: now())
        settings.accounts = account.isEmpty ? nil : try account.map { try readID($0) }
        settings.mode = mode.asked(isNamed: !account.isEmpty)
        settings.isDryRun = dryRun
        settings.graceMilliseconds = Int64(try options.load().integer("billing.grace_minutes")) * 60_000
        let report = try await options.withBilling { [settings, wait] billing in
            try await Self.report(settings, waiting: .seconds(wait), billing)
        }
        for journal in report.retiredJournals {
            say("journal \(journal.id) was retired (\(journal.retiredReason ?? "")): its usage is on no invoice")
        }
        for place in report.damagedPlaces {
            let state = place.releaseReason.map { "released: \($0)" } ?? "it holds accounts until it is released"
            say("journal \(place.journalID) cannot be read at \(place.mark) (\(place.reason)); \(state)")
        }
        show(report)
        if report.otherModeCount > 0, let mode = settings.mode {
            let other = mode == .live ? AccountMode.test : .live
            say("\(report.otherModeCount) \(other) accounts are not in this run: --mode \(other)")
        }
        if !report.isComplete { throw ExitCode.failure }
    }

    /// A heartbeat comes every 10 s: rather than fail in between, the accounts that only lack one are tried again.
    private static func report(
        _ settings: InvoiceRun.Options, waiting: Duration, _ billing: BillingService
    ) async throws -> InvoiceRunReport {
        let isWatched = isatty(STDERR_FILENO) == 1
        let deadline = ContinuousClock.now + waiting
        var report = try await billing.invoiceRun(settings, by: .here).run { done, total in
            if isWatched { say("\(done) of \(total) accounts") }
        }
        var settings = settings
        while !report.waitingForGateways.isEmpty, ContinuousClock.now < deadline {
            if isWatched { say("\(report.waitingForGateways.count) accounts wait for a gateway's heartbeat") }
            try await Task.sleep(for: .seconds(1))
            settings.now = now()
            settings.accounts = report.waitingForGateways
            report.update(with: try await billing.invoiceRun(settings, by: .here).run())
        }
        return report
    }

    /// People read reasons below the table: they are sentences. Programs find them in `detail`.
    private func show(_ report: InvoiceRunReport) {
        let rows = report.accounts.map { outcome in
            let cells = outcome.result.cells
            return ["\(outcome.accountID)", outcome.name, outcome.result.word, cells.number, cells.total, cells.detail]
        }
        let columns = ["account", "name", "result", "number", "total", "detail"]
        if output.json { return output.print(columns: columns, rows: rows) }
        let reasons = report.accounts.filter(\.result.isReasoned)
        output.print(
            columns: columns,
            rows: zip(report.accounts, rows).map { $0.result.isReasoned ? $1.dropLast() + ["see below"] : $1 })
        for outcome in reasons {
            print("\n\(outcome.name) (\(outcome.accountID)):")
            for reason in outcome.result.reason.components(separatedBy: "; ") { print("  \(reason)") }
        }
    }
}

extension InvoiceRunReport.AccountResult {
    /// The rest of a row of a run's table.
    fileprivate var cells: (number: String, total: String, detail: String) {
        switch self {
        case .finalized(let invoice), .drafted(let invoice), .already(let invoice):
            (invoice.number ?? "", "\(invoice.total)", "\(invoice.id)")
        case .wouldInvoice(let document): ("", document.totals.total, "")
        case .nothingToBill, .notClosed, .onHold, .failed, .deleted: ("", "", reason)
        }
    }

    /// True where the detail is sentences.
    fileprivate var isReasoned: Bool {
        switch self {
        case .notClosed, .onHold, .failed: true
        case .finalized, .drafted, .already, .wouldInvoice, .nothingToBill, .deleted: false
        }
    }
}
