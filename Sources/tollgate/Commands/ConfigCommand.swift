import ArgumentParser
import Billing
import CatalogueLanguage
import Engines
import Storage

struct ConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Explain the configuration.", subcommands: [Check.self])

    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Every key, its value, where that came from, and what it does; exit 1 when one is wrong.",
            discussion: """
                Also looks at the tokenizers that the catalogue's backends name, as far as they are on this machine: \
                those that cannot be counted with are refused.
                """)

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @Option(help: "Look at this catalogue file's tokenizers, in place of those that the database has.")
        var catalogue: String?

        func run() async throws {
            let loaded: Configuration
            do {
                loaded = try options.load()
            } catch let error as ConfigurationError {
                for complaint in error.complaints { say(complaint) }
                throw ExitCode.failure
            }
            output.print(
                columns: ["key", "value", "from", "environment variable", "meaning"],
                rows: Setting.all.map { setting in
                    [
                        setting.key, Self.shown(loaded.text(setting.key), setting),
                        loaded.source(of: setting.key)?.description ?? "not set", setting.variable,
                        setting.explanation,
                    ]
                })
            let backends = try await backends(loaded)
            let findings = TokenizerFiles.findings(of: backends)
            for line in findings.missing + findings.refused { say(line) }
            guard findings.refused.isEmpty else { throw ExitCode.failure }
        }

        /// Those of the catalogue. A database that is not there is no fault of the configuration's.
        private func backends(_ loaded: Configuration) async throws -> [Backend] {
            if let catalogue { return try readCatalogue(catalogue).backends }
            guard loaded.text("database.url") != nil else { return [] }
            do {
                return try await options.look { try $0.backends() }
            } catch {
                say("the catalogue's tokenizers were not looked at, as the database did not answer: \(error)")
                return []
            }
        }

        private static func shown(_ value: String?, _ setting: Setting) -> String {
            guard let value else { return "" }
            if case .secret = setting.kind { return "(hidden)" }
            return value
        }
    }
}
