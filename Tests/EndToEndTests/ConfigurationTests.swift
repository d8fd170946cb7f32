import Foundation
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
