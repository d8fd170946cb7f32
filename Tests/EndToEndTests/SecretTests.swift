import Foundation
import Glibc
import TestSupport
import Testing

extension EndToEndTests {
    /// Secrets of backends through the built program: set from a shell, used by a gateway, with Postgres and without.
    @Suite struct SecretTests {
        private static let value = "sk-of-the-locked-engine"

        /// An engine that asks for a key, and one that does not; a model at each.
        private struct Engines {
            let installation: Installation
            let locked: RunningProgram
            let lockedURL: String
            let keyFile: String
            let customer: Customer

            static func make() async throws -> Engines {
                let installation = try await Installation.make()
                let locked = try RunningProgram.start(
                    [ProgramFiles.tollgate, "simulator", "--port", "0", "--api-key", value],
                    directory: installation.files.path, name: "locked")
                let url = try JSONValue(parsing: try await locked.firstLine()).text("engine")
                let keyFile = "\(installation.files.path)/secrets.key"
                let key = try await installation.tollgate("secrets", "generate-key").successful("generate-key").output
                try key.write(toFile: keyFile, atomically: true, encoding: .utf8)
                return Engines(
                    installation: installation, locked: locked, lockedURL: url, keyFile: keyFile,
                    customer: try await installation.customer("careful"))
            }

            /// Runs a command with the key, its value on standard input.
            func tollgate(_ arguments: String..., input: String = "", key: Bool = true) async throws -> ProgramRun {
                let path = "\(installation.files.path)/input"
                try input.write(toFile: path, atomically: true, encoding: .utf8)
                var environment = installation.environment
                if key { environment["TOLLGATE_SECRETS_KEY_FILE"] = keyFile }
                return try await ProgramRun.run(
                    [ProgramFiles.tollgate] + arguments, environment: environment,
                    directory: installation.files.path, name: arguments.first ?? "tollgate", input: path)
            }

            func catalogue(url: String) throws -> String {
                let path = "\(installation.files.path)/secret-catalogue.yaml"
                let text = """
                    backends:
                      - {name: locked, url: "\(url)", secret: engine-key}
                      - {name: simulator, url: "\(installation.engine.url)"}
                    models:
                      - {name: sim-large, backend: locked, context_tokens: 131072, output_tokens: 32768}
                      - {name: sim-small, backend: simulator, context_tokens: 131072, output_tokens: 32768}
                    """
                try text.write(toFile: path, atomically: true, encoding: .utf8)
                return path
            }

            func chat(_ model: String) throws -> HTTPAnswer {
                let body = #"{"model":"\#(model)","messages":[{"role":"user","content":"Hello"}],"max_tokens":2}"#
                return try HTTPCall.post(
                    "\(installation.gatewayURL)/v1/chat/completions", key: customer.secret, json: body
                ).send()
            }

            var snapshot: String {
                get throws {
                    let path = "\(installation.journalDirectory)/snapshot"
                    return String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
                }
            }

            func remove() async throws {
                locked.send(SIGTERM)
                try await locked.ended()
                try await installation.remove()
            }
        }

        @Test func `a secret set in a shell reaches the engine, also without Postgres, and no file in clear`()
            async throws
        {
            let made = try await Engines.make()
            let set = try await made.tollgate(
                "secrets", "set", "engine-key", "--host", "127.0.0.1", input: Self.value + "\n")
            #expect(try set.successful("secrets set").output.contains("engine-key"))
            let applied = try await made.tollgate("backends", "apply", try made.catalogue(url: made.lockedURL))
            _ = try applied.successful("backends apply")
            let withKey = ["TOLLGATE_SECRETS_KEY_FILE": made.keyFile]
            let gateway = try await made.installation.served(environment: withKey)
            #expect(try made.chat("sim-large").status == 200 && made.chat("sim-small").status == 200)
            #expect(!(try made.snapshot.contains(Self.value)))
            try await made.installation.stop(gateway)

            let away = ["TOLLGATE_DATABASE_URL": "postgresql://x@127.0.0.1:1/x"]
            let alone = try await made.installation.served(environment: withKey.merging(away) { $1 })
            #expect(try made.chat("sim-large").status == 200 && made.chat("sim-small").status == 200)
            alone.send(SIGKILL)
            try await alone.ended()

            let keyless = try await made.installation.served()
            let refused = try made.chat("sim-large")
            #expect(refused.status == 503 && refused.body.contains("backend_unavailable"), "\(refused.body)")
            #expect(try made.chat("sim-small").status == 200)
            #expect(keyless.errors.contains("secrets.key_file") && keyless.errors.contains("locked"))
            try await made.installation.stop(keyless)
            for text in [set.output, set.errors, applied.output, gateway.errors, alone.errors, keyless.errors] {
                #expect(!text.contains(Self.value))
            }
            try await made.remove()
        }

        @Test func `a secret cannot be sent elsewhere, deleted while used, or set without hosts or a key`() async throws
        {
            let made = try await Engines.make()
            let unbound = try await made.tollgate("secrets", "set", "engine-key", input: Self.value)
            #expect(!unbound.isSuccess && unbound.errors.contains("hosts"))
            let keyless = try await made.tollgate(
                "secrets", "set", "engine-key", "--host", "127.0.0.1", input: Self.value, key: false)
            #expect(!keyless.isSuccess && keyless.errors.contains("generate-key"))
            let argument = try await made.tollgate("secrets", "set", "engine-key", Self.value, "--host", "127.0.0.1")
            #expect(!argument.isSuccess)
            _ = try await made.tollgate("secrets", "set", "engine-key", "--host", "127.0.0.1", input: Self.value)
                .successful("secrets set")
            let elsewhere = try await made.tollgate("backends", "apply", try made.catalogue(url: "http://evil.example"))
            #expect(!elsewhere.isSuccess && elsewhere.errors.contains("evil.example"), "\(elsewhere.errors)")
            let variable = "\(made.installation.files.path)/variable.yaml"
            try "backends: [{name: a, url: 'http://evil.example', api_key_env: TOLLGATE_DATABASE_URL}]\nmodels: []\n"
                .write(toFile: variable, atomically: true, encoding: .utf8)
            let stolen = try await made.tollgate("backends", "apply", variable)
            #expect(!stolen.isSuccess && stolen.errors.contains("TOLLGATE_BACKEND_"))
            _ = try await made.tollgate("backends", "apply", try made.catalogue(url: made.lockedURL))
                .successful("backends apply")
            let used = try await made.tollgate("secrets", "delete", "engine-key")
            #expect(!used.isSuccess && used.errors.contains("locked"))
            let listed = try await made.tollgate("secrets", "list", "--json")
            #expect(listed.output.contains("locked") && !listed.output.contains(Self.value))
            let checked = try await made.tollgate("config", "check")
            #expect(checked.isSuccess && !checked.output.contains(Self.value))
            try await made.remove()
        }

        @Test func `a key is replaced while a gateway runs, and the old one is needed no more`() async throws {
            let made = try await Engines.make()
            _ = try await made.tollgate("secrets", "set", "engine-key", "--host", "127.0.0.1", input: Self.value)
                .successful("secrets set")
            _ = try await made.tollgate("backends", "apply", try made.catalogue(url: made.lockedURL))
                .successful("backends apply")
            let gateway = try await made.installation.served(
                environment: ["TOLLGATE_SECRETS_KEY_FILE": made.keyFile])
            #expect(try made.chat("sim-large").status == 200)
            let old = try String(contentsOfFile: made.keyFile, encoding: .utf8)
            let new = try await made.tollgate("secrets", "generate-key").successful("generate-key").output
            try (new + old).write(toFile: made.keyFile, atomically: true, encoding: .utf8)
            let rotated = try await made.tollgate("secrets", "rotate-key").successful("rotate-key")
            #expect(rotated.output.contains("1 secrets"), "\(rotated.output)")
            #expect(try made.chat("sim-large").status == 200)
            try await made.installation.stop(gateway)
            try new.write(toFile: made.keyFile, atomically: true, encoding: .utf8)
            let restarted = try await made.installation.served(
                environment: ["TOLLGATE_SECRETS_KEY_FILE": made.keyFile])
            #expect(try made.chat("sim-large").status == 200)
            try await made.installation.stop(restarted)
            try await made.remove()
        }
    }
}
