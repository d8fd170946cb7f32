import Foundation
import Glibc
import TestSupport
import Testing

extension EndToEndTests {
    @Suite struct CanaryTests {
        static let inPrompts = "canary7prompt7f3a"
        static let inAnswers = "canary7answer9b1c"

        @Test func `no text of a prompt or an answer is ever written anywhere`() async throws {
            let installation = try await Installation.make(settings: [
                "TOLLGATE_LOG_LEVEL": "debug", "TOLLGATE_GATEWAY_METRICS_KEY": "watch",
            ])
            let customer = try await installation.customer("secretive")
            try installation.engine.configure(#"{"text": "\#(Self.inAnswers)"}"#)
            let first = try await installation.served("all")
            let texts = try sendEverything(installation, customer)
            #expect(texts.contains { $0.contains(Self.inAnswers) }, "the engine did answer with the canary")
            let metrics = try HTTPCall.get("\(installation.gatewayURL)/metrics", key: "watch").send().body
            #expect(metrics.contains("tollgate_"), "\(metrics)")
            #expect(!mentions(metrics))

            // One that is killed in the middle of a stream, and what recovery makes of it.
            let url = "\(installation.gatewayURL)/v1/chat/completions"
            let long = chat("stall_after=3", extra: #","stream":true"#)
            _ = try? HTTPCall.post(url, key: customer.secret, json: long).send { received in
                if received.contains(Self.inAnswers) { first.send(SIGKILL) }
                return false
            }
            try await first.ended()
            try await installation.stop(try await installation.served("all"))

            #expect(try await installation.records().count >= 8)
            let dump = try await ProgramRun.run(
                ["pg_dump", "--inserts", "--dbname", installation.database.url], directory: installation.files.path,
                name: "dump"
            ).successful("pg_dump")
            #expect(dump.output.contains(customer.name), "the dump has the records")
            #expect(!mentions(dump.output))
            #expect(try filesThatMention(in: installation.files.path) == [])
            try await installation.remove()
        }

        /// Every kind of request, with the canary in each prompt; returns what came back.
        private func sendEverything(_ installation: Installation, _ customer: Customer) throws -> [String] {
            let prompt = Self.inPrompts
            let bodies: [(String, String)] = [
                ("chat/completions", chat("decode_ms=1")),
                ("chat/completions", chat("decode_ms=1", extra: #","stream":true"#)),
                ("chat/completions", chat("status=500")),
                ("chat/completions", chat("status=400")),
                ("chat/completions", chat("fail_after=2", extra: #","stream":true"#)),
                ("chat/completions", chat("usage=wrong_total")),
                ("completions", #"{"model":"sim-small","prompt":"\#(prompt)","max_tokens":3}"#),
                ("embeddings", #"{"model":"sim-embed","input":["\#(prompt)"]}"#),
                ("chat/completions", #"{"model":"sim-small","messages":"\#(prompt)"}"#),
                ("chat/completions", #"{"model":"sim-small","messages":[{"role":"user","content":"\#(prompt)"#),
            ]
            var answers = try bodies.map { path, body in
                try HTTPCall.post("\(installation.gatewayURL)/v1/\(path)", key: customer.secret, json: body).send().body
            }
            // A client that leaves, and one with a wrong key.
            let url = "\(installation.gatewayURL)/v1/chat/completions"
            let left = HTTPCall.post(url, key: customer.secret, json: chat("decode_ms=20", extra: #","stream":true"#))
            answers.append(try left.send { $0.contains(Self.inAnswers) }.body)
            #expect(try HTTPCall.post(url, key: "sk-wrong", json: chat("decode_ms=1")).send().status == 401)
            return answers
        }

        private func chat(_ settings: String, extra: String = "") -> String {
            let content = "\(Self.inPrompts) [[simulator \(settings)]]"
            let messages = #"[{"role":"user","content":"\#(content)"}]"#
            return #"{"model":"sim-small","messages":\#(messages),"max_tokens":6\#(extra)}"#
        }

        private func mentions(_ text: String) -> Bool { text.contains(Self.inPrompts) || text.contains(Self.inAnswers) }

        /// Journal, snapshot, logs, whatever the program wrote beside them.
        private func filesThatMention(in directory: String) throws -> [String] {
            let needles = [Data(Self.inPrompts.utf8), Data(Self.inAnswers.utf8)]
            var read = 0
            let found = try FileManager.default.subpathsOfDirectory(atPath: directory).filter { path in
                guard let bytes = FileManager.default.contents(atPath: "\(directory)/\(path)") else { return false }
                read += 1
                return needles.contains { bytes.range(of: $0) != nil }
            }
            #expect(read > 5, "files were read")
            return found
        }
    }
}
