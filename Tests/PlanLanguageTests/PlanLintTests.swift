import PlanLanguage
import Pricing
import TestSupport
import Testing

/// What is wrong in a document, and what the lint says about it.
struct Mistake: Sendable, CustomTestStringConvertible {
    let old: String
    let new: String
    let line: Int?
    let path: String
    let message: String

    init(_ old: String, _ new: String, line: Int?, _ path: String, _ message: String) {
        self.old = old
        self.new = new
        self.line = line
        self.path = path
        self.message = message
    }

    var testDescription: String { "\(old) → \(new)" }

    static let values: [Mistake] = [
        Mistake("\"0.15\"", "0.15", line: 8, "models.small.input", "write the number in quotes, \"0.15\""),
        Mistake("\"0.15\"", "\"0,15\"", line: 8, "models.small.input", "not a decimal number"),
        Mistake("\"0.15\"", "\"1e-3\"", line: 8, "models.small.input", "not a decimal number"),
        Mistake("\"0.15\"", "\"-0.15\"", line: 8, "models.small.input", "negative"),
        Mistake("\"0.15\"", "\"0.0000001\"", line: 8, "models.small.input", "more than 6 digits after the dot"),
        Mistake("\"0.15\"", "\"99999999999999\"", line: 8, "models.small.input", "too large"),
        Mistake("\"0.15\"", "[1]", line: 8, "models.small.input", "expected a single value"),
        Mistake("\"0.15\"", "", line: 8, "models.small.input", "the value is empty"),
        Mistake("\"0.60\"", "0", line: 8, "models.small.output", "write the number in quotes"),
        Mistake(", output: \"0.60\"", "", line: 8, "models.small.output", "missing; add it"),
        Mistake("input: \"0.15\", ", "", line: 8, "models.small.input", "missing; add it"),
        Mistake("cache_read:", "cached:", line: 8, "models.small.cached", "unknown key; known here: input, output"),
        Mistake("cache_read:", "cache_reed:", line: 8, "models.small.cache_reed", "did you mean \"cache_read\"?"),
        Mistake("\"1.75\"", "1.75", line: 12, "tiers.priority.multiplier", "write the number in quotes"),
        Mistake("\"1.75\"", "\"1.00001\"", line: 12, "tiers.priority.multiplier", "add round_prices: half_even"),
        Mistake("\"49.00\"", "49.00", line: 6, "base_fee", "write the number in quotes"),
        Mistake("\"49.00\"", "\"-1\"", line: 6, "base_fee", "negative"),
        Mistake("\"49.00\"", "{amount: \"1\", prorate: weeks}", line: 6, "base_fee.prorate", "not one of: none, days"),
        Mistake("\"49.00\"", "{prorate: days}", line: 6, "base_fee.amount", "missing"),
        Mistake("currency: USD", "currency: usd", line: 4, "currency", "use an ISO 4217 code"),
        Mistake("version: 1", "version: 1.0", line: 2, "version", "not a whole number"),
        Mistake("version: 1", "version: 0", line: 2, "version", "not a whole number from 1"),
        Mistake("01-01T00:00:00Z", "02-30T00:00:00Z", line: 5, "effective_from", "not an RFC 3339 time"),
        Mistake("2026-01-01T00:00:00Z", "2026-01-01", line: 5, "effective_from", "not an RFC 3339 time"),
        Mistake("threshold_ms: 500", "threshold_ms: 0", line: 20, "promises.priority[0].threshold_ms", "whole number"),
        Mistake("percent: \"95\"\n", "percent: 95\n", line: 19, "promises.priority[0].percent", "in quotes"),
        Mistake("percent: \"95\"\n", "percent: \"101\"\n", line: 19, "promises.priority[0].percent", "at most 100"),
    ]

    static let rules: [Mistake] = [
        Mistake("plan: sample", "plan: Sample Plan", line: 1, "plan", "lower-case letters"),
        Mistake("plan: sample", "plan: a@b", line: 1, "plan", "lower-case letters"),
        Mistake("title: Sample", "title: \"a\\nb\"", line: 3, "title", "one line"),
        Mistake("  small: {input: \"0.15\"", "  a/b: {input: \"0.15\"", line: 8, "models.a/b", "lower-case letters"),
        Mistake("  priority:\n    mult", "  standard:\n    mult", line: 11, "tiers.standard", "stand under models"),
        Mistake("  priority:\n    mult", "  default:\n    mult", line: 11, "tiers.default", "choose another name"),
        Mistake("    multiplier: \"1.75\"", "    {}", line: 11, "tiers.priority", "a multiplier, prices of its own"),
        Mistake("promises:\n", "batch: {}\npromises:\n", line: 16, "batch", "give batches a multiplier"),
        Mistake(
            "small: {input: \"0.15\", output: \"0.60\", cache_read: \"0.075\"}", "small: {input: none, output: none}",
            line: 8, "models.small", "nothing of this model has a price"),
        Mistake("      small:", "      smal:", line: 15, "tiers.dedicated.prices.smal", "unknown model"),
        Mistake(
            "promises:\n  priority", "promises:\n  premium", line: 17, "promises.premium", "no tier of this name"),
        Mistake("      threshold_ms: 500\n", "", line: nil, "promises.priority[0].threshold_ms", "missing"),
        Mistake(
            "time_to_first_token", "availability", line: 20, "promises.priority[0].threshold_ms", "has no threshold"),
        Mistake("time_to_first_token", "uptime", line: 18, "promises.priority[0].objective", "is not one of"),
        Mistake(
            "below: \"90\"", "below: \"95\"", line: 23, "promises.priority[0].credits[1].below", "must lie below"),
        Mistake(
            "below: \"95\"", "below: \"96\"", line: 22, "promises.priority[0].credits[0].below", "above the promised"),
        Mistake(
            "credit_percent: \"25\"", "credit_percent: \"10\"", line: 23,
            "promises.priority[0].credits[1].credit_percent", "must give back more"),
        Mistake(
            "credit_percent: \"10\"", "credit_percent: \"0\"", line: 22,
            "promises.priority[0].credits[0].credit_percent", "is none"),
    ]

    static let shapes: [Mistake] = [
        Mistake("title: Sample", "title: Sample\ntitle: Again", line: nil, "", "twice"),
        Mistake("title: Sample", "titel: Sample", line: 3, "titel", "did you mean \"title\"?"),
        Mistake("title: Sample\n", "", line: 1, "title", "missing; add it"),
        Mistake("title: Sample", "title: [", line: nil, "", "not valid YAML"),
        Mistake("title: Sample", "title: *nowhere", line: 3, "", "undefined alias"),
        Mistake("plan: sample", "---\nplan: sample\n---\nplan: sample", line: nil, "", "another document"),
        Mistake("models:\n", "models: []\nmodel:\n", line: 7, "models", "expected keys with values"),
        Mistake("    - objective", "      objective", line: nil, "promises.priority", "expected a list"),
    ]
}

@Suite struct PlanLintTests {
    @Test(arguments: Mistake.values + Mistake.rules + Mistake.shapes)
    func `a mistake is named with its place and what to do`(mistake: Mistake) throws {
        try #require(PlanSamples.yaml.contains(mistake.old))
        let text = PlanSamples.yaml.replacing(mistake.old, with: mistake.new, maxReplacements: 1)
        let lint = PlanLint(yaml: text)
        #expect(!lint.isPublishable)
        let found = lint.findings.contains { finding in
            finding.severity == .error && finding.path == mistake.path && finding.message.contains(mistake.message)
                && (mistake.line == nil || finding.line == mistake.line)
        }
        #expect(found, "\(lint.findings.map(\.description))")
        #expect(throws: PlanRejection.self) { try PlanVersion(yaml: text) }
    }

    @Test func `all mistakes are reported at once, in the order of their lines`() {
        let text = PlanSamples.yaml.replacing("\"0.15\"", with: "0.15").replacing("USD", with: "usd")
            .replacing("\"95\"", with: "95")
        let lint = PlanLint(yaml: text)
        #expect(lint.findings.map(\.line) == [4, 8, 19, 22])
        #expect(
            lint.findings.first?.description
                == "line 4: error: currency: \"usd\" is not a known currency; use an ISO 4217 code such as USD or EUR")
    }

    @Test func `a document without mistakes has no findings`() {
        let lint = PlanLint(yaml: PlanSamples.yaml)
        #expect(lint.findings.isEmpty)
        #expect(lint.version?.planID == "sample")
    }

    @Test func `a warning does not stand in the way`() {
        let lint = PlanLint(
            yaml: PlanSamples.yaml.replacing("0.075", with: "0.2").replacing("below: \"95\"", with: "below: \"94\""))
        #expect(lint.isPublishable)
        #expect(lint.findings.map(\.path) == ["models.small.cache_read", "promises.priority[0].credits[0].below"])
        #expect(lint.findings.allSatisfy { $0.severity == .warning })
    }

    @Test(arguments: ["", "# nothing", "---", "null", "just text", "- a\n- list", "{}", "\u{0}", "\t", "...\n"])
    func `what is not a plan is an error, whatever it is`(text: String) {
        let lint = PlanLint(yaml: text)
        #expect(!lint.isPublishable && !lint.findings.isEmpty)
    }

    @Test func `a document that is too large or too deep is refused`() {
        let large = String(repeating: "# comment\n", count: PlanDocument.textBytesMax / 10 + 1)
        #expect(PlanLint(yaml: large).findings.first?.message.contains("larger than") == true)
        let deep = "plan: " + String(repeating: "[", count: 100_000)
        #expect(!PlanLint(yaml: deep).isPublishable)
    }

    @Test func `findings have an end`() {
        let keys = (0..<1000).map { "unknown-\($0): 1\n" }.joined()
        #expect(PlanLint(yaml: keys).findings.count == PlanFinding.countMax)
    }

    @Test func `aliases that multiply cannot exhaust the reader`() {
        var text = "a0: &a0 [x, x]\n"
        for level in 1...60 { text += "a\(level): &a\(level) [*a\(level - 1), *a\(level - 1)]\n" }
        #expect(!PlanLint(yaml: text).isPublishable)
    }
}
