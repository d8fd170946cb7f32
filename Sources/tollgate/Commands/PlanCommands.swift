import ArgumentParser
import Billing
import Foundation
import Metering
import Monetary
import PlanLanguage
import Pricing
import Storage

struct PlansCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plans", abstract: "Plans as code: check, compare, publish, show.",
        subcommands: [
            List.self, Lint.self, Format.self, SchemaCommand.self, Apply.self, Show.self, Diff.self, Explain.self,
            Quote.self,
        ], defaultSubcommand: List.self)

    /// The version in a file, or every finding on standard error and a failure.
    static func version(inFile path: String) throws -> PlanVersion {
        let lint = PlanLint(yaml: try readText(path), now: now())
        for finding in lint.findings { say("\(path): \(finding)") }
        guard let version = lint.version else { throw ExitCode.failure }
        return version
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the published plans.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let plans = try await options.look { try $0.plans(limit: PageRequest.limitMax) }
            output.print(
                columns: ["plan", "title", "currency", "version", "in force from"],
                rows: plans.items.map {
                    [$0.plan, $0.title, $0.currencyCode, "\($0.latestVersion)", "\($0.latestEffectiveFrom)"]
                })
        }
    }

    struct Lint: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check plan files; exit 1 when one cannot be published.")

        @Argument(help: "Plan files.") var files: [String]

        func run() async throws {
            var failed = 0
            for path in files {
                let lint = PlanLint(yaml: try readText(path), now: now())
                for finding in lint.findings { print("\(path): \(finding)") }
                if let version = lint.version {
                    print("\(path): \(version.planID) version \(version.version), \(version.prices.count) prices")
                } else {
                    failed += 1
                }
            }
            if failed > 0 { throw ExitCode.failure }
        }
    }

    struct Apply: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Publish the versions in plan files; what is published already is left alone.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var reason: ReasonOptions
        @Argument(help: "Plan files.") var files: [String]

        func run() async throws {
            for version in try files.map({ try PlansCommand.version(inFile: $0) }) {
                let outcome = try await options.change(reason) { try $0.publishPlan(version).outcome }
                let words = outcome == .published ? "published" : "was published before; nothing changed"
                print("\(version.planID) version \(version.version) \(words)")
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show a published version and its prices.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "The plan.") var plan: String
        @Option(help: "Its version; default: the newest.") var version: Int?
        @Flag(help: "Print the document, in canonical form, instead of the price table.") var document = false

        func run() async throws {
            let plan = plan
            let versions = try await options.look { try $0.planVersions(of: plan) }
            guard let shown = versions.last(where: { version == nil || $0.version.version == version }) else {
                throw StorageError.notFound("plan '\(plan)'\(version.map { " version \($0)" } ?? "")")
            }
            if document { return print(shown.text, terminator: "") }
            if !output.json {
                let document = shown.version.document
                print("\(document.title): \(plan) version \(shown.version.version), \(document.currency.code)")
                print("in force from \(document.effectiveFrom); tiers \(shown.version.tiers.joined(separator: ", "))")
                if let fee = document.baseFee { print("base fee \(fee.amount) a month") }
                if document.hasConditions {
                    print("other prices for long prompts, places or times: --document shows them")
                }
                print("")
            }
            output.print(
                columns: ["model", "tier", "meter", "per million"],
                rows: shown.version.prices.map {
                    [$0.priceKey, $0.tier, $0.meter.rawValue, "\($0.unitPrice)"]
                })
        }
    }

    struct Diff: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "What a plan file changes against the newest published version, or between two files.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "The file, or the older and the newer.") var files: [String]

        func validate() throws {
            guard (1...2).contains(files.count) else { throw ValidationError("give one file, or two") }
        }

        func run() async throws {
            let newer = try PlansCommand.version(inFile: files[files.count - 1])
            let older: PlanVersion
            if files.count == 2 {
                older = try PlansCommand.version(inFile: files[0])
            } else {
                let published = try await options.look { try $0.planVersions(of: newer.planID) }
                guard let last = published.last else {
                    return print("\(newer.planID) is not published yet: all of it is new")
                }
                older = last.version
            }
            let diff = PlanDiff(from: older, to: newer)
            if output.json {
                output.print(
                    columns: ["kind", "subject", "before", "after", "percent"],
                    rows: diff.changes.map {
                        [$0.kind.rawValue, $0.subject, $0.before ?? "", $0.after ?? "", $0.percent ?? ""]
                    })
            } else {
                print(diff.isEmpty ? "no change" : diff.description)
            }
        }
    }
}
