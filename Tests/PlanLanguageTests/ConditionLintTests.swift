import Identity
import PlanLanguage
import Pricing
import Testing

/// What is wrong with long prompts, places, times and holidays, and what the lint says about it.
@Suite struct ConditionLintTests {
    private static let yaml = """
        plan: sample
        version: 1
        title: Sample
        currency: USD
        effective_from: 2026-01-01T00:00:00Z
        models:
          small:
            input: "0.15"
            output: "0.60"
            reasoning: "0.90"
            context:
              - {above: 1000, multipliers: {input: "2", reasoning: "3"}}
              - {above: 5000, prices: {input: "1", output: "2", reasoning: "3"}}
          embed: {input: "0.02", output: none}
        tiers:
          fast: {multipliers: {input: "2"}}
        regions:
          - {region: us-*, models: [small], multiplier: "1.1"}
        times:
          - name: peak
            zone: Asia/Shanghai
            holidays: china
            when: [{days: [mon, holiday], from: "09:00", to: "24:00"}]
            multiplier: "2"
        holidays:
          china: {until: 2026-12-31, days: [2026-10-01]}
        """

    @Test func `the sample is free of findings and survives its canonical text`() throws {
        let lint = PlanLint(yaml: Self.yaml)
        #expect(lint.findings.map(\.description) == [])
        let version = try #require(lint.version)
        let again = PlanLint(yaml: version.document.canonicalText)
        #expect(again.version == version && again.version?.document.canonicalText == version.document.canonicalText)
        #expect(PlanDiff(from: version, to: version).isEmpty)
    }

    static let mistakes: [Mistake] = [
        Mistake("above: 1000", "above: 6000", line: 13, "models.small.context[1]", "begins above the one before it"),
        Mistake("above: 1000", "above: \"1000\", from: 2", line: 12, "models.small.context[0].from", "two ways"),
        Mistake("above: 1000, ", "", line: 12, "models.small.context[0].above", "as in above: 200000"),
        Mistake("above: 1000", "above: -1", line: 12, "models.small.context[0].above", "not a whole number"),
        Mistake("above: 1000", "from: 0", line: 12, "models.small.context[0].from", "from 1 to"),
        Mistake(
            ", multipliers: {input: \"2\", reasoning: \"3\"}", "", line: 12, "models.small.context[0]",
            "give the band a multiplier"),
        Mistake(
            "reasoning: \"3\"}}\n      - {above: 5000, p", "cache_write_1h: \"3\"}}\n      - {above: 5000, p", line: 12,
            "models.small.context[0].multipliers.cache_write_1h", "no price of its own"),
        Mistake(
            ", reasoning: \"3\"}}\n  embed", "}}\n  embed", line: 13, "models.small.context[1].prices",
            "reasoning is missing"),
        Mistake(
            "above: 5000, prices", "above: 5000, multiplier: \"2\", prices", line: 13,
            "models.small.context[1].multiplier", "not both"),
        Mistake(
            "reasoning: \"3\"}}\n  e", "reasoning: \"3\", searches: \"1000000000\"}}\n  e", line: 13,
            "models.small.context[1].prices", "searches has no price for short prompts"),
        Mistake(
            "{multipliers: {input: \"2\"}}", "{multipliers: {output: \"2\"}}", line: 16,
            "tiers.fast.multipliers.output", "embed has no price of its own"),
        Mistake("\"1.1\"", "\"1.0000001\"", line: 18, "regions[0]", "more than 6 decimals"),
        Mistake(", multiplier: \"1.1\"", "", line: 18, "regions[0]", "give it a multiplier"),
        Mistake("us-*", "\"*-us\"", line: 18, "regions[0].region", "as in us-*"),
        Mistake("models: [small]", "models: [large]", line: 18, "regions[0].models", "large is no model"),
        Mistake("models: [small]", "models: []", line: 18, "regions[0].models", "name at least one"),
        Mistake("models: [small]", "tiers: [slow]", line: 18, "regions[0].tiers", "no tier slow"),
        Mistake("name: peak", "name: Peak", line: 20, "times[0].name", "lower-case"),
        Mistake("Asia/Shanghai", "CST", line: 21, "times[0].zone", "not a time zone"),
        Mistake("holidays: china\n", "holidays: japan\n", line: 22, "times[0].holidays", "add it under holidays"),
        Mistake("    holidays: china\n", "", line: 22, "times[0].when", "Name a calendar"),
        Mistake("from: \"09:00\"", "from: 09:00", line: 23, "times[0].when[0].from", "in quotes"),
        Mistake("from: \"09:00\"", "from: \"9:00\"", line: 23, "times[0].when[0].from", "not a time of day"),
        Mistake("from: \"09:00\"", "from: \"24:00\"", line: 23, "times[0].when[0].from", "not a time of day"),
        Mistake("to: \"24:00\"", "to: \"09:00\"", line: 23, "times[0].when[0]", "ends when it begins"),
        Mistake("days: [mon", "days: [monday", line: 23, "times[0].when[0].days", "not one of: mon, tue"),
        Mistake("days: [2026-10-01]", "days: [2026-10-32]", line: 26, "holidays.china.days[0]", "not a day"),
        Mistake("days: [2026-10-01]", "days: [2027-10-01]", line: 26, "holidays.china", "lies after until"),
        Mistake(
            "days: [2026-10-01]", "days: [2026-10-01, 2026-10-01]", line: 26, "holidays.china.days", "stands here twice"
        ),
    ]

    @Test(arguments: mistakes)
    func `a mistake is named with its line and what to do`(mistake: Mistake) throws {
        try #require(Self.yaml.contains(mistake.old))
        let lint = PlanLint(yaml: Self.yaml.replacing(mistake.old, with: mistake.new, maxReplacements: 1))
        let finding = try #require(
            lint.findings.first { $0.path == mistake.path && $0.message.contains(mistake.message) },
            "\(lint.findings.map { "\($0)" })")
        #expect(finding.line == mistake.line && lint.version == nil)
    }

    @Test func `a calendar that ends soon is a warning`() throws {
        let days = ["2026-11-30T00:00:00Z", "2026-12-02T00:00:00Z", "2027-01-02T00:00:00Z"].map { Timestamp($0) }
        let warnings = days.map { now in
            PlanLint(yaml: Self.yaml, now: now).findings.map { "\($0.line ?? 0) \($0.severity) \($0.message)" }
        }
        #expect(warnings[0] == [] && warnings[1].first?.contains("26 warning the calendar ends on 2026-12-31") == true)
        #expect(warnings[2].first?.contains("the calendar ended on 2026-12-31") == true)
    }

    @Test(
        arguments: [
            (
                "  - {region: us-*, models: [small], multiplier: \"1.1\"}",
                "  - {region: us-1, models: [small], multiplier: \"2\"}", true
            ),
            ("  - {region: us-*, multiplier: \"1.1\"}", "  - {region: us-1, models: [small], multiplier: \"2\"}", true),
            (
                "  - {region: us-*, models: [small], multiplier: \"1.1\"}", "  - {region: us-1, multiplier: \"2\"}",
                false
            ),
            ("  - {region: us-1, multiplier: \"1.1\"}", "  - {region: us-*, multiplier: \"2\"}", false),
            ("  - {region: us-*, tiers: [fast], multiplier: \"1.1\"}", "  - {region: us-*, multiplier: \"2\"}", false),
        ])
    func `an entry that another one hides is a warning`(first: String, second: String, isHidden: Bool) throws {
        let old = "  - {region: us-*, models: [small], multiplier: \"1.1\"}"
        let lint = PlanLint(yaml: Self.yaml.replacing(old, with: first + "\n" + second))
        #expect(lint.isPublishable)
        #expect(lint.findings.contains { $0.path == "regions[1]" && $0.message.contains("never applies") } == isHidden)
    }

    @Test func `a time that another one hides is a warning`() throws {
        let second = """
              - {name: later, zone: UTC, when: [{days: [mon]}], multiplier: "2"}
            holidays:
            """
        let all = Self.yaml.replacing(
            "[{days: [mon, holiday], from: \"09:00\", to: \"24:00\"}]", with: "[{from: \"00:00\"}]"
        ).replacing("holidays:\n  china", with: second.replacing("  - {name", with: "  - {name") + "\n  china")
        let lint = PlanLint(yaml: all)
        #expect(
            lint.findings.contains { $0.path == "times[1]" && $0.message.contains("never applies") }, "\(lint.findings)"
        )
    }

    @Test func `changes of conditions are in the difference`() throws {
        let older = try PlanVersion(yaml: Self.yaml)
        let newer = try PlanVersion(
            yaml: Self.yaml.replacing("version: 1", with: "version: 2").replacing("above: 1000", with: "above: 900")
                .replacing("us-*", with: "us-1").replacing("09:00", with: "08:00").replacing("10-01", with: "10-02"))
        #expect(
            PlanDiff(from: older, to: newer).changes.map { "\($0.kind) \($0.subject)" } == [
                "condition holidays/china", "condition regions[0]", "condition small/standard/context_above_1000",
                "condition small/standard/context_above_900", "condition times[0]",
            ])
    }
}
