import Foundation
import Glibc
import Postgres
import TestSupport
import Testing

extension EndToEndTests {
    @Suite struct BatchTests {
        /// Lines of the batch.
        private static let count = 7

        @Test func `a batch is billed once a line, at its own price, whoever looks at it and whoever dies`()
            async throws
        {
            let files = try TemporaryDirectory()
            let installation = try await Installation.make(plans: [try Self.plan(in: files)])
            let customer = try await installation.customer("batches", plan: "pay-as-you-go")
            let stranger = try await installation.customer("stranger", plan: "pay-as-you-go")
            try installation.engine.configure(#"{"batch_ms": 4000}"#)
            let first = try await installation.served()
            let batch = try create(installation.gatewayURL, customer)
            #expect(try look(at: batch, installation.gatewayURL, customer).text("status") == "in_progress")
            #expect(try get("/v1/batches/\(batch)", installation.gatewayURL, stranger).status == 404)
            first.send(SIGKILL)
            try await first.ended()
            #expect(try await installation.records().isEmpty)

            // It ends while nobody is there; whoever starts next finds it.
            try await Task.sleep(for: .seconds(5))
            let again = try await installation.served()
            try await recorded(Self.count + 1, in: installation)
            let port = try freePort()
            let other = try await installation.served(
                environment: [
                    "TOLLGATE_GATEWAY_PORT": "\(port)", "TOLLGATE_GATEWAY_NAME": "other",
                    "TOLLGATE_JOURNAL_DIRECTORY": "\(files.path)/journal",
                ])
            for url in [installation.gatewayURL, "http://127.0.0.1:\(port)"] {
                for _ in 0..<3 {
                    let shown = try look(at: batch, url, customer)
                    #expect(shown.status.string == "completed")
                    let output = try get("/v1/files/\(try shown.text("output_file_id"))/content", url, customer)
                    #expect(output.body.split(separator: "\n").count == Self.count)
                }
                let theirs = try get("/v1/batches", url, stranger)
                #expect(theirs.body.contains(#""data":[]"#), "\(theirs.body)")
            }
            try await Task.sleep(for: .seconds(1))
            try await check(installation)
            try await installation.stop(other)
            try await installation.stop(again)
            try await installation.remove()
        }

        private func check(_ installation: Installation) async throws {
            let rows = try await installation.query(
                """
                SELECT count(*) AS lines, count(DISTINCT a.record_id) AS ids, min(a.tier) AS tier,
                    bool_and(a.kind = 'batch_item' AND a.is_batch AND a.rating = 'rated') AS billed,
                    sum(a.output_visible + a.output_reasoning) AS output
                FROM attempt_records a
                """)
            let row = try #require(rows.first)
            #expect(try row.decode("lines", as: Int64.self) == Int64(Self.count))
            #expect(try row.decode("ids", as: Int64.self) == Int64(Self.count))
            #expect(try row.decode("tier", as: String.self) == "batch")
            #expect(try row.decode("billed", as: Bool.self))
            let book = try await installation.engine.book()
            #expect(book.count == Self.count)
            #expect(try row.decode("output", as: String.self) == "\(book.reduce(0) { $0 + $1.tokensProduced })")
            #expect(try await installation.records().count == Self.count + 1)
            #expect(try await installation.rollupDifferences() == [])
            let reconcile = try await installation.reconcile()
            #expect(reconcile.isSuccess, "\(reconcile.output) \(reconcile.errors)")
        }

        /// The plan of the other tests, with a price for batches.
        private static func plan(in files: TemporaryDirectory) throws -> String {
            let path = "\(files.path)/plan.yaml"
            let text = try readText("\(repositoryRoot)/pricing-plans/pay-as-you-go.yaml")
            try (text + "\nbatch:\n  multiplier: \"0.5\"\n").write(toFile: path, atomically: true, encoding: .utf8)
            return path
        }

        private func create(_ url: String, _ customer: Customer) throws -> String {
            let lines = (0..<Self.count).map { number in
                #"{"custom_id":"line-\#(number)","method":"POST","url":"/v1/chat/completions","body":{"model":"#
                    + #""sim-small","max_tokens":\#(number + 2),"messages":[{"role":"user","content":"a line"}]}}"#
            }
            let form =
                "--xx\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--xx\r\n"
                + "content-disposition: form-data; name=\"file\"; filename=\"lines.jsonl\"\r\n\r\n"
                + lines.joined(separator: "\n") + "\r\n--xx--\r\n"
            let headers = [
                "content-type": "multipart/form-data; boundary=xx", "authorization": "Bearer \(customer.secret)",
            ]
            let file = try HTTPCall("POST", "\(url)/v1/files", headers: headers, body: form).send().json().text("id")
            let order =
                #"{"input_file_id":"\#(file)","endpoint":"/v1/chat/completions","completion_window":"24h"}"#
            return try HTTPCall.post("\(url)/v1/batches", key: customer.secret, json: order).send().json().text("id")
        }

        private func get(_ path: String, _ url: String, _ customer: Customer) throws -> HTTPAnswer {
            try HTTPCall.get(url + path, key: customer.secret).send()
        }

        private func look(at batch: String, _ url: String, _ customer: Customer) throws -> JSONValue {
            try get("/v1/batches/\(batch)", url, customer).json()
        }

        private func recorded(_ count: Int, in installation: Installation) async throws {
            let deadline = ContinuousClock.now + .seconds(120)
            while try await installation.records().count < count, ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(100))
            }
        }
    }
}
