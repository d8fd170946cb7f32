import Postgres
import TestSupport
import Testing

extension EndToEndTests {
    @Suite struct PostgresOutageTests {
        @Test func `a stopped Postgres delays the records and nothing else`() async throws {
            let installation = try await Installation.make()
            let customer = try await installation.customer("steady")
            let gateway = try await installation.served()
            let load = try Load.start(
                installation, keys: [customer.secret], seed: 1, options: ["--decode-ms", "3", "--concurrency", "6"])
            try await load.completes(20)

            let cluster = try await TestCluster.durable.cluster()
            try await cluster.stop()
            let answeredBefore = try load.observations().count
            try await load.completes(60)
            #expect(gateway.end == nil, "the gateway ended while Postgres was away")
            let duringOutage = try load.observations().dropFirst(answeredBefore)
            #expect(duringOutage.filter { $0.outcome != "complete" && $0.outcome != "left" }.map(\.outcome) == [])
            try await cluster.start()

            try await load.completes(20)
            let observations = try await load.stop()
            try await installation.stop(gateway)
            let audit = try await Audit.of(installation, observations)
            #expect(audit.observations.count >= 100)
            #expect(audit.lost == [])
            #expect(audit.twice == [])
            #expect(audit.firstFindings == [])
            #expect(try await installation.rollupDifferences() == [])
            let reconcile = try await installation.reconcile()
            #expect(reconcile.isSuccess, "\(reconcile.output) \(reconcile.errors)")
            try await installation.remove()
        }
    }
}
