import ArgumentParser
import Billing
import Engines
import Foundation
import Identity
import Storage

struct SecretsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "secrets", abstract: "Credentials of backends, kept encrypted; values are never shown.",
        subcommands: [List.self, Set.self, Delete.self, RotateKey.self, GenerateKey.self], defaultSubcommand: List.self)

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List names, versions, hosts and who uses them.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let entries = try await options.look { try $0.secrets() }
            output.print(columns: SecretsCommand.columns, rows: entries.map(SecretsCommand.row))
        }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make or replace a secret; its value is read from standard input, or from a file.",
            discussion: """
                A value never stands on the command line, where every user of the machine could read it. A line break \
                at its end is not part of it.
                """)

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var reason: ReasonOptions
        @Argument(help: "What backends write as `secret`.") var name: String
        @Option(help: "Where it may be sent, such as api.openai.com; may stand several times. Needed for a new one.")
        var host: [String] = []
        @Option(help: "Read the value from this file, not from standard input.") var file: String?

        func run() async throws {
            let keyring = try options.load().requiredSecretKeyring()
            let hosts = try host.map { text in
                guard let host = SecretHost(text) else {
                    throw ValidationError("--host: '\(text)' is no host such as api.openai.com or *.openai.azure.com")
                }
                return host
            }
            let (name, value) = (name, try value())
            let entry = try await options.change(reason) {
                try $0.setSecret(name, to: value, hosts: hosts.isEmpty ? nil : hosts, by: keyring)
            }
            output.print(columns: SecretsCommand.columns, rows: [SecretsCommand.row(entry)])
        }

        private func value() throws -> String {
            let bytes: Data
            if let file {
                bytes = Data(try readText(file).utf8)
            } else {
                bytes = try FileHandle.standardInput.read(upToCount: BackendSecret.valueBytesMax + 3) ?? Data()
            }
            var text = String(decoding: bytes, as: UTF8.self)
            if text.unicodeScalars.last == "\n" { text.unicodeScalars.removeLast() }
            if text.unicodeScalars.last == "\r" { text.unicodeScalars.removeLast() }
            return text
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Delete a secret that no backend names.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var reason: ReasonOptions
        @Argument(help: "Its name.") var name: String

        func run() async throws {
            let name = name
            _ = try await options.change(reason) { try $0.deleteSecret(name) }
            print("deleted  \(name)")
        }
    }

    struct RotateKey: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rotate-key", abstract: "Encrypt everything anew under the first key of the key file.",
            discussion: """
                First give every process a key file with the new key on its first line and the old ones below it. Then \
                run this once. Then take the old keys out, when every gateway has written its copy anew (a minute).
                """)

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var reason: ReasonOptions

        func run() async throws {
            let keyring = try options.load().requiredSecretKeyring()
            let rotation = try await options.change(reason) { try $0.reencryptSecrets(under: keyring) }
            print(
                "everything is encrypted under the key \(keyring.keyIDs[0]): \(rotation.secrets) secrets and the "
                    + "credentials of \(rotation.backends) backends were encrypted anew")
        }
    }

    struct GenerateKey: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "generate-key", abstract: "Print a new key for the key file.")

        func run() {
            print(SecretsCommand.freshKeyText())
        }
    }

    /// A key of 256 random bits, in hexadecimal.
    static func freshKeyText() -> String {
        var generator = SystemRandomNumberGenerator()
        return Hexadecimal.text(of: (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
    }

    private static let columns = ["name", "version", "fingerprint", "key", "hosts", "backends", "updated at"]

    private static func row(_ entry: SecretStorage.Entry) -> [String] {
        let secret = entry.secret
        return [
            secret.name, "\(secret.version)", secret.fingerprint, secret.sealed.keyID,
            secret.hosts.map(\.description).joined(separator: ","), entry.backends.joined(separator: ","),
            "\(secret.updatedAt)",
        ]
    }
}
