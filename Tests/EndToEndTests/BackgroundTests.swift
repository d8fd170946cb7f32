import Foundation
import Glibc
import Postgres
import TestSupport
import Testing

extension EndToEndTests {
    @Suite struct BackgroundTests {
        @Test func `a response in the background is billed once, although its gateway was killed before it ended`()
            async throws
        {
            let installation = try await Installation.make()
            let customer = try await installation.customer("background", plan: "pay-as-you-go")
            let stranger = try await installation.customer("stranger", plan: "pay-as-you-go")
            try installation.engine.configure(#"{"first_byte_ms": 3000}"#)
            let first = try await installation.served()
            let url = installation.gatewayURL
            let order = #"{"model":"sim-small","input":"some words to think about","background":true}"#
            let receipt = try HTTPCall.post("\(url)/v1/responses", key: customer.secret, json: order).send()
            let id = try receipt.json().text("id")
            #expect(try receipt.json().text("status") == "queued")
            let path = "\(url)/v1/responses/\(id)"
            #expect(try HTTPCall.get(path, key: stranger.secret).send().status == 404)
            first.send(SIGKILL)
            try await first.ended()
            #expect(try await installation.records().isEmpty)

            // It ends while nobody is there; the next process on the journal finds it.
            try await Task.sleep(for: .seconds(3))
            let again = try await installation.served()
            let deadline = ContinuousClock.now + .seconds(120)
            while try await installation.records().isEmpty, ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(100))
            }
            for _ in 0..<3 {
                #expect(try HTTPCall.get(path, key: customer.secret).send().json().text("status") == "completed")
            }
            try await Task.sleep(for: .seconds(1))
            let rows = try await installation.query(
                """
                SELECT count(*) AS attempts, min(a.rating) AS rating, min(a.termination) AS termination,
                    sum(a.output_visible + a.output_reasoning) AS output
                FROM attempt_records a
                """)
            let row = try #require(rows.first)
            #expect(try row.decode("attempts", as: Int64.self) == 1)
            #expect(try row.decode("rating", as: String.self) == "rated")
            #expect(try row.decode("termination", as: String.self) == "complete")
            let book = try await installation.engine.book()
            #expect(book.count == 1)
            #expect(try row.decode("output", as: String.self) == "\(book.reduce(0) { $0 + $1.tokensProduced })")
            #expect(try await installation.rollupDifferences() == [])
            let reconcile = try await installation.reconcile()
            #expect(reconcile.isSuccess, "\(reconcile.output) \(reconcile.errors)")
            try await installation.stop(again)
            try await installation.remove()
        }
    }
}
