import Identity
import Metering
import PlanLanguage
import TestSupport
import Testing

@testable import Pricing

@Suite struct UnpricedTests {
    @Test func `a version knows which meters it sells of a model in a tier`() throws {
        let version = try PlanSamples.version()
        let small = try #require(version.sold(priceKey: "small", tier: "standard"))
        #expect(small.contains(.inputTokens) && small.contains(.inputImageTokens) && small.contains(.reasoningTokens))
        #expect(!small.contains(.images) && !small.contains(.searches))
        let embed = try #require(version.sold(priceKey: "embed", tier: "priority"))
        #expect(embed.contains(.inputTokens) && !embed.contains(.outputTokens) && !embed.contains(.outputAudioTokens))
        #expect(version.sold(priceKey: "embed", tier: "dedicated") == nil)
        #expect(version.sold(priceKey: "large", tier: "standard") == nil)
        #expect(version.sells(priceKey: "embed") && !version.sells(priceKey: "large"))
    }

    @Test func `a kind of tokens priced as none does not fall back to its parent's price`() throws {
        let version = try PlanSamples.version(
            (#"cache_read: "0.075"}"#, #"cache_read: "0.075", input_audio: none, cache_read_image: none}"#))
        for tier in ["standard", "priority"] {
            let sold = try #require(version.sold(priceKey: "small", tier: tier))
            #expect(!sold.contains(.inputAudioTokens) && !sold.contains(.cacheReadImageTokens))
            #expect(sold.contains(.inputImageTokens) && sold.contains(.cacheReadAudioTokens))
        }
        let own = try #require(version.sold(priceKey: "small", tier: "dedicated"))
        #expect(own.contains(.inputAudioTokens))
        var buckets = TokenBuckets()
        buckets.inputAudio = 5
        #expect(throws: RatingError.self) {
            try Rating.rate(buckets, priceKey: "small", tierServed: nil, tierRequested: nil, version: version)
        }
        let again = try PlanVersion(yaml: version.document.canonicalText)
        #expect(again == version && again.prices == version.prices)
    }

    @Test func `what is unpriced is refused unless the document says otherwise`() throws {
        #expect(try PlanSamples.version().unpriced == .refuse)
        let suspending = try PlanSamples.version(("currency: USD", "currency: USD\nunpriced: suspend"))
        #expect(suspending.unpriced == .suspend)
        #expect(try PlanVersion(yaml: suspending.document.canonicalText) == suspending)
        let changes = PlanDiff(from: try PlanSamples.version(), to: suspending).changes
        #expect(changes.map(\.description) == ["~ terms unpriced: refuse → suspend"])
    }

    @Test func `a version keeps the rule that it was published under and stays the same version`() throws {
        let version = try PlanSamples.version()
        let old = version.published(under: .suspend, at: nil)
        #expect(old.unpriced == .suspend && old == version)
        let history = try PlanHistory(published: [old])
        #expect(try history.publishing(version, now: PlanSamples.instant) == .unchanged)
        #expect(history.version(at: PlanSamples.instant, under: nil)?.unpriced == .suspend)
    }

    @Test(arguments: [
        ("scale" as String?, "priority" as String?, "priority"), ("scale", nil, "standard"),
        ("dedicated", "priority", "priority"), ("default", "priority", "standard"), (nil, "priority", "priority"),
    ])
    func `a served tier without a row bills the tier that was asked for`(
        served: String?, requested: String?, billed: String
    ) throws {
        let version = try PlanSamples.version()
        var attempt = try AttemptRecord.sample()
        attempt.priceKey = "embed"
        attempt.tierServed = served
        #expect(version.billedTier(of: attempt, requested: requested) == billed)
        let isUnpriced = served == "scale" || served == "dedicated"
        #expect(version.billsRequestedTier(of: attempt, requested: requested) == isUnpriced)
        let old = version.published(under: .suspend, at: nil)
        let usual = ServiceTier.billable(served: served, requested: requested)
        #expect(old.billedTier(of: attempt, requested: requested) == usual)
        #expect(!old.billsRequestedTier(of: attempt, requested: requested))
    }

    @Test func `where neither tier has a row the one that served keeps its name`() throws {
        let version = try PlanSamples.version()
        var attempt = try AttemptRecord.sample()
        attempt.priceKey = "large"
        attempt.tierServed = "scale"
        #expect(version.billedTier(of: attempt, requested: nil) == "scale")
    }
}

extension AttemptRecord {
    fileprivate static func sample() throws -> AttemptRecord {
        AttemptRecord(
            id: .init(.init(milliseconds: 0, randomness: (1, 2))), number: 1, backend: "b", upstreamModel: "m",
            priceKey: "small", hardware: "", quantisation: "")
    }
}
