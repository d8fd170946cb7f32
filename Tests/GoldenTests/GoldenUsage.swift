import Identity
import Metering

/// `use acme/lab 2025-11-03T10:00:00Z sim input=1000 output=20`: a request and its attempts.
struct GoldenUsage {
    let step: GoldenStep
    let customer: GoldenCustomer
    let acceptedAt: Timestamp

    private static let counts: [String: any WritableKeyPath<AttemptRecord, Int64> & Sendable] = [
        "input": \.buckets.inputUncached, "input_audio": \.buckets.inputAudio, "input_image": \.buckets.inputImage,
        "input_video": \.buckets.inputVideo, "cache_read": \.buckets.cacheRead,
        "cache_read_audio": \.buckets.cacheReadAudio, "cache_read_image": \.buckets.cacheReadImage,
        "cache_read_video": \.buckets.cacheReadVideo, "cache_write": \.buckets.cacheWriteFiveMinutes,
        "cache_write_1h": \.buckets.cacheWriteHour, "cache_write_long": \.buckets.cacheWriteLong,
        "output": \.buckets.outputVisible, "output_audio": \.buckets.outputAudio,
        "output_image": \.buckets.outputImage, "reasoning": \.buckets.outputReasoning, "images": \.units.images,
        "audio_ms": \.units.audioMilliseconds, "characters": \.units.characters, "searches": \.units.searches,
        "compute_ms": \.units.computeMilliseconds,
    ]
    private static let others: Set<String> = [
        "tier", "served", "outcome", "first_token", "surface", "batch", "source", "ended", "delivered", "kind",
        "price_key", "x", "every_ms", "also", "contradiction", "project",
    ]

    /// One entry, or `x` of them, `every_ms` apart; `sequence` tells ids apart.
    func entries(sequence: inout UInt64) throws -> [UsageEntry] {
        try step.allow(Self.others.union(Self.counts.keys))
        let step = step
        let distance = try step.integer("every_ms") ?? 1000
        return try (0..<(step.integer("x") ?? 1)).map { index in
            sequence += 1
            return try entry(acceptedAt.advanced(byMilliseconds: index * distance), sequence)
        }
    }

    private func entry(_ accepted: Timestamp, _ sequence: UInt64) throws -> UsageEntry {
        let model = try step.subject(2)
        var request = RequestRecord(
            id: TypedID(UUIDv7(milliseconds: accepted.milliseconds, randomness: (sequence, sequence))),
            accountID: customer.accountID, tenantID: customer.tenantID,
            projectID: TypedID(GoldenWorld.uuid(step["project"] ?? "project \(customer.name)")),
            keyID: TypedID(GoldenWorld.uuid("key \(customer.name)")), subscriptionID: customer.subscriptionID,
            surface: try value("surface", .chatCompletions), modelRequested: model,
            tierRequested: step["tier"] ?? "standard", isStream: true, outcome: try value("outcome", .success))
        request.marks = TimeMarks(
            firstByte: 90_000, firstToken: try step.integer("first_token").map { $0 * 1000 } ?? 100_000, end: 900_000)
        if request.outcome == .providerError {
            request.httpStatus = 503
            request.marks.firstToken = nil
        }
        var attempts = [try attempt(1, accepted, sequence, model: model)]
        // A second inference inside the answer, with the same counts, by another model.
        if let other = step["also"] {
            var second = try attempt(2, accepted, sequence, model: other)
            second.kind = .component
            attempts.append(second)
        }
        return UsageEntry(request: request, attempts: attempts)
    }

    private func attempt(
        _ number: Int32, _ accepted: Timestamp, _ sequence: UInt64, model: String
    ) throws -> AttemptRecord {
        let uuid = UUIDv7(milliseconds: accepted.milliseconds, randomness: (UInt64(number), sequence))
        let fails = step["outcome"] == "provider_error"
        var attempt = AttemptRecord(
            id: TypedID(uuid), number: number, backend: "sim", upstreamModel: model,
            priceKey: number == 1 ? step["price_key"] ?? model : model)
        attempt.tierServed = step["served"]
        attempt.usageSource = try value("source", fails ? .nothing : .engine)
        attempt.usageComplete = attempt.usageSource == .engine
        attempt.termination = try value("ended", fails ? .upstreamError : .complete)
        attempt.kind = try value("kind", .primary)
        attempt.isBatch = step["batch"] == "yes"
        attempt.isDelivered = step["delivered"] != "no"
        attempt.upstreamStatus = fails ? 503 : 200
        attempt.contradiction = step["contradiction"]
        for (name, count) in Self.counts {
            if let quantity = try step.integer(name) { attempt[keyPath: count] = quantity }
        }
        return attempt
    }

    private func value<Value: RawRepresentable<String>>(_ name: String, _ usual: Value) throws -> Value {
        guard let text = step[name] else { return usual }
        guard let value = Value(rawValue: text) else {
            throw GoldenError(line: step.line, "\(name): nothing is called \(text)")
        }
        return value
    }
}
