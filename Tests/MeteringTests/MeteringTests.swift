import Identity
import Metering
import Testing

struct TokenBucketsTests {
    /// Each bucket another power of ten, so that a sum shows which buckets it has.
    private let counted = TokenBuckets(
        inputUncached: 1, cacheRead: 10, cacheWriteFiveMinutes: 100, cacheWriteHour: 1000, cacheWriteLong: 10_000,
        outputVisible: 100_000, outputReasoning: 1_000_000)

    private static let buckets: [(name: String, path: any WritableKeyPath<TokenBuckets, Int64> & Sendable)] = [
        ("inputUncached", \.inputUncached), ("cacheRead", \.cacheRead),
        ("cacheWriteFiveMinutes", \.cacheWriteFiveMinutes), ("cacheWriteHour", \.cacheWriteHour),
        ("cacheWriteLong", \.cacheWriteLong), ("outputVisible", \.outputVisible),
        ("outputReasoning", \.outputReasoning),
    ]

    @Test(
        arguments: [
            (Meter.inputTokens, 1), (.cacheReadTokens, 10), (.cacheWriteTokens, 11_100), (.outputTokens, 1_100_000),
        ] as [(Meter, Int64)])
    func `each bucket counts for one meter`(meter: Meter, quantity: Int64) {
        #expect(counted.quantity(of: meter) == quantity)
    }

    @Test func `the meters together are the totals together`() {
        #expect(counted.inputTotal == 11_111)
        #expect(counted.outputTotal == 1_100_000)
        let sum = Meter.allCases.reduce(0) { $0 + counted.quantity(of: $1) }
        #expect(sum == counted.inputTotal + counted.outputTotal)
    }

    @Test func `no tokens are no quantity and plausible`() {
        #expect(Meter.allCases.allSatisfy { TokenBuckets().quantity(of: $0) == 0 })
        #expect(TokenBuckets().isPlausible)
    }

    @Test func `sums that do not fit stay at the largest number, never wrap and never trap`() {
        var full = TokenBuckets()
        for bucket in Self.buckets { full[keyPath: bucket.path] = .max }
        #expect(Meter.allCases.allSatisfy { full.quantity(of: $0) == .max })
        #expect(full.inputTotal == .max && full.outputTotal == .max)
        var empty = TokenBuckets()
        for bucket in Self.buckets { empty[keyPath: bucket.path] = .min }
        #expect(Meter.allCases.allSatisfy { empty.quantity(of: $0) == .min })
        #expect(empty.inputTotal == .min && empty.outputTotal == .min)
    }

    @Test func `a bucket below zero or above a trillion contradicts itself, whichever it is`() {
        for bucket in Self.buckets {
            for (count, isPlausible) in [
                (Int64(0), true), (TokenBuckets.bucketMax, true), (-1, false), (TokenBuckets.bucketMax + 1, false),
                (.min, false), (.max, false),
            ] {
                var buckets = counted
                buckets[keyPath: bucket.path] = count
                #expect(buckets.isPlausible == isPlausible, "\(bucket.name) \(count)")
            }
        }
        #expect(TokenBuckets.bucketMax == 1_000_000_000_000)
    }

    @Test func `the fullest plausible buckets have exact sums`() {
        var full = TokenBuckets()
        for bucket in Self.buckets { full[keyPath: bucket.path] = TokenBuckets.bucketMax }
        #expect(full.isPlausible)
        #expect(full.inputTotal == 5 * TokenBuckets.bucketMax)
        #expect(full.quantity(of: .cacheWriteTokens) == 3 * TokenBuckets.bucketMax)
        #expect(full.outputTotal == 2 * TokenBuckets.bucketMax)
    }
}

struct MeterTests {
    @Test func `meters sort as invoices list them`() {
        #expect(Meter.allCases.reversed().sorted() == Meter.allCases)
        #expect(
            Meter.allCases.map(\.rawValue)
                == ["input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens"])
        for meter in Meter.allCases { #expect(!(meter < meter)) }
    }
}

struct RequestRecordTests {
    @Test func `a request's acceptance is the millisecond of its id`() throws {
        let accepted = try #require(Timestamp("2026-11-23T06:03:27.123Z"))
        func id<Kind: IDKind>() -> TypedID<Kind> {
            TypedID(UUIDv7(milliseconds: accepted.milliseconds, randomness: (.max, .max)))
        }
        let record = RequestRecord(
            id: id(), accountID: id(), tenantID: id(), projectID: id(), keyID: id(), subscriptionID: id(),
            surface: .chatCompletions, modelRequested: "small")
        #expect(record.acceptedAt == accepted)
    }

    @Test func `an attempt begins as one that failed, has counted nothing and names its model`() {
        let id = AttemptID(UUIDv7(milliseconds: 1, randomness: (0, 0)))
        let attempt = AttemptRecord(id: id, backend: "b", upstreamModel: "model-2", priceKey: "model")
        #expect(attempt.number == 1 && attempt.modelServed == "model-2" && attempt.tierServed == nil)
        #expect(attempt.termination == .upstreamError && attempt.usageSource == .nothing && !attempt.usageComplete)
        #expect(attempt.buckets == TokenBuckets() && attempt.isDelivered)
    }
}
