import Identity
import Metering
import Monetary
import Pricing
import TestSupport
import Testing

@Suite struct RatingTests {
    @Test func `each meter that was used makes one charge`() throws {
        let version = try PlanSamples.version()
        let buckets = TokenBuckets(inputUncached: 1000, cacheRead: 400, outputVisible: 250, outputReasoning: 50)
        let charges = try Rating.rate(
            buckets, priceKey: "small", tierServed: nil, tierRequested: nil, version: version)
        #expect(charges.map(\.meter) == [.inputTokens, .cacheReadTokens, .outputTokens])
        #expect(charges.map(\.quantity) == [1000, 400, 300])
        #expect(charges.map(\.amount.description) == ["0.00015", "0.00003", "0.00018"])
        #expect(charges.last?.price.id == "sample@1/small/standard/output_tokens")
    }

    @Test func `every lifetime of a cache entry is a cache write`() throws {
        let buckets = TokenBuckets(cacheWriteFiveMinutes: 1, cacheWriteHour: 2, cacheWriteLong: 3)
        let charges = try Rating.rate(
            buckets, priceKey: "small", tierServed: nil, tierRequested: nil, version: PlanSamples.version())
        #expect(charges.map(\.meter) == [.cacheWriteTokens] && charges.map(\.quantity) == [6])
    }

    @Test func `usage of nothing costs nothing`() throws {
        let charges = try Rating.rate(
            TokenBuckets(), priceKey: "unheard-of", tierServed: "none", tierRequested: nil,
            version: PlanSamples.version())
        #expect(charges.isEmpty)
    }

    @Test(
        arguments: [
            (nil, nil, "standard"), (nil, "priority", "priority"), (nil, "auto", "standard"),
            ("", "priority", "priority"),
            ("default", "priority", "standard"), ("standard", "priority", "standard"), ("auto", "priority", "standard"),
            ("priority", "auto", "priority"), ("priority", nil, "priority"), ("flex", "priority", "flex"),
        ] as [(String?, String?, String)])
    func `the tier served is the tier billed`(served: String?, requested: String?, billed: String) {
        #expect(ServiceTier.billable(served: served, requested: requested) == billed)
    }

    @Test func `a downgraded priority request costs the standard price`() throws {
        let buckets = TokenBuckets(inputUncached: 1_000_000)
        let version = try PlanSamples.version()
        let served = try Rating.rate(
            buckets, priceKey: "small", tierServed: "priority", tierRequested: "priority", version: version)
        let downgraded = try Rating.rate(
            buckets, priceKey: "small", tierServed: "default", tierRequested: "priority", version: version)
        #expect(served.map(\.amount.description) == ["0.2625"])
        #expect(downgraded.map(\.amount.description) == ["0.15"])
    }

    @Test(arguments: [
        ("unknown", "standard", Meter.inputTokens), ("small", "scale", .inputTokens),
        ("embed", "dedicated", .inputTokens),
        ("embed", "standard", .outputTokens),
    ])
    func `what the plan does not sell has no price`(priceKey: String, tier: String, meter: Meter) throws {
        let version = try PlanSamples.version()
        let buckets =
            meter == .outputTokens ? TokenBuckets(outputVisible: 1) : TokenBuckets(inputUncached: 1)
        let expected = RatingError.noPrice(
            plan: "sample", version: 1, priceKey: priceKey, tier: tier, meter: meter)
        #expect(throws: expected) {
            try Rating.rate(buckets, priceKey: priceKey, tierServed: tier, tierRequested: nil, version: version)
        }
        #expect(expected.code == "no_price")
    }

    @Test func `counts that cannot be true are never priced`() throws {
        let version = try PlanSamples.version()
        for buckets in [
            TokenBuckets(inputUncached: -1), TokenBuckets(inputUncached: 5, outputReasoning: .min),
            TokenBuckets(outputVisible: .max, outputReasoning: .max),
        ] {
            let error = #expect(throws: RatingError.self) {
                try Rating.rate(buckets, priceKey: "small", tierServed: nil, tierRequested: nil, version: version)
            }
            #expect(error?.code == "contradictory_usage")
        }
    }
}

@Suite struct AttemptRatingTests {
    @Test func `an attempt that contradicts itself is not priced`() throws {
        var attempt = attempt()
        attempt.contradiction = "total is less than its parts"
        #expect(throws: RatingError.contradictoryUsage("total is less than its parts")) {
            try Rating.rate(attempt, surface: .chatCompletions, tierRequested: nil, version: PlanSamples.version())
        }
    }

    @Test func `a cancelled stream bills what was received`() throws {
        var attempt = attempt(termination: .clientAbort, source: .estimated)
        attempt.buckets.outputVisible = 7
        let waiving = try PlanSamples.version(("base_fee: \"49.00\"", "policies: {usage_missing: waive}"))
        let rated = try Rating.rate(attempt, surface: .chatCompletions, tierRequested: nil, version: waiving)
        #expect(rated.waiver == nil)
        #expect(try rated.total().description == "0.0000192")
    }

    @Test func `the plan decides about missing usage and lost gateways`() throws {
        let defaults = try PlanSamples.version()
        let strict = try PlanSamples.version(
            ("base_fee: \"49.00\"", "policies: {usage_missing: waive, on_gateway_loss: bill_counted}"))
        let missing = attempt(source: .counted)
        let lost = attempt(termination: .gatewayLost, source: .counted)
        #expect(
            try Rating.rate(missing, surface: .chatCompletions, tierRequested: nil, version: defaults).waiver == nil)
        #expect(
            try Rating.rate(missing, surface: .chatCompletions, tierRequested: nil, version: strict).waiver
                == .usageMissing)
        #expect(
            try Rating.rate(lost, surface: .chatCompletions, tierRequested: nil, version: defaults).waiver
                == .gatewayLost)
        #expect(try Rating.rate(lost, surface: .chatCompletions, tierRequested: nil, version: strict).waiver == nil)
        #expect(
            try Rating.rate(attempt(), surface: .chatCompletions, tierRequested: nil, version: strict).waiver == nil)
    }

    @Test func `what is waived is still priced, so that it can be shown`() throws {
        var attempt = attempt()
        attempt.isDelivered = false
        let rated = try Rating.rate(
            attempt, surface: .chatCompletions, tierRequested: "priority", version: PlanSamples.version())
        #expect(rated.waiver == .notDelivered && rated.tier == "priority")
        #expect(try rated.total().description == "0.00002625")
    }

    private func attempt(termination: Termination = .complete, source: UsageSource = .engine) -> AttemptRecord {
        var attempt = AttemptRecord(
            id: AttemptID(UUIDv7(milliseconds: 1_767_225_600_000, randomness: (1, 2))),
            backend: "simulator", upstreamModel: "small", priceKey: "small")
        attempt.buckets = TokenBuckets(inputUncached: 100)
        attempt.usageSource = source
        attempt.termination = termination
        return attempt
    }
}
