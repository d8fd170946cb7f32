import Identity
import Ingest
import Metering
import Postgres
import Storage
import TestSupport
import Testing
import UsageJournal

/// Records that the database would rather not take: ingest goes on behind them, and they stay in sight.
@Suite(.database, .timeLimit(.minutes(10)))
struct PoisonTests {
    private static let texts = [
        "\u{0}", "a\u{0}b\u{0}\u{301}", "\u{FFFD}", "\u{FFFE}\u{10FFFF}", "\\u0000", "\"{},\\", "NULL", "\r\n\t",
        String(repeating: "\u{0}", count: 256), String(repeating: "ü", count: 512), "e\u{301}", "\u{E9}",
    ]

    @Test func `texts of any kind from clients and engines are stored`() async throws {
        try await Fixture.run { made in
            try await made.withJournal { journal in
                let entries = Self.texts.enumerated().map { number, text in
                    made.entry(UInt64(number), accepted: Fixture.now) { entry in
                        entry.request.modelRequested = text
                        entry.request.model = text
                        entry.request.tierRequested = text
                        entry.request.reason = text
                        entry.request.tags = [Tag(name: text, value: text), Tag(name: "x\(text)", value: text)]
                        for path in [\AttemptRecord.backend, \.upstreamModel, \.modelServed, \.priceKey, \.hardware] {
                            entry.attempts[0][keyPath: path] = text
                        }
                        for path in [\AttemptRecord.tierServed, \.contradiction, \.finishReason, \.upstreamID] {
                            entry.attempts[0][keyPath: path] = text
                        }
                        entry.attempts[0].rawUsage = Array(text.utf8) + [0, 0xFF, 0xC0]
                        entry.attempts[0].buckets = TokenBuckets(inputUncached: .max, outputVisible: .min)
                        entry.attempts[0].contentEvents = .max
                        entry.attempts[0].upstreamStatus = .max
                        entry.request.marks.end = .max
                    }
                }
                try await made.append(entries, to: journal)
                let status = try await made.ingestAll(journal)
                #expect(status.requests == Int64(entries.count) && status.trouble == nil)
                #expect(try await made.count("suspense") == entries.count)
                for entry in entries {
                    #expect(try await made.database.read { try RecordStorage.find(entry.request.id, in: $0) } != nil)
                }
            }
        }
    }

    @Test func `a record that the database refuses is set aside in sight, and the rest is stored`() async throws {
        try await Fixture.run { made in
            try await made.pool.execute("ALTER TABLE request_records ADD CHECK (model <> 'poison')")
            try await made.withJournal { journal in
                let entries = (0..<10).map { number in
                    made.entry(number, accepted: Fixture.now) { entry in
                        if number == 4 { entry.request.model = "poison" }
                    }
                }
                try await made.append(entries, to: journal)
                let status = try await made.ingestAll(journal)
                #expect(status.requests == 9 && status.attempts == 9 && status.isCaughtUp)
                #expect(try await made.count("request_records") == 9)
                let sums = try await made.pool.query("SELECT sum(requests) FROM request_rollups")
                #expect(sums[0][0] == "9")
                let refused = try await made.pool.query("SELECT account_id, record_id, reason FROM suspense")
                #expect(refused.count == 1)
                #expect(refused.first?[1] == entries[4].attempts[0].id.uuid.dashed)
                #expect(refused.first?[2] == "refused_by_database")
                let places = try await made.database.read { try QuarantineStorage.list(in: $0) }
                #expect(places.map(\.reason) == ["refused_by_database"])
            }
        }
    }
}
