import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// `TOLLGATE_KILL_ROUNDS` rounds (3 by default), beginning at `TOLLGATE_KILL_SEED` (1 by default), so that a long
    /// run can be done in slices.
    @Suite struct KillTests {
        static let seeds: [UInt64] = {
            let environment = ProcessInfo.processInfo.environment
            let first = environment["TOLLGATE_KILL_SEED"].flatMap { UInt64($0) } ?? 1
            let count = environment["TOLLGATE_KILL_ROUNDS"].flatMap { UInt64($0) } ?? 3
            return (0..<count).map { first + $0 }
        }()

        @Test(arguments: seeds)
        func `a killed gateway loses nothing and counts nothing twice`(seed: UInt64) async throws {
            try await check(try await KillRound(seed: seed))
        }

        @Test(arguments: ProcessInfo.processInfo.environment["TOLLGATE_KILL_ROUNDS"] == nil ? [1] : seeds)
        func `nor do a gateway and an ingest beside it`(seed: UInt64) async throws {
            try await check(try await KillRound(seed: seed, ingestApart: true))
        }

        private func check(_ round: KillRound) async throws {
            var (round, seed) = (round, round.seed)
            let audit = try await round.run()
            let installation = round.installation
            #expect(audit.lost == [], "seed \(seed)")
            #expect(audit.twice == [], "seed \(seed)")
            #expect(audit.firstFindings == [], "seed \(seed)")
            #expect(try await installation.rollupDifferences() == [], "seed \(seed)")
            let reconcile = try await installation.reconcile()
            #expect(reconcile.isSuccess, "seed \(seed): \(reconcile.output) \(reconcile.errors)")
            try report(round, audit)
            try await installation.remove()
        }

        /// One line a round, for the table in docs/reliability.md.
        private func report(_ round: KillRound, _ audit: Audit) throws {
            let line =
                "kill round seed=\(round.seed) kills=\(round.kills) at_points=\(round.killsAtPoints) "
                + "requests=\(audit.records.count) complete=\(audit.completeCount) lost=\(audit.lost.count) "
                + "twice=\(audit.twice.count) findings=\(audit.findings.count)\n"
            print(line, terminator: "")
            guard let path = ProcessInfo.processInfo.environment["TOLLGATE_KILL_REPORT"] else { return }
            let before = (try? readText(path)) ?? ""
            try (before + line).write(toFile: path, atomically: true, encoding: .utf8)
        }
    }
}
