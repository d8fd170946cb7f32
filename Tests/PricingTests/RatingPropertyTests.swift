import Metering
import Monetary
import NaiveArithmetic
import Pricing
import Testing

@Suite struct RatingPropertyTests {
    @Test(arguments: Seeds.all)
    func `any plan prices any usage as fractions done by hand do`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let plan = RandomPlan(using: &generator)
        let version = try PlanVersion(yaml: plan.yaml)
        for _ in 0..<10 {
            let model = try #require(plan.models.keys.sorted().randomElement(using: &generator))
            let tier = try #require(["standard", "priority", "flex", "batch"].randomElement(using: &generator))
            let buckets = usage(using: &generator)
            let quantities = [
                "input_tokens": buckets.inputUncached, "cache_read_tokens": buckets.cacheRead,
                "cache_write_tokens":
                    buckets.cacheWriteFiveMinutes + buckets.cacheWriteHour + buckets.cacheWriteLong,
                "output_tokens": buckets.outputVisible + buckets.outputReasoning,
            ]
            let expected = plan.naiveCost(of: quantities, model: model, tier: tier)
            do {
                let charges = try Rating.rate(
                    buckets, priceKey: model, tierServed: tier, tierRequested: nil, version: version)
                let total = try Money.sum(charges.map(\.amount), currency: version.currency)
                #expect(try NaiveFraction(decimal: total.decimalText) == #require(expected))
            } catch let error as RatingError {
                #expect(expected == nil && error.code == "no_price")
            }
        }
    }

    @Test(arguments: Seeds.all)
    func `the sum of single events is the charge of their sum`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let plan = RandomPlan(using: &generator)
        let version = try PlanVersion(yaml: plan.yaml)
        let model = try #require(plan.models.keys.sorted().randomElement(using: &generator))
        let meters = Meter.allCases.filter {
            version.price(priceKey: model, tier: ServiceTier.standard, meter: $0) != nil
        }
        var sums: [Meter: Int64] = [:]
        var amounts: [Money] = []
        for _ in 0..<50 {
            let quantity = Int64.random(in: 0...100_000, using: &generator)
            let meter = try #require(meters.randomElement(using: &generator))
            sums[meter, default: 0] += quantity
            amounts += try charges(of: [meter: quantity], model: model, version: version)
        }
        let single = try Money.sum(amounts, currency: .usd)
        let aggregate = try Money.sum(charges(of: sums, model: model, version: version), currency: .usd)
        #expect(single == aggregate)
    }

    @Test(arguments: Seeds.all)
    func `any plan survives its canonical text`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let version = try PlanVersion(yaml: RandomPlan(using: &generator).yaml)
        #expect(try PlanVersion(yaml: version.document.canonicalText) == version)
        #expect(PlanDiff(from: version, to: version).isEmpty)
        #expect(Set(version.prices.map(\.id)).count == version.prices.count)
    }

    private func charges(of quantities: [Meter: Int64], model: String, version: PlanVersion) throws -> [Money] {
        let buckets = TokenBuckets(
            inputUncached: quantities[.inputTokens] ?? 0, cacheRead: quantities[.cacheReadTokens] ?? 0,
            cacheWriteHour: quantities[.cacheWriteTokens] ?? 0, outputVisible: quantities[.outputTokens] ?? 0)
        return try Rating.rate(buckets, priceKey: model, tierServed: nil, tierRequested: nil, version: version)
            .map(\.amount)
    }

    private func usage(using generator: inout SeededGenerator) -> TokenBuckets {
        func count() -> Int64 {
            if generator.flip(oneIn: 2) { return 0 }
            let most: Int64 = generator.flip(oneIn: 10) ? TokenBuckets.bucketMax : 200_000
            return Int64.random(in: 0...most, using: &generator)
        }
        return TokenBuckets(
            inputUncached: count(), cacheRead: count(), cacheWriteFiveMinutes: count(), cacheWriteHour: count(),
            cacheWriteLong: count(), outputVisible: count(), outputReasoning: count())
    }
}
