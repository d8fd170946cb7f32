import Accounts
import ControlPlane
import Identity
import Metering
import Monetary
import Postgres
import Pricing
import Storage
import TestSupport
import Testing

/// What operators ask of ingested usage.
@Suite(.database, .timeLimit(.minutes(2)))
struct UsageQueryTests {
    private func ingest(_ entries: [UsageEntry], _ made: Fixture) async throws {
        try await made.withJournal { journal in
            try await made.append(entries, to: journal)
            try await made.ingestAll(journal)
        }
    }

    @Test func `usage is summed by local hour and day, model, key and project`() async throws {
        try await Fixture.run(zone: "Asia/Kolkata") { made in
            try await ingest(
                [
                    try made.entry(1, at: "2026-09-20T18:29:00Z"),  // 23:59 in Kolkata
                    try made.entry(2, at: "2026-09-20T18:31:00Z"), try made.entry(3, at: "2026-09-20T19:10:00Z"),
                ], made)
            let from = try #require(Timestamp("2026-08-31T18:30:00Z"))
            let to = try #require(Timestamp("2026-09-21T13:30:00Z"))
            @Sendable func totals(
                _ groupBy: Set<UsageQuery.Dimension>, _ change: (inout UsageQuery) -> Void = { _ in }
            ) async throws -> [UsageTotal] {
                var query = UsageQuery(from: from, to: to, groupBy: groupBy)
                query.meter = .inputTokens
                change(&query)
                return try await made.database.read { [query] in try UsageStorage.totals(query, in: $0) }
            }
            let days = try await totals([.day])
            #expect(days.map { $0.group[.day] } == ["2026-09-20", "2026-09-21"])
            #expect(days.map(\.quantity) == [100, 200] && days.map(\.records) == [1, 2])
            #expect(days.map(\.amount.decimalText) == ["0.000015000000", "0.000030000000"])
            let hours = try await totals([.hour])
            #expect(hours.map { $0.group[.hour] } == ["2026-09-20T17:30:00.000Z", "2026-09-20T18:30:00.000Z"])
            let keys = try await totals([.account, .tenant, .project, .key, .model, .priceKey, .tier])
            #expect(keys.count == 1 && keys[0].group[.key] == made.key.id.description)
            #expect(keys[0].group[.project] == made.project.id.description && keys[0].group[.tier] == "standard")
            #expect(try await totals([], { $0.tenant = Fixture.id(99) }).isEmpty)
            #expect(try await totals([], { $0.tier = "priority" }).isEmpty)
            #expect(try await totals([], { $0.key = made.key.id }).map(\.quantity) == [300])
        }
    }

    @Test(arguments: ["Asia/Kolkata", "America/St_Johns", "Asia/Kathmandu", "UTC", "America/Caracas"])
    func `a month, whole hours and tags give the same sums in every zone`(zone: String) async throws {
        try await Fixture.run(zone: zone) { made in
            let september = try #require(CivilMonth("2026-09"))
            let period = made.account.calendar.period(of: september)
            let inside = [period.start, Fixture.now, period.end.advanced(byMilliseconds: -1)]
            let outside = [period.start.advanced(byMilliseconds: -1), period.end]
            let entries = (inside + outside).enumerated().map { number, accepted in
                made.entry(UInt64(number), accepted: accepted) { $0.request.tags = [Tag(name: "team", value: "a")] }
            }
            try await ingest(entries, made)
            for account in [nil, made.account.id] {
                for tags in [[], [Tag(name: "team", value: "a")]] {
                    for span in [
                        UsageQuery.Span.month(september), .instants(from: period.start, to: period.end),
                    ] {
                        var query = UsageQuery(span)
                        query.meter = .inputTokens
                        query.account = account
                        query.tags = tags
                        let totals = try await made.database.read { [query] in
                            try UsageStorage.totals(query, in: $0)
                        }
                        #expect(totals.map(\.quantity) == [300], "\(span) \(tags)")
                    }
                    var query = UsageQuery(from: period.start, to: period.end.advanced(byMilliseconds: -900_000))
                    query.account = account
                    query.tags = tags
                    await #expect {
                        try await made.database.read { [query] in try UsageStorage.totals(query, in: $0) }
                    } throws: {
                        "\($0)".hasPrefix("to: ") && "\($0)".contains("no whole hour in \(zone)")
                    }
                }
            }
        }
    }

    @Test func `single records are listed in pages and found by tag`() async throws {
        try await Fixture.run { made in
            let entries = (0..<7).map { number in
                made.entry(number, accepted: Fixture.now.advanced(byMilliseconds: Int64(number / 3))) { entry in
                    entry.request.tags = [Tag(name: "team", value: number == 4 ? "a" : "b")]
                    if number == 5 { entry.request.outcome = .providerError }
                }
            }
            try await ingest(entries, made)
            var seen: [RequestID] = []
            var page = PageRequest(limit: 2)
            while true {
                let part = try await made.database.read { [page] in try RecordStorage.list(RecordFilter(), page, in: $0)
                }
                seen += part.items.map(\.request.id)
                #expect(part.items.allSatisfy { $0.attempts.count == 1 })
                guard part.hasMore else { break }
                page = PageRequest(limit: 2, after: seen.last?.uuid)
            }
            #expect(seen == entries.map(\.request.id).sorted() && seen.count == 7)
            var filter = RecordFilter()
            filter.account = made.account.id
            filter.tags = [Tag(name: "team", value: "a")]
            let tagged = try await made.database.read { [filter] in try RecordStorage.list(filter, in: $0) }
            #expect(tagged.items.map(\.request.id) == [entries[4].request.id])
            filter.tags = []
            filter.outcome = .providerError
            let failed = try await made.database.read { [filter] in try RecordStorage.list(filter, in: $0) }
            #expect(failed.items.map(\.request.id) == [entries[5].request.id])
        }
    }

    @Test func `a published plan that someone changed is noticed`() async throws {
        try await Fixture.run { made in
            try await made.pool.execute("UPDATE plan_versions SET document = replace(document, '0.15', '0.14')")
            let history = try await made.database.read { try PlanStorage.history(of: "pay-as-you-go", in: $0) }
            #expect(history.versions.isEmpty && history.unreadable.map(\.number) == [1])
            await #expect(throws: StorageError.self) {
                try await made.database.read { try PlanStorage.versions(of: "pay-as-you-go", in: $0) }
            }
        }
    }
}
