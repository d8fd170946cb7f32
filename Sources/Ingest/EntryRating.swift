import Accounts
import Engines
import Identity
import Metering
import Monetary
import Pricing
import Storage

/// From a closed request of the journal to what is stored of it. Pure, and never fails: what has no price waits in
/// suspense.
struct EntryRating {
    let book: RatingContext
    private var places: [QuarterHour: Place] = [:]

    init(book: RatingContext) {
        self.book = book
    }

    /// The request with its attempts rated, in its account's calendar.
    mutating func rate(_ entry: UsageEntry, mark: JournalPosition) -> IngestRequest {
        var request = entry.request
        let account = book.account(request.accountID)
        let place = place(of: request.acceptedAt, account: account)
        let pricing = Result { () throws(Unpriced) in try version(for: &request, under: account?.clock) }
        return IngestRequest(
            request: request, tier: tier(of: entry, version: try? pricing.get()),
            attempts: entry.attempts.map { rate($0, of: request, by: pricing, currency: account?.currency ?? .usd) },
            periodStart: place.periodStart, hourStart: place.hourStart, mark: mark)
    }

    /// A quarter of an hour of UTC in one account's calendar. Zones are apart from UTC, and change, by whole quarters,
    /// so that all of it lies in one local hour and period; asking the zone's rules for each request would cost more
    /// than all the rest of rating.
    private struct QuarterHour: Hashable {
        static let milliseconds: Int64 = 900_000

        let account: AccountID?
        let number: Int64
    }

    private struct Place {
        let periodStart: Timestamp
        let hourStart: Timestamp
    }

    private mutating func place(of accepted: Timestamp, account: Account?) -> Place {
        guard let calendar = account?.calendar ?? Self.utc else {
            return Place(periodStart: accepted, hourStart: accepted)
        }
        guard accepted.milliseconds >= Self.quartersSince else { return place(of: accepted, in: calendar) }
        let quarter = QuarterHour(account: account?.id, number: accepted.milliseconds / QuarterHour.milliseconds)
        if let known = places[quarter] { return known }
        let place = place(of: accepted, in: calendar)
        places[quarter] = place
        return place
    }

    private func place(of accepted: Timestamp, in calendar: BillingCalendar) -> Place {
        Place(periodStart: calendar.period(containing: accepted).start, hourStart: calendar.hourStart(of: accepted))
    }

    /// 1 January 1990: no request is older, and no zone has been apart by odd minutes since.
    private static let quartersSince: Int64 = 631_152_000_000

    /// The tier that promises go by: that of the inference that is the client's answer.
    private func tier(of entry: UsageEntry, version: PlanVersion?) -> String {
        billedTier(of: entry.answer, requested: entry.request.tierRequested, version: version)
    }

    private func billedTier(of attempt: AttemptRecord?, requested: String, version: PlanVersion?) -> String {
        guard let attempt, let version else {
            return ServiceTier.billable(served: attempt?.tierServed, requested: requested)
        }
        return version.billedTier(of: attempt, requested: requested)
    }

    private func rate(
        _ attempt: AttemptRecord, of request: RequestRecord, by pricing: Result<PlanVersion, Unpriced>,
        currency: Currency
    ) -> IngestAttempt {
        var result = IngestAttempt(
            record: attempt, rating: .notBillable, plan: nil, planVersion: nil,
            tier: billedTier(of: attempt, requested: request.tierRequested, version: try? pricing.get()),
            amount: .zero(currency), lines: [])
        guard attempt.isDelivered else { return result }
        do {
            let version = try pricing.get()
            result.plan = version.planID
            result.planVersion = version.version
            guard version.currency == currency else {
                throw Unpriced(reason: "currency_mismatch", detail: "the plan is in \(version.currency)")
            }
            let rated = try Rating.rate(
                attempt, surface: request.surface, tierRequested: request.tierRequested, version: version)
            result = try IngestAttempt(attempt, rated: rated, by: version)
        } catch let error as RatingError {
            suspend(&result, reason: error.code, detail: "\(error)")
        } catch let error as Unpriced {
            suspend(&result, reason: error.reason, detail: error.detail)
        } catch {
            suspend(&result, reason: "amount_overflow", detail: "\(error)")
        }
        return result
    }

    /// The version that prices the request, in force at its acceptance: of the plan of its own subscription, or of the
    /// one that its tenant had by then, which takes its place in the record.
    private func version(
        for request: inout RequestRecord, under clock: TestClock?
    ) throws(Unpriced) -> PlanVersion {
        if !book.unreadable.isEmpty { try refuseUnreadable(request) }
        guard book.account(request.accountID) != nil else {
            throw Unpriced(.unknownAccount, detail: "account \(request.accountID) is not in the database")
        }
        guard let named = book.subscription(request.subscriptionID), named.accountID == request.accountID else {
            throw Unpriced(
                .unknownSubscription,
                detail: "account \(request.accountID) has no subscription \(request.subscriptionID)")
        }
        let rating: Subscription?
        switch book.subscription(named, ratingAt: request.acceptedAt) {
        case .success(let subscription): rating = subscription
        case .failure(let error): throw Unpriced(.subscriptionUnreadable, detail: error.reason)
        }
        guard let subscription = rating else {
            throw Unpriced(
                .subscriptionEnded,
                detail: "subscription \(named.id) had ended, and tenant \(named.tenantID) had no other at "
                    + "\(request.acceptedAt)")
        }
        request.subscriptionID = subscription.id
        let history = book.history(of: subscription.plan)
        if let bad = history.unreadableVersion(at: request.acceptedAt, under: clock) {
            throw Unpriced(
                .planVersionUnreadable,
                detail: "version \(bad.number) of plan \(subscription.plan) does not read: \(bad.reason)")
        }
        guard let version = history.version(at: request.acceptedAt, under: clock) else {
            throw Unpriced(
                .noPlanVersion,
                detail: "plan \(subscription.plan) had no version in force at \(request.acceptedAt)")
        }
        return version
    }

    private func refuseUnreadable(_ request: RequestRecord) throws(Unpriced) {
        if let fault = book.unreadable["\(request.accountID)"] {
            throw Unpriced(.accountUnreadable, detail: fault.reason)
        }
        if let fault = book.unreadable["\(request.subscriptionID)"] {
            throw Unpriced(.subscriptionUnreadable, detail: fault.reason)
        }
    }

    private func suspend(_ attempt: inout IngestAttempt, reason: String, detail: String) {
        attempt.rating = .suspended
        attempt.amount = .zero(attempt.amount.currency)
        attempt.lines = []
        attempt.suspense = IngestAttempt.Suspense(reason: reason, detail: detail)
    }

    private struct Unpriced: Error {
        let reason: String
        let detail: String

        init(reason: String, detail: String) {
            self.reason = reason
            self.detail = detail
        }

        init(_ terms: UnknownTerms, detail: String) {
            self.init(reason: terms.rawValue, detail: detail)
        }
    }

    private static let utc = try? BillingCalendar(zoneName: "UTC")
}
