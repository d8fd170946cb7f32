import ArgumentParser
import Storage

struct ConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Explain the configuration.", subcommands: [Check.self])

    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Every key, its value, where that came from, and what it does; exit 1 when one is wrong.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @Flag(help: "Also look at the tokenizers that the catalogue's backends name; asks the database.")
        var tokenizers = false

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
            if tokenizers { try await checkTokenizers() }
        }

        private func checkTokenizers() async throws {
            let backends = try await options.withDatabase { database in
                try await database.read { try CatalogueStorage.backends(in: $0) }
            }
            let findings = TokenizerFiles.findings(of: backends)
            for line in findings.missing + findings.refused { say(line) }
            guard findings.refused.isEmpty else { throw ExitCode.failure }
        }

        private static func shown(_ value: String?, _ setting: Setting) -> String {
            guard let value else { return "" }
            if case .secret = setting.kind { return "(hidden)" }
            return value
        }
    }
}
