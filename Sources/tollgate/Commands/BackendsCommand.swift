import ArgumentParser
import Billing
import CatalogueLanguage
import Engines
import Foundation
import Identity
import Pricing
import Storage

struct BackendsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backends", abstract: "Engines, and the models that they serve.",
        subcommands: [List.self, Apply.self], defaultSubcommand: List.self)

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the models and where they are served, a line for each route.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let models = try await options.look { try $0.models() }
            output.print(
                columns: [
                    "model", "aliases", "backend", "kind", "at", "region", "upstream name", "weight", "price key",
                    "context", "output",
                ],
                rows: models.flatMap { model in model.routes.map { row(model, $0) } })
        }

        private func row(_ model: CatalogueModel, _ route: ModelRoute) -> [String] {
            let backend = route.backend
            return [
                model.publicName, model.aliases.joined(separator: ","), backend.name, backend.kind.rawValue,
                "\(backend.host):\(backend.port)", backend.settings.region, route.upstreamName, "\(route.weight)",
                model.priceKey, "\(model.contextTokensMax)", "\(model.outputTokensMax)",
            ]
        }
    }

    struct Apply: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make the catalogue what a file says; what is missing from the file goes.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var reason: ReasonOptions
        @Argument(help: "The file.") var file: String
        @Flag(help: "Only check the file.") var dryRun = false

        func run() async throws {
            let document = try readCatalogue(file)
            let tokenizers = TokenizerFiles.findings(of: document.backends)
            for line in tokenizers.missing + tokenizers.refused { say("\(file): \(line)") }
            guard tokenizers.refused.isEmpty else { throw ExitCode.failure }
            if dryRun {
                if try options.load().text("database.url") != nil {
                    try await warn(of: document.models)
                }
                return print("\(document.backends.count) backends, \(document.models.count) models: fine")
            }
            let outcome = try await apply(document, sealedBy: try options.load().secretKeyring())
            for warning in outcome.warnings { say("warning: \(warning)") }
            let changes = outcome.changes
            if changes.isEmpty { print("nothing changed") }
            for name in changes.added { print("added    \(name)") }
            for name in changes.changed { print("changed  \(name)") }
            for name in changes.removed { print("removed  \(name)") }
        }

        private func apply(
            _ document: CatalogueDocument, sealedBy keyring: SecretKeyring?
        ) async throws -> CatalogueOutcome {
            do {
                return try await options.change(reason) {
                    try $0.applyCatalogue(backends: document.backends, models: document.models, sealedBy: keyring)
                }
            } catch let refusal as CatalogueRefusal {
                for finding in refusal.findings { say("\(file): \(finding)") }
                throw ExitCode.failure
            }
        }
    }
}

extension BackendsCommand.Apply {
    private func warn(of models: [CatalogueModel]) async throws {
        for warning in try await options.look({ try $0.unsoldModels(models) }) { say("warning: \(warning)") }
    }
}

/// Reads a catalogue file, or says all that is wrong with it.
func readCatalogue(_ file: String) throws -> CatalogueDocument {
    do {
        return try CatalogueDocument(yaml: readText(file), environment: ProcessInfo.processInfo.environment)
    } catch let rejection as CatalogueRejection {
        for finding in rejection.findings { say("\(file): \(finding)") }
        throw ExitCode.failure
    }
}
