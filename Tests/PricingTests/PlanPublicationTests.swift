import PlanLanguage
import Pricing
import Testing

@Suite struct PlanPublicationTests {
    private func plan(_ input: String, tiers: String, rounds: Bool = true) -> String {
        """
        plan: cheap
        version: 1
        title: Cheap
        currency: USD
        effective_from: 2026-01-01T00:00:00Z
        \(rounds ? "round_prices: half_even" : "")
        models:
          sim:
            input: "\(input)"
            output: "1.00"
        \(tiers)
        """
    }

    private func multiplied(_ factor: String) -> String { "tiers:\n  flex:\n    multiplier: \"\(factor)\"" }

    @Test(arguments: [
        ("0.000001", "0.5"), ("0.000001", "0.3"), ("0.000002", "0.25"), ("0.000001", "0.000001"),
        ("0.01", "0.00000001"),
    ])
    func `a price that rounding makes zero is an error`(input: String, factor: String) throws {
        let lint = PlanLint(yaml: plan(input, tiers: multiplied(factor)))
        #expect(!lint.isPublishable)
        let finding = try #require(lint.findings.first { $0.severity == .error })
        #expect(finding.path == "tiers.flex.multiplier" && finding.line != nil)
        #expect(finding.message.contains("rounds to zero"), "\(finding)")
        // A version that was published before there was the rule is still read.
        #expect(try PlanVersion(yaml: plan(input, tiers: multiplied(factor))).publicationFindings().count >= 1)
    }

    @Test func `so it is for batches`() {
        let lint = PlanLint(yaml: plan("0.000001", tiers: "batch:\n  multiplier: \"0.5\""))
        #expect(lint.findings.contains { $0.path == "batch.multiplier" && $0.message.contains("rounds to zero") })
    }

    @Test(arguments: [("0.000002", "0.5"), ("0.000001", "0.51"), ("0", "0.5"), ("0.000001", "0"), ("0.15", "0.333333")])
    func `a price that stays, or that is meant to be free, is none`(input: String, factor: String) {
        #expect(PlanLint(yaml: plan(input, tiers: multiplied(factor))).isPublishable)
    }

    @Test func `a tier with a price of its own is not asked about the factor`() {
        let tiers = """
            tiers:
              flex:
                multiplier: "0.5"
                prices:
                  sim:
                    input: "0"
                    output: "0.50"
            """
        #expect(PlanLint(yaml: plan("0.000001", tiers: tiers)).isPublishable)
    }
}
