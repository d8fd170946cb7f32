import Identity
import Metering
import Monetary
import PlanLanguage
import Pricing
import Testing

/// Tokens of other kinds, units, batches, and what costs nothing.
@Suite struct ModalityRatingTests {
    private static let yaml = """
        plan: wide
        version: 1
        title: Wide
        currency: USD
        effective_from: 2026-01-01T00:00:00Z
        models:
          omni:
            input: "2"
            output: "10"
            cache_read: "1"
            cache_write: "3"
            input_audio: "40"
            cache_read_audio: "0"
            cache_write_1h: "5"
            output_audio: "80"
            reasoning: "4"
            images: "40000"
          plain: {input: "2", output: "10"}
          listener: {input: none, output: none, audio_milliseconds: "0.1"}
        tiers:
          priority: {multiplier: "2"}
        batch:
          multiplier: "0.5"
        """

    private func version(_ text: String = Self.yaml) throws -> PlanVersion { try PlanVersion(yaml: text) }

    private func charges(
        _ buckets: TokenBuckets, _ units: UsageUnits = UsageUnits(), of model: String
    ) throws -> [String] {
        try Rating.rate(
            buckets, units: units, priceKey: model, tierServed: nil, tierRequested: nil, version: version()
        ).map { "\($0.meter.rawValue) \($0.quantity) \($0.amount)" }
    }

    @Test func `a kind with a price of its own is a charge of its own`() throws {
        let buckets = TokenBuckets(
            inputUncached: 1, inputAudio: 2, cacheWriteFiveMinutes: 4, cacheWriteHour: 8, outputVisible: 16,
            outputAudio: 32, outputReasoning: 64)
        #expect(
            try charges(buckets, of: "omni") == [
                "input_tokens 1 0.000002", "input_audio_tokens 2 0.00008", "cache_write_tokens 4 0.000012",
                "cache_write_1h_tokens 8 0.00004", "output_tokens 16 0.00016", "output_audio_tokens 32 0.00256",
                "reasoning_tokens 64 0.000256",
            ])
    }

    @Test func `kinds without a price are charged with their parent, in one line`() throws {
        let buckets = TokenBuckets(
            inputUncached: 1, inputAudio: 2, inputImage: 4, inputVideo: 8, cacheRead: 16, cacheReadAudio: 32,
            cacheReadImage: 64, cacheReadVideo: 128, cacheWriteFiveMinutes: 256, cacheWriteHour: 512,
            cacheWriteLong: 1024, outputVisible: 2048, outputAudio: 4096, outputImage: 8192, outputReasoning: 16_384)
        #expect(
            try charges(buckets, of: "plain") == [
                "input_tokens 15 0.00003", "cache_read_tokens 240 0.00048", "cache_write_tokens 1792 0.003584",
                "output_tokens 30720 0.3072",
            ])
    }

    @Test func `a price of zero is a price`() throws {
        #expect(
            try charges(TokenBuckets(cacheRead: 5, cacheReadAudio: 7), of: "omni") == [
                "cache_read_tokens 5 0.000005", "cache_read_audio_tokens 7 0.00",
            ])
    }

    @Test func `units without a price are information beside tokens that have one`() throws {
        let units = UsageUnits(images: 2, audioMilliseconds: 900, computeMilliseconds: 70)
        #expect(try charges(TokenBuckets(inputUncached: 5), units, of: "plain") == ["input_tokens 5 0.00001"])
        #expect(try charges(TokenBuckets(), units, of: "omni") == ["images 2 0.08"])
        // A minute at 0.006.
        #expect(
            try charges(TokenBuckets(), UsageUnits(audioMilliseconds: 60_000, characters: 3), of: "listener")
                == ["audio_milliseconds 60000 0.006"])
    }

    @Test func `units alone without a price have none, and neither have tokens of a model without`() throws {
        func meter(_ buckets: TokenBuckets, _ units: UsageUnits, _ model: String) -> Meter? {
            do {
                _ = try Rating.rate(
                    buckets, units: units, priceKey: model, tierServed: nil, tierRequested: nil, version: version())
                return nil
            } catch RatingError.noPrice(_, _, _, _, let meter) {
                return meter
            } catch {
                return nil
            }
        }
        #expect(meter(TokenBuckets(), UsageUnits(searches: 1, computeMilliseconds: 2), "plain") == .searches)
        #expect(meter(TokenBuckets(inputUncached: 1), UsageUnits(audioMilliseconds: 5), "listener") == .inputTokens)
        #expect(meter(TokenBuckets(outputAudio: 1), UsageUnits(audioMilliseconds: 5), "listener") == .outputAudioTokens)
    }

    @Test func `units that cannot be true are never priced`() throws {
        for units in [UsageUnits(images: -1), UsageUnits(characters: .max)] {
            let error = #expect(throws: RatingError.self) {
                try Rating.rate(
                    TokenBuckets(), units: units, priceKey: "omni", tierServed: nil, tierRequested: nil,
                    version: version())
            }
            #expect(error?.code == "contradictory_usage")
        }
    }

    private func attempt(_ buckets: TokenBuckets, change: (inout AttemptRecord) -> Void = { _ in }) -> AttemptRecord {
        var attempt = AttemptRecord(
            id: AttemptID(UUIDv7(milliseconds: 1_767_225_600_000, randomness: (1, 2))), backend: "east",
            upstreamModel: "plain", priceKey: "plain")
        attempt.buckets = buckets
        attempt.usageSource = .engine
        attempt.termination = .complete
        change(&attempt)
        return attempt
    }

    @Test(arguments: [nil, "batch", "default", "priority"])
    func `a line of a batch costs the price of batches, whatever tier the engine names`(served: String?) throws {
        let line = attempt(TokenBuckets(inputUncached: 1_000_000)) {
            $0.isBatch = true
            $0.kind = .batchItem
            $0.tierServed = served
        }
        let rated = try Rating.rate(line, surface: .batches, tierRequested: "priority", version: version())
        #expect(rated.tier == "batch" && rated.charges.map(\.price.id) == ["wide@1/plain/batch/input_tokens"])
        #expect(try rated.total().description == "1.00")
    }

    @Test func `a plan that says nothing of batches bills them like anything else`() throws {
        let without = try version(Self.yaml.replacing("batch:\n  multiplier: \"0.5\"", with: ""))
        let line = attempt(TokenBuckets(inputUncached: 1_000_000)) {
            $0.isBatch = true
            $0.tierServed = "batch"
        }
        #expect(
            try Rating.rate(line, surface: .chatCompletions, tierRequested: nil, version: without).tier == "standard")
        let priority = try Rating.rate(line, surface: .chatCompletions, tierRequested: "priority", version: without)
        #expect(priority.tier == "priority")
    }

    @Test func `no client can ask for the price of batches`() throws {
        #expect(try version().tiers == ["standard", "priority"])
        let rated = try Rating.rate(
            attempt(TokenBuckets(inputUncached: 1_000_000)), surface: .chatCompletions, tierRequested: nil,
            version: version())
        #expect(try rated.tier == "standard" && rated.total().description == "2.00")
    }

    @Test(arguments: [Surface.countTokens, .files, .batches])
    func `what costs nothing has no charges and needs no price`(surface: Surface) throws {
        let counted = attempt(TokenBuckets(inputUncached: 500)) {
            $0.priceKey = "unheard-of"
            $0.contradiction = "nobody bills it anyway"
        }
        let rated = try Rating.rate(counted, surface: surface, tierRequested: nil, version: version())
        #expect(try rated.charges.isEmpty && rated.waiver == nil && rated.total().isZero)
    }
}
