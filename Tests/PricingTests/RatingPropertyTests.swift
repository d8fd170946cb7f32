import Identity
import Metering
import Monetary
import NaiveArithmetic
import PlanLanguage
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
            let (buckets, units) = usage(using: &generator)
            let region = try #require(["", "us-1", "us-2", "eu-1"].randomElement(using: &generator))
            let minute = Int64.random(in: 29_500_000...30_500_000, using: &generator)
            let expected = plan.naiveCost(
                of: quantities(buckets, units), model: model, tier: tier, region: region, minute: minute)
            do {
                let charges = try Rating.rate(
                    buckets, units: units, priceKey: model, tierServed: tier, tierRequested: nil,
                    acceptedAt: Timestamp(milliseconds: minute * 60_000), region: region, version: version)
                let total = try Money.sum(charges.map(\.amount), currency: version.currency)
                #expect(try NaiveFraction(decimal: total.decimalText) == #require(expected))
                #expect(Set(charges.map(\.price.id)).count == charges.count && charges.allSatisfy { $0.quantity > 0 })
                #expect(charges.map(\.meter) == charges.map(\.meter).sorted())
            } catch let error as RatingError {
                #expect(expected == nil && error.code == "no_price")
            }
        }
    }

    /// By their names in plan documents, written down once more.
    private func quantities(_ buckets: TokenBuckets, _ units: UsageUnits) -> [String: Int64] {
        [
            "input": buckets.inputUncached, "input_audio": buckets.inputAudio, "input_image": buckets.inputImage,
            "input_video": buckets.inputVideo, "cache_read": buckets.cacheRead,
            "cache_read_audio": buckets.cacheReadAudio, "cache_read_image": buckets.cacheReadImage,
            "cache_read_video": buckets.cacheReadVideo, "cache_write": buckets.cacheWriteFiveMinutes,
            "cache_write_1h": buckets.cacheWriteHour, "cache_write_long": buckets.cacheWriteLong,
            "output": buckets.outputVisible, "output_audio": buckets.outputAudio, "output_image": buckets.outputImage,
            "reasoning": buckets.outputReasoning, "images": units.images, "audio_milliseconds": units.audioMilliseconds,
            "characters": units.characters, "searches": units.searches,
            "compute_milliseconds": units.computeMilliseconds,
        ]
    }

    @Test(arguments: Seeds.all)
    func `the sum of single events is what their rows make of their sums`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let plan = RandomPlan(using: &generator)
        let version = try PlanVersion(yaml: plan.yaml)
        let model = try #require(plan.models.keys.sorted().randomElement(using: &generator))
        let meters = Meter.allCases.filter {
            version.price(priceKey: model, tier: ServiceTier.standard, meter: $0) != nil
        }
        var rows: [EffectivePrice: Int64] = [:]
        var amounts: [Money] = []
        for _ in 0..<50 {
            let meter = try #require(meters.randomElement(using: &generator))
            let quantity = Int64.random(in: 0...400_000, using: &generator)
            let minute = Int64.random(in: 29_500_000...30_500_000, using: &generator)
            for charge in try charges(of: [meter: quantity], model: model, minute: minute, version: version) {
                rows[charge.price, default: 0] += charge.quantity
                amounts.append(charge.amount)
            }
        }
        let aggregate = try Money.sum(rows.map { $0.key.model.amount(of: $0.value, currency: .usd) }, currency: .usd)
        #expect(try Money.sum(amounts, currency: .usd) == aggregate)
        #expect(Set(rows.keys.map(\.id)).count == rows.count)
    }

    @Test(arguments: Seeds.all)
    func `any plan survives its canonical text`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let version = try PlanVersion(yaml: RandomPlan(using: &generator).yaml)
        #expect(try PlanVersion(yaml: version.document.canonicalText) == version)
        #expect(PlanDiff(from: version, to: version).isEmpty)
        #expect(Set(version.prices.map(\.id)).count == version.prices.count)
    }

    private func charges(
        of quantities: [Meter: Int64], model: String, minute: Int64, version: PlanVersion
    ) throws -> [RatedCharge] {
        let buckets = TokenBuckets(
            inputUncached: quantities[.inputTokens] ?? 0, inputAudio: quantities[.inputAudioTokens] ?? 0,
            inputImage: quantities[.inputImageTokens] ?? 0, inputVideo: quantities[.inputVideoTokens] ?? 0,
            cacheRead: quantities[.cacheReadTokens] ?? 0, cacheReadAudio: quantities[.cacheReadAudioTokens] ?? 0,
            cacheReadImage: quantities[.cacheReadImageTokens] ?? 0,
            cacheReadVideo: quantities[.cacheReadVideoTokens] ?? 0,
            cacheWriteFiveMinutes: quantities[.cacheWriteTokens] ?? 0,
            cacheWriteHour: quantities[.cacheWriteHourTokens] ?? 0,
            cacheWriteLong: quantities[.cacheWriteLongTokens] ?? 0, outputVisible: quantities[.outputTokens] ?? 0,
            outputAudio: quantities[.outputAudioTokens] ?? 0, outputImage: quantities[.outputImageTokens] ?? 0,
            outputReasoning: quantities[.reasoningTokens] ?? 0)
        let units = UsageUnits(
            images: quantities[.images] ?? 0, audioMilliseconds: quantities[.audioMilliseconds] ?? 0,
            characters: quantities[.characters] ?? 0, searches: quantities[.searches] ?? 0,
            computeMilliseconds: quantities[.computeMilliseconds] ?? 0)
        return try Rating.rate(
            buckets, units: units, priceKey: model, tierServed: nil, tierRequested: nil,
            acceptedAt: Timestamp(milliseconds: minute * 60_000), region: "us-1", version: version)
    }

    private func usage(using generator: inout SeededGenerator) -> (TokenBuckets, UsageUnits) {
        func count(oneIn chance: Int = 2) -> Int64 {
            if !generator.flip(oneIn: chance) { return 0 }
            let most: Int64 = generator.flip(oneIn: 10) ? TokenBuckets.bucketMax : 200_000
            return Int64.random(in: 0...most, using: &generator)
        }
        let buckets = TokenBuckets(
            inputUncached: count(), inputAudio: count(oneIn: 4), inputImage: count(oneIn: 4),
            inputVideo: count(oneIn: 4),
            cacheRead: count(), cacheReadAudio: count(oneIn: 4), cacheReadImage: count(oneIn: 4),
            cacheReadVideo: count(oneIn: 4), cacheWriteFiveMinutes: count(), cacheWriteHour: count(),
            cacheWriteLong: count(), outputVisible: count(), outputAudio: count(oneIn: 4), outputImage: count(oneIn: 4),
            outputReasoning: count())
        let units = UsageUnits(
            images: count(oneIn: 6), audioMilliseconds: count(oneIn: 6), characters: count(oneIn: 6),
            searches: count(oneIn: 6), computeMilliseconds: count(oneIn: 6))
        return (generator.flip(oneIn: 6) ? TokenBuckets() : buckets, units)
    }
}
