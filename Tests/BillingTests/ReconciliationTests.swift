import Accounts
import Billing
import Identity
import Invoicing
import Metering
import Monetary
import Postgres
import Reconciliation
import Storage
import TestSupport
import Testing

@Suite(.database, .timeLimit(.minutes(10))) struct ReconciliationTests {
    /// Two invoiced months of a customer with a broken promise in the first, one payment, late usage, and a month in
    /// progress; and a second customer.
    static func history() async throws -> BillingWorld {
        let world = try await BillingWorld.make()
        let alpha = try await world.customer(1, plan: "alpha", zone: "Europe/Berlin", from: "2026-10-31T23:00:00Z")
        let beta = try await world.customer(2, plan: "beta", from: "2026-11-01T00:00:00Z")
        var requests: [IngestRequest] = []
        for number in 0..<40 {
            let fails = number < 5
            requests.append(
                try await world.request(
                    alpha, at: "2026-11-0\(1 + number % 9)T\(10 + number % 14):30:00.\(100 + number)Z",
                    input: fails ? 0 : 1_234_567, output: fails ? 0 : 333, tier: "priority",
                    outcome: fails ? .providerError : .success, firstToken: fails ? nil : 100_000))
        }
        requests.append(try await world.request(beta, at: "2026-11-30T23:59:59Z", input: 1_234_567, output: 77))
        try await world.ingest(requests, heartbeat: "2026-12-01T00:00:10Z")
        let first = try await world.run("2026-11", now: "2026-12-02T09:00:00Z").run()
        let paid = try #require(first.finalized.first)
        _ = try await InvoiceActions(database: world.database, by: .clerk).markPaid(
            paid.id, now: BillingWorld.instant("2026-12-10T09:00:00Z"))
        try await world.ingest(
            [
                world.request(beta, at: "2026-11-30T23:59:58Z", input: 1_000_000),
                world.request(alpha, at: "2026-12-05T10:00:00Z", output: 2_000_000),
            ], heartbeat: "2027-01-01T00:00:10Z")
        let second = try await world.run("2026-12", now: "2027-01-02T09:00:00Z").run()
        #expect(second.isComplete)
        try await world.ingest(
            [world.request(alpha, at: "2027-01-05T10:00:00Z", output: 1_000_000)], heartbeat: "2027-01-06T00:00:10Z")
        return world
    }

    static let now = "2027-01-06T12:00:00Z"

    static func reconcile(
        _ world: BillingWorld, month: String? = nil, engine: [EngineCount]? = nil, posts: Bool = true,
        now: String = ReconciliationTests.now
    ) async throws -> ReconciliationReport {
        var options = ReconciliationRun.Options(now: BillingWorld.instant(now))
        options.month = month.flatMap { CivilMonth($0) }
        options.engineCounts = engine
        options.postsLedgerFirst = posts
        return try await ReconciliationRun(database: world.database, options: options).run()
    }

    @Test func `books that were kept by the program are equal`() async throws {
        let world = try await Self.history()
        let report = try await Self.reconcile(world)
        for check in report.checks {
            #expect(check.isEqual, "\(check.name): \(check.leftText) | \(check.rightText): \(check.differences)")
        }
        #expect(
            report.checks.map(\.name) == [
                "journal files = records", "records, rated again = stored amounts", "records = usage rollups",
                "records = request rollups", "usage rollups = ledger accruals",
                "every ledger transaction sums to zero", "ledger balances = usage, invoices and credits",
                "each ledger transaction = its invoice, payment, credit or refund",
                "invoice lines = totals, documents and ledger",
                "invoiced usage = records inside the invoices' positions", "fees computed again = fee lines",
                "promises judged again = stored results", "credit notes = lines, documents and ledger",
                "invoices and credit notes = audit trail", "numbers without a gap",
                "audit trail = its chains of digests",
            ])
        #expect(report.skipped == ["journal files = records"], "no journal was at hand")
        let rated = try #require(report.checks.first { $0.name == "records = usage rollups" })
        #expect(rated.leftText.contains("units billed"))
        #expect(rated.leftText.contains("USD"))
        #expect(try await Self.reconcile(world, month: "2026-11").isEqual)
        #expect(try await Self.reconcile(world, month: "2027-01").isEqual)
    }

    @Test func `usage not posted yet is a difference until it is posted`() async throws {
        let world = try await Self.history()
        let report = try await Self.reconcile(world, posts: false)
        let unequal = report.checks.filter { !$0.isEqual }
        #expect(unequal.map(\.name) == ["usage rollups = ledger accruals"])
        #expect(unequal.first?.differenceText == "2.00 USD")
        #expect(try await Self.reconcile(world, posts: true).isEqual)
    }

    /// The jobs come every minute: what they have not booked yet is on its way. What is older they should have booked.
    @Test(arguments: [("2027-01-02T09:10:00Z", true), ("2027-01-02T10:16:00Z", false)])
    func `usage of the last minutes may wait to be booked`(now: String, isEqual: Bool) async throws {
        let world = try await Self.history()
        _ = try await Self.reconcile(world, posts: true)
        let customer = try await world.customer(9, plan: "beta", from: "2026-11-01T00:00:00Z")
        let late = try await world.request(customer, at: "2027-01-02T09:05:00Z", input: 3_000_000)
        try await world.ingest([late], heartbeat: "2027-01-02T09:06:00Z")
        let report = try await Self.reconcile(world, posts: false, now: now)
        let check = try #require(report.checks.first { $0.name == "usage rollups = ledger accruals" })
        #expect(check.isEqual == isEqual, "\(check.differences)")
        #expect(check.notes.contains { $0.contains("a day of usage waits to be booked") } == isEqual)
    }

    /// Each statement changes one table behind the program's back; the check named must see it.
    static let tampering: [(statement: String, check: String)] = [
        ("DELETE FROM request_records WHERE outcome = 'provider_error'", "records = request rollups"),
        (
            "UPDATE request_records SET outcome = 'success' WHERE outcome = 'provider_error'",
            "records = request rollups"
        ),
        ("UPDATE attempt_records SET output_visible = output_visible + 1", "records, rated again = stored amounts"),
        (
            "UPDATE attempt_records SET amount = amount + 0.000000000001 WHERE rating = 'rated'",
            "records, rated again = stored amounts"
        ),
        ("UPDATE attempt_records SET rating = 'waived'", "records, rated again = stored amounts"),
        ("UPDATE attempt_records SET tier_served = 'standard'", "records, rated again = stored amounts"),
        ("DELETE FROM attempt_records WHERE accepted_at >= '2027-01-01'", "records = usage rollups"),
        ("UPDATE usage_rollups SET quantity = quantity + 1", "records = usage rollups"),
        ("DELETE FROM usage_rollups WHERE period_start >= '2026-12-01'", "records = usage rollups"),
        ("UPDATE usage_rollups SET amount = amount - 0.000000000001", "usage rollups = ledger accruals"),
        ("UPDATE request_rollups SET provider_errors = 0", "records = request rollups"),
        (
            "UPDATE ledger_postings SET amount = amount * 2 WHERE ledger_account = 'revenue'",
            "every ledger transaction sums to zero"
        ),
        (
            """
            DELETE FROM ledger_postings USING ledger_transactions t
            WHERE t.transaction_id = ledger_postings.transaction_id AND t.kind = 'accrual'
            """, "usage rollups = ledger accruals"
        ),
        (
            "DELETE FROM ledger_postings WHERE ledger_account IN ('receivables', 'cash')",
            "ledger balances = usage, invoices and credits"
        ),
        ("UPDATE invoices SET total = total + 0.01", "invoice lines = totals, documents and ledger"),
        (
            "UPDATE invoices SET document = replace(document, '30.00', '31.00')",
            "invoice lines = totals, documents and ledger"
        ),
        (
            "UPDATE invoices SET state = 'finalized' WHERE state = 'paid'",
            "ledger balances = usage, invoices and credits"
        ),
        (
            "UPDATE invoice_lines SET exact_amount = exact_amount + 0.000000000001 WHERE kind = 'usage'",
            "invoiced usage = records inside the invoices' positions"
        ),
        ("UPDATE invoice_lines SET amount = amount - 0.01", "invoice lines = totals, documents and ledger"),
        (
            "UPDATE invoices SET journal_positions = '[]'",
            "invoiced usage = records inside the invoices' positions"
        ),
        (
            "UPDATE service_level_results SET exact_credit = exact_credit + 1, credit_amount = credit_amount + 1",
            "promises judged again = stored results"
        ),
        ("UPDATE service_level_results SET good = good + 1", "promises judged again = stored results"),
        (
            "UPDATE subscriptions SET starts_at = starts_at + interval '10 days' WHERE plan = 'alpha'",
            "fees computed again = fee lines"
        ),
        ("DELETE FROM invoice_lines WHERE kind = 'base_fee'", "fees computed again = fee lines"),
        (
            "UPDATE invoice_lines SET quantity = quantity + 1 WHERE kind = 'usage'",
            "invoice lines = totals, documents and ledger"
        ),
        (
            "UPDATE ledger_postings SET ledger_account = 'rounding' WHERE ledger_account = 'revenue'",
            "ledger balances = usage, invoices and credits"
        ),
        (
            "UPDATE invoice_lines SET service_level_result_id = gen_random_uuid() WHERE kind = 'sla_credit'",
            "each ledger transaction = its invoice, payment, credit or refund"
        ),
        (
            "UPDATE service_level_results SET result_id = gen_random_uuid()",
            "each ledger transaction = its invoice, payment, credit or refund"
        ),
        (
            "UPDATE ledger_transactions SET currency = 'CHF' WHERE kind = 'payment'",
            "each ledger transaction = its invoice, payment, credit or refund"
        ),
        (
            "UPDATE ledger_transactions SET booked_at = booked_at + interval '1 day' WHERE kind = 'payment'",
            "each ledger transaction = its invoice, payment, credit or refund"
        ),
        (
            "DELETE FROM ledger_transactions WHERE kind = 'payment'",
            "each ledger transaction = its invoice, payment, credit or refund"
        ),
        (
            "UPDATE invoices SET paid_at = paid_at + interval '2 days' WHERE state = 'paid'",
            "each ledger transaction = its invoice, payment, credit or refund"
        ),
        (
            "UPDATE invoices SET due_on = due_on + 1 WHERE state = 'paid'",
            "invoice lines = totals, documents and ledger"
        ),
        (
            "UPDATE invoice_lines SET description = 'Another' WHERE kind = 'usage'",
            "invoice lines = totals, documents and ledger"
        ),
        (
            "UPDATE invoice_lines SET subscription_id = gen_random_uuid() WHERE kind = 'base_fee'",
            "invoice lines = totals, documents and ledger"
        ),
        ("UPDATE number_series SET next_number = next_number + 1", "numbers without a gap"),
    ]

    @Test(arguments: tampering.indices)
    func `a change behind the program's back is found`(index: Int) async throws {
        let (statement, check) = Self.tampering[index]
        let world = try await Self.history()
        #expect(try await Self.reconcile(world).isEqual)
        try await world.pool.executePastTriggers(script: statement)
        let report = try await Self.reconcile(world, posts: false)
        #expect(!report.isEqual, "\(statement)")
        let found = report.checks.filter { !$0.isEqual }.map(\.name)
        #expect(found.contains(check), "\(statement): found by \(found)")
        #expect(report.checks.first { $0.name == check }?.differences.isEmpty == false, "\(statement)")
    }

    @Test func `late usage waits as a note until it is an adjustment`() async throws {
        let world = try await Self.history()
        let beta = try await world.database.read { try AccountStorage.require(BillingWorld.id(2), in: $0) }
        let subscription = try await world.database.read {
            try SubscriptionStorage.require(BillingWorld.id(2), in: $0)
        }
        let customer = Customer(account: beta, subscription: subscription)
        try await world.ingest(
            [world.request(customer, at: "2026-11-15T12:00:00Z", input: 1_000_000)], heartbeat: "2027-01-07T00:00:00Z")
        let report = try await Self.reconcile(world)
        #expect(report.isEqual)
        let check = try #require(report.checks.first { $0.name.hasPrefix("invoiced usage") })
        #expect(check.notes.contains { $0.contains("2026-11: 0.15 USD came later and will be an adjustment") })
    }
}

@Suite(.database, .timeLimit(.minutes(10))) struct EngineReconciliationTests {
    /// One complete answer of 100 + 40 tokens and one that the client left after 10.
    private func world() async throws -> (BillingWorld, complete: RequestID, cut: RequestID) {
        let world = try await BillingWorld.make()
        let beta = try await world.customer(2, plan: "beta", from: "2026-11-01T00:00:00Z")
        var complete = try await world.request(beta, at: "2026-11-03T10:00:00Z", input: 100, output: 40)
        complete.attempts[0].record.upstreamStatus = 200
        var cut = try await world.request(
            beta, at: "2026-11-03T11:00:00Z", input: 100, output: 10, outcome: .clientAbort)
        cut.attempts[0].record.upstreamStatus = 200
        cut.attempts[0].record.usageSource = .estimated
        cut.attempts[0].record.termination = .clientAbort
        try await world.ingest([complete, cut], heartbeat: "2026-11-04T00:00:00Z")
        return (world, complete.request.id, cut.request.id)
    }

    private func check(_ world: BillingWorld, _ counts: [EngineCount]) async throws -> ReconciliationCheck {
        let report = try await ReconciliationTests.reconcile(world, engine: counts)
        return try #require(report.checks.last)
    }

    @Test func `equal counts are equal and what nobody received stands apart`() async throws {
        let (world, complete, cut) = try await world()
        let found = try await check(
            world,
            [
                EngineCount(requestID: complete, promptTokens: 100, completionTokensProduced: 40, isComplete: true),
                EngineCount(requestID: cut, promptTokens: 100, completionTokensProduced: 17, isComplete: false),
            ])
        #expect(found.isEqual, "\(found.differences)")
        #expect(found.leftText == "50 completion tokens, 100 prompt tokens, 2 requests")
        #expect(found.notes == ["unreceived, never billed: 7 tokens of 1 interrupted requests"])
    }

    @Test func `what is sold by other units is compared by them, and a look at a prediction by nothing`() async throws {
        let world = try await BillingWorld.make()
        let beta = try await world.customer(2, plan: "beta", from: "2026-11-01T00:00:00Z")
        func entry(_ hour: Int, input: Int64 = 0, _ units: UsageUnits) async throws -> IngestRequest {
            var entry = try await world.request(beta, at: "2026-11-03T0\(hour):00:00Z", input: input, output: 0)
            entry.attempts[0].record.upstreamStatus = 200
            entry.attempts[0].record.units = units
            if input == 0, units.isEmpty { entry.attempts[0].record.usageSource = .nothing }
            return entry
        }
        let speech = try await entry(1, UsageUnits(characters: 70))
        let transcription = try await entry(2, UsageUnits(audioMilliseconds: 3_000))
        let prediction = try await entry(3, input: 9, UsageUnits(computeMilliseconds: 412))
        let look = try await entry(4, UsageUnits())
        try await world.ingest([speech, transcription, prediction, look], heartbeat: "2026-11-04T00:00:00Z")
        func book(characters: Int64 = 70, audio: Int64 = 2_345, prompt: Int64 = 9) -> [EngineCount] {
            [
                // Speech is made of tokens that its engine does not report.
                EngineCount(
                    requestID: speech.request.id, promptTokens: 12, completionTokensProduced: 30, isComplete: true,
                    units: UsageUnits(audioMilliseconds: 2_400, characters: characters)),
                EngineCount(
                    requestID: transcription.request.id, promptTokens: 5, completionTokensProduced: 6, isComplete: true,
                    units: UsageUnits(audioMilliseconds: audio)),
                EngineCount(
                    requestID: prediction.request.id, promptTokens: prompt, completionTokensProduced: 0,
                    isComplete: true, units: UsageUnits(computeMilliseconds: 412)),
            ]
        }
        let equal = try await check(world, book())
        #expect(equal.isEqual, "\(equal.differences)")
        for other in [book(characters: 71), book(audio: 1_999), book(audio: 3_001), book(prompt: 8)] {
            #expect(try await !check(world, other).isEqual)
        }
    }

    @Test func `a token too many or too few is found`() async throws {
        let (world, complete, cut) = try await world()
        let few = EngineCount(requestID: cut, promptTokens: 100, completionTokensProduced: 17, isComplete: false)
        for produced in [39, 41] as [Int64] {
            let count = EngineCount(
                requestID: complete, promptTokens: 100, completionTokensProduced: produced, isComplete: true)
            #expect(try await !check(world, [count, few]).isEqual)
        }
    }

    @Test func `a request that only one side knows is found`() async throws {
        let (world, complete, _) = try await world()
        let known = EngineCount(requestID: complete, promptTokens: 100, completionTokensProduced: 40, isComplete: true)
        let unknown = EngineCount(
            requestID: BillingWorld.id(77), promptTokens: 1, completionTokensProduced: 1, isComplete: true)
        let lost = try await check(world, [known, unknown])
        #expect(lost.differences == ["the engine served \(unknown.requestID), of which there is no record"])
        let invented = try await check(world, [])
        #expect(invented.differences == ["\(complete) is recorded as complete, and the engine does not know it"])
    }
}
