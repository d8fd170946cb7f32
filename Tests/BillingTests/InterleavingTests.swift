import Accounts
import Billing
import Foundation
import Identity
import Invoicing
import Monetary
import Postgres
import Pricing
import Reconciliation
import Storage
import TestSupport
import Testing

/// Pairs of use cases at the same moment, at random: whatever meets whatever, the books stay whole, nobody's account is
/// put on hold for it, and what is refused is refused in words.
@Suite(.database, .timeLimit(.minutes(10))) struct InterleavingTests {
    /// What somebody may do at any moment.
    private enum Act: String, CaseIterable {
        case run, runAgain, prepare, finalizeByHand, void, pay, publish, subscribe, suspend, rate, waive, post, late,
            preview
    }

    private struct Play {
        let world: BillingWorld
        let customers: [Customer]
        /// The month that is being invoiced, and real time.
        var month = CivilMonth("2026-11")
        var version = 1

        var nowText: String {
            let next = month?.advanced(by: 1)
            return "\(next?.description ?? "2026-12")-02T09:00:00Z"
        }
        var now: Timestamp { BillingWorld.instant(nowText) }
    }

    /// The usual conflicts, in words; anything else is a fault.
    private static func isRefusal(_ error: any Error) -> Bool {
        switch error {
        case StorageError.conflict, StorageError.notFound, StorageError.invalid: true
        case is InvoicingError, is PlanHistoryError: true
        default: false
        }
    }

    private func perform(_ act: Act, _ play: Play, on customer: Customer) async throws {
        let world = play.world
        let month = play.month?.description ?? ""
        let actions = InvoiceActions(database: world.database, by: .clerk)
        let invoices = try await world.database.read { try InvoiceStorage.all(of: customer.id, in: $0) }
        switch act {
        case .run, .runAgain:
            let report = try await world.run(month, now: play.nowText).run()
            for account in report.accounts {
                if case .onHold(let reason) = account.result { Issue.record("\(act.rawValue): \(reason)") }
            }
        case .prepare:
            _ = try await world.run(month, now: play.nowText, accounts: [customer.id]).prepareDrafts()
        case .finalizeByHand:
            guard let draft = invoices.first(where: { $0.state == .draft }) else { return }
            _ = try await actions.finalize(draft.id, now: play.now)
        case .void:
            guard let last = invoices.last(where: { $0.state == .finalized }) else { return }
            _ = try await actions.void(last.id, now: play.now)
        case .pay:
            guard let first = invoices.first(where: { $0.state == .finalized }) else { return }
            _ = try await actions.markPaid(first.id, now: play.now)
        case .publish:
            try await world.publish(
                BillingWorld.beta.replacing("version: 1", with: "version: \(play.version + 1)").replacing(
                    "2026-01-01", with: "20\(50 + play.version)-01-01"))
        case .subscribe:
            let number = UInt64(Int.random(in: 1000...1_000_000))
            try await world.database.write { tx in
                let tenant = Tenant(
                    id: BillingWorld.id(number), accountID: customer.id, name: "Further",
                    createdAt: BillingWorld.beginning)
                try TenantStorage.insert(tenant, in: tx)
                try SubscriptionStorage.insert(
                    Subscription(
                        id: BillingWorld.id(number), accountID: customer.id, tenantID: tenant.id, plan: "alpha",
                        startsAt: play.month.map { customer.account.calendar.period(of: $0).start } ?? play.now,
                        createdAt: BillingWorld.beginning), in: tx)
            }
        case .suspend:
            try await world.ingest(
                [world.unpriced(customer, at: "\(month)-10T10:00:00Z", priceKey: "sim", contradiction: "odd")],
                heartbeat: play.nowText)
        case .rate, .waive:
            let order = SuspenseOrder(
                act == .rate ? .rated : .waived, SuspenseFilter(account: customer.id), reason: "agreed")
            _ = try await SuspenseActions(database: world.database, by: .clerk).resolve(order, now: play.now)
        case .post: _ = try await LedgerPoster(database: world.database).postAll(now: play.now)
        case .late:
            try await world.ingest(
                [world.request(customer, at: "\(month)-11T10:00:00Z", input: 777_777)], heartbeat: play.nowText)
        case .preview:
            _ = try await actions.preview(account: customer.id, month: try #require(play.month))
        }
    }

    private func attempt(_ act: Act, _ play: Play, on customer: Customer, seed: UInt64) async {
        do {
            try await perform(act, play, on: customer)
        } catch {
            if !Self.isRefusal(error) { Issue.record("seed \(seed), \(act.rawValue): \(error)") }
        }
    }

    /// A few in the daily tests, as many as `TOLLGATE_SEEDS` says by hand.
    static let seeds =
        ProcessInfo.processInfo.environment["TOLLGATE_SEEDS"] == nil ? Array(propertySeeds.prefix(6)) : propertySeeds

    @Test(arguments: InterleavingTests.seeds)
    func `any two use cases at once leave whole books`(seed: UInt64) async throws {
        var generator = SeededGenerator(seed: seed)
        let world = try await BillingWorld.make()
        let customers = [
            try await world.customer(1, plan: "alpha", from: "2026-11-01T00:00:00Z"),
            try await world.customer(2, plan: "beta", zone: "Asia/Tokyo", from: "2026-11-01T00:00:00Z"),
        ]
        var play = Play(world: world, customers: customers)
        for month in 0..<3 {
            for customer in customers {
                let text = play.month?.description ?? ""
                try await world.ingest(
                    [world.request(customer, at: "\(text)-05T10:00:00Z", input: 1_234_567, output: 89)],
                    heartbeat: play.nowText)
            }
            for _ in 0..<8 {
                let acts = [Act.allCases.randomElement(using: &generator) ?? .run, .run].shuffled(using: &generator)
                let pair =
                    Bool.random(using: &generator)
                    ? acts : [acts[0], Act.allCases.randomElement(using: &generator) ?? .void]
                let on = pair.map { _ in customers.randomElement(using: &generator) ?? customers[0] }
                if pair.contains(.publish) { play.version += 1 }
                let current = play
                async let first: Void = attempt(pair[0], current, on: on[0], seed: seed)
                async let second: Void = attempt(pair[1], current, on: on[1], seed: seed)
                _ = await (first, second)
                try await expectWhole(world, "seed \(seed), month \(month): \(pair.map(\.rawValue))")
            }
            // Before the next month begins this one is finished, whatever stood in its way.
            for customer in customers { await attempt(.waive, play, on: customer, seed: seed) }
            var earlier = try #require(CivilMonth("2026-11"))
            while earlier <= (play.month ?? earlier) {
                let report = try await world.run(earlier.description, now: play.nowText).run()
                #expect(report.isComplete, "seed \(seed): \(report.accounts.map(\.result))")
                earlier = earlier.advanced(by: 1)
            }
            try await expectWhole(world, "seed \(seed), end of month \(month)")
            play.month = play.month?.advanced(by: 1)
        }
    }

    private func expectWhole(_ world: BillingWorld, _ what: String) async throws {
        try await world.expectSoundBooks(what, now: "2027-06-01T00:00:00Z")
        let held: [String] = try await world.pool.query(
            "SELECT parked_reason FROM accounts WHERE parked_reason IS NOT NULL"
        ).decodeAll()
        #expect(held.isEmpty, "\(what): \(held)")
    }
}
