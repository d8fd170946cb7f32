import Accounts
import Billing
import Foundation
import Identity
import Invoicing
import Metering
import Monetary
import Postgres
import Reconciliation
import Storage
import TestSupport
import Testing

/// Random lives of an account with two tenants, live or in a sandbox: plans published, usage in time and late, suspense
/// rated and waived, credits, voids, payments, credit notes, ends, runs that meet, and connections killed in the middle
/// of whatever is being done. After every step reconcile finds everything equal, and the invoices say what
/// `AccountLife` says.
@Suite(.database, .timeLimit(.minutes(20))) struct AccountLifeTests {
    private enum Act: String, CaseIterable {
        case use, usePriority, useSecond, fail, late, suspend, suspendUnsold, rate, waive, publish, end, run, twoRuns
        case cancelledRun, finalizeByHand, void, pay, credit, refund, post

        /// What writes in transactions that can be killed in their middle. Ingest has its own tests, with processes.
        var canBeKilled: Bool {
            switch self {
            case .use, .usePriority, .useSecond, .fail, .late, .suspend, .suspendUnsold, .cancelledRun: false
            default: true
            }
        }
    }

    /// Twenty in the daily tests, as many as `TOLLGATE_LIVES` says by hand.
    static let seeds: Range<UInt64> = {
        let asked = ProcessInfo.processInfo.environment["TOLLGATE_LIVES"].flatMap { UInt64($0) }
        let first = ProcessInfo.processInfo.environment["TOLLGATE_LIFE_FIRST"].flatMap { UInt64($0) } ?? 0
        return first..<first + (asked ?? 20)
    }()

    @Test(arguments: AccountLifeTests.seeds)
    func `invoices say what a naive bookkeeping says, whatever happens`(seed: UInt64) async throws {
        var life = try await RandomLife.begin(seed: seed)
        for _ in 0..<4 {
            try await life.enterMonth()
            for _ in 0..<Int.random(in: 5...9, using: &life.random) {
                let act = Act.allCases.randomElement(using: &life.random) ?? .use
                let kills = act.canBeKilled && Int.random(in: 0..<3, using: &life.random) == 0
                life.steps.append("\(life.month) \(act.rawValue)\(kills ? ", killed" : "")")
                try await perform(act, kills: kills, &life)
                try await expectWhole(&life)
            }
            life.steps.append("\(life.month) ends")
            try await endMonth(&life)
            try await expectWhole(&life)
            life.month = life.next
        }
    }

    // MARK: acts

    private func instant(_ life: inout RandomLife, month: String? = nil) -> String {
        let day = Int.random(in: 2...27, using: &life.random)
        let hour = Int.random(in: 0...23, using: &life.random)
        return "\(month ?? life.month)-\(day < 10 ? "0" : "")\(day)T\(hour < 10 ? "0" : "")\(hour):30:00Z"
    }

    private func use(_ life: inout RandomLife, tier: String, month: String? = nil, failed: Bool = false) async throws {
        guard !life.hasEnded else { return }
        let text = instant(&life, month: month)
        let input = failed ? 0 : Int.random(in: 0...9_000_000, using: &life.random)
        let output = failed ? 0 : Int.random(in: 0...3_000_000, using: &life.random)
        let request = try await life.world.request(
            life.customer, at: text, input: Int64(input), output: Int64(output), tier: tier,
            outcome: failed ? .providerError : .success, firstToken: failed ? nil : 100_000)
        try await life.ingest([request])
        let used = life.usage(at: text, tier, input, output)
        life.books.use(used, isPriority: tier == "priority", failed: failed)
    }

    /// The second tenant goes on to the end.
    private func useSecond(_ life: inout RandomLife) async throws {
        let text = instant(&life)
        let (input, output) = (
            Int.random(in: 0...9_000_000, using: &life.random), Int.random(in: 0...3_000_000, using: &life.random)
        )
        let request = try await life.world.request(
            life.second, at: text, input: Int64(input), output: Int64(output))
        try await life.ingest([request])
        life.books.use(life.usageOfSecond(at: text, input, output), isPriority: false)
    }

    private func perform(_ act: Act, kills: Bool, _ life: inout RandomLife) async throws {
        switch act {
        case .use: try await use(&life, tier: "standard")
        case .usePriority: for _ in 0..<3 { try await use(&life, tier: "priority") }
        case .useSecond: try await useSecond(&life)
        case .fail: try await use(&life, tier: "priority", failed: true)
        case .late:
            guard let earlier = CivilMonth(life.month)?.advanced(by: -1), earlier.description >= "2026-11" else {
                return
            }
            try await use(&life, tier: "standard", month: earlier.description)
        case .suspend: try await suspend(&life)
        case .suspendUnsold: try await suspendUnsold(&life)
        case .cancelledRun: try await cancelRun(&life)
        default:
            let killer = kills ? life.killer() : nil
            do {
                try await write(act, &life)
            } catch {
                guard kills, DatabaseFailure(error) != nil else { throw error }
            }
            await killer?.value
            try await life.look()
            let isSold = life.version(at: "\(life.billingNow)") > 1
            if act == .rate, !kills, isSold { #expect(!life.hasUnsoldWaiting, "seed \(life.seed): \(life.steps)") }
        }
        try await noteFinals(&life)
    }

    /// What may be cut short anywhere. Afterwards the books ask what became of it.
    private func write(_ act: Act, _ life: inout RandomLife) async throws {
        let (world, now) = (life.world, life.now)
        switch act {
        case .rate, .waive: try await resolve(act == .rate ? .rated : .waived, life)
        case .publish: try await publish(&life)
        case .end: try await end(&life)
        case .run: _ = try await life.run(life.month).run()
        case .twoRuns:
            let run = try life.run(life.month)
            async let one = run.run()
            async let two = run.run()
            _ = try await (one, two)
        case .finalizeByHand:
            _ = try? await life.run(life.month).prepareDrafts()
            if let draft = try await invoices(life).first(where: { $0.state == .draft }) {
                try await refusing(life) { try await actions(life).finalize(draft.id, now: now) }
            }
        case .void:
            let final = try await invoices(life).filter { $0.state == .finalized || $0.state == .paid }
            guard let last = final.last, last.state == .finalized else { return }
            try await refusing(life) { try await actions(life).void(last.id, now: now) }
        case .pay:
            if let open = try await invoices(life).first(where: { $0.state == .finalized }) {
                try await refusing(life) { try await actions(life).markPaid(open.id, now: now) }
            }
        case .credit: try await credit(&life)
        case .refund:
            let id = life.customer.id
            let notes = try await world.database.read { try CreditNoteStorage.all(of: id, in: $0) }
            guard let note = notes.first(where: { $0.settlement == .customerBalance && $0.refundedAt == nil }) else {
                return
            }
            _ = try await BillingService(world.database, now: { now }).change(by: .clerk) {
                try $0.refundCreditNote(note.id)
            }
        default: _ = try await LedgerPoster(database: world.database).postAll(now: now)
        }
    }

    private func suspend(_ life: inout RandomLife) async throws {
        guard !life.hasEnded else { return }
        let text = instant(&life)
        let input = Int.random(in: 1...5_000_000, using: &life.random)
        let request = try await life.world.unpriced(
            life.customer, at: text, priceKey: "sim", input: Int64(input), contradiction: "odd")
        try await life.ingest([request])
        life.waiting[request.attempts[0].record.id] = .contradictory
    }

    /// Usage of a model that only later versions sell.
    private func suspendUnsold(_ life: inout RandomLife) async throws {
        let text = instant(&life)
        guard !life.hasEnded, life.version(at: text) == 1 else { return }
        let input = Int.random(in: 1...5_000_000, using: &life.random)
        let request = try await life.world.unpriced(life.customer, at: text, input: Int64(input))
        try await life.ingest([request])
        life.waiting[request.attempts[0].record.id] = .unsold(month: String(text.prefix(7)), input: input)
    }

    private func resolve(_ outcome: SuspenseOutcome, _ life: RandomLife) async throws {
        let order = SuspenseOrder(outcome, SuspenseFilter(account: life.customer.id), reason: "agreed")
        _ = try await SuspenseActions(database: life.world.database, by: .clerk).resolve(order, now: life.now)
    }

    private func publish(_ life: inout RandomLife) async throws {
        // In the next month: what is in force already never changes.
        let from = instant(&life, month: life.next)
        guard from > life.versions.last?.from ?? "" else { return }
        let version = life.versions.count + 1
        life.publishing = (version, from)
        try await life.world.publish(RandomLife.plan(version, from: from))
    }

    private func end(_ life: inout RandomLife) async throws {
        // Rarely, or nothing else happens any more; never before what was used.
        guard !life.hasEnded, life.month != "2026-11", !life.books.finals.contains(where: { $0.month == life.month }),
            Int.random(in: 0..<3, using: &life.random) == 0
        else { return }
        let (at, now) = ("\(life.month)-28T12:00:00Z", life.realTime(of: "\(life.month)-28T11:00:00Z"))
        try await life.world.end(life.customer, at: at, now: now)
    }

    private func cancelRun(_ life: inout RandomLife) async throws {
        let run = try life.run(life.month)
        let running = Task { _ = try await run.run() }
        try await Task.sleep(for: .milliseconds(Int.random(in: 0...40, using: &life.random)))
        running.cancel()
        _ = await running.result
    }

    private func credit(_ life: inout RandomLife) async throws {
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
    private func endMonth(_ life: inout RandomLife) async throws {
        try await resolve(.waived, life)
        try await life.look()
        var month = "2026-11"
        while month <= life.month {
            let report = try await life.run(month).run()
            #expect(report.isComplete, "seed \(life.seed): \(report.accounts.map(\.result)) after \(life.steps)")
            try await noteFinals(&life)
            month = CivilMonth(month)?.advanced(by: 1).description ?? "9999-12"
        }
    }

    // MARK: what must hold

    private func actions(_ life: RandomLife) -> InvoiceActions {
        InvoiceActions(database: life.world.database, by: .clerk)
    }

    private func invoices(_ life: RandomLife) async throws -> [StoredInvoice] {
        try await life.world.database.read { try InvoiceStorage.all(of: life.customer.id, in: $0) }
    }

    /// The usual refusals are in words; anything else is a fault.
    @discardableResult
    private func refusing<Value>(_ life: RandomLife, _ body: () async throws -> Value) async throws -> Value? {
        do {
            return try await body()
        } catch StorageError.conflict, StorageError.invalid {
            return nil
        } catch is InvoicingError {
            return nil
        }
    }

    /// Tells the naive books which invoices became final.
    private func noteFinals(_ life: inout RandomLife) async throws {
        let zone = life.customer.account.calendar
        for invoice in try await invoices(life) where invoice.state == .finalized || invoice.state == .paid {
            let month = zone.month(containing: invoice.period.start).description
            if !life.books.finals.contains(where: { $0.month == month }) { life.books.finalized(month) }
        }
    }

    private func expectWhole(_ life: inout RandomLife) async throws {
        let what = "seed \(life.seed) after \(life.steps)"
        var options = ReconciliationRun.Options(now: BillingWorld.instant("2028-01-01T00:00:00Z"))
        options.postsLedgerFirst = true
        let report = try await ReconciliationRun(database: life.world.database, options: options).run()
        for check in report.checks { try #require(check.isEqual, "\(what): \(check.name): \(check.differences)") }
        let final = try await invoices(life).filter { $0.state == .finalized || $0.state == .paid }
        let documents = try final.map { try $0.document() }
        func cents(_ text: String) throws -> Int {
            Int(try Money(parsing: text, currency: .usd).picounits / 10_000_000_000)
        }
        var sums: [String: [String: Int]] = [:]
        for line in documents.flatMap(\.lines) where line.kind != InvoiceLineKind.serviceLevelCredit.rawValue {
            let tenant = line.subscriptionID == "\(life.second.subscription.id)" ? RandomLife.secondPrefix : ""
            let name = line.kind == InvoiceLineKind.baseFee.rawValue ? "fee" : tenant + (line.charge ?? "")
            sums[String(line.from.prefix(7)), default: [:]][name, default: 0] += try cents(line.amount)
        }
        for entry in life.books.finals {
            var expected = life.books.charges(of: entry.month)
            let fee = life.books.fee(of: entry.month) + AccountLife.feeCents
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
