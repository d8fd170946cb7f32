import Accounts
import ArgumentParser
import Billing
import Foundation
import Identity
import Metering
import Reconciliation
import Storage

struct ReconcileCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reconcile",
        abstract: "Prove that usage = rated = ledger = invoices, or show where not and exit 1.",
        discussion: """
            The journal of the configuration is compared, too, when it can be read from here. With --simulator the
            engine's own count is compared; what it made and the gateway never received stands apart as unreceived.
            """)

    @OptionGroup var options: ConfigurationOptions
    @OptionGroup var output: OutputOptions
    @Option(help: "Only usage of this month, such as 2026-11; default: all.") var period: String?
    @Option(help: "Only this account; repeat for more.") var account: [String] = []
    @Option(help: "Only live or only test accounts; default: both, each compared by itself.", transform: readMode)
    var mode: AccountMode?
    @Option(help: "A gateway's journal directory, beside the configuration's; repeat for more.")
    var journal: [String] = []
    @Flag(help: "Book first what the jobs have not booked yet; without them running, usage of today differs.")
    var postFirst = false
    @Option(help: "URL of an engine simulator whose own count to compare.") var simulator: String?

    func run() async throws {
        let configuration = try options.load()
        var settings = ReconciliationRun.Options(now: now())
        settings.month = try period.map(InvoicesCommand.month)
        settings.accounts = account.isEmpty ? nil : try account.map { try readID($0) }
        settings.mode = mode
        settings.journalDirectories = journal
        if let directory = configuration.text("journal.directory"), FileManager.default.fileExists(atPath: directory) {
            settings.journalDirectories.append(directory)
        }
        // Named twice, a journal would count twice.
        var seen: Set<String> = []
        settings.journalDirectories = settings.journalDirectories.filter { directory in
            seen.insert(URL(fileURLWithPath: directory).resolvingSymlinksInPath().path).inserted
        }
        settings.engineCounts = try await simulator.map { try EngineBook(url: $0) }?.counts()
        settings.postsLedgerFirst = postFirst
        let report = try await options.withDatabase { [settings] database in
            try await ReconciliationRun(database: database, options: settings).run()
        }
        output.print(
            columns: ["", "mode", "check", "left", "right", "difference"],
            rows: report.checks.map {
                [
                    !$0.isCompared ? "SKIPPED" : $0.isEqual ? "ok" : "DIFFERS", $0.mode?.rawValue ?? "", $0.name,
                    $0.leftText, $0.rightText, $0.differenceText,
                ]
            })
        if !output.json { details(report) }
        if !report.isEqual { throw ExitCode.failure }
    }

    private func details(_ report: ReconciliationReport) {
        for check in report.checks {
            for difference in check.differences { print("\(check.title): \(difference)") }
            if check.differenceCount > check.differences.count {
                print("\(check.title): \(check.differenceCount - check.differences.count) more differences")
            }
            for note in check.notes { print("note: \(note)") }
        }
        let skipped = report.skipped.joined(separator: ", ")
        print(
            !report.isEqual
                ? "not equal: see the lines above"
                : skipped.isEmpty ? "all equal" : "what was compared is equal; not compared: \(skipped)")
    }
}

/// The book of an engine simulator, page by page.
private struct EngineBook {
    let url: URL

    init(url text: String) throws {
        guard let url = URL(string: text), url.scheme != nil else {
            throw ValidationError("--simulator: '\(text)' is no URL such as http://127.0.0.1:9100")
        }
        self.url = url
    }

    private struct Page: Decodable {
        let data: [Line]
        let next_after: Int64?
        let has_more: Bool
    }

    private struct Line: Decodable {
        let request_id: String?
        let outcome: String
        let prompt_tokens: Int64
        let completion_tokens_produced: Int64
        let images: Int64?
        let audio_ms: Int64?
        let characters: Int64?
        let searches: Int64?
        let compute_ms: Int64?

        var units: UsageUnits {
            UsageUnits(
                images: images ?? 0, audioMilliseconds: audio_ms ?? 0, characters: characters ?? 0,
                searches: searches ?? 0, computeMilliseconds: compute_ms ?? 0)
        }
    }

    func counts() async throws -> [EngineCount] {
        var result: [EngineCount] = []
        var after: Int64 = 0
        while true {
            let page = try JSONDecoder().decode(Page.self, from: try await fetch(after: after))
            result += page.data.compactMap { line in
                guard let id = line.request_id.flatMap({ RequestID($0) }) else { return nil }
                return EngineCount(
                    requestID: id, promptTokens: line.prompt_tokens,
                    completionTokensProduced: line.completion_tokens_produced, isComplete: line.outcome == "complete",
                    units: line.units)
            }
            guard page.has_more, let next = page.next_after, next > after else { return result }
            after = next
        }
    }

    private func fetch(after: Int64) async throws -> Data {
        try await PlainHTTP.get(url.appendingPathComponent("simulator/requests"), query: "after=\(after)&limit=1000")
    }
}
