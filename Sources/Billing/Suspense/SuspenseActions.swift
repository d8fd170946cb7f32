import Accounts
public import Identity
import Metering
import Monetary
import Pricing
public import Storage

/// Takes usage out of suspense: rates it by what sells it now, or waives it; many records at once, account by account.
public struct SuspenseActions: Sendable {
    private let database: Database
    private let actor: Actor

    /// Records that one transaction resolves.
    static let recordsPerTransactionMax = 500

    public init(database: Database, by actor: Actor) {
        self.database = database
        self.actor = actor
    }

    /// Does what is ordered. `now` is real time. What has no price even now stays, and the report says why.
    public func resolve(_ order: SuspenseOrder, now: Timestamp) async throws -> SuspenseReport {
        try actor.require(order.isDryRun ? .read(.suspense) : .write(.suspense))
        try WriteSession.requireReason(order.reason, parameter: order.reasonParameter)
        var report = SuspenseReport()
        for account in try await database.read({ try SuspenseStorage.accounts(order.filter, in: $0) }) {
            try Task.checkCancellation()
            var filter = order.filter
            filter.account = account
            var after: UUIDv7?
            repeat {
                let page = PageRequest(limit: Self.recordsPerTransactionMax, after: after)
                let step = try await resolve(order, filter, page, now: now)
                try report.add(step.report)
                after = step.next
            } while after != nil
        }
        return report
    }

    private struct Step: Sendable {
        var report = SuspenseReport()
        /// What left suspense.
        var attempts: [AttemptID] = []
        /// Where the next page begins; nil after the last.
        var next: UUIDv7?
    }

    private func resolve(
        _ order: SuspenseOrder, _ filter: SuspenseFilter, _ page: PageRequest, now: Timestamp
    ) async throws -> Step {
        let work: @Sendable (DatabaseTransaction) throws -> Step = { tx in
            guard let id = filter.account else { return Step() }
            let found = try SuspenseStorage.list(filter, page, in: tx)
            var step = Step()
            step.next = found.hasMore ? found.items.last?.attemptID.uuid : nil
            guard try AccountStorage.name(of: id, in: tx) != nil else {
                try resolveUnknown(found.items, id, order, &step, now: now, in: tx)
                return step
            }
            if !order.isDryRun { try AccountStorage.lock(id, in: tx) }
            let account = try AccountStorage.require(id, in: tx)
            if !order.isDryRun {
                try SuspenseStorage.moveRequestsCountedByUTC(of: account, because: found.items, in: tx)
            }
            switch order.outcome {
            case .waived:
                step.report = try waive(found.items, account.id, order, now: now, in: tx)
                step.attempts = found.items.map(\.attemptID)
            case .rated:
                (step.report, step.attempts) = try rate(found.items, account, order, now: now, in: tx)
            }
            if step.report.resolved > 0 { step.report.accounts = [id] }
            return step
        }
        if order.isDryRun { return try await database.read(work) }
        let kind: ChangeKind = order.outcome == .rated ? .suspenseRated : .suspenseWaived
        return try await BillingService(database, now: { now }).change(by: actor) { session in
            try session.change(kind, reason: order.reason) { tx in
                let step = try work(tx)
                guard let account = filter.account, step.report.resolved > 0 else { return .nothing(step) }
                let facts = Self.facts(of: step, account, order)
                // One that the database does not know has no trail of its own.
                let isKnown = try AccountStorage.name(of: account, in: tx) != nil
                return .made(
                    step, isKnown ? .account(account, account, after: facts) : .seller(account, after: facts))
            }
        }
    }

    /// Usage of an account that the database does not know, as after a restore: nothing can price it.
    private func resolveUnknown(
        _ usage: [SuspendedUsage], _ account: AccountID, _ order: SuspenseOrder, _ step: inout Step, now: Timestamp,
        in tx: DatabaseTransaction
    ) throws {
        guard order.outcome == .waived else {
            for _ in usage {
                step.report.stays(because: "its account \(account) is not in the database: it can only be waived")
            }
            return
        }
        step.report = try waive(usage, account, order, now: now, in: tx)
        step.attempts = usage.map(\.attemptID)
        if step.report.resolved > 0 { step.report.accounts = [account] }
    }

    /// What left suspense in one transaction.
    private static func facts(of step: Step, _ account: AccountID, _ order: SuspenseOrder) -> Facts {
        let amounts = step.report.amounts.values.sorted { $0.currency.code < $1.currency.code }
        return [
            "account": "\(account)", "resolved": .number(Int64(step.report.resolved)),
            "amounts": .texts(amounts.map { "\($0) \($0.currency)" }), "attempts": .texts(step.attempts),
            "reason": .text(order.reason),
        ]
    }

    private func waive(
        _ usage: [SuspendedUsage], _ account: AccountID, _ order: SuspenseOrder, now: Timestamp,
        in tx: DatabaseTransaction
    ) throws -> SuspenseReport {
        var report = SuspenseReport()
        report.resolved =
            order.isDryRun
            ? usage.count
            : try SuspenseStorage.waive(
                account: account, attempts: usage.map(\.attemptID), reason: order.reason,
                actor: "\(actor.principal)", now: now, in: tx)
        return report
    }

    private func rate(
        _ usage: [SuspendedUsage], _ account: Account, _ order: SuspenseOrder, now: Timestamp,
        in tx: DatabaseTransaction
    ) throws -> (SuspenseReport, [AttemptID]) {
        var report = SuspenseReport()
        var histories: [SubscriptionID: PlanHistory] = [:]
        var rated: [(request: IngestRequest, attempt: IngestAttempt)] = []
        for suspended in usage {
            guard let id = suspended.requestID, let stored = try RecordStorage.find(id, in: tx),
                let attempt = stored.attempts.first(where: { $0.record.id == suspended.attemptID })
            else {
                report.stays(because: "the database refused the record: it can only be waived")
                continue
            }
            guard suspended.reason != UnknownTerms.subscriptionEnded.rawValue else {
                report.stays(because: "its subscription had ended and its tenant had no other: it can only be waived")
                continue
            }
            let subscriptionID = stored.request.subscriptionID
            if histories[subscriptionID] == nil {
                histories[subscriptionID] = try history(of: subscriptionID, account, in: tx)
            }
            let pricing = SuspendedPricing(
                history: histories[subscriptionID] ?? PlanHistory(), currency: account.currency,
                billingTime: account.billingTime(at: now), clock: account.clock)
            let priced: IngestAttempt
            do throws(SuspendedPricing.Refusal) {
                priced = try pricing.rate(attempt.record, of: stored.request)
            } catch {
                report.stays(because: error.description)
                continue
            }
            if priced.rating == .rated { try report.add(priced.amount) }
            rated.append((request(stored, priced, account), priced))
        }
        report.resolved = rated.count
        if !order.isDryRun {
            try SuspenseStorage.storeRated(rated, reason: order.reason, actor: "\(actor.principal)", now: now, in: tx)
        }
        return (report, rated.map(\.attempt.record.id))
    }

    /// The plan that the request's subscription is to; empty where there is no such subscription.
    private func history(
        of id: SubscriptionID, _ account: Account, in tx: DatabaseTransaction
    ) throws -> PlanHistory {
        guard let subscription = try SubscriptionStorage.find(id, in: tx), subscription.accountID == account.id else {
            return PlanHistory()
        }
        return try PlanStorage.history(of: subscription.plan, in: tx)
    }

    /// Its month is told anew: where the account did not read when the usage came, UTC's months stood in for its own.
    private func request(_ stored: StoredRequest, _ attempt: IngestAttempt, _ account: Account) -> IngestRequest {
        let accepted = stored.request.acceptedAt
        return IngestRequest(
            request: stored.request, tier: stored.tier, attempts: [attempt],
            periodStart: account.calendar.period(containing: accepted).start,
            hourStart: account.calendar.hourStart(of: accepted), mark: stored.mark)
    }
}

extension SuspenseReport {
    fileprivate mutating func add(_ amount: Money) throws(MonetaryError) {
        amounts[amount.currency] = try (amounts[amount.currency] ?? .zero(amount.currency)).adding(amount)
    }
}

/// What suspended usage costs: by the version that was in force when it was accepted where that sells it after all,
/// else by the one in force now. For nothing else does a price reach back.
struct SuspendedPricing {
    /// Of the plan of the request's own subscription.
    let history: PlanHistory
    /// The account's.
    let currency: Currency
    /// The account's.
    let billingTime: Timestamp
    /// The account's; nil for a live one.
    let clock: TestClock?

    /// Why it has no price even now.
    struct Refusal: Error, Hashable, CustomStringConvertible {
        let description: String
    }

    /// The attempt, priced.
    func rate(_ record: AttemptRecord, of request: RequestRecord) throws(Refusal) -> IngestAttempt {
        let candidates = [request.acceptedAt, billingTime].compactMap { history.version(at: $0, under: clock) }
        var refusal = Refusal(description: "its subscription's plan has no version in force")
        for version in candidates {
            do throws(Refusal) {
                return try rate(record, of: request, by: version)
            } catch {
                refusal = error
            }
        }
        throw refusal
    }

    /// The attempt, priced by one version.
    func rate(
        _ record: AttemptRecord, of request: RequestRecord, by version: PlanVersion
    ) throws(Refusal) -> IngestAttempt {
        guard version.currency == currency else {
            throw Refusal(description: "the plan is in \(version.currency), the account in \(currency)")
        }
        let rated: RatedAttempt
        do throws(RatingError) {
            rated = try Rating.rate(
                record, surface: request.surface, tierRequested: request.tierRequested, version: version)
        } catch {
            throw Refusal(description: error.description)
        }
        guard let attempt = try? IngestAttempt(record, rated: rated, by: version) else {
            throw Refusal(description: "its amount is larger than an amount can be")
        }
        return attempt
    }
}
