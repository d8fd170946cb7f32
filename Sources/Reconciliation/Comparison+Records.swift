import Accounts
import Identity
import Metering
import Monetary
import Pricing
import Storage

/// Records, rated again from the published prices, against what is stored of their rating and against the rollups.
extension Comparison {
    mutating func compareRecords(in tx: DatabaseTransaction) throws {
        var rating = ReconciliationCheck("records, rated again = stored amounts")
        var usage = ReconciliationCheck("records = usage rollups")
        var requests = ReconciliationCheck("records = request rollups")
        for account in accounts {
            try Self.guarding(label(account), &rating, in: tx) { rating in
                try compareRecords(of: account, &rating, &usage, &requests, in: tx)
            }
        }
        let strangers = options.accounts == nil ? try SuspenseStorage.waitingOfUnknownAccounts(in: tx) : 0
        if strangers > 0 {
            let records = strangers == 1 ? "1 usage record" : "\(strangers) usage records"
            rating.note(
                "\(records) of accounts that are not in the database wait in suspense: they can only be waived")
        }
        checks += [rating, usage, requests]
    }

    private mutating func compareRecords(
        of account: Account, _ rating: inout ReconciliationCheck, _ usage: inout ReconciliationCheck,
        _ requests: inout ReconciliationCheck, in tx: DatabaseTransaction
    ) throws {
        let plans = try planBySubscription(account, in: tx)
        var sums = RecordSums(account: account)
        sums.fromSuspense = try suspenseRatings(account, in: tx)
        var after: UUIDv7?
        var filter = RecordFilter()
        filter.account = account.id
        filter.from = period(of: account)?.start
        filter.to = period(of: account)?.end
        repeat {
            let page = try RecordStorage.list(filter, PageRequest(limit: PageRequest.limitMax, after: after), in: tx)
            for stored in page.items {
                try sums.add(stored, history: plans[stored.request.subscriptionID], &rating)
                remember(stored)
            }
            after = page.hasMore ? page.items.last?.request.id.uuid : nil
        } while after != nil
        try sums.compareCounts(period: period(of: account), &rating, in: tx)
        sums.compareUsage(
            with: try ReconcileStorage.usageRollups(of: account, in: period(of: account), in: tx), &usage)
        sums.compareRequests(
            with: try ReconcileStorage.requestRollups(of: account, in: period(of: account), in: tx), &requests)
    }

    /// What was in suspense, and the versions that rated it.
    private func suspenseRatings(_ account: Account, in tx: DatabaseTransaction) throws -> [AttemptID: SuspenseRating] {
        try SuspenseStorage.standings(of: account.id, in: tx).mapValues { standing in
            let isRated = standing.plan != nil
            let version = standing.plan.flatMap { plan in
                standing.planVersion.flatMap { histories[plan]?.version(numbered: $0) }
            }
            // Where no version could be asked none is asked now, whatever reads by now. What had no price has none.
            let wasAsked =
                isRated ? standing.reason == RatingError.noPriceCode : UnknownTerms(rawValue: standing.reason) == nil
            return SuspenseRating(
                version: version, isInForceAsked: wasAsked, isWaived: standing.outcome == .waived)
        }
    }

    private func planBySubscription(
        _ account: Account, in tx: DatabaseTransaction
    ) throws -> [SubscriptionID: PlanHistory] {
        let subscriptions = try Paging.all { try SubscriptionStorage.list(account: account.id, $0, in: tx) }
        return Dictionary(
            subscriptions.map { ($0.id, histories[$0.plan] ?? PlanHistory()) }
        ) { first, _ in first }
    }

    /// An engine's book knows requests by the ids that the gateway sent; the lines of batches have others there.
    private mutating func remember(_ stored: StoredRequest) {
        guard options.engineCounts != nil, completed.count < Self.completedMax, stored.request.operation != .batch,
            let tokens = RecordedTokens(stored), tokens.isComplete
        else { return }
        completed[stored.request.id] = tokens
    }
}

/// What one account's records add up to.
private struct RecordSums {
    let account: Account
    var fromSuspense: [AttemptID: SuspenseRating] = [:]
    private var attempts: Int64 = 0
    private var suspended: Int64 = 0
    private var waived: Int64 = 0
    /// `records, quantity, amount, waived_quantity, waived_amount`
    private var usage: [RollupRow.Key: [Int128]] = [:]
    /// `requests, successes, client_errors, client_aborts, provider_errors, gateway_losses`
    private var requests: [RollupRow.Key: [Int128]] = [:]

    init(account: Account) {
        self.account = account
    }

    mutating func add(
        _ stored: StoredRequest, history: PlanHistory?, _ check: inout ReconciliationCheck
    ) throws {
        let request = stored.request
        let outcomes: [RequestOutcome] = [.success, .clientError, .clientAbort, .providerError, .gatewayLost]
        let counts = [1] + outcomes.map { request.outcome == $0 ? 1 : 0 as Int128 }
        add(counts, to: \.requests, key(request, last: stored.tier))
        for attempt in stored.attempts {
            attempts += 1
            let again = RatedAgain(
                attempt.record, of: request, history: history, suspense: fromSuspense[attempt.record.id],
                account: account)
            // Nothing is nothing in every currency: the account's was not known where it did not read.
            let stored = attempt.amount.isZero ? .zero(account.currency) : attempt.amount
            check.add(left: again.amount, right: stored)
            if again.rating == .suspended {
                if fromSuspense[attempt.record.id]?.isWaived == true { waived += 1 } else { suspended += 1 }
            }
            if again.rating != attempt.rating || again.amount != stored
                || again.version?.planID != attempt.plan || again.version?.version != attempt.planVersion
            {
                check.report(
                    "\(attempt.record.id) of \(request.id): rated again it is \(again.rating.rawValue) \(again.amount) "
                        + "by \(again.versionText), stored is \(attempt.rating.rawValue) \(attempt.amount) "
                        + "by \(attempt.plan ?? "no plan") \(attempt.planVersion.map { "\($0)" } ?? "")")
            }
            for charge in again.charges {
                let (quantity, amount) = (Int128(charge.quantity), charge.amount.picounits)
                let isBilled = again.rating == .rated
                add(
                    isBilled ? [1, quantity, amount, 0, 0] : [0, 0, 0, quantity, amount], to: \.usage,
                    key(request, last: charge.price.id))
            }
        }
    }

    private mutating func add(
        _ numbers: [Int128], to sums: WritableKeyPath<RecordSums, [RollupRow.Key: [Int128]]>, _ key: RollupRow.Key
    ) {
        let before = self[keyPath: sums][key] ?? numbers.map { _ in 0 }
        self[keyPath: sums][key] = zip(before, numbers).map { $0 &+ $1 }
    }

    private func key(_ request: RequestRecord, last: String) -> RollupRow.Key {
        RollupRow.Key(
            periodStart: account.calendar.period(containing: request.acceptedAt).start,
            hourStart: account.calendar.hourStart(of: request.acceptedAt), tenantID: request.tenantID,
            projectID: request.projectID, keyID: request.keyID, subscriptionID: request.subscriptionID,
            model: request.model, last: last)
    }

    func compareCounts(
        period: BillingPeriod?, _ check: inout ReconciliationCheck, in tx: DatabaseTransaction
    ) throws {
        let stored = try ReconcileStorage.attemptCounts(of: account.id, in: period, in: tx)
        check.add(.count("attempts"), left: Int128(attempts), right: Int128(stored.attempts))
        check.add(.count("in suspense"), left: Int128(suspended), right: Int128(stored.suspended))
        check.add(.count("waived out of suspense"), left: Int128(waived), right: Int128(stored.waived))
        if attempts != stored.attempts {
            check.report("\(account.id): \(stored.attempts - attempts) attempts belong to no request")
        }
    }

    func compareUsage(with rows: [RollupRow], _ check: inout ReconciliationCheck) {
        compare(usage, with: rows, &check)
        for numbers in usage.values {
            check.add(.count("units billed"), left: numbers[1])
            check.add(.money(account.currency.code), left: numbers[2])
            check.add(.count("units waived"), left: numbers[3])
        }
        for row in rows {
            check.add(.count("units billed"), right: row.numbers[1])
            check.add(.money(account.currency.code), right: row.numbers[2])
            check.add(.count("units waived"), right: row.numbers[3])
        }
    }

    func compareRequests(with rows: [RollupRow], _ check: inout ReconciliationCheck) {
        compare(requests, with: rows, &check)
        for numbers in requests.values { check.add(.count("requests"), left: numbers[0]) }
        for row in rows { check.add(.count("requests"), right: row.numbers[0]) }
    }

    private func compare(
        _ sums: [RollupRow.Key: [Int128]], with rows: [RollupRow], _ check: inout ReconciliationCheck
    ) {
        var rest = sums
        for row in rows {
            let expected = rest.removeValue(forKey: row.key)
            if expected != row.numbers {
                check.report(
                    "\(account.id) \(row.key.hourStart) \(row.key.model) \(row.key.last): records sum to "
                        + "\(expected.map { "\($0)" } ?? "nothing"), the rollup holds \(row.numbers)")
            }
        }
        for (key, numbers) in rest.sorted(by: { $0.key.hourStart < $1.key.hourStart }) {
            check.report(
                "\(account.id) \(key.hourStart) \(key.model) \(key.last): records sum to \(numbers), there is no rollup"
            )
        }
    }
}

/// What an attempt that was in suspense is rated by.
private struct SuspenseRating {
    /// The one that took it out; nil where it waits, was waived, or the version is not published any more.
    let version: PlanVersion?
    /// Whether the version that was in force is asked first: it should not have had a price.
    let isInForceAsked: Bool
    /// It stays without a price, and nobody is asked for it.
    let isWaived: Bool
}

/// An attempt rated a second time, from what is published. Ingest has its own way to rate: reconcile shares no step
/// with what it checks.
private struct RatedAgain {
    var rating = RatingState.notBillable
    var version: PlanVersion?
    var charges: [RatedCharge] = []
    var amount: Money

    var versionText: String { version.map { "\($0.planID) \($0.version)" } ?? "no plan" }

    /// By the version that was in force; what came out of suspense, by the one that took it out.
    init(
        _ attempt: AttemptRecord, of request: RequestRecord, history: PlanHistory?, suspense: SuspenseRating?,
        account: Account
    ) {
        amount = .zero(account.currency)
        guard attempt.isDelivered else { return }
        rating = .suspended
        let inForce =
            suspense?.isInForceAsked == false ? nil : history?.version(at: request.acceptedAt, under: account.clock)
        let candidates = [inForce, suspense?.version]
        version = inForce ?? suspense?.version
        for version in candidates.compactMap(\.self) where version.currency == account.currency {
            guard
                let rated = try? Rating.rate(
                    attempt, surface: request.surface, tierRequested: request.tierRequested, version: version),
                let total = try? rated.total()
            else { continue }
            self.version = version
            rating = rated.waiver == nil ? .rated : .waived
            charges = rated.charges
            amount = total
            return
        }
    }
}
