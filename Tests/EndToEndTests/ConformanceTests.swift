import Foundation
import Glibc
import TestSupport
import Testing

extension EndToEndTests {
    /// Official clients against gateway and simulator, on every surface that they know, in every dialect.
    @Suite struct ConformanceTests {
        @Test func `the official clients work unchanged on every surface, and the engine's book agrees`() async throws {
            let planFiles = try TemporaryDirectory()
            let installation = try await Installation.make(
                plans: [try Self.plan(in: planFiles)], settings: ["TOLLGATE_BACKEND_AWS": "of the simulator"],
                catalogue: Self.catalogue)
            let customer = try await installation.customer("clients")
            let gateway = try await installation.served("all")
            for script in ["conformance_openai.py", "conformance_anthropic.py", "conformance_native.py"] {
                let run = try await ProgramRun.run(
                    [ProgramFiles.python, ProgramFiles.client(script)],
                    environment: [
                        "TOLLGATE_GATEWAY_URL": installation.gatewayURL, "TOLLGATE_KEY": customer.secret,
                        "TOLLGATE_MODEL": "sim-small", "TOLLGATE_EMBEDDING_MODEL": "sim-embed",
                        "TOLLGATE_SPEECH_MODEL": "sim-small",
                        "TOLLGATE_REPLICATE_MODEL": "sim/small", "TOLLGATE_ENGINES": Self.kinds.joined(separator: " "),
                    ],
                    directory: installation.files.path, name: script, within: .seconds(600))
                #expect(run.isSuccess, "\(run.output) \(run.errors)")
            }
            let book = try await installation.engine.book()
            try await installation.stop(gateway)
            try await Self.compare(book, with: installation.records())
            try await installation.remove()
        }

        /// The plan of the other tests, with prices for sound.
        private static func plan(in files: TemporaryDirectory) throws -> String {
            let path = "\(files.path)/plan.yaml"
            let sound = "    characters: \"15.00\"\n    audio_milliseconds: \"0.10\"\n"
            let text = try readText("\(repositoryRoot)/pricing-plans/pay-as-you-go.yaml")
                .replacing("  sim-small:\n", with: "  sim-small:\n\(sound)")
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            return path
        }

        /// Holds what the engine made against what was recorded, token by token, for answers that were whole.
        private static func compare(_ book: [BookLine], with records: [StoredRecord]) throws {
            let attempts = Dictionary(grouping: records, by: \.requestID).mapValues { $0.flatMap(\.attempts) }
            // Sound is recorded by the second or by the character; predictions are compared by GatewayTests.
            let countedOtherwise = ["audio.speech", "audio.transcriptions", "predictions"]
            var compared: [String: Int] = [:]
            // The lines of batches have records of their own ids (BatchTests).
            let single = book.filter { $0.outcome == "complete" && !$0.requestID.contains("/") }
            for line in single where !countedOtherwise.contains(line.operation) {
                let recorded = attempts[line.requestID] ?? []
                #expect(recorded.count == 1, "\(line)")
                guard let attempt = recorded.first, attempt.usageSource == "engine" else { continue }
                #expect(attempt.inputTokens == line.promptTokens, "\(line)")
                #expect(attempt.outputTokens == line.tokensProduced, "\(line)")
                compared[line.operation, default: 0] += 1
            }
            let expected = [
                "chat.completions", "completions", "converse", "count_tokens", "embeddings", "generateContent",
                "images.generations", "invocations", "invokeModel", "messages", "rerank", "responses",
                "tgi.generate", "triton.generate",
            ]
            #expect(compared.keys.sorted() == expected)
        }

        /// Systems with a dialect of their own; each is a backend of that name, and all of them are the one simulator.
        private static let kinds = ["tgi", "triton", "replicate", "gemini", "vertex", "bedrock", "sagemaker"]

        private static func catalogue(engineURL: String) -> String {
            var text = "backends:\n  - {name: simulator, url: \"\(engineURL)\"}\n"
            for kind in kinds + ["anthropic"] {
                let place = kind == "vertex" ? "/v1/projects/p/locations/eu" : ""
                let isSigned = kind == "bedrock" || kind == "sagemaker"
                let signs =
                    "aws: {region: eu-central-1, access_key_id: AKIASIMULATED, "
                    + "secret_access_key_env: TOLLGATE_BACKEND_AWS}"
                let proof = isSigned ? signs : "api_key: any"
                text += "  - {name: \(kind), kind: \(kind), url: \"\(engineURL)\(place)\", \(proof)}\n"
            }
            text += "models:\n"
            let tokens = "context_tokens: 131072, output_tokens: 32768"
            for model in EngineSimulator.models {
                text +=
                    "  - {name: \(model), \(tokens), routes: [{backend: simulator}, {backend: anthropic, weight: 0}]}\n"
                // Each system has its own model, which its paths may name as the system does: were they routes of the
                // one above, they would be asked for chats as well, on paths that the simulator does not have.
                for kind in kinds where serves(kind, model) {
                    text += "  - {name: \(model)-\(kind), backend: \(kind), upstream_name: \(model), "
                    text += "price_key: \(model), \(tokens)}\n"
                }
            }
            text += "  - {name: sim/small, price_key: sim-small, backend: replicate, "
            return text + "\(tokens)}\n"
        }

        /// A request to TGI names no model, and a look at a prediction neither: such backends serve one only.
        private static func serves(_ kind: String, _ model: String) -> Bool {
            kind == "tgi" ? model == "sim-small" : kind != "replicate"
        }
    }
}
