import ArgumentParser
import Billing
import Identity
import Limits
import Storage

struct LimitsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "limits", abstract: "Limits on requests, tokens and concurrency.",
        subcommands: [List.self, Set.self, Delete.self], defaultSubcommand: List.self)

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the limits.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var page: PageOptions

        @Option(help: "Only of this account, tenant, project or key.") var scope: String?

        func run() async throws {
            let request = try page.request(IDKinds.Limit.self)
            let scope = try scope.map { try readScope($0) }
            let limits = try await options.look { try $0.limits(scope: scope, request) }
            output.print(
                columns: ["limit", "scope", "model", "kind", "value", "mode"],
                rows: limits.items.map(\.rule).map {
                    [
                        "\($0.id)", $0.scope.text, $0.model ?? "", $0.kind.rawValue, "\($0.value)",
                        $0.isShadow ? "shadow" : "enforced",
                    ]
                })
            page.sayMore(limits.hasMore, after: limits.items.last?.rule.id)
        }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set a limit: make it, or change the one that is there.",
            discussion: """
                Kinds: \(LimitKind.allCases.map(\.rawValue).joined(separator: ", ")). A request must fit every \
                enforced limit of its key, project, tenant and account; 0 lets nothing pass.
                """)

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var reason: ReasonOptions

        @Argument(help: "The account, tenant, project or key whose requests count.") var scope: String
        @Argument(help: "What is counted.") var kind: String
        @Argument(help: "A minute's worth, or requests at one time.") var value: Int64
        @Option(help: "Only requests for this model, by its public name.") var model: String?
        @Flag(help: "Only count what would have been refused.") var shadow = false

        func run() async throws {
            let scope = try readScope(scope)
            guard let kind = LimitKind(rawValue: kind) else {
                let kinds = LimitKind.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("the kind is one of \(kinds), not '\(self.kind)'")
            }
            guard (0...LimitRule.valueMax).contains(value) else {
                throw ValidationError("the value is 0 to \(LimitRule.valueMax)")
            }
            let (value, model, isShadow) = (value, model, shadow)
            let rule = try await options.change(reason) {
                try $0.setLimit(kind, of: scope, model: model, value: value, isShadow: isShadow).rule
            }
            output.print(fields: [
                ("limit", "\(rule.id)"), ("scope", rule.scope.text), ("kind", rule.kind.rawValue),
                ("value", "\(rule.value)"),
            ])
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Delete a limit.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var reason: ReasonOptions

        @Argument(help: "The limit.") var limit: String

        func run() async throws {
            let id: LimitID = try readID(limit)
            _ = try await options.change(reason) { try $0.deleteLimit(id) }
            print("\(id) is deleted")
        }
    }
}

/// Whose requests a limit counts, of an argument.
private func readScope(_ text: String) throws -> LimitScope {
    guard let scope = LimitScope(text) else {
        throw ValidationError("'\(text)' is no id of an account, tenant, project or key")
    }
    return scope
}
