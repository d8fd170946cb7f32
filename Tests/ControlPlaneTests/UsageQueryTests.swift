import Accounts
import Identity
import Metering
import Monetary
import Postgres
import Pricing
import Storage
import TestSupport
import Testing

/// What operators ask of ingested usage.
@Suite(.database, .timeLimit(.minutes(10)))
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
                return try await made.database.read { [query] in try UsageStorage.sums(query, in: $0).totals }
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
                            try UsageStorage.sums(query, in: $0).totals
                        }
                        #expect(totals.map(\.quantity) == [300], "\(span) \(tags)")
                    }
                    var query = UsageQuery(from: period.start, to: period.end.advanced(byMilliseconds: -900_000))
                    query.account = account
                    query.tags = tags
                    await #expect {
                        try await made.database.read { [query] in try UsageStorage.sums(query, in: $0).totals }
                    } throws: {
                        "\($0)".hasPrefix("to: ") && "\($0)".contains("is not on a whole hour in \(zone)")
                    }
                }
            }
        }
    }

    /// An account of another zone, with a tenant and a subscription like the fixture's.
    private func other(_ zone: String, _ made: Fixture) async throws -> Account {
        let account = Account(
            id: Fixture.id(21), name: "Other", currency: .eur, calendar: try BillingCalendar(zoneName: zone),
            createdAt: Fixture.now)
        let tenant = Tenant(id: Fixture.id(22), accountID: account.id, name: "Other", createdAt: Fixture.now)
        let subscription = Subscription(
            id: Fixture.id(25), accountID: account.id, tenantID: tenant.id, plan: "pay-as-you-go",
            startsAt: made.subscription.startsAt, createdAt: Fixture.now)
        try await made.database.write { tx in
            try AccountStorage.insert(account, in: tx)
            try TenantStorage.insert(tenant, in: tx)
            try SubscriptionStorage.insert(subscription, in: tx)
        }
        return account
    }

    private func sums(_ query: UsageQuery, _ made: Fixture) async throws -> UsageSums {
        var query = query
        query.meter = .inputTokens
        query.groupBy = [.account]
        return try await made.database.read { [query] in try UsageStorage.sums(query, in: $0) }
    }

    @Test(arguments: ["Asia/Kolkata", "Australia/Adelaide", "Asia/Kathmandu"])
    func `an account of half hours is in nobody's way, unless its sum would be cut`(zone: String) async throws {
        try await Fixture.run(zone: "Europe/Berlin") { made in
            let other = try await other(zone, made)
            func entry(_ number: UInt64, _ text: String, of account: Account) throws -> UsageEntry {
                try made.entry(number, at: text) { entry in
                    guard account.id == other.id else { return }
                    entry.request.accountID = other.id
                    entry.request.tenantID = Fixture.id(22)
                    entry.request.subscriptionID = Fixture.id(25)
                }
            }
            let (from, to) = (
                try #require(Timestamp("2026-09-20T10:00:00Z")), try #require(Timestamp("2026-09-20T16:00:00Z"))
            )
            let query = UsageQuery(from: from, to: to)
            try await ingest([try entry(1, "2026-09-20T12:10:00Z", of: made.account)], made)
            #expect(try await sums(query, made).totals.map(\.quantity) == [100], "one has no usage at all")
            try await ingest([try entry(2, "2026-09-20T12:20:00Z", of: other)], made)
            #expect(try await sums(query, made).totals.map(\.quantity) == [100, 100], "none of its hours is cut")
            try await ingest([try entry(3, "2026-09-20T16:05:00Z", of: other)], made)
            await #expect {
                try await sums(query, made)
            } throws: {
                "\($0)".hasPrefix("to: ") && "\($0)".contains("\(other.id)") && "\($0)".contains(zone)
            }
            var own = query
            own.account = made.account.id
            #expect(try await sums(own, made).totals.map(\.quantity) == [100])
            let september = try #require(CivilMonth("2026-09"))
            #expect(try await sums(UsageQuery(.month(september)), made).totals.map(\.quantity) == [100, 200])
        }
    }

    @Test(arguments: ["Mars/Olympus_Mons", "", "US/Nowhere"])
    func `an account that does not read is left out and named, and all others are summed`(zone: String) async throws {
        try await Fixture.run { made in
            let other = try await other("Asia/Tokyo", made)
            try await ingest(
                [
                    try made.entry(1, at: "2026-09-20T12:10:00Z"),
                    try made.entry(2, at: "2026-09-20T12:10:00Z") { entry in
                        entry.request.accountID = other.id
                        entry.request.tenantID = Fixture.id(22)
                        entry.request.subscriptionID = Fixture.id(25)
                        entry.request.tags = [Tag(name: "team", value: "a")]
                    },
                ], made)
            try await made.pool.execute("UPDATE accounts SET time_zone = \(zone) WHERE account_id = \(other.id)")
            let (from, to) = (
                try #require(Timestamp("2026-09-01T00:00:00Z")), try #require(Timestamp("2026-10-01T00:00:00Z"))
            )
            let september = try #require(CivilMonth("2026-09"))
            for span in [UsageQuery.Span.month(september), .instants(from: from, to: to)] {
                let sums = try await sums(UsageQuery(span), made)
                #expect(sums.totals.map { $0.group[.account] } == ["\(made.account.id)"])
                #expect(sums.leftOut.map(\.name) == ["\(other.id)"])
                var tagged = UsageQuery(span)
                tagged.tags = [Tag(name: "team", value: "a")]
                #expect(try await self.sums(tagged, made).totals.isEmpty)
                var own = UsageQuery(span)
                own.account = other.id
                #expect(try await self.sums(own, made).leftOut.count == 1)
            }
        }
    }

    @Test func `a month's sums begin where the month was kept to begin`() async throws {
        try await Fixture.run(zone: "Europe/Berlin") { made in
            try await ingest(
                [try made.entry(1, at: "2026-08-31T22:30:00Z"), try made.entry(2, at: "2026-09-02T10:00:00Z")], made)
            let september = try #require(CivilMonth("2026-09"))
            #expect(try await sums(UsageQuery(.month(september)), made).totals.map(\.quantity) == [200])
            // By the zone's rules of an earlier day it had begun an hour later.
            try await made.pool.execute(
                "UPDATE billing_periods SET period_start = period_start + interval '1 hour' WHERE month = '2026-09-01'")
            #expect(try await sums(UsageQuery(.month(september)), made).totals.map(\.quantity) == [100])
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
