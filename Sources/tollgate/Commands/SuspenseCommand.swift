import Accounts
import ArgumentParser
import Billing
import Foundation
import Identity
import Monetary
import Storage

struct SuspenseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "suspense",
        abstract: "Usage without a price, or that contradicts itself: it holds up its account's invoices.",
        subcommands: [List.self, Rate.self, Waive.self], defaultSubcommand: List.self)

    /// Which suspended usage is meant.
    struct FilterOptions: ParsableArguments {
        @Option(help: "Only of this account.") var account: String?
        @Option(help: "Only of live or only of test accounts; default: both.", transform: readMode) var mode:
            AccountMode?
        @Option(help: "Only this attempt; repeat for more.") var attempt: [String] = []
        @Option(help: "Only of this code, such as no_price.") var code: String?
        @Option(help: "Only of this model.") var model: String?
        @Option(help: "Only of this price key.") var priceKey: String?
        @Option(help: "Accepted from here on, RFC 3339.") var from: String?
        @Option(help: "Accepted before this, RFC 3339.") var to: String?

        func filter() throws -> SuspenseFilter {
            var filter = SuspenseFilter(account: try account.map { try readID($0) })
            if attempt.count > SuspenseFilter.attemptsMax {
                throw ValidationError("--attempt at most \(SuspenseFilter.attemptsMax) times")
            }
            if !attempt.isEmpty { filter.attempts = try attempt.map { try readID($0) } }
            filter.mode = mode
            filter.reason = code
            filter.model = model
            filter.priceKey = priceKey
            filter.from = try from.map { try instant($0, "--from") }
            filter.to = try to.map { try instant($0, "--to") }
            if let from = filter.from, let to = filter.to, from >= to {
                throw ValidationError("--to must lie after --from")
            }
            return filter
        }

        private func instant(_ text: String, _ name: String) throws -> Timestamp {
            guard let instant = Timestamp(text) else {
                throw ValidationError("\(name): '\(text)' is not an instant such as 2026-11-01T00:00:00Z")
            }
            return instant
        }
    }

    /// What `rate` and `waive` share.
    struct OrderOptions: ParsableArguments {
        @OptionGroup var filter: FilterOptions
        @Flag(help: "All of it, where no filter is given.") var all = false
        @Option(help: "Why; it stays with the usage.") var reason: String
        @Flag(help: "Say what would be done and change nothing.") var dryRun = false

        func order(_ outcome: SuspenseOutcome) throws -> SuspenseOrder {
            let filter = try filter.filter()
            guard all || !filter.isEverything else {
                throw ValidationError("say which (--account, --code, --model …), or --all")
            }
            var order = SuspenseOrder(outcome, filter, reason: reason)
            order.isDryRun = dryRun
            return order
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List what waits.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var page: PageOptions
        @OptionGroup var filter: FilterOptions
        @Flag(help: "Also what was rated or waived.") var resolved = false

        func run() async throws {
            let (filter, resolved) = (try filter.filter(), resolved)
            let request = try page.request(IDKinds.Attempt.self)
            let found = try await options.look {
                try $0.suspendedUsage(filter, unresolvedOnly: !resolved, request)
            }
            output.print(
                columns: ["attempt", "account", "accepted at", "model", "price key", "code", "detail"]
                    + (resolved ? ["outcome", "reason", "by", "plan"] : []),
                rows: found.items.map { usage in
                    let row = [
                        "\(usage.attemptID)", "\(usage.accountID)", "\(usage.acceptedAt)", usage.model ?? "",
                        usage.priceKey ?? "", usage.reason, usage.detail,
                    ]
                    let version = usage.planVersion.map { "\(usage.plan ?? "") \($0)" } ?? ""
                    let end = [
                        usage.outcome?.rawValue ?? "", usage.resolution ?? "", usage.resolvedBy ?? "", version,
                    ]
                    return row + (resolved ? end : [])
                })
            page.sayMore(found.hasMore, after: found.items.last?.attemptID)
        }
    }

    struct Rate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Bill it by the version of its plan that sells it now.",
            discussion: """
                For suspended usage alone a price reaches back. What the plan does not sell even now, and what
                contradicts itself, stays; each reason is shown, and the command exits 1.
                """)

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var order: OrderOptions

        func run() async throws {
            let report = try await SuspenseCommand.resolve(try order.order(.rated), options, output)
            if !report.unpriced.isEmpty { throw ExitCode.failure }
        }
    }

    struct Waive: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Accept that it is billed to nobody.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var order: OrderOptions

        func run() async throws {
            _ = try await SuspenseCommand.resolve(try order.order(.waived), options, output)
        }
    }

    private static func resolve(
        _ order: SuspenseOrder, _ options: ConfigurationOptions, _ output: OutputOptions
    ) async throws -> SuspenseReport {
        let report = try await options.withBilling { billing in
            try await billing.suspenseActions(by: .here).resolve(order, now: now())
        }
        let amounts = report.amounts.sorted { $0.key.code < $1.key.code }.map { "\($0.value) \($0.key.code)" }
        let left = report.unpriced.values.reduce(0, +)
        output.print(fields: [
            (order.isDryRun ? "would be \(order.outcome.rawValue)" : order.outcome.rawValue, "\(report.resolved)"),
            ("accounts", "\(report.accounts.count)"), ("billed", amounts.joined(separator: ", ")),
            ("still in suspense", "\(left)"),
        ])
        for (explanation, count) in report.unpriced.sorted(by: { $0.key < $1.key }) { say("\(count): \(explanation)") }
        return report
    }
}
