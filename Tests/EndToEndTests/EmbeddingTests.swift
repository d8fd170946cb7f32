import Postgres
import TestSupport
import Testing

extension EndToEndTests {
    /// Google's embeddings through the built program: what is billed is what the engine counted.
    @Suite struct EmbeddingTests {
        private static func catalogue(engineURL: String) -> String {
            """
            backends:
              - {name: gemini, kind: gemini, url: "\(engineURL)", api_key: any}
              - {name: vertex, kind: vertex, url: "\(engineURL)/v1/projects/p/locations/eu", api_key: any}
            models:
              - {name: emb, backend: gemini, upstream_name: sim-embed, price_key: sim-embed,
                 context_tokens: 8192, output_tokens: 1}
              - {name: emb-vertex, backend: vertex, upstream_name: sim-embed, price_key: sim-embed,
                 context_tokens: 8192, output_tokens: 1}
            """
        }

        @Test func `embeddings of all forms are recorded with the tokens that the engine counted`() async throws {
            let installation = try await Installation.make(catalogue: Self.catalogue)
            let customer = try await installation.customer("searcher")
            let gateway = try await installation.served()
            let text = #"{"parts":[{"text":"Twelve monkeys and a typewriter"}]}"#
            let entry = #"{"model":"models/emb","content":\#(text)}"#
            let calls = [
                ("gemini/v1beta/models/emb:embedContent", #"{"content":\#(text),"taskType":"RETRIEVAL_DOCUMENT"}"#),
                ("gemini/v1beta/models/emb:batchEmbedContents", #"{"requests":[\#(entry),\#(entry)]}"#),
                (
                    "vertex/v1/projects/x/locations/y/publishers/google/models/emb-vertex:predict",
                    #"{"instances":[{"content":"Twelve monkeys"},{"content":"and a typewriter"}]}"#
                ),
            ]
            for (path, body) in calls {
                let url = "\(installation.gatewayURL)/engines/\(path)"
                let answer = try HTTPCall.post(url, key: customer.secret, json: body).send()
                #expect(answer.status == 200 && answer.body.contains("values"), "\(path): \(answer.body)")
            }
            let refused = try HTTPCall.post(
                "\(installation.gatewayURL)/engines/gemini/v1beta/models/emb:batchEmbedContents", key: customer.secret,
                json: #"{"requests":[{"model":"models/sim-large","content":\#(text)}]}"#
            ).send()
            #expect(refused.status == 400)
            try await installation.stop(gateway)
            let book = try await installation.engine.book().filter { $0.operation == "embeddings" }
            let rows = try await installation.query(
                """
                SELECT input_uncached FROM attempt_records WHERE usage_source = 'engine' AND usage_complete
                ORDER BY record_id
                """)
            let recorded: [Int64] = try rows.decodeAll()
            #expect(recorded == book.map(\.promptTokens) && recorded.count == 3 && recorded.allSatisfy { $0 > 0 })
            let reconcile = try await installation.reconcile()
            #expect(reconcile.isSuccess, "\(reconcile.output) \(reconcile.errors)")
            try await installation.remove()
        }
    }
}
