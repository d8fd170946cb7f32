import Identity
import Metering
import Testing

struct TokenBucketsTests {
    /// Each bucket another power of two, so that a sum shows which buckets it has.
    private let counted: TokenBuckets = {
        var counted = TokenBuckets()
        for (place, bucket) in Self.buckets.enumerated() { counted[keyPath: bucket.path] = 1 << Int64(place) }
        return counted
    }()

    /// In the order of the meters that count them.
    private static let buckets: [(meter: Meter, path: any WritableKeyPath<TokenBuckets, Int64> & Sendable)] = [
        (.inputTokens, \.inputUncached), (.inputAudioTokens, \.inputAudio), (.inputImageTokens, \.inputImage),
        (.inputVideoTokens, \.inputVideo), (.cacheReadTokens, \.cacheRead), (.cacheReadAudioTokens, \.cacheReadAudio),
        (.cacheReadImageTokens, \.cacheReadImage), (.cacheReadVideoTokens, \.cacheReadVideo),
        (.cacheWriteTokens, \.cacheWriteFiveMinutes), (.cacheWriteHourTokens, \.cacheWriteHour),
        (.cacheWriteLongTokens, \.cacheWriteLong), (.outputTokens, \.outputVisible),
        (.outputAudioTokens, \.outputAudio), (.outputImageTokens, \.outputImage),
        (.reasoningTokens, \.outputReasoning),
    ]

    @Test func `each bucket counts for a meter of its own`() {
        for (place, bucket) in Self.buckets.enumerated() {
            #expect(counted.quantity(of: bucket.meter) == 1 << Int64(place), "\(bucket.meter)")
        }
        #expect(Self.buckets.map(\.meter) == Meter.allCases.filter { !$0.isUnit })
    }

    @Test func `each meter says its unit and a label of its own`() {
        #expect(Meter.allCases.allSatisfy { $0.isUnit == ($0.unit != .tokens) })
        #expect(Set(Meter.allCases.map(\.label)).count == Meter.allCases.count)
        #expect(Meter.allCases.allSatisfy { $0.label.contains($0.unit.rawValue) })
        #expect(Meter.audioMilliseconds.unit == .milliseconds && Meter.images.unit == .images)
        #expect(Meter.outputImageTokens.unit == .tokens)
    }

    @Test func `the meters together are the totals together`() {
        #expect(counted.inputTotal == 0b111_1111_1111)
        #expect(counted.outputTotal == 0b1111 << 11)
        #expect(counted.cacheWriteTotal == 0b111 << 8)
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
        #expect(full.cacheWriteTotal == .max && full.inputTotal == .max && full.outputTotal == .max)
        var empty = TokenBuckets()
        for bucket in Self.buckets { empty[keyPath: bucket.path] = .min }
        #expect(empty.cacheWriteTotal == .min && empty.inputTotal == .min && empty.outputTotal == .min)
    }

    @Test func `a bucket below zero or above a trillion contradicts itself, whichever it is`() {
        for bucket in Self.buckets {
            for (count, isPlausible) in [
                (Int64(0), true), (TokenBuckets.bucketMax, true), (-1, false), (TokenBuckets.bucketMax + 1, false),
                (.min, false), (.max, false),
            ] {
                var buckets = counted
                buckets[keyPath: bucket.path] = count
                #expect(buckets.isPlausible == isPlausible, "\(bucket.meter) \(count)")
            }
        }
        #expect(TokenBuckets.bucketMax == 1_000_000_000_000)
    }

    @Test func `the fullest plausible buckets have exact sums`() {
        var full = TokenBuckets()
        for bucket in Self.buckets { full[keyPath: bucket.path] = TokenBuckets.bucketMax }
        #expect(full.isPlausible)
        #expect(full.inputTotal == 11 * TokenBuckets.bucketMax)
        #expect(full.outputTotal == 4 * TokenBuckets.bucketMax)
    }
}

struct MeterTests {
    @Test func `meters sort as invoices list them`() {
        #expect(Meter.allCases.reversed().sorted() == Meter.allCases)
        for meter in Meter.allCases { #expect(!(meter < meter)) }
        // The first version's meters keep their order, so that price rows of old plans do.
        let first: [Meter] = [.inputTokens, .cacheReadTokens, .cacheWriteTokens, .outputTokens]
        #expect(first.sorted() == first && Meter.allCases.map(\.order) == Array(Meter.allCases.indices))
    }

    @Test func `every way from child to parent ends at plain input or output, units apart`() {
        for meter in Meter.allCases {
            var top = meter
            while let parent = top.parent { top = parent }
            #expect(meter.isUnit ? top == meter : [.inputTokens, .outputTokens].contains(top), "\(meter)")
        }
        #expect(Meter.cacheReadAudioTokens.parent == .cacheReadTokens)
        #expect(Meter.cacheWriteHourTokens.parent == .cacheWriteTokens)
    }

    @Test func `each unit counts for a meter of its own`() {
        let units = UsageUnits(
            images: 1, audioMilliseconds: 2, characters: 4, searches: 8, computeMilliseconds: 16)
        #expect(
            Meter.allCases.filter { $0.isUnit && $0 != .requests }.map { units.quantity(of: $0) } == [1, 2, 4, 8, 16])
        #expect(Meter.allCases.filter { !$0.isUnit }.allSatisfy { units.quantity(of: $0) == 0 })
    }

    @Test(arguments: Surface.allCases)
    func `counting prompts and handling files is free, and the lines of a batch are not`(surface: Surface) {
        let isFree = [.countTokens, .files, .batches].contains(surface)
        #expect(surface.bills(.primary) == !isFree)
        #expect(surface.bills(.batchItem) == (surface != .countTokens))
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

struct UsageEntryTests {
    private func attempt(_ number: Int32, _ kind: InferenceKind, delivered: Bool = true) -> AttemptRecord {
        var attempt = AttemptRecord(
            id: AttemptID(UUIDv7(milliseconds: 1, randomness: (1, UInt64(number)))), number: number, backend: "b",
            upstreamModel: "m", priceKey: "m")
        attempt.kind = kind
        attempt.isDelivered = delivered
        return attempt
    }

    @Test(
        arguments: [
            ([], nil), ([("primary", false)], nil), ([("primary", false), ("primary", true)], 2),
            ([("compaction", true), ("primary", true), ("advisor", true)], 2),
            ([("fallback", true), ("primary", true)], 1), ([("component", true), ("component", true)], 1),
        ] as [([(String, Bool)], Int32?)])
    func `the answer is the first inference that speaks to the client`(kinds: [(String, Bool)], number: Int32?) throws {
        let attempts = try kinds.enumerated().map { index, kind in
            attempt(Int32(index + 1), try #require(InferenceKind(rawValue: kind.0)), delivered: kind.1)
        }
        let id = UUIDv7(milliseconds: 1, randomness: (2, 3))
        let request = RequestRecord(
            id: RequestID(id), accountID: AccountID(id), tenantID: TenantID(id), projectID: ProjectID(id),
            keyID: KeyID(id), subscriptionID: SubscriptionID(id), surface: .messages, modelRequested: "m")
        #expect(UsageEntry(request: request, attempts: attempts).answer?.number == number)
    }
}
