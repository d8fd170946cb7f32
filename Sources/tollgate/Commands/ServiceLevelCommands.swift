import Accounts
import ArgumentParser
import Billing
import Foundation
import Identity
import Ledger
import Monetary
import ServiceLevels
import Storage

struct ServiceLevelsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sla", abstract: "Promises: kept or broken, with the evidence.",
        subcommands: [Report.self, Owed.self, PayOut.self], defaultSubcommand: Report.self)

    struct Report: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Where a month's promises stand; credits of a running month are what it would give now.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @Option(help: "The calendar month, such as 2026-11.") var period: String
        @Option(help: "Only this account.") var account: String?
        @OptionGroup var mode: ModeOptions
        @Flag(help: "List the worst requests, too.") var worst = false

        func run() async throws {
            let month = try InvoicesCommand.month(period)
            let only: AccountID? = try account.map { try readID($0) }
            let mode = mode.asked(isNamed: only != nil)
            let accounts = try await options.look { try only.map { [$0] } ?? $0.accountIDs(mode: mode) }
            let reports = try await options.withBilling { billing in
                var reports: [ServiceLevelReport] = []
                for id in accounts {
                    reports.append(try await billing.serviceLevels(of: id, month: month, by: .here))
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

    struct Owed: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Credits that are granted and on no final invoice yet.",
            discussion: "The next invoice carries them. To an account that left, pay them out: `tollgate sla pay-out`.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var page: PageOptions
        @Option(help: "Only of this account.") var account: String?
        @OptionGroup var mode: ModeOptions

        func run() async throws {
            let request = try page.request(IDKinds.ServiceLevelResult.self)
            let only: AccountID? = try account.map { try readID($0) }
            let mode = mode.asked(isNamed: only != nil)
            let owed = try await options.look { try $0.owedCredits(of: only, mode: mode, request) }
            output.print(
                columns: ["credit", "account", "from", "tier", "objective", "granted", "owed", "currency"],
                rows: try owed.items.map { granted in
                    let result = granted.result
                    return [
                        "\(result.id)", "\(result.accountID)", "\(result.period.start)", result.tier,
                        result.objective.name, "\(result.credit)", "\(try granted.remaining().amount)",
                        result.base.currency.code,
                    ]
                })
            page.sayMore(owed.hasMore, after: owed.items.last?.result.id)
        }
    }

    struct PayOut: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "pay-out",
            abstract: "Book that an account that left was paid the credits that it is owed.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "The account.") var account: String
        @Option(help: "Why, and how it was paid; it stays with the booking.") var reason: String

        func run() async throws {
            let (id, reason) = (try readID(account, as: AccountID.self), reason)
            let payout = try await options.withBilling { billing in
                try await billing.creditActions(by: .here).payOut(to: id, reason: reason, now: now())
            }
            output.print(fields: [
                ("account", "\(id)"), ("paid out", "\(payout.amount)"), ("currency", payout.amount.currency.code),
                ("credits", "\(payout.credits)"),
            ])
        }
    }
}
