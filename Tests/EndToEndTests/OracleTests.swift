import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// The program's prices against a second implementation of the plan language: `Tests/Oracle/oracle.py`, written
    /// from docs/plans.md alone and in exact fractions.
    @Suite struct OracleTests {
        /// `TOLLGATE_ORACLE_PLANS` says how many plans of 20 lines each, `TOLLGATE_ORACLE_SEED` with which seed.
        @Test func `random plans and usages cost what the documentation says, to the last digit`() async throws {
            let environment = ProcessInfo.processInfo.environment
            let plans = environment["TOLLGATE_ORACLE_PLANS"] ?? "100"
            let seed = environment["TOLLGATE_ORACLE_SEED"] ?? "1"
            let files = try TemporaryDirectory()
            let script = "\(repositoryRoot)/Tests/Oracle/compare.py"
            let run = try await ProgramRun.run(
                [ProgramFiles.python, script, ProgramFiles.tollgate, seed, plans], environment: [:],
                directory: files.path, name: "compare.py", within: .seconds(3600))
            #expect(run.isSuccess, "\(run.output) \(run.errors)")
            #expect(run.output.contains("\(plans) plans with"))
        }
    }
}
