import Foundation
import Glibc
import Postgres
import TestSupport
import Testing

extension EndToEndTests {
    /// `tollgate serve ingest` beside a gateway.
    @Suite struct IngestApartTests {
        private static let apart = ["TOLLGATE_GATEWAY_INGEST": "apart"]

        @Test func `usage reaches the database through a process of its own, also across restarts of the gateway`()
            async throws
        {
            let installation = try await Installation.make(settings: Self.apart)
            let customer = try await installation.customer("apart")
            var served = 0
            var ingest: RunningProgram?
            for life in 0..<3 as Range<UInt64> {
                let gateway = try await installation.served()
                if ingest == nil { try await Self.becomesKnown(installation) }
                if ingest == nil { ingest = try await installation.served("ingest") }
                let load = try Load.start(
                    installation, keys: [customer.secret], seed: life, options: ["--concurrency", "2"])
                try await load.completes(5)
                served += try await load.stop().count { $0.isComplete }
                try await installation.stop(gateway)
            }
            if let ingest { try await installation.stop(ingest) }
            let rows = try await installation.query("SELECT count(*) AS n FROM request_records")
            #expect(try rows.first?.decode("n", as: Int64.self) ?? 0 >= Int64(served) && served >= 15)
            let reconcile = try await installation.reconcile()
            #expect(reconcile.isSuccess, "\(reconcile.output) \(reconcile.errors)")
            try await installation.remove()
        }

        /// The gateway makes its journal known by itself: a month must not close without one that nobody reads.
        private static func becomesKnown(_ installation: Installation) async throws {
            let deadline = ContinuousClock.now + .seconds(120)
            while try await installation.query("SELECT 1 FROM journals").isEmpty {
                guard ContinuousClock.now < deadline else { throw ProgramFailure("the journal is not known") }
                try await Task.sleep(for: .milliseconds(50))
            }
            let run = try await installation.tollgate("invoices", "run", "--period", "2026-10", "--wait", "0")
            #expect(!run.isSuccess && run.output.contains("waiting"), "\(run.output) \(run.errors)")
        }

        @Test func `what does not go together is refused with what to do`() async throws {
            let installation = try await Installation.make(settings: Self.apart)
            func refusal(_ arguments: String..., environment: [String: String] = [:]) async throws -> String {
                let run = try await ProgramRun.run(
                    [ProgramFiles.tollgate] + arguments,
                    environment: installation.environment.merging(environment) { $1 },
                    directory: installation.files.path, name: "refused")
                #expect(!run.isSuccess)
                return run.errors
            }
            #expect(try await refusal("serve", "ingest").contains("does not exist: name the gateway's"))
            let inside = try await refusal("serve", "ingest", environment: ["TOLLGATE_GATEWAY_INGEST": "inside"])
            #expect(inside.contains("Set it to apart, for both"))
            #expect(try await refusal("serve", "gateway", "ingest").contains("leave `ingest` out"))
            let gateway = try await installation.served()
            let ingest = try await installation.served("ingest")
            #expect(try await refusal("serve", "ingest").contains("is ingested by another process"))
            try await installation.stop(gateway)
            try await installation.stop(ingest)
            try await installation.remove()
        }
    }
}
