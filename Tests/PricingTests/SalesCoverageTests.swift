import Identity
import PlanLanguage
import Pricing
import Testing

@Suite struct SalesCoverageTests {
    private func history(_ plan: String, _ versions: [(from: String, models: [String])]) throws -> PlanHistory {
        try PlanHistory(
            published: versions.enumerated().map { index, version in
                let models = version.models.map { "  \($0):\n    input: \"1.00\"\n    output: \"2.00\"" }
                return try PlanVersion(
                    yaml: """
                        plan: \(plan)
                        version: \(index + 1)
                        title: Any
                        currency: USD
                        effective_from: \(version.from)
                        models:
                        \(models.joined(separator: "\n"))
                        """)
            })
    }

    private func coverage(at now: String) throws -> SalesCoverage {
        SalesCoverage(
            [
                try history("one", [("2026-01-01T00:00:00Z", ["a", "b"]), ("2026-06-01T00:00:00Z", ["a"])]),
                try history("two", [("2026-03-01T00:00:00Z", ["c"]), ("2027-01-01T00:00:00Z", ["c", "d"])]),
            ], at: try #require(Timestamp(now)))
    }

    @Test(arguments: [
        ("2026-02-01T00:00:00Z", ["a", "b"], ["c", "d", "e"]),
        ("2026-05-31T23:59:59.999Z", ["a", "b", "c"], ["d", "e"]),
        // The version that sold b is no longer in force.
        ("2026-06-01T00:00:00Z", ["a", "c"], ["b", "d", "e"]), ("2027-01-01T00:00:00Z", ["a", "c", "d"], ["b", "e"]),
        ("2025-12-31T00:00:00Z", [], ["a", "b", "c", "d", "e"]),
    ])
    func `a model is warned of exactly while no plan in force sells it`(
        now: String, sold: [String], unsold: [String]
    ) throws {
        let coverage = try coverage(at: now)
        for key in sold { #expect(coverage.warning(model: "m-\(key)", priceKey: key) == nil, "\(key)") }
        for key in unsold { #expect(coverage.warning(model: "m-\(key)", priceKey: key) != nil, "\(key)") }
    }

    @Test func `the warning names model and price key, and from when a plan sells it`() throws {
        let coverage = try coverage(at: "2026-07-01T00:00:00Z")
        #expect(coverage.warning(model: "big", priceKey: "d")?.contains("model big (price key d)") == true)
        #expect(coverage.warning(model: "big", priceKey: "d")?.contains("2027-01-01") == true)
        #expect(coverage.warning(model: "e", priceKey: "e")?.hasPrefix("model e is sold by no plan:") == true)
    }
}
