import Accounts
import Billing
import BillingJobs
import Foundation
import Identity
import Invoicing
import Metering
import Monetary
import Postgres
import Storage
import TestSupport
import Testing

/// Random lives of an account: plans published, usage in time and late, suspense rated and waived, credits, voids,
/// payments, credit notes, ends, runs that meet and runs that are killed. After every step reconcile finds everything
/// equal, and the invoices say what `AccountLife` says.
@Suite(.database, .timeLimit(.minutes(20))) struct AccountLifeTests {
    private enum Act: String, CaseIterable {
        case use, usePriority, fail, late, suspend, rate, waive, publish, end, run, twoRuns, cancelledRun, killedRun
        case finalizeByHand, void, pay, credit, refund, post
    }

    /// Twenty in the daily tests, as many as `TOLLGATE_LIVES` says by hand.
    static let seeds: Range<UInt64> = {
        let asked = ProcessInfo.processInfo.environment["TOLLGATE_LIVES"].flatMap { UInt64($0) }
        let first = ProcessInfo.processInfo.environment["TOLLGATE_LIFE_FIRST"].flatMap { UInt64($0) } ?? 0
        return first..<first + (asked ?? 20)
    }()

    private static let zones = ["UTC", "Asia/Tokyo", "America/St_Johns", "Europe/Berlin", "Australia/Lord_Howe"]

    private struct Life {
        let seed: UInt64
        let world: BillingWorld
        let customer: Customer
        var random: SeededGenerator
        var month = "2026-11"
        var version = 1
        /// From when on each version is in force, in UTC.
        var versions: [(number: Int, from: String)] = [(1, "2026-01-01T00:00:00Z")]
        var books = AccountLife()
        var steps: [String] = []

        var next: String { CivilMonth(month)?.advanced(by: 1).description ?? "" }
        var nowText: String { "\(next)-02T09:00:00Z" }
        var now: Timestamp { BillingWorld.instant(nowText) }
        var hasEnded: Bool { books.lastServiceDay != nil }
    }

    private static func plan(_ version: Int, from: String) -> String {
        """
        plan: life
        version: \(version)
        title: Life
        currency: USD
        effective_from: \(from)
        base_fee:
          amount: "31.00"
        models:
          sim:
            input: "1.\(version < 10 ? "0" : "")\(version)"
            output: "3.00"
        tiers:
          priority:
            multiplier: "2"
        promises:
          priority:
            - objective: availability
              percent: "99"
              minimum_requests: 3
              credits:
                - {below: "99", credit_percent: "10"}
        """
    }

    private static func prices(_ version: Int, _ tier: String) -> (input: Int, output: Int) {
        let factor = tier == "priority" ? 2 : 1
        return ((100 + version) * factor, 300 * factor)
    }

    @Test(arguments: AccountLifeTests.seeds)
    func `invoices say what a naive bookkeeping says, whatever happens`(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let world = try await BillingWorld.make()
        try await world.publish(Self.plan(1, from: "2026-01-01T00:00:00Z"))
        let zone = Self.zones.randomElement(using: &random) ?? "UTC"
        // The first of the month by every zone's clock.
        let customer = try await world.customer(1, plan: "life", zone: zone, from: "2026-11-01T12:00:00Z")
        var life = Life(seed: seed, world: world, customer: customer, random: random)
        for _ in 0..<4 {
            try await world.ingest([], heartbeat: life.nowText)
            for _ in 0..<Int.random(in: 5...9, using: &life.random) {
                let act = Act.allCases.randomElement(using: &life.random) ?? .use
                life.steps.append("\(life.month) \(act.rawValue)")
                try await perform(act, &life)
                try await expectWhole(&life)
            }
            life.steps.append("\(life.month) ends")
            try await endMonth(&life)
            try await expectWhole(&life)
            life.month = life.next
        }
    }

    // MARK: acts

    private func instant(_ life: inout Life, month: String? = nil) -> String {
        let day = Int.random(in: 2...27, using: &life.random)
        let hour = Int.random(in: 0...23, using: &life.random)
        return "\(month ?? life.month)-\(day < 10 ? "0" : "")\(day)T\(hour < 10 ? "0" : "")\(hour):30:00Z"
    }

    private func usage(_ life: inout Life, at text: String, _ tier: String, _ input: Int, _ output: Int)
        -> [AccountLife.Usage]
    {
        let version = life.versions.last { $0.from <= text }?.number ?? 1
        let (inputCents, outputCents) = Self.prices(version, tier)
        let month = String(text.prefix(7))
        return [("input_tokens", input, inputCents), ("output_tokens", output, outputCents)].map {
            AccountLife.Usage(
                month: month, charge: "life@\(version)/sim/\(tier)/\($0.0)", quantity: $0.1, priceCents: $0.2)
        }
    }

    private func use(_ life: inout Life, tier: String, month: String? = nil, failed: Bool = false) async throws {
        guard !life.hasEnded else { return }
        let text = instant(&life, month: month)
        let input = failed ? 0 : Int.random(in: 0...9_000_000, using: &life.random)
        let output = failed ? 0 : Int.random(in: 0...3_000_000, using: &life.random)
        let request = try await life.world.request(
            life.customer, at: text, input: Int64(input), output: Int64(output), tier: tier,
            outcome: failed ? .providerError : .success, firstToken: failed ? nil : 100_000)
        try await life.world.ingest([request], heartbeat: life.nowText)
        let used = usage(&life, at: text, tier, input, output)
        life.books.use(used, isPriority: tier == "priority", failed: failed)
    }

    private func perform(_ act: Act, _ life: inout Life) async throws {
        let world = life.world
        switch act {
        case .use: try await use(&life, tier: "standard")
        case .usePriority: for _ in 0..<3 { try await use(&life, tier: "priority") }
        case .fail: try await use(&life, tier: "priority", failed: true)
        case .late:
            guard let earlier = CivilMonth(life.month)?.advanced(by: -1), earlier.description >= "2026-11" else {
                return
            }
            try await use(&life, tier: "standard", month: earlier.description)
        case .suspend: try await suspend(&life)
        case .rate, .waive: try await resolve(act == .rate ? .rated : .waived, &life)
        case .publish: try await publish(&life)
        case .end: try await end(&life)
        case .run: try await run(&life)
        case .twoRuns:
            let (month, now) = (life.month, life.nowText)
            async let one = world.run(month, now: now).run()
            async let two = world.run(month, now: now).run()
            _ = try await (one, two)
        case .cancelledRun, .killedRun: try await interruptRun(&life, kills: act == .killedRun)
        case .finalizeByHand:
            _ = try? await world.run(life.month, now: life.nowText).prepareDrafts()
            if let draft = try await invoices(life).first(where: { $0.state == .draft }) {
                try await refusing(life) { try await actions(life).finalize(draft.id, now: life.now) }
            }
        case .void: try await void(&life)
        case .pay:
            if let open = try await invoices(life).first(where: { $0.state == .finalized }) {
                try await refusing(life) { try await actions(life).markPaid(open.id, now: life.now) }
            }
        case .credit: try await credit(&life)
        case .refund:
            let (now, id) = (life.now, life.customer.id)
            let notes = try await world.database.read { try CreditNoteStorage.all(of: id, in: $0) }
            guard let note = notes.first(where: { $0.settlement == .customerBalance && $0.refundedAt == nil }) else {
                return
            }
            _ = try await BillingService(world.database, now: { now }).change(by: .clerk) {
                try $0.refundCreditNote(note.id)
            }
        case .post: _ = try await LedgerPoster(database: world.database).postAll(now: life.now)
        }
        try await noteFinals(&life)
    }

    private func suspend(_ life: inout Life) async throws {
        guard !life.hasEnded else { return }
        let text = instant(&life)
        let input = Int.random(in: 1...5_000_000, using: &life.random)
        let request = try await life.world.unpriced(
            life.customer, at: text, priceKey: "sim", input: Int64(input), contradiction: "odd")
        try await life.world.ingest([request], heartbeat: life.nowText)
        life.books.suspend()
    }

    private func resolve(_ outcome: SuspenseOutcome, _ life: inout Life) async throws {
        let order = SuspenseOrder(outcome, SuspenseFilter(account: life.customer.id), reason: "agreed")
        let report = try await SuspenseActions(database: life.world.database, by: .clerk).resolve(order, now: life.now)
        // Usage that contradicts itself has no price to be rated by.
        #expect(report.resolved == (outcome == .rated ? 0 : life.books.waitingCount), "\(life.steps)")
        if outcome == .waived { life.books.waiveAll() }
    }

    private func publish(_ life: inout Life) async throws {
        // In the next month: what is in force already never changes.
        let from = instant(&life, month: life.next)
        guard from > life.versions.last?.from ?? "" else { return }
        life.version += 1
        try await life.world.publish(Self.plan(life.version, from: from))
        life.versions.append((life.version, from))
    }

    private func end(_ life: inout Life) async throws {
        // Rarely, or nothing else happens any more; never before what was used.
        guard !life.hasEnded, life.month != "2026-11", !life.books.finals.contains(where: { $0.month == life.month }),
            Int.random(in: 0..<3, using: &life.random) == 0
        else { return }
        let (at, now) = ("\(life.month)-28T12:00:00Z", BillingWorld.instant("\(life.month)-28T11:00:00Z"))
        let subscription = life.customer.subscription.id
        try await life.world.database.write { tx in
            _ = try SubscriptionStorage.end(subscription, at: BillingWorld.instant(at), now: now, in: tx)
        }
        // The day in whose middle it ends does not count.
        life.books.lastServiceDay = (life.month, 27)
    }

    private func run(_ life: inout Life) async throws {
        _ = try await life.world.run(life.month, now: life.nowText).run()
    }

    private func interruptRun(_ life: inout Life, kills: Bool) async throws {
        let world = life.world
        let run = try world.run(life.month, now: life.nowText)
        let running = Task { _ = try await run.run() }
        try await Task.sleep(for: .milliseconds(Int.random(in: 0...40, using: &life.random)))
        if kills {
            _ = try? await world.pool.query(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()
                """)
        } else {
            running.cancel()
        }
        _ = await running.result
    }

    private func void(_ life: inout Life) async throws {
        let final = try await invoices(life).filter { $0.state == .finalized || $0.state == .paid }
        guard let last = final.last, last.state == .finalized else { return }
        let done = try await refusing(life) { try await actions(life).void(last.id, now: life.now).changed }
        let month = life.customer.account.calendar.month(containing: last.period.start).description
        if done == true { life.books.voided(month) }
    }

    private func credit(_ life: inout Life) async throws {
        let final = try await invoices(life).filter { $0.state == .finalized || $0.state == .paid }
        guard let invoice = final.randomElement(using: &life.random) else { return }
        let lines = try await life.world.database.read { try CreditNoteStorage.creditableLines(of: invoice, in: $0) }
        var scope = CreditNoteScope.full
        if lines.contains(where: { $0.kind == .serviceLevelCredit }) || Bool.random(using: &life.random) {
            guard let line = lines.filter({ $0.kind != .serviceLevelCredit }).randomElement(using: &life.random) else {
                return
            }
            let half = Money(
                picounits: line.amount.picounits / 2 / 10_000_000_000 * 10_000_000_000, currency: line.amount.currency)
            scope = .lines([line.id: Bool.random(using: &life.random) ? nil : half])
        }
        let now = life.now
        try await refusing(life) { [scope] in
            try await BillingService(life.world.database, now: { now }).change(by: .clerk) {
                try $0.issueCreditNote(for: invoice.id, scope, reason: "agreed")
            }
        }
    }

    /// Everything that waits is decided, and every month is invoiced.
    private func endMonth(_ life: inout Life) async throws {
        try await resolve(.waived, &life)
        var month = "2026-11"
        while month <= life.month {
            let report = try await life.world.run(month, now: life.nowText, accounts: [life.customer.id]).run()
            #expect(report.isComplete, "seed \(life.seed): \(report.accounts.map(\.result)) after \(life.steps)")
            try await noteFinals(&life)
            month = CivilMonth(month)?.advanced(by: 1).description ?? "9999-12"
        }
    }

    // MARK: what must hold

    private func actions(_ life: Life) -> InvoiceActions { InvoiceActions(database: life.world.database, by: .clerk) }

    private func invoices(_ life: Life) async throws -> [StoredInvoice] {
        try await life.world.database.read { try InvoiceStorage.all(of: life.customer.id, in: $0) }
    }

    /// The usual refusals are in words; anything else is a fault.
    @discardableResult
    private func refusing<Value>(_ life: Life, _ body: () async throws -> Value) async throws -> Value? {
        do {
            return try await body()
        } catch StorageError.conflict, StorageError.invalid {
            return nil
        } catch is InvoicingError {
            return nil
        }
    }

    /// Tells the naive books which invoices became final.
    private func noteFinals(_ life: inout Life) async throws {
        let zone = life.customer.account.calendar
        for invoice in try await invoices(life) where invoice.state == .finalized || invoice.state == .paid {
            let month = zone.month(containing: invoice.period.start).description
            if !life.books.finals.contains(where: { $0.month == month }) { life.books.finalized(month) }
        }
    }

    private func expectWhole(_ life: inout Life) async throws {
        let what = "seed \(life.seed) after \(life.steps)"
        var options = Reconciliation.Options(now: BillingWorld.instant("2028-01-01T00:00:00Z"))
        options.postsLedgerFirst = true
        let report = try await Reconciliation(database: life.world.database, options: options).run()
        for check in report.checks { try #require(check.isEqual, "\(what): \(check.name): \(check.differences)") }
        let final = try await invoices(life).filter { $0.state == .finalized || $0.state == .paid }
        let documents = try final.map { try $0.document() }
        func cents(_ text: String) throws -> Int {
            Int(try Money(parsing: text, currency: .usd).picounits / 10_000_000_000)
        }
        var sums: [String: [String: Int]] = [:]
        for line in documents.flatMap(\.lines) where line.kind != InvoiceLineKind.serviceLevelCredit.rawValue {
            let name = line.kind == InvoiceLineKind.baseFee.rawValue ? "fee" : line.charge ?? ""
            sums[String(line.from.prefix(7)), default: [:]][name, default: 0] += try cents(line.amount)
        }
        for entry in life.books.finals {
            var expected = life.books.charges(of: entry.month)
            let fee = life.books.fee(of: entry.month)
            if fee != 0 { expected["fee"] = fee }
            let found = (sums[entry.month] ?? [:]).filter { $0.value != 0 }
            try #require(found == expected, "\(what): \(entry.month)")
        }
        let charged = try documents.map { (String($0.period.from.prefix(7)), try cents($0.totals.charges)) }
        let credits = life.books.credits(charges: Dictionary(uniqueKeysWithValues: charged))
        for document in documents {
            let month = String(document.period.from.prefix(7))
            try #require(try -cents(document.totals.credits) == credits[month]?.applied, "\(what): credits on \(month)")
            try #require(
                try cents(document.totals.creditsCarriedOver) == credits[month]?.left, "\(what): left on \(month)")
        }
    }
}
