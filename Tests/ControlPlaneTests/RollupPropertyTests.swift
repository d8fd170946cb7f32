import Accounts
import Identity
import Metering
import Monetary
import Postgres
import Storage
import TestSupport
import Testing

/// Rollups are the sum of the records, whatever came in which batches.
@Suite(.database, .timeLimit(.minutes(10)))
struct RollupPropertyTests {
    /// Each seed has a database and many records, so there are fewer of them: 20, or as many as asked for.
    static let seeds = Array(propertySeeds.prefix(propertySeeds.count > 200 ? propertySeeds.count : 20))
    static let recordsPerSeed = 60

    @Test(arguments: seeds)
    func `rollups equal the sum of the records`(seed: UInt64) async throws {
        let policies = seed % 3 == 0 ? "" : "batch: {multiplier: \"0.5\"}"
        try await Fixture.run(zone: seed % 2 == 0 ? "Asia/Kolkata" : "America/New_York", policies: policies) { made in
            var random = SeededGenerator(seed: seed)
            let entries = (0..<Self.recordsPerSeed).map { randomEntry(UInt64($0), made, &random) }
            try await made.withJournal { journal in
                for part in stride(from: 0, to: entries.count, by: 20) {
                    try await made.append(Array(entries[part..<min(part + 20, entries.count)]), to: journal)
                    try await made.ingestAll(journal, entriesMax: Int.random(in: 1...50, using: &random))
                }
            }
            try await expectEqualSums(made, seed: seed)
            #expect(try await made.count("request_records") == entries.count, "seed \(seed)")
        }
    }

    private func randomEntry(_ number: UInt64, _ made: Fixture, _ random: inout SeededGenerator) -> UsageEntry {
        let accepted = Fixture.now.advanced(
            byMilliseconds: Int64.random(in: -60 * 86_400_000...60 * 86_400_000, using: &random))
        return made.entry(number, accepted: accepted) { entry in
            let all: [RequestOutcome] = RequestOutcome.allCases
            entry.request.outcome = all.randomElement(using: &random) ?? .success
            entry.request.tierRequested = Bool.random(using: &random) ? "priority" : "standard"
            entry.request.tags = [Tag(name: "team", value: Bool.random(using: &random) ? "a" : "b")]
            entry.request.surface =
                [.chatCompletions, .messages, .countTokens, .batches].randomElement(using: &random) ?? .messages
            let first = entry.attempts[0]
            entry.attempts = (0..<Int.random(in: 1...3, using: &random)).map { index in
                var attempt = first
                attempt.id = AttemptID(
                    UUIDv7(milliseconds: accepted.milliseconds, randomness: (number, UInt64(index) &+ 1 << 40)))
                attempt.number = Int32(index + 1)
                change(&attempt, &random)
                return attempt
            }
        }
    }

    private func change(_ attempt: inout AttemptRecord, _ random: inout SeededGenerator) {
        func sometimes(_ most: Int64) -> Int64 {
            Bool.random(using: &random) ? 0 : .random(in: 0...most, using: &random)
        }
        attempt.priceKey = ["sim-small", "sim-embed", "unpriced"].randomElement(using: &random) ?? "sim-small"
        attempt.kind = InferenceKind.allCases.randomElement(using: &random) ?? .primary
        attempt.isBatch = attempt.kind == .batchItem && Bool.random(using: &random)
        attempt.termination = Termination.allCases.randomElement(using: &random) ?? .complete
        attempt.isDelivered = UInt8.random(in: 0..<8, using: &random) > 0
        attempt.buckets = TokenBuckets(
            inputUncached: .random(in: 0...10_000_000, using: &random), inputAudio: sometimes(5000),
            inputImage: sometimes(5000), cacheRead: sometimes(100_000), cacheReadAudio: sometimes(900),
            cacheWriteHour: sometimes(1000))
        guard attempt.priceKey != "sim-embed" else { return }
        attempt.buckets.outputVisible = sometimes(100_000)
        attempt.buckets.outputReasoning = sometimes(100_000)
        attempt.buckets.outputAudio = sometimes(100_000)
        attempt.units = UsageUnits(images: sometimes(4), audioMilliseconds: sometimes(90_000))
    }

    private func expectEqualSums(_ made: Fixture, seed: UInt64) async throws {
        let rows = try await made.pool.query(
            """
            SELECT
                (SELECT coalesce(sum(amount), 0) FROM usage_rollups),
                (SELECT coalesce(sum(amount), 0) FROM attempt_records WHERE rating = 'rated'),
                (SELECT coalesce(sum(waived_amount), 0) FROM usage_rollups),
                (SELECT coalesce(sum(amount), 0) FROM attempt_records WHERE rating = 'waived'),
                (SELECT count(*) FROM suspense),
                (SELECT count(*) FROM attempt_records WHERE rating = 'suspended'),
                (SELECT sum(requests) FROM request_rollups),
                (SELECT count(*) FROM request_records)
            """)
        for column in stride(from: 0, to: 8, by: 2) {
            #expect(rows[0][column] == rows[0][column + 1], "column \(column), seed \(seed)")
        }
        // The same question, answered from rollups and from single records with a tag that all of them carry or not.
        var query = UsageQuery(
            from: made.account.calendar.hourStart(of: Timestamp(milliseconds: 0)),
            to: made.account.calendar.hourStart(of: Fixture.now.advanced(byMilliseconds: 400 * 86_400_000)),
            groupBy: [.day, .priceKey, .tier])
        let fromRollups = try await made.database.read { [query] in try UsageStorage.sums(query, in: $0).totals }
        var perTag: [UsageTotal] = []
        for team in ["a", "b"] {
            query.tags = [Tag(name: "team", value: team)]
            perTag += try await made.database.read { [query] in try UsageStorage.sums(query, in: $0).totals }
        }
        #expect(try sum(fromRollups) == sum(perTag), "seed \(seed)")
    }

    private func sum(_ totals: [UsageTotal]) throws -> [String: [Int128]] {
        var sums: [String: [Int128]] = [:]
        for total in totals {
            let group = total.group.sorted { $0.key.rawValue < $1.key.rawValue }.map(\.value) + [total.meter.rawValue]
            let values = [
                total.quantity, total.amount.picounits, total.waivedQuantity, total.waivedAmount.picounits,
                Int128(total.records),
            ]
            let old = sums[group.joined(separator: " ")] ?? [0, 0, 0, 0, 0]
            sums[group.joined(separator: " ")] = zip(old, values).map { $0 + $1 }
        }
        return sums
    }
}
