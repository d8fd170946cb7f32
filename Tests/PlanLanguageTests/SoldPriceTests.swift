import Identity
import Metering
import Monetary
import PlanLanguage
import Pricing
import Testing

/// Prices as they are sold.
@Suite struct SoldPriceTests {
    private func yaml(_ key: String, _ price: String) -> String {
        """
        plan: sold
        version: 1
        title: Sold
        currency: USD
        effective_from: 2026-01-01T00:00:00Z
        models:
          m: {input: "1", output: "1", \(key): "\(price)"}
        """
    }

    @Test(
        arguments: [
            ("images", "0.04 per image", "40000"), ("images", "40 per 1K pictures", "40000"),
            ("audio_milliseconds", "0.006 per minute", "0.1"), ("audio_milliseconds", "0.36 per hour", "0.1"),
            ("audio_milliseconds", "0.0001 per second", "0.1"), ("compute_milliseconds", "0.0014 per second", "1.4"),
            ("searches", "14 per 1000 queries", "14000"), ("searches", "0.01 per call", "10000"),
            ("characters", "15 per 1M characters", "15"), ("requests", "5 per 1000 requests", "5000"),
            ("reasoning", "0.000000000001 per token", "0.000001"), ("reasoning", "3", "3"),
            ("images", "0 per image", "0"),
        ])
    func `a price says what it is for`(key: String, text: String, perMillion: String) throws {
        let version = try PlanVersion(yaml: yaml(key, text))
        let row = try #require(version.prices.first { $0.meter.planKey == key })
        #expect(row.unitPrice.description == perMillion)
        #expect(version.document.canonicalText.contains("\(key): \"\(perMillion)\""))
    }

    @Test(
        arguments: [
            ("images", "0.04 per hour", "known here: image"), ("images", "0.04 an image", "is no price of images"),
            (
                "audio_milliseconds", "0.111 per hour",
                "nearest prices that are: \"0.1109988 per hour\" and \"0.1110024 per"
            ),
            ("images", "0.04 per 0 images", "is no price"), ("images", "-1 per image", "zero or more"),
            ("images", "1e3 per image", "not a decimal number"), ("images", "0.04 per 1.5 images", "is no price"),
            ("images", "0.04  per image", "is no price"), ("images", "99999999999999 per image", "too large"),
            ("reasoning", "1 per 1M images", "known here: token, tokens"), ("images", "1 per 1000M images", ""),
        ])
    func `what is no price is refused with the words that are`(key: String, text: String, message: String) throws {
        let lint = PlanLint(yaml: yaml(key, text))
        if message.isEmpty {
            #expect(lint.version?.prices.last { $0.meter == .images }?.unitPrice.description == "0.001")
        } else {
            #expect(lint.version == nil && lint.findings.contains { $0.message.contains(message) && $0.line == 7 })
        }
    }

    private static let fees = """
        plan: fees
        version: 1
        title: Fees
        currency: USD
        effective_from: 2026-01-01T00:00:00Z
        models:
          asks: {input: "1", output: "1", requests: "0.005 per request"}
          free: {input: "1", output: "1"}
        tiers:
          low: {multipliers: {input: "2"}}
        """

    private func attempt(
        _ kind: InferenceKind, _ termination: Termination, tokens: Int64, images: Int64 = 0, key: String = "asks"
    ) -> AttemptRecord {
        var attempt = AttemptRecord(
            id: AttemptID(UUIDv7(milliseconds: 1_780_000_000_000, randomness: (1, 2))), backend: "b",
            upstreamModel: key, priceKey: key)
        attempt.kind = kind
        attempt.buckets = TokenBuckets(inputUncached: tokens)
        attempt.units = UsageUnits(images: images)
        attempt.usageSource = tokens > 0 ? .engine : .nothing
        attempt.termination = termination
        return attempt
    }

    @Test(
        arguments: [
            (InferenceKind.primary, Termination.complete, 10, "0.00501"), (.primary, .complete, 0, "0.005"),
            (.primary, .clientAbort, 10, "0.00501"), (.batchItem, .complete, 10, "0.00501"),
            (.primary, .upstreamError, 0, "0.00"), (.component, .complete, 10, "0.00001"),
            (.advisor, .complete, 10, "0.00001"), (.fallback, .complete, 10, "0.00001"),
        ] as [(InferenceKind, Termination, Int64, String)])
    func `a fee a request is for an answer`(
        kind: InferenceKind, termination: Termination, tokens: Int64, expected: String
    ) throws {
        let rated = try Rating.rate(
            attempt(kind, termination, tokens: tokens), surface: .chatCompletions, tierRequested: nil,
            version: PlanVersion(yaml: Self.fees))
        #expect(try rated.total().description == expected)
    }

    @Test func `a fee sells nothing that has no price, and no fee asks for none`() throws {
        let version = try PlanVersion(yaml: Self.fees)
        #expect(throws: RatingError.self) {
            try Rating.rate(
                attempt(.primary, .complete, tokens: 0, images: 1), surface: .imageGenerations, tierRequested: nil,
                version: version)
        }
        let free = try Rating.rate(
            attempt(.primary, .complete, tokens: 0, key: "free"), surface: .chatCompletions, tierRequested: nil,
            version: version)
        #expect(free.charges.isEmpty)
    }
}
