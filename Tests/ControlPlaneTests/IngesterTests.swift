import Accounts
import Identity
import Ingest
import Metering
import Monetary
import Postgres
import Storage
import TestSupport
import Testing
import UsageJournal

@Suite(.database, .timeLimit(.minutes(10)))
struct IngesterTests {
    @Test func `a closed request becomes records, rollups and amounts`() async throws {
        try await Fixture.run { made in
            try await made.withJournal { journal in
                let entry = try made.entry(1, at: "2026-09-21T12:00:00.123Z") { entry in
                    entry.request.tags = [Tag(name: "team", value: "a\"b\u{0}")]
                    entry.request.modelRequested = "small\u{0}"
                }
                try await made.append([entry], to: journal)
                let status = try await made.ingestAll(journal)
                #expect(status.requests == 1 && status.attempts == 1 && status.isCaughtUp)
                let stored = try #require(
                    try await made.database.read { try RecordStorage.find(entry.request.id, in: $0) })
                #expect(stored.request.modelRequested == "small\u{FFFD}")
                #expect(stored.request.tags == [Tag(name: "team", value: "a\"b\u{FFFD}")])
                #expect(stored.attempts.map(\.record) == entry.attempts)
                #expect(stored.attempts.map(\.rating) == [.rated])
                // 100 × 0.15 + 20 × 0.60 per million.
                #expect(stored.attempts.map(\.amount.decimalText) == ["0.000027000000"])
                let rollups = try await made.pool.query(
                    "SELECT price_id, hour_start, quantity, amount FROM usage_rollups ORDER BY price_id")
                #expect(
                    rollups.map { $0[0] } == [
                        "pay-as-you-go@1/sim-small/standard/input_tokens",
                        "pay-as-you-go@1/sim-small/standard/output_tokens",
                    ])
                #expect(rollups.map { $0[3] } == ["0.000015000000", "0.000012000000"])
                #expect(rollups[0][1] == "2026-09-21 12:00:00+00")
            }
        }
    }

    @Test func `every field of a record is stored and read back`() async throws {
        try await Fixture.run { made in
            let entry = made.entry(1, accepted: Fixture.now) { entry in
                entry.request.surface = .messages
                entry.request.idempotencyDigest = Array(1...16)
                entry.request.reason = "NULL"
                var attempt = entry.attempts[0]
                attempt.buckets = TokenBuckets(
                    inputUncached: 1, inputAudio: 2, inputImage: 3, inputVideo: 4, cacheRead: 5, cacheReadAudio: 6,
                    cacheReadImage: 7, cacheReadVideo: 8, cacheWriteFiveMinutes: 9, cacheWriteHour: 10,
                    cacheWriteLong: 11, outputVisible: 12, outputAudio: 13, outputImage: 14, outputReasoning: 15)
                attempt.units = UsageUnits(
                    images: 16, audioMilliseconds: 17, characters: 18, searches: 19, computeMilliseconds: 20)
                attempt.timings = EngineTimings(queue: 21, prefill: 22, decode: 23, firstToken: 24, total: 25)
                attempt.kind = .fallback
                attempt.isBatch = true
                attempt.region = "eu-central-1"
                attempt.engineCost = "0.00012"
                attempt.hardware = "h100x8"
                attempt.quantisation = "fp8"
                attempt.tierServed = "de\"fault,{}\\"
                attempt.upstreamID = ""
                entry.attempts[0] = attempt
            }
            try await made.withJournal { journal in
                try await made.append([entry], to: journal)
                try await made.ingestAll(journal)
            }
            let stored = try #require(
                try await made.database.read { try RecordStorage.find(entry.request.id, in: $0) })
            #expect(stored.request == entry.request)
            #expect(stored.attempts.map(\.record) == entry.attempts)
        }
    }

    @Test func `records from before there were surfaces are read as what they were`() async throws {
        try await Fixture.run { made in
            let entry = made.entry(1, accepted: Fixture.now) { $0.request.surface = .completions }
            try await made.withJournal { journal in
                try await made.append([entry], to: journal)
                try await made.ingestAll(journal)
            }
            try await made.pool.execute("UPDATE request_records SET surface = NULL")
            let stored = try #require(
                try await made.database.read { try RecordStorage.find(entry.request.id, in: $0) })
            #expect(stored.request == entry.request)
        }
    }

    @Test func `what was ingested before is not counted again`() async throws {
        try await Fixture.run { made in
            let id = try await made.withJournal { journal in
                let entries = (0..<40).map { made.entry($0, accepted: Fixture.now) }
                try await made.append(entries, to: journal)
                try await made.ingestAll(journal, entriesMax: 7)
                return journal.id
            }
            let stored = try await made.stored()
            #expect(try await made.count("request_records") == 40)
            try await made.setMark(JournalPosition(segment: 0, offset: 0), journal: id)
            try await made.withJournal { journal in
                let status = try await made.ingestAll(journal, entriesMax: 11)
                #expect(status.requests == 0 && status.attempts == 0)
                #expect(try await made.stored() == stored)
            }
        }
    }

    @Test func `of two ingesters of one journal one stops`() async throws {
        try await Fixture.run { made in
            try await made.withJournal { journal in
                let (first, second) = (made.ingester(journal), made.ingester(journal))
                let writer = Task {
                    var number: UInt64 = 0
                    while !Task.isCancelled {
                        try await made.append([made.entry(number, accepted: Fixture.now)], to: journal)
                        number += 1
                    }
                    return number
                }
                let stopped = await withTaskGroup(of: (any Error)?.self) { group in
                    for ingester in [first, second] {
                        group.addTask {
                            do { try await ingester.run() } catch { return error }
                            return nil
                        }
                    }
                    let error = await group.next() ?? nil
                    writer.cancel()
                    first.finish()
                    second.finish()
                    return error
                }
                guard case .fenced? = stopped as? IngestError else {
                    Issue.record("stopped with \(String(describing: stopped))")
                    return
                }
                let written = try await writer.value
                try await made.ingestAll(journal)
                #expect(try await made.count("request_records") == Int(written))
                let sums = try await made.pool.query("SELECT sum(requests) FROM request_rollups")
                #expect(sums[0][0] == "\(written)")
            }
        }
    }

    @Test func `connections that break at any moment change nothing but the delay`() async throws {
        let configuration = try TestDatabase.required.configuration
        try await Fixture.run { made in
            try await made.withJournal { journal in
                let killer = Task {
                    let connection = try await PostgresConnection.connect(configuration.database("postgres"))
                    while !Task.isCancelled {
                        try await connection.execute(
                            """
                            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                            WHERE datname = \(configuration.database) AND pid <> pg_backend_pid()
                            """)
                        try await Task.sleep(for: .milliseconds(7))
                    }
                }
                let ingester = made.ingester(journal, entriesMax: 6)
                let running = Task { try await ingester.run() }
                for number in 0..<60 {
                    try await made.append([made.entry(UInt64(number), accepted: Fixture.now)], to: journal)
                }
                try await Task.sleep(for: .milliseconds(300))
                killer.cancel()
                _ = await killer.result
                ingester.finish()
                try await running.value
                #expect(ingester.status.current.trouble == nil)
            }
            let sums = try await Self.retried {
                try await made.pool.query("SELECT sum(records), sum(quantity), sum(amount) FROM usage_rollups")
            }
            #expect(sums[0][0] == "120" && sums[0][1] == "7200" && sums[0][2] == "0.001620000000")
            #expect(try await made.count("request_records") == 60)
        }
    }

    @Test func `months, a clock change and a late record fall where the account's calendar says`() async throws {
        try await Fixture.run(zone: "Europe/Berlin") { made in
            try await made.withJournal { journal in
                let entries = [
                    try made.entry(1, at: "2026-10-25T00:30:00Z"), try made.entry(2, at: "2026-10-25T01:30:00Z"),
                    try made.entry(3, at: "2026-10-31T22:59:59.999Z"), try made.entry(4, at: "2026-10-31T23:00:00Z"),
                    try made.entry(5, at: "2026-08-31T21:00:00Z"),
                ]
                try await made.append(entries, to: journal)
                try await made.ingestAll(journal)
                let rows = try await made.pool.query(
                    "SELECT period_start, hour_start FROM request_rollups ORDER BY hour_start")
                #expect(
                    rows.map { "\($0[0] ?? "") \($0[1] ?? "")" } == [
                        "2026-07-31 22:00:00+00 2026-08-31 21:00:00+00",
                        "2026-09-30 22:00:00+00 2026-10-25 00:00:00+00",
                        "2026-09-30 22:00:00+00 2026-10-25 01:00:00+00",
                        "2026-09-30 22:00:00+00 2026-10-31 22:00:00+00",
                        "2026-10-31 23:00:00+00 2026-10-31 23:00:00+00",
                    ])
            }
        }
    }

    @Test func `requests still open hold the month, and heartbeats say how far`() async throws {
        try await Fixture.run { made in
            let (open, id) = try await made.withJournal { journal in
                let open = try made.entry(1, at: "2026-09-21T12:00:00Z")
                _ = try journal.appendOpen(open)
                try await made.append([try made.entry(2, at: "2026-09-21T13:00:00Z")], to: journal)
                try journal.appendHeartbeat(JournalHeartbeat(realTime: Fixture.now, snapshotChange: 5))
                try await made.append([try made.entry(3, at: "2026-09-21T13:01:00Z")], to: journal)
                try await made.ingestAll(journal, entriesMax: 2)
                let id = journal.id
                let row = try await made.database.read { try JournalStorage.require(id, in: $0) }
                #expect(row.oldestOpenAt == open.request.acceptedAt && row.opensByAccount)
                let byAccount = try await made.database.read { try JournalStorage.openByAccount(id, in: $0) }
                #expect(byAccount == [made.account.id: open.request.acceptedAt])
                #expect(row.ingestedThrough == Fixture.now && row.snapshotChange == 5)
                return (open, id)
            }
            // The next process closes it as lost, and ingest learns of that.
            _ = try await made.withJournal { try await made.ingestAll($0) }
            let row = try await made.database.read { try JournalStorage.require(id, in: $0) }
            #expect(row.oldestOpenAt == nil && row.epoch == 2)
            #expect(try await made.database.read { try JournalStorage.openByAccount(id, in: $0) } == [:])
            let lost = try await made.database.read { try RecordStorage.find(open.request.id, in: $0) }
            #expect(lost?.request.outcome == .gatewayLost)
        }
    }

    @Test func `refusals are added up by key, reason and minute`() async throws {
        try await Fixture.run { made in
            try await made.withJournal { journal in
                let known = RefusalCount(
                    accountID: made.account.id, keyID: made.key.id, reason: "rate_limited", minute: Fixture.now,
                    count: 3)
                let unknown = RefusalCount(
                    accountID: nil, keyID: nil, reason: "invalid_api_key", minute: Fixture.now, count: 1)
                try journal.appendRefusals([known, unknown, known])
                try await made.append([made.entry(1, accepted: Fixture.now)], to: journal)
                try await made.ingestAll(journal)
            }
            let totals = try await made.database.read { tx in
                try RefusalStorage.totals(from: Fixture.now, to: Fixture.now.advanced(byMilliseconds: 1), in: tx)
            }
            #expect(totals.map(\.count) == [6, 1] && totals.map(\.accountID) == [made.account.id, nil])
        }
    }

    private static func retried<Result>(_ body: () async throws -> Result) async throws -> Result {
        // A pooled connection may have been ended while nobody used it.
        do { return try await body() } catch { return try await body() }
    }
}
