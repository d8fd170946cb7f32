import Identity
import Metering
import Monetary
import PlanLanguage
import Pricing
import TestSupport
import Testing

@Suite struct PlanVersionTests {
    @Test func `a document says what it says`() throws {
        let version = try PlanSamples.version()
        #expect(version.planID == "sample" && version.version == 1 && version.title == "Sample")
        #expect(version.currency == .usd && version.rounding == .halfEven && !version.document.roundsPrices)
        #expect(version.effectiveFrom == PlanSamples.instant)
        #expect(version.baseFee == BaseFee(amount: try Money(parsing: "49", currency: .usd), proration: .days))
        #expect(
            version.policies == PlanPolicies(onClientAbort: .drain, onGatewayLoss: .waive, usageMissing: .billCounted))
        #expect(version.tiers == ["standard", "dedicated", "priority"])
        let promise = try #require(version.promises(of: "priority").first)
        #expect(promise.objective == .timeToFirstToken(thresholdMilliseconds: 500))
        #expect(promise.minimumRequests == 1)
        #expect(promise.credits.map(\.credit.description) == ["10", "25"])
        #expect(version.promises(of: "standard").isEmpty)
    }

    @Test func `tiers are multiplied out into rows, in a fixed order`() throws {
        let rows = try PlanSamples.version().prices.map { "\($0.id) \($0.unitPrice)" }
        #expect(
            rows == [
                "sample@1/embed/standard/input_tokens 0.02",
                "sample@1/embed/standard/cache_read_tokens 0.02",
                "sample@1/embed/standard/cache_write_tokens 0.02",
                "sample@1/embed/priority/input_tokens 0.035",
                "sample@1/embed/priority/cache_read_tokens 0.035",
                "sample@1/embed/priority/cache_write_tokens 0.035",
                "sample@1/small/standard/input_tokens 0.15",
                "sample@1/small/standard/cache_read_tokens 0.075",
                "sample@1/small/standard/cache_write_tokens 0.15",
                "sample@1/small/standard/output_tokens 0.6",
                "sample@1/small/dedicated/input_tokens 0.3",
                "sample@1/small/dedicated/cache_read_tokens 0.3",
                "sample@1/small/dedicated/cache_write_tokens 0.3",
                "sample@1/small/dedicated/output_tokens 1.2",
                "sample@1/small/priority/input_tokens 0.2625",
                "sample@1/small/priority/cache_read_tokens 0.13125",
                "sample@1/small/priority/cache_write_tokens 0.2625",
                "sample@1/small/priority/output_tokens 1.05",
            ])
    }

    @Test func `an absent cache price is the input price, an explicit zero is free`() throws {
        let version = try PlanSamples.version(("cache_read: \"0.075\"", "cache_read: \"0\""))
        let price = { version.price(priceKey: "small", tier: "standard", meter: $0)?.unitPrice.description }
        #expect(price(.cacheReadTokens) == "0")
        #expect(price(.cacheWriteTokens) == "0.15")
    }

    @Test func `a price with too many digits is rounded only where the plan says so`() throws {
        let tooLong = ("multiplier: \"1.75\"", "multiplier: \"1.00001\"")
        let rejection = #expect(throws: PlanRejection.self) { try PlanSamples.version(tooLong) }
        #expect(rejection?.findings.first?.path == "tiers.priority.multiplier")
        #expect(rejection?.findings.first?.line == 12)
        let rounded = try PlanSamples.version(tooLong, ("base_fee: \"49.00\"", "round_prices: half_even"))
        let price = rounded.price(priceKey: "small", tier: "priority", meter: .inputTokens)
        // 0.15 × 1.00001 = 0.1500015, a tie that goes to the even neighbour.
        #expect(price?.unitPrice.description == "0.150002")
    }

    @Test func `the canonical text reads back to the same version`() throws {
        let version = try PlanSamples.version(("title: Sample", #"title: "A \"quoted\" \\ title: # €""#))
        let text = version.document.canonicalText
        let again = try PlanVersion(yaml: text)
        #expect(again == version)
        #expect(again.document.canonicalText == text)
    }

    @Test func `the canonical text does not depend on how the file is written`() throws {
        let rewritten = PlanSamples.yaml
            .replacing("small: {input: \"0.15\", output: \"0.60\", cache_read: \"0.075\"}", with: "")
            .replacing(
                "models:\n", with: "models:\n  \"small\": {cache_read: '0.0750', output: '0.6', input: '0.150'}\n"
            )
            .replacing("effective_from: 2026-01-01T00:00:00Z", with: "effective_from: \"2026-01-01T01:00:00+01:00\"")
        let version = try PlanVersion(yaml: rewritten)
        #expect(version.document.canonicalText == (try PlanSamples.version().document.canonicalText))
    }

    @Test func `a version has at most a hundred thousand rows`() throws {
        var document = try PlanSamples.version().document
        document.promises = [:]
        let prices = try #require(document.models["small"])
        document.tiers = [:]
        document.models = Dictionary(uniqueKeysWithValues: (0..<25_000).map { ("m\($0)", prices) })
        #expect(try PlanVersion(document: document).prices.count == 100_000)
        document.models["one-more"] = prices
        let rejection = #expect(throws: PlanRejection.self) { try PlanVersion(document: document) }
        #expect(rejection?.findings.first?.message.hasPrefix("100004 rows of prices are too many") == true)
    }
}
