import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    @Suite struct SuspenseTests {
        @Test func `a model that nobody sells is warned of, seen, and billed once it has a price`() async throws {
            let files = try TemporaryDirectory()
            let installation = try await Installation.make(plans: [try serving(files, version: 1)]) { url in
                """
                backends:
                  - {name: engine-1, url: "\(url)"}
                models:
                  - {name: sim-large, backend: engine-1, context_tokens: 131072, output_tokens: 4096}
                  - name: sim-unsold
                    backend: engine-1
                    upstream_name: sim-large
                    price_key: dream
                    context_tokens: 131072
                    output_tokens: 4096
                """
            }
            let applied = try await installation.tollgate(
                "backends", "apply", "\(installation.files.path)/catalogue.yaml", "--dry-run")
            #expect(
                applied.isSuccess && applied.errors.contains("model sim-unsold (price key dream) is sold by no plan"))
            let doctor = try await installation.tollgate("doctor")
            #expect(
                doctor.output.contains("warn   catalogue") && doctor.output.contains("sim-unsold"), "\(doctor.output)")

            let customer = try await installation.customer("Early", mode: "test")
            let program = try installation.serve("all")
            let port = try JSONValue(parsing: try await program.firstLine()).number("admin_port")
            let body = #"{"model": "sim-unsold", "messages": [{"role": "user", "content": "How much is it?"}]}"#
            let call = HTTPCall.post("\(installation.gatewayURL)/v1/chat/completions", key: customer.secret, json: body)
            #expect(try call.send().status == 200)
            let waiting = try await eventually("usage in suspense") {
                let rows = try await installation.created("suspense", "list", "--price-key", "dream").array
                return rows.isEmpty ? nil : rows
            }
            #expect(waiting.count == 1 && waiting[0].code.string == "no_price")
            let metrics = try await eventually("the metric") {
                let text = try HTTPCall.get("http://127.0.0.1:\(port)/metrics").send().body
                return text.contains("tollgate_suspense_records{mode=\"test\",reason=\"no_price\"} 1") ? text : nil
            }
            #expect(metrics.contains("tollgate_suspended_attempts_total 1"))
            let refused = try await installation.tollgate("suspense", "waive", "--reason", "slip of the hand")
            #expect(refused.end == .exited(64) && refused.errors.contains("--all"), "\(refused.errors)")
            let early = try await installation.tollgate("suspense", "rate", "--code", "no_price", "--reason", "try")
            #expect(early.end == .exited(1) && early.errors.contains("no price for"), "\(early.errors)")

            try await sell("dream", installation)
            let month = MainJob.Month.present.next
            _ = try await installation.tollgate("accounts", "clock", customer.account, "--to", month.day(3))
                .successful("clock")
            let rated = try await installation.created(
                "suspense", "rate", "--account", customer.account, "--reason", "sold from next month on")
            #expect(rated.rated.string == "1" && rated.still_in_suspense.string == "0", "\(rated)")
            let reconciled = try await installation.tollgate("reconcile", "--post-first")
            #expect(reconciled.isSuccess, "\(reconciled.output)")
            try await installation.stop(program)
            #expect(program.errors.contains("usage waits in suspense"))
            try await installation.remove()
        }

        /// The public price list, as a plan that serves what it has no price for.
        private func serving(_ files: TemporaryDirectory, version: Int) throws -> String {
            let file = "\(repositoryRoot)/pricing-plans/pay-as-you-go.yaml"
            let text = try String(contentsOfFile: file, encoding: .utf8)
                .replacing("version: 1", with: "version: \(version)")
            let path = "\(files.path)/serving-\(version).yaml"
            try ("unpriced: suspend\n" + text).write(toFile: path, atomically: true, encoding: .utf8)
            return path
        }

        /// Publishes the next version of the plan, which sells one model more.
        private func sell(_ priceKey: String, _ installation: Installation) async throws {
            let month = MainJob.Month.present.next
            let text = try String(
                contentsOfFile: try serving(installation.files, version: 2), encoding: .utf8
            )
            .replacing(/effective_from: .*/, with: "effective_from: \(month.day(1))")
            .replacing("models:\n", with: "models:\n  \(priceKey):\n    input: \"7.00\"\n    output: \"8.00\"\n")
            let path = "\(installation.files.path)/next.yaml"
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            _ = try await installation.tollgate("plans", "apply", path).successful("plans apply")
        }

        private func eventually<Value>(_ what: String, _ read: () async throws -> Value?) async throws -> Value {
            let deadline = ContinuousClock.now + .seconds(40)
            while true {
                if let value = try await read() { return value }
                guard ContinuousClock.now < deadline else { throw ProgramFailure("there is still no \(what)") }
                try await Task.sleep(for: .milliseconds(100))
            }
        }
    }
}
