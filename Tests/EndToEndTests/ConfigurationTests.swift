import Foundation
import Postgres
import TestSupport
import Testing

extension EndToEndTests {
    /// What an operator is told whose configuration is wrong.
    @Suite struct ConfigurationTests {
        @Test func `an unknown key and a bad value are both named, with where they stand`() async throws {
            let files = try TemporaryDirectory()
            let path = "\(files.path)/tollgate.yaml"
            try "gateway:\n  prot: 8080\n  threads: many\n".write(toFile: path, atomically: true, encoding: .utf8)
            for command in [["config", "check"], ["serve", "gateway"]] {
                let run = try await tollgate(command + ["--config", path], in: files)
                #expect(!run.isSuccess, "\(command)")
                #expect(run.errors.contains("gateway.prot"), "\(run.errors)")
                #expect(run.errors.contains("gateway.threads"), "\(run.errors)")
                #expect(run.errors.contains(path), "\(run.errors)")
            }
        }

        @Test func `a tokenizer that cannot be counted with is refused by the part that is wrong`() async throws {
            let files = try TemporaryDirectory()
            let tokenizer = "\(files.path)/tokenizer.json"
            let catalogue = "\(files.path)/catalogue.yaml"
            try #"{"model":{"type":"WordPiece","vocab":{}}}"#.write(
                toFile: tokenizer, atomically: true, encoding: .utf8)
            try """
            backends:
              - {name: gpu-1, url: "http://127.0.0.1:9", kind: vllm, tokenizer: \(tokenizer)}
            models:
              - {name: m, backend: gpu-1, context_tokens: 4096, output_tokens: 1024}
            """.write(toFile: catalogue, atomically: true, encoding: .utf8)
            let refused = try await tollgate(["config", "check", "--catalogue", catalogue], in: files)
            #expect(refused.end == .exited(1), "\(refused.end)")
            #expect(refused.errors.contains("gpu-1: \(tokenizer) cannot be counted with: "), "\(refused.errors)")
            try FileManager.default.removeItem(atPath: tokenizer)
            let missing = try await tollgate(["config", "check", "--catalogue", catalogue], in: files)
            #expect(missing.isSuccess, "another machine may have it: \(missing.errors)")
            #expect(missing.errors.contains(tokenizer), "\(missing.errors)")
        }

        @Test func `what stops a start is said with the setting that mends it`() async throws {
            let files = try TemporaryDirectory()
            func errors(_ command: [String], _ settings: [String: String]) async throws -> String {
                let run = try await tollgate(command, settings, in: files)
                #expect(run.end == .exited(1) || run.end == .exited(64), "\(run.end)")
                for word in ["SELECT", "Optional(", "PostgresError(", "Error Domain"] {
                    #expect(!run.errors.contains(word), "\(run.errors)")
                }
                return run.errors + run.output
            }
            let misspelt = try await errors(["config", "check"], ["GATEWAY_PROT": "1", "BACKEND_KEY": "x"])
            #expect(misspelt.contains("TOLLGATE_GATEWAY_PROT") && !misspelt.contains("BACKEND_KEY:"), "\(misspelt)")
            let lost = try await errors(
                ["migrate"], ["DATABASE_URL": "postgres:///x", "DATABASE_MIGRATIONS": "\(files.path)/none"])
            #expect(lost.contains("TOLLGATE_DATABASE_MIGRATIONS") && lost.contains("\(files.path)/none"), "\(lost)")
            let certificate = "\(files.path)/certificate.pem"
            try "no certificate".write(toFile: certificate, atomically: true, encoding: .utf8)
            let unreadable = try await errors(
                ["doctor"], ["GATEWAY_TLS_CERTIFICATE": certificate, "GATEWAY_TLS_KEY": "\(files.path)/none"])
            #expect(unreadable.contains("\(certificate) cannot be read as a certificate chain"), "\(unreadable)")
        }

        @Test func `a database without the schema is told what to run`() async throws {
            let files = try TemporaryDirectory()
            try await TestCluster.durable.cluster().start()
            let database = try await TestDatabase.create(migrated: false, on: .durable)
            for command in [["accounts", "list"], ["serve", "gateway"], ["serve", "admin"], ["reconcile"]] {
                let run = try await tollgate(
                    command,
                    [
                        "DATABASE_URL": database.url, "DATABASE_MIGRATIONS": "\(repositoryRoot)/migrations",
                        "JOURNAL_DIRECTORY": "\(files.path)/journal", "GATEWAY_PORT": "0", "ADMIN_PORT": "0",
                    ], in: files)
                #expect(run.end == .exited(1), "\(command): \(run.end)")
                #expect(run.errors.contains("tollgate migrate"), "\(command): \(run.errors)")
                #expect(!run.errors.contains("SELECT"), "\(command): \(run.errors)")
            }
            try await database.drop()
        }

        @Test func `the version is told`() async throws {
            let run = try await tollgate(["--version"], in: TemporaryDirectory())
            #expect(run.isSuccess && run.output.contains(/^tollgate [0-9]+\.[0-9]+\.[0-9]+\n$/), "\(run.output)")
        }

        @Test func `a gateway without a database says which setting is missing`() async throws {
            let files = try TemporaryDirectory()
            let journal = ["JOURNAL_DIRECTORY": "\(files.path)/journal"]
            let run = try await tollgate(["serve", "gateway"], journal, in: files)
            #expect(run.end == .exited(1), "\(run.end)")
            #expect(run.errors.contains("database.url"), "\(run.errors)")
            #expect(run.errors.contains("TOLLGATE_DATABASE_URL"), "\(run.errors)")
        }

        @Test func `a new gateway whose database cannot be reached ends and says so`() async throws {
            let files = try TemporaryDirectory()
            let run = try await tollgate(
                ["serve", "gateway"],
                [
                    "JOURNAL_DIRECTORY": "\(files.path)/journal", "GATEWAY_PORT": "0",
                    "DATABASE_URL": "postgresql:///nowhere?host=\(files.path)",
                ],
                in: files)
            #expect(run.end == .exited(1), "\(run.end)")
            #expect(run.errors.contains(files.path), "it names the address: \(run.errors)")
        }

        @Test func `a taken port and a journal in use are told, each with who has it`() async throws {
            let installation = try await Installation.make()
            let gateway = try await installation.served()

            let samePort = try await installation.run(
                "serve", "gateway", environment: ["TOLLGATE_JOURNAL_DIRECTORY": "\(installation.files.path)/other"])
            #expect(samePort.end == .exited(1), "\(samePort.end)")
            #expect(samePort.errors.contains("\(installation.gatewayPort)"), "\(samePort.errors)")

            let sameJournal = try await installation.run(
                "serve", "gateway", environment: ["TOLLGATE_GATEWAY_PORT": "0"])
            #expect(sameJournal.end == .exited(1), "\(sameJournal.end)")
            #expect(sameJournal.errors.contains("\(gateway.id)"), "it names the process: \(sameJournal.errors)")
            #expect(sameJournal.errors.contains(installation.journalDirectory), "\(sameJournal.errors)")

            #expect(gateway.end == nil)
            try await installation.stop(gateway)
            try await installation.remove()
        }

        private func tollgate(
            _ arguments: [String], _ settings: [String: String] = [:], in files: TemporaryDirectory
        ) async throws -> ProgramRun {
            let environment = Dictionary(uniqueKeysWithValues: settings.map { ("TOLLGATE_\($0.key)", $0.value) })
            return try await ProgramRun.run(
                [ProgramFiles.tollgate] + arguments, environment: environment, directory: files.path, name: "wrong")
        }
    }
}
