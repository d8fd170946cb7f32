import Accounts
import Billing
import Identity
import Metering
import Monetary
import PlanLanguage
import Postgres
import Pricing
import Reconciliation
import Storage
import TestSupport
import Testing

/// What rating makes of attempts, seen in the database.
@Suite(.database, .timeLimit(.minutes(10)))
struct EntryRatingTests {
    /// Ingests one request and returns it as stored.
    private func stored(_ entry: UsageEntry, _ made: Fixture) async throws -> StoredRequest {
        try await made.withJournal { journal in
            try await made.append([entry], to: journal)
            try await made.ingestAll(journal)
        }
        return try #require(try await made.database.read { try RecordStorage.find(entry.request.id, in: $0) })
    }

    @Test func `the tier served is the tier billed`() async throws {
        try await Fixture.run { made in
            let entry = made.entry(1, accepted: Fixture.now) { entry in
                entry.request.tierRequested = "priority"
                entry.attempts[0].tierServed = "default"
            }
            let stored = try await stored(entry, made)
            #expect(stored.tier == "standard" && stored.attempts[0].tier == "standard")
            #expect(stored.attempts[0].amount.decimalText == "0.000027000000")
        }
    }

    @Test func `a silent engine served the tier that was asked for`() async throws {
        try await Fixture.run { made in
            let stored = try await stored(
                made.entry(1, accepted: Fixture.now) { $0.request.tierRequested = "priority" }, made)
            #expect(stored.tier == "priority" && stored.attempts[0].amount.decimalText == "0.000047250000")
        }
    }

    @Test func `only the attempt that was delivered is billed`() async throws {
        try await Fixture.run { made in
            let entry = made.entry(1, accepted: Fixture.now) { entry in
                var failed = entry.attempts[0]
                failed.id = Fixture.id(77)
                failed.isDelivered = false
                failed.contradiction = "nobody bills it anyway"
                entry.attempts[0].number = 2
                entry.attempts.insert(failed, at: 0)
            }
            let stored = try await stored(entry, made)
            #expect(stored.attempts.map(\.rating) == [.notBillable, .rated])
            #expect(stored.attempts[0].amount.isZero)
            #expect(try await made.count("suspense") == 0)
        }
    }

    @Test func `a lost gateway's count is waived and shown`() async throws {
        try await Fixture.run { made in
            let entry = made.entry(1, accepted: Fixture.now) { entry in
                entry.request.outcome = .gatewayLost
                entry.attempts[0].termination = .gatewayLost
                entry.attempts[0].usageSource = .estimated
            }
            let stored = try await stored(entry, made)
            #expect(stored.attempts[0].rating == .waived)
            #expect(stored.attempts[0].amount.decimalText == "0.000027000000")
            let sums = try await made.pool.query("SELECT sum(amount), sum(waived_amount) FROM usage_rollups")
            #expect(sums[0][0] == "0.000000000000" && sums[0][1] == "0.000027000000")
        }
    }

    @Test func `a plan can bill what a lost gateway had counted`() async throws {
        let policies = "policies:\n  on_gateway_loss: bill_counted"
        try await Fixture.run(policies: policies) { made in
            let entry = made.entry(1, accepted: Fixture.now) { $0.attempts[0].termination = .gatewayLost }
            let stored = try await stored(entry, made)
            #expect(stored.attempts[0].rating == .rated)
        }
    }

    @Test func `a request without tokens is rated at nothing`() async throws {
        try await Fixture.run { made in
            let entry = made.entry(1, accepted: Fixture.now) { entry in
                entry.attempts[0].buckets = TokenBuckets()
                entry.attempts[0].usageSource = .nothing
            }
            let stored = try await stored(entry, made)
            #expect(stored.attempts[0].rating == .rated && stored.attempts[0].amount.isZero)
            #expect(try await made.count("usage_rollups") == 0)
        }
    }

    @Test(arguments: ["contradictory_usage", "no_price", "unknown_subscription", "no_plan_version", "unknown_account"])
    func `what cannot be priced waits in suspense and blocks its month`(reason: String) async throws {
        try await Fixture.run { made in
            let accepted = reason == "no_plan_version" ? Timestamp("2025-12-31T12:00:00Z") : Fixture.now
            let entry = made.entry(1, accepted: try #require(accepted)) { entry in
                switch reason {
                case "contradictory_usage": entry.attempts[0].contradiction = "more cached than there was"
                case "no_price": entry.attempts[0].priceKey = "unheard-of"
                case "unknown_subscription": entry.request.subscriptionID = Fixture.id(99)
                case "unknown_account": entry.request.accountID = Fixture.id(98)
                default: break
                }
            }
            let stored = try await stored(entry, made)
            #expect(stored.attempts[0].rating == .suspended && stored.attempts[0].amount.isZero)
            let account = entry.request.accountID
            let period = made.account.calendar.period(containing: entry.request.acceptedAt)
            let waiting = try await made.database.read {
                try SuspenseStorage.list(SuspenseFilter(account: account), in: $0)
            }.items
            #expect(waiting.map(\.reason) == [reason])
            guard reason != "unknown_account" else { return }
            @Sendable func blocking() async throws -> Int {
                try await made.database.read {
                    try SuspenseStorage.unresolvedCount(account: account, period: period, in: $0)
                }
            }
            #expect(try await blocking() == 1)
            let attempt = entry.attempts[0].id
            try await made.database.write { tx in
                _ = try SuspenseStorage.waive(
                    account: account, attempts: [attempt], reason: "checked by hand", actor: "a test",
                    now: Fixture.now, in: tx)
            }
            #expect(try await blocking() == 0)
        }
    }

    @Test func `a request is priced by the version in force at its acceptance`() async throws {
        try await Fixture.run { made in
            try await made.withJournal { journal in
                try await made.append([try made.entry(1, at: "2026-09-30T23:59:59.999Z")], to: journal)
                try await made.ingestAll(journal)
            }
            let text = Fixture.planText(version: 2, effectiveFrom: "2026-10-01T00:00:00Z")
            let version = try PlanVersion(yaml: text)
            try await made.database.write { tx in
                _ = try PlanStorage.apply(version, now: Fixture.now, in: tx)
            }
            try await made.withJournal { journal in
                let late = [
                    try made.entry(2, at: "2026-09-30T23:59:59.999Z"), try made.entry(3, at: "2026-10-01T00:00:00Z"),
                ]
                try await made.append(late, to: journal)
                try await made.ingestAll(journal)
            }
            let rows = try await made.pool.query("SELECT plan_version FROM attempt_records ORDER BY accepted_at")
            #expect(rows.map { $0[0] } == ["1", "1", "2"])
        }
    }

    @Test func `every inference of an answer is billed as its own model, and tries that failed are not`() async throws {
        try await Fixture.run { made in
            let entry = made.entry(1, accepted: Fixture.now) { entry in
                let answer = entry.attempts[0]
                func another(_ number: Int32, _ change: (inout AttemptRecord) -> Void) -> AttemptRecord {
                    var attempt = answer
                    attempt.id = Fixture.id(70 + UInt64(number))
                    attempt.number = number
                    change(&attempt)
                    return attempt
                }
                let failed = another(1) {
                    $0.isDelivered = false
                    $0.termination = .upstreamError
                }
                let compaction = another(2) {
                    $0.kind = .compaction
                    $0.priceKey = "sim-embed"
                    $0.buckets = TokenBuckets(inputUncached: 50)
                }
                entry.attempts[0].number = 3
                entry.attempts[0].tierServed = "priority"
                let unknown = another(4) {
                    $0.kind = .advisor
                    $0.priceKey = "another-model"
                }
                entry.attempts = [failed, compaction, entry.attempts[0], unknown]
            }
            let stored = try await stored(entry, made)
            #expect(stored.attempts.map(\.record) == entry.attempts)
            #expect(stored.attempts.map(\.rating) == [.notBillable, .rated, .rated, .suspended])
            // 50 × 0.02 per million; the answer at 1.75 times 0.000027, which is the tier that promises go by.
            #expect(
                stored.attempts.map(\.amount.decimalText)
                    == ["0.000000000000", "0.000001000000", "0.000047250000", "0.000000000000"])
            #expect(stored.tier == "priority" && stored.attempts.map(\.tier)[1] == "standard")
            let id = made.account.id
            let waiting = try await made.database.read { try SuspenseStorage.list(SuspenseFilter(account: id), in: $0) }
            #expect(waiting.items.map(\.attemptID) == [entry.attempts[3].id])
            #expect(waiting.items.first?.detail.contains("another-model") == true)
            // One request however many inferences, and three price rows.
            let sums = try await made.pool.query(
                "SELECT (SELECT sum(requests) FROM request_rollups), (SELECT sum(records) FROM usage_rollups)")
            #expect(sums[0][0] == "1" && sums[0][1] == "3")
        }
    }

    @Test func `counting a prompt costs nothing and never waits for a price`() async throws {
        try await Fixture.run { made in
            let entry = made.entry(1, accepted: Fixture.now) { entry in
                entry.request.surface = .countTokens
                entry.attempts[0].priceKey = "unheard-of"
            }
            let stored = try await stored(entry, made)
            #expect(stored.request.surface == .countTokens && stored.request.operation == .countTokens)
            #expect(stored.attempts[0].rating == .rated && stored.attempts[0].amount.isZero)
            #expect(try await made.count("usage_rollups") == 0)
            #expect(try await made.count("suspense") == 0)
        }
    }

    @Test func `each line of a batch is billed once, at the price of batches`() async throws {
        try await Fixture.run(policies: "batch: {multiplier: \"0.5\"}") { made in
            let entry = made.entry(1, accepted: Fixture.now) { entry in
                entry.request.surface = .batches
                var line = entry.attempts[0]
                line.kind = .batchItem
                line.isBatch = true
                entry.attempts[0].buckets = TokenBuckets()
                for number in Int32(2)...4 {
                    line.id = Fixture.id(70 + UInt64(number))
                    line.number = number
                    entry.attempts.append(line)
                }
            }
            let stored = try await stored(entry, made)
            #expect(stored.attempts.map(\.amount.decimalText).dropFirst().allSatisfy { $0 == "0.000013500000" })
            #expect(stored.attempts[0].amount.isZero && stored.attempts.map(\.rating).allSatisfy { $0 == .rated })
            let rows = try await made.pool.query(
                "SELECT price_id, records, quantity FROM usage_rollups ORDER BY price_id")
            #expect(
                rows.map { "\($0[0] ?? "") \($0[1] ?? "") \($0[2] ?? "")" } == [
                    "pay-as-you-go@1/sim-small/batch/input_tokens 3 300",
                    "pay-as-you-go@1/sim-small/batch/output_tokens 3 60",
                ])
        }
    }

    /// A gateway that was cut off goes on with a subscription that has ended.
    @Test(
        arguments: [
            (-1, false, "first"), (59_999, true, "first"), (60_000, true, "second"), (3_600_000, true, "second"),
            (60_000, false, nil), (3_600_000, false, nil),
        ] as [(Int64, Bool, String?)])
    func `usage is rated by the subscription that was in force, whatever the gateway knew`(
        afterEnd: Int64, hasSecond: Bool, expected: String?
    ) async throws {
        try await Fixture.run { made in
            let end = Fixture.now
            let second = Subscription(
                id: Fixture.id(50), accountID: made.account.id, tenantID: made.tenant.id, plan: "pay-as-you-go",
                startsAt: end, createdAt: end)
            try await made.database.write { tx in
                try SubscriptionStorage.end(made.subscription.id, at: end, now: end, in: tx)
                if hasSecond { try SubscriptionStorage.insert(second, in: tx) }
            }
            let stored = try await stored(
                made.entry(1, accepted: end.advanced(byMilliseconds: afterEnd)) { _ in }, made)
            guard let expected else {
                #expect(stored.attempts[0].rating == .suspended)
                let reasons = try await made.database.read { tx in
                    try SuspenseStorage.list(SuspenseFilter(), in: tx).items.map(\.reason)
                }
                #expect(reasons == ["subscription_ended"])
                return
            }
            #expect(stored.attempts[0].rating == .rated)
            #expect(stored.request.subscriptionID == (expected == "first" ? made.subscription.id : second.id))
        }
    }

    /// What was stored under another subscription than the journal names is no difference; under any other it is.
    @Test func `reconcile knows by which subscription late usage had to be rated`() async throws {
        try await Fixture.run { made in
            let end = Fixture.now
            let second = Subscription(
                id: Fixture.id(50), accountID: made.account.id, tenantID: made.tenant.id, plan: "pay-as-you-go",
                startsAt: end, createdAt: end)
            try await made.database.write { tx in
                try SubscriptionStorage.end(made.subscription.id, at: end, now: end, in: tx)
                try SubscriptionStorage.insert(second, in: tx)
            }
            let entries = [
                made.entry(1, accepted: end.advanced(byMilliseconds: -1)) { _ in },
                made.entry(2, accepted: end.advanced(byMilliseconds: 90_000)) { _ in },
            ]
            try await made.withJournal { journal in
                try await made.append(entries, to: journal)
                try await made.ingestAll(journal)
            }
            var options = ReconciliationRun.Options(now: end)
            options.journalDirectories = [made.directory + "/journal"]
            options.postsLedgerFirst = true
            let honest = try await ReconciliationRun(database: made.database, options: options).run()
            #expect(honest.isEqual, "\(honest.checks.flatMap(\.differences))")
            try await made.pool.withConnection { connection in
                try await connection.script(
                    "UPDATE request_records SET subscription_id = '\(second.id.uuid)' WHERE accepted_at < '\(end)'")
            }
            let forged = try await ReconciliationRun(database: made.database, options: options).run()
            #expect(forged.checks.first { $0.name.hasPrefix("journal") }?.isEqual == false)
        }
    }
}
