import Metering
import PlanLanguage
import Pricing
import TestSupport
import Testing

@Suite struct PlanDiffTests {
    @Test func `a change of price shows in every tier that follows it, in percent`() throws {
        let diff = try PlanDiff(
            from: PlanSamples.version(),
            to: PlanSamples.version(("version: 1", "version: 2"), ("output: \"0.60\"", "output: \"0.66\"")))
        #expect(
            diff.description == """
                sample: version 1 → 2, from 2026-01-01T00:00:00.000Z
                  ~ price small/standard/output_tokens: 0.6 → 0.66 (+10.00 %)
                  ~ price small/priority/output_tokens: 1.05 → 1.155 (+10.00 %)
                """)
    }

    @Test func `fees, policies, tiers and promises are compared`() throws {
        let diff = try PlanDiff(
            from: PlanSamples.version(),
            to: PlanSamples.version(
                ("base_fee: \"49.00\"", "base_fee: \"40.00\"\npolicies: {on_client_abort: cut}"),
                ("title: Sample", "title: Better"),
                ("  priority:\n    multiplier: \"1.75\"", "  fast: {multiplier: \"1.75\"}"),
                ("  priority:\n    - obj", "  fast:\n    - obj")))
        let ladder = "time_to_first_token within 500 ms: 95 % (below 95 %: 10 % back, below 90 %: 25 % back)"
        #expect(
            diff.changes.filter { $0.kind != .price }.map(\.description) == [
                "~ terms title: Sample → Better", "~ fee base_fee: 49.00 USD → 40.00 USD (-18.37 %)",
                "~ policy on_client_abort: drain → cut", "+ tier fast: × 1.75", "- tier priority: × 1.75",
                "+ promise fast/time_to_first_token: \(ladder)", "- promise priority/time_to_first_token: \(ladder)",
            ])
        #expect(diff.changes.filter { $0.kind == .price && $0.after == nil }.count == 7)
        #expect(diff.changes.filter { $0.kind == .price && $0.before == nil }.count == 7)
    }

    @Test func `nothing changes between equal versions`() throws {
        let diff = try PlanDiff(from: PlanSamples.version(), to: PlanSamples.version())
        #expect(diff.isEmpty && diff.description.hasSuffix("nothing changes"))
    }

    @Test func `from zero there is no percentage`() throws {
        let diff = try PlanDiff(
            from: PlanSamples.version(("cache_read: \"0.075\"", "cache_read: \"0\"")), to: PlanSamples.version())
        #expect(diff.changes.first?.description == "~ price small/standard/cache_read_tokens: 0 → 0.075")
    }
}
