import Accounts
import ArgumentParser
import BillingJobs
import Identity
import Monetary
import ServiceLevels
import Storage

struct ServiceLevelsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sla", abstract: "Promises: kept or broken, with the evidence.", subcommands: [Report.self],
        defaultSubcommand: Report.self)

    struct Report: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Where a month's promises stand; credits of a running month are what it would give now.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @Option(help: "The calendar month, such as 2026-11.") var period: String
        @Option(help: "Only this account.") var account: String?
        @Flag(help: "List the worst requests, too.") var worst = false

        func run() async throws {
            let month = try InvoicesCommand.month(period)
            let only: AccountID? = try account.map { try readID($0) }
            let reports = try await options.withDatabase { database in
                let accounts = try await database.read { try only.map { [$0] } ?? AccountStorage.ids(in: $0) }
                var reports: [ServiceLevelReport] = []
                for id in accounts {
                    reports.append(
                        try await ServiceLevelReport.make(account: id, month: month, now: now(), database: database))
                }
                return reports
            }
            output.print(
                columns: [
                    "account", "tier", "objective", "promised %", "kept %", "good", "counted", "excluded", "status",
                    "credit %", "of", "credit", "final",
                ],
                rows: reports.flatMap { report in
                    report.results.map { row($0, isFinal: report.isFinal) }
                })
            if worst, !output.json {
                for result in reports.flatMap(\.results) where !result.evidence.worst.isEmpty {
                    print("\nworst of \(result.tier), \(result.objective.name):")
                    for request in result.evidence.worst {
                        print("  \(request.requestID)  \(request.acceptedAt)  \(request.measured)")
                    }
                }
            }
        }

        private func row(_ result: StoredPromiseResult, isFinal: Bool) -> [String] {
            [
                "\(result.accountID)", result.tier, result.objective.name, "\(result.promised)",
                result.attainment.percentText, "\(result.attainment.good)", "\(result.attainment.counted)",
                "\(result.excluded)", result.status.rawValue, "\(result.creditPercent)", "\(result.base)",
                "\(result.credit)", isFinal ? "yes" : "no",
            ]
        }
    }
}
