import Identity
import Metering
import Monetary
import PlanLanguage
import Pricing
import TestSupport
import Testing

@Suite struct ConditionTests {
    /// What `models:` and all below of a plan in dollars say; `above` has the keys that come before.
    private func version(_ above: String = "", _ below: String) throws -> PlanVersion {
        try PlanVersion(
            yaml: """
                plan: terms
                version: 1
                title: Terms
                currency: USD
                effective_from: 2026-01-01T00:00:00Z
                \(above)
                \(below)
                """)
    }

    private func cost(
        _ buckets: TokenBuckets, _ key: String, tier: String? = nil, at instant: String? = nil, region: String = "",
        by version: PlanVersion
    ) throws -> String {
        let charges = try Rating.rate(
            buckets, priceKey: key, tierServed: tier, tierRequested: nil,
            acceptedAt: instant.flatMap { Timestamp($0) }, region: region, version: version)
        return try Money.sum(charges.map(\.amount), currency: .usd).description
    }

    private static let sol = """
        models:
          sol:
            input: "2"
            cache_read: "0.10"
            cache_write: "2.50"
            cache_write_long: "5"
            output: "10"
            context:
              - above: 272000
                multipliers: {input: "2", output: "1.5"}
        """

    /// GPT-6.2 Sol: above 272,000 input tokens the whole request costs more, cache reads and writes as input does.
    @Test func `a long prompt costs other prices for the whole request`() throws {
        let version = try version("", Self.sol)
        let buckets = TokenBuckets(
            inputUncached: 50_000, cacheRead: 200_000, cacheWriteFiveMinutes: 50_000, outputVisible: 10_000)
        #expect(try cost(buckets, "sol", by: version) == "0.64")
        let charges = try Rating.rate(buckets, priceKey: "sol", tierServed: nil, tierRequested: nil, version: version)
        #expect(
            charges.map(\.price.id).first == "terms@1/sol/standard/input_tokens/context_above_272000"
                && charges.map(\.price.unitPrice.description) == ["4", "0.2", "5", "15"])
    }

    /// Fresh, cached and written tokens count together, and the bound itself is short.
    @Test(
        arguments: [
            (TokenBuckets(inputUncached: 272_000), "0.544"), (TokenBuckets(inputUncached: 272_001), "1.088004"),
            (TokenBuckets(inputUncached: 1, cacheRead: 271_999), "0.0272019"),
            (TokenBuckets(inputUncached: 1, inputImage: 1, cacheRead: 271_998, cacheWriteLong: 1), "0.0544176"),
            (TokenBuckets(inputUncached: 272_000, outputVisible: 1_000_000), "10.544"),
        ])
    func `a bound says where long begins`(buckets: TokenBuckets, expected: String) throws {
        #expect(try cost(buckets, "sol", by: version("", Self.sol)) == expected)
    }

    @Test func `from is one token more than above, and a later band takes the place of an earlier one`() throws {
        let version = try version(
            "",
            """
            models:
              m:
                input: "1"
                output: "3"
                context:
                  - {from: 101, multiplier: "2"}
                  - {above: 1000, prices: {input: "5", output: "7"}}
            """)
        #expect(try cost(TokenBuckets(inputUncached: 100), "m", by: version) == "0.0001")
        #expect(try cost(TokenBuckets(inputUncached: 101), "m", by: version) == "0.000202")
        #expect(try cost(TokenBuckets(inputUncached: 1000), "m", by: version) == "0.002")
        #expect(try cost(TokenBuckets(inputUncached: 1001), "m", by: version) == "0.005005")
        #expect(try version.document == PlanDocument(yaml: version.document.canonicalText))
    }

    /// Opus 5.5: fast costs twice as much, the United States a tenth more, and both multiply with the lifetimes'
    /// prices.
    @Test func `tier and region multiply`() throws {
        let version = try version(
            "",
            """
            models:
              opus: {input: "4", output: "20", cache_read: "0.20", cache_write: "5", cache_write_1h: "8"}
            tiers:
              fast: {multiplier: "2"}
            regions:
              - {region: us-*, multiplier: "1.1"}
            """)
        let buckets = TokenBuckets(
            inputUncached: 10_000, cacheRead: 100_000, cacheWriteHour: 20_000, outputVisible: 5_000)
        #expect(try cost(buckets, "opus", tier: "fast", region: "us-east-1", by: version) == "0.704")
        #expect(try cost(buckets, "opus", tier: "fast", region: "eu-west-1", by: version) == "0.64")
        #expect(try cost(buckets, "opus", tier: "fast", by: version) == "0.64")
    }

    @Test func `the first region that fits a model and a tier counts`() throws {
        let version = try version(
            "",
            """
            models:
              a: {input: "1", output: "1"}
              b: {input: "1", output: "1"}
            tiers:
              fast: {multiplier: "2"}
            regions:
              - {region: us-east-1, models: [a], multiplier: "3"}
              - {region: us-*, tiers: [standard], multiplier: "5"}
            """)
        let buckets = TokenBuckets(inputUncached: 1_000_000)
        #expect(try cost(buckets, "a", region: "us-east-1", by: version) == "3.00")
        #expect(try cost(buckets, "b", region: "us-east-1", by: version) == "5.00")
        #expect(try cost(buckets, "a", region: "us-west-2", by: version) == "5.00")
        #expect(try cost(buckets, "b", tier: "fast", region: "us-west-2", by: version) == "2.00")
    }

    private static let peak = """
        models:
          flash: {input: "0.15", output: "0.60", cache_read: "0.003"}
        holidays:
          china: {until: 2026-12-31, days: [2026-10-01, 2026-10-02]}
        times:
          - name: peak
            zone: UTC
            holidays: china
            when:
              - {days: [mon, tue, wed, thu, fri], from: "01:00", to: "04:00"}
              - {days: [mon, tue, wed, thu, fri], from: "06:00", to: "10:00"}
            multiplier: "2"
        """

    /// DeepSeek: the hours of Chinese working days cost twice as much, but not on public holidays.
    @Test(
        arguments: [
            ("2026-11-17T03:59:59Z", "1.506"), ("2026-11-17T04:00:00Z", "0.753"), ("2026-11-17T00:59:59Z", "0.753"),
            ("2026-11-17T01:00:00Z", "1.506"), ("2026-11-17T09:59:59Z", "1.506"), ("2026-10-01T02:00:00Z", "0.753"),
            ("2026-11-15T02:00:00Z", "0.753"), ("2026-11-14T08:00:00Z", "0.753"), ("2027-10-01T02:00:00Z", "1.506"),
        ])
    func `hours of working days cost more`(instant: String, expected: String) throws {
        let each = TokenBuckets(inputUncached: 1_000_000, cacheRead: 1_000_000, outputVisible: 1_000_000)
        #expect(try cost(each, "flash", at: instant, by: version("", Self.peak)) == expected)
    }

    /// A night begins on its day, whatever the next one is; the clock is that of the zone, before and after changes.
    @Test(
        arguments: [
            ("2026-03-27T20:59:00Z", "1.00"), ("2026-03-27T21:00:00Z", "0.50"), ("2026-03-28T04:59:00Z", "0.50"),
            ("2026-03-28T05:00:00Z", "1.00"), ("2026-03-29T03:59:00Z", "1.00"), ("2026-03-28T22:00:00Z", "1.00"),
            ("2026-06-26T20:00:00Z", "0.50"), ("2026-06-27T03:59:00Z", "0.50"), ("2026-06-27T04:00:00Z", "1.00"),
        ])
    func `a night that begins on a Friday ends on a Saturday, by the clock of its zone`(
        instant: String, expected: String
    ) throws {
        let version = try version(
            "",
            """
            models:
              m: {input: "1", output: "1"}
            times:
              - name: night
                zone: Europe/Berlin
                when: [{days: [fri], from: "22:00", to: "06:00"}]
                multiplier: "0.5"
            """)
        #expect(try cost(TokenBuckets(inputUncached: 1_000_000), "m", at: instant, by: version) == expected)
    }

    @Test func `an attempt carries what its prices depend on`() throws {
        let version = try version(
            "round_prices: half_even",
            Self.peak + """

                regions:
                  - {region: eu-*, multiplier: "1.1"}
                """)
        let instant = try #require(Timestamp("2026-11-17T02:00:00Z"))
        var attempt = AttemptRecord(
            id: AttemptID(UUIDv7(milliseconds: instant.milliseconds, randomness: (7, 7))), backend: "b",
            upstreamModel: "flash",
            priceKey: "flash")
        attempt.buckets = TokenBuckets(inputUncached: 1_000_000)
        attempt.usageSource = .engine
        attempt.termination = .complete
        attempt.region = "eu-central-1"
        let rated = try Rating.rate(attempt, surface: .chatCompletions, tierRequested: nil, version: version)
        #expect(rated.variant == "region_eu-*+time_peak")
        #expect(try rated.total().description == "0.33")
        #expect(PriceVariant.labels(of: rated.variant) == ["region eu-*", "peak"])
    }

    /// A row that was stored counts, whatever the document would be multiplied out to.
    @Test func `stored rows of conditions count before the document`() throws {
        let version = try version("", Self.sol)
        let row = EffectivePrice(
            planID: "terms", version: 1, priceKey: "sol", tier: "standard", meter: .inputTokens,
            variant: "context_above_272000", model: .perUnit(PerUnitPrice(unitPrice: try UnitPrice(parsing: "9"))))
        let stored = try PlanVersion(document: version.document, published: version.prices + [row])
        #expect(try cost(TokenBuckets(inputUncached: 1_000_000), "sol", by: stored) == "9.00")
        #expect(stored.prices == version.prices)
    }

    private static let families = """
        models:
          llama-3-8b: {input: "1", output: "1"}
          llama-*: {input: "2", output: "3", context: [{above: 10, multiplier: "2"}]}
          llama-4-*: {input: "5", output: "7"}
        tiers:
          fast:
            multiplier: "10"
            prices:
              llama-4-*: {input: "6", output: "8"}
        regions:
          - {region: us, models: [llama-3-70*], multiplier: "1.5"}
        """

    /// An entry with an asterisk prices every key that begins so and has no entry of its own; the longest counts.
    @Test(
        arguments: [
            ("llama-3-8b", nil, "", "1.00", "llama-3-8b"), ("llama-3-70b", nil, "", "2.00", "llama-3-70b"),
            ("llama-3-70b", nil, "us", "3.00", "llama-3-70b"), ("llama-3-7b", nil, "us", "2.00", "llama-3-7b"),
            ("llama-4-x", nil, "us", "5.00", "llama-4-x"), ("llama-4-x", "fast", "", "6.00", "llama-4-x"),
            ("llama-2", "fast", "", "20.00", "llama-2"), ("llama-", nil, "", "2.00", "llama-"),
        ] as [(String, String?, String, String, String)])
    func `a family has one entry`(
        key: String, tier: String?, region: String, expected: String, name: String
    ) throws {
        let version = try version("", Self.families)
        let charges = try (0..<1).flatMap { _ in
            try Rating.rate(
                TokenBuckets(inputUncached: 1_000_000), priceKey: key, tierServed: tier, tierRequested: nil,
                region: region, version: version)
        }
        let long = key == "llama-3-8b" || key.hasPrefix("llama-4-") ? "" : "context_above_10"
        let variant = [long, region == "us" && key == "llama-3-70b" ? "region_us" : ""].filter { !$0.isEmpty }
        let factor = long.isEmpty ? 1 : 2
        let amount = try Money(parsing: expected, currency: .usd).multiplied(by: Int64(factor))
        #expect(charges.map(\.amount) == [amount])
        let id = "terms@1/\(name)/\(tier ?? "standard")/input_tokens"
        #expect(
            charges.first?.price.id
                == ([id] + (variant.isEmpty ? [] : [variant.joined(separator: "+")])).joined(separator: "/"))
        let row = try #require(charges.first?.price)
        #expect(version.isStoredAtPublication(row) == (key == "llama-3-8b"))
        #expect(version.explanation(of: row)?.isExact == true)
    }

    @Test func `keys that no family fits are not sold`() throws {
        let version = try version("", Self.families)
        #expect(
            version.sells(priceKey: "llama-5") && !version.sells(priceKey: "llama") && !version.sells(priceKey: "x"))
        #expect(version.sold(priceKey: "llama-5", tier: "fast") != nil)
        #expect(
            version.sold(priceKey: "llama-5", tier: "slow") == nil && version.sold(priceKey: "x", tier: "fast") == nil)
        #expect(throws: RatingError.self) { try cost(TokenBuckets(inputUncached: 1), "x", by: version) }
        #expect(try PlanVersion(yaml: version.document.canonicalText) == version)
    }
}
