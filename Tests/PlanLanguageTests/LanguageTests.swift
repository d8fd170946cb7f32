import Metering
import Monetary
import PlanLanguage
import Pricing
import Testing

@Suite struct LanguageTests {
    private static let plan = """
        plan: small
        version: 1
        title: Small
        currency: USD
        effective_from: 2026-01-01T00:00:00Z
        models:
          sim:
            input: "1"
            output: "2"
        """

    @Test func `a document without a language is in the first, and the canonical text says so`() throws {
        let plain = try PlanVersion(yaml: Self.plan)
        let named = try PlanVersion(yaml: "language: 1\n" + Self.plan)
        #expect(plain == named)
        #expect(plain.document.canonicalText.hasPrefix("language: 1\nplan: small\n"))
        #expect(try PlanVersion(yaml: plain.document.canonicalText) == plain)
    }

    @Test(arguments: [
        "# 1: \\\\ and \\\"", "null", "~", " two ends ", "- é ü 日本語 \u{3000}.", "\u{1F680} *a &b !c %d @e `f",
        "{x: [y]}", "1e3",
    ])
    func `any title survives the text that is stored`(title: String) throws {
        let version = try PlanVersion(yaml: Self.plan.replacing("title: Small", with: "title: \"\(title)\""))
        let read = try PlanVersion(yaml: version.document.canonicalText)
        #expect(read == version && read.title == version.title)
    }

    @Test func `a published version costs what its rows say, in the order of its document's`() throws {
        let document = try PlanDocument(
            yaml: Self.plan + "\ntiers:\n  priority:\n    multiplier: \"2\"\nbatch:\n  multiplier: \"0.5\"\n")
        let made = try PlanVersion(document: document)
        let read = try PlanVersion(document: document, published: made.prices.reversed())
        #expect(read.prices == made.prices)
        let cheap = PriceModel.perUnit(PerUnitPrice(unitPrice: try UnitPrice(picounits: 7)))
        let rows = made.prices.map { row in
            EffectivePrice(
                planID: row.planID, version: row.version, priceKey: row.priceKey, tier: row.tier, meter: row.meter,
                model: row.tier == "priority" && row.meter == .inputTokens ? cheap : row.model)
        }
        let published = try PlanVersion(document: document, published: rows.shuffled())
        let price = published.price(priceKey: "sim", tier: "priority", meter: .inputTokens)
        #expect(price?.unitPrice.picounits == 7)
        #expect(published.price(priceKey: "sim", tier: "batch", meter: .inputTokens)?.unitPrice.picounits == 500_000)
    }

    @Test(arguments: ["2", "17", "1000000"]) func `a newer language is refused, and says what to do`(
        language: String
    ) throws {
        let lint = PlanLint(yaml: "language: \(language)\n" + Self.plan)
        #expect(!lint.isPublishable)
        let finding = try #require(lint.findings.first)
        #expect(finding.line == 1 && finding.path == "language")
        #expect(finding.message.contains("newer than this program"))
    }

    @Test(arguments: ["0", "-1", "one", "\"1\"x", "1.0", ""]) func `a language is a whole number`(language: String) {
        #expect(!PlanLint(yaml: "language: \(language)\n" + Self.plan).isPublishable)
    }
}
