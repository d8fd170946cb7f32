import Foundation
import NaiveArithmetic
import Postgres
import TestSupport

/// The main job with its stage: two customers on two plans, months that billing time is moved through.
struct MainJob {
    /// A first token later than this is late; the slow engine is far above, the usual one far below.
    static let thresholdMilliseconds = 1500
    static let slowMilliseconds = 3000

    let installation: Installation
    /// On a plan with a fee and promises, from the sixth day of the first month on.
    let team: Customer
    /// On a plan by the token, from the first day of the first month on.
    let single: Customer
    let teamPlan: PlanByHand
    let singlePlan: PlanByHand
    let months: [Month]

    /// A calendar month.
    struct Month {
        let year: Int
        let month: Int

        var text: String { String(format: "%04d-%02d", year, month) }
        var next: Month { month == 12 ? Month(year: year + 1, month: 1) : Month(year: year, month: month + 1) }
        var days: Int {
            let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            return [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
        }

        /// RFC 3339, UTC.
        func day(_ day: Int, hour: Int = 0) -> String { String(format: "%@-%02dT%02d:00:00Z", text, day, hour) }

        static var present: Month {
            let now = Calendar(identifier: .iso8601).dateComponents(in: .gmt, from: Date())
            return Month(year: now.year ?? 2026, month: now.month ?? 1)
        }
    }

    static func make() async throws -> MainJob {
        let files = try TemporaryDirectory()
        let teamFile = "\(files.path)/team-priority.yaml"
        try planWithThreshold().write(toFile: teamFile, atomically: true, encoding: .utf8)
        let singleFile = "\(repositoryRoot)/pricing-plans/pay-as-you-go.yaml"
        let installation = try await Installation.make(plans: [teamFile, singleFile])
        try installation.engine.configure(#"{"prompt_tokens": 40000, "cached_tokens": 1234}"#)
        let first = Month.present.next
        let team = try await installation.customer(
            "team", plan: "team-priority", from: first.day(6, hour: 12), mode: "test")
        let single = try await installation.customer("single", from: first.day(1), mode: "test")
        return MainJob(
            installation: installation, team: team, single: single, teamPlan: try PlanByHand(file: teamFile),
            singlePlan: try PlanByHand(file: singleFile), months: [first, first.next, first.next.next])
    }

    /// The shipped plan with a threshold that a busy machine cannot miss by itself.
    private static func planWithThreshold() throws -> String {
        let text = try readText("\(repositoryRoot)/pricing-plans/team-priority.yaml")
        let changed = text.replacing("threshold_ms: 500", with: "threshold_ms: \(thresholdMilliseconds)")
        guard changed != text else { throw ProgramFailure("team-priority.yaml promises no first token within 500 ms") }
        return changed
    }

    /// Moves both accounts' clocks, and waits until the gateway says that it goes by them.
    func moveClocks(to instant: String) async throws {
        for customer in [team, single] {
            _ = try await installation.tollgate("accounts", "clock", customer.account, "--to", instant)
                .successful("accounts clock")
        }
        let deadline = ContinuousClock.now + .seconds(60)
        while true {
            let behind = try await installation.query(
                """
                SELECT 1 FROM journals, accounts
                WHERE retired_at IS NULL AND snapshot_change < clock_change
                """)
            if behind.isEmpty { return }
            guard ContinuousClock.now < deadline else {
                throw ProgramFailure("the gateway did not learn of \(instant)")
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    /// Sends requests of every kind for both customers with the official client.
    func traffic(_ phase: String, requests: Int, seed: Int, failures: Int = 0) async throws -> [Observation] {
        let keys = """
            [{"name": "team", "key": "\(team.secret)", "tiers": ["standard", "priority"]},
             {"name": "single", "key": "\(single.secret)", "tiers": ["standard", "flex"]}]
            """
        let run = try await ProgramRun.run(
            [
                ProgramFiles.python, ProgramFiles.client("demo_traffic.py"), "--gateway", installation.gatewayURL,
                "--keys", keys, "--phase", phase, "--requests", "\(requests)", "--seed", "\(seed)",
                "--failures", "\(failures)", "--simulator", installation.engine.url, "--small-model", "sim-small",
                "--embedding-model", "sim-embed", "--slow-ms", "\(Self.slowMilliseconds)",
            ],
            directory: installation.files.path, name: "traffic")
        return try run.successful("demo_traffic.py").json().observations.array.map { try Observation($0) }
    }

    /// Runs a month's invoices; tries again while the month is not closed, for ingest may be a moment behind.
    func invoice(_ month: Month) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while true {
            let run = try await installation.tollgate(
                "invoices", "run", "--mode", "test", "--period", month.text, "--json")
            if run.isSuccess { return }
            guard run.output.contains(#""waiting""#), ContinuousClock.now < deadline else {
                _ = try run.successful("invoices run \(month.text)")
                return
            }
            try await Task.sleep(for: .milliseconds(200))
        }
    }
}
