public import Accounts
public import Identity
import Invoicing
import Ledger
import Pricing
public import Storage

/// The monthly run: closes a month, account by account, and makes its invoices final.
///
/// Two stages. `prepareDrafts` works on one account at a time, in a transaction each that sees one moment: how far the
/// journals are ingested, the rollups, what is booked. `finalizeDrafts` then gives out numbers in a fixed order. A
/// crash between the two leaves drafts, which the next run finds and finishes. Running again changes nothing.
public struct InvoiceRun: Sendable {
    /// What to run.
    public struct Options: Sendable {
        /// The calendar month, in each account's own zone.
        public var month: CivilMonth
        /// Real time; each account's test clock is added to it.
        public var now: Timestamp
        /// Only these accounts; nil for all of the mode.
        public var accounts: [AccountID]?
        /// Only accounts of this mode; nil for both. Each takes numbers of its own series.
        public var mode: AccountMode?
        /// Computes everything and stores nothing.
        public var isDryRun = false
        /// How long after a month's end usage is waited for.
        public var graceMilliseconds: Int64 = 0

        public init(
            month: CivilMonth, now: Timestamp, accounts: [AccountID]? = nil, mode: AccountMode? = nil
        ) {
            self.month = month
            self.now = now
            self.accounts = accounts
            self.mode = mode
        }
    }

    let database: Database
    let actor: Actor
    let options: Options

    public init(database: Database, by actor: Actor, options: Options) {
        self.database = database
        self.actor = actor
        self.options = options
    }

    var service: BillingService {
        let now = options.now
        return BillingService(database, now: { now })
    }

    /// Prepares all drafts and makes them final. `progress` hears how many of how many accounts are done.
    /// - Throws: only what concerns the whole run: no seller, an unknown account, no database, cancellation. What
    ///   concerns one account is in its outcome.
    public func run(
        progress: @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) async throws -> InvoiceRunReport {
        var report = try await prepareDrafts(progress: progress)
        guard !options.isDryRun else { return report }
        let outcomes = try await finalizeDrafts(report.draftIDs)
        report.merge(outcomes)
        return report
    }

    /// The first stage: a stored draft for each account that has something to bill and whose month is closed.
    public func prepareDrafts(
        progress: @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) async throws -> InvoiceRunReport {
        try actor.require(options.isDryRun ? .read(.invoices) : .write(.invoices))
        let context = try await readContext()
        var report = InvoiceRunReport(month: options.month, isDryRun: options.isDryRun)
        report.otherModeCount = context.otherModeCount
        report.retiredJournals = context.retired
        report.damagedPlaces = context.damaged
        for (index, id) in context.accounts.enumerated() {
            try Task.checkCancellation()
            report.accounts.append(try await prepare(id, context))
            progress(index + 1, context.accounts.count)
        }
        return report
    }

    /// What is the same for all accounts.
    struct Context: Sendable {
        let seller: Seller
        let accounts: [AccountID]
        /// Accounts that the run leaves out because of their mode.
        let otherModeCount: Int
        let retired: [RegisteredJournal]
        let damaged: [StoredQuarantine]
        /// Whether accounts are on several nodes.
        let isDistributed: Bool
    }

    func readContext() async throws -> Context {
        try await database.read { [options] tx in
            return Context(
                seller: try SellerStorage.require(in: tx),
                accounts: try AccountStorage.ids(options.accounts, mode: options.mode, in: tx),
                otherModeCount: options.accounts == nil && options.mode != nil
                    ? try AccountStorage.ids(in: tx).count - AccountStorage.ids(mode: options.mode, in: tx).count : 0,
                retired: try JournalStorage.list(in: tx).filter { $0.retiredAt != nil },
                damaged: try QuarantineStorage.list(in: tx),
                isDistributed: try InstallationStorage.isDistributed(in: tx))
        }
    }

    private func prepare(_ id: AccountID, _ context: Context) async throws -> InvoiceRunReport.AccountOutcome {
        do {
            if options.isDryRun {
                return try await database.read { tx in
                    try self.prepare(id, context, journals: JournalStorage.list(in: tx), in: tx)
                }
            }
            let settled = try await settledJournals(for: id, context)
            return try await database.writeAtOneMoment { tx in
                try AccountStorage.lock(id, in: tx)
                return try self.prepare(id, context, journals: settled ?? JournalStorage.list(in: tx), in: tx)
            }
        } catch {
            return try await failed(id, error)
        }
    }

    /// Where accounts are on several nodes one transaction does not see journals and account at one moment. Then the
    /// journals are read first, and what ingest committed up to there is waited for; nil where that is not needed.
    private func settledJournals(for id: AccountID, _ context: Context) async throws -> [RegisteredJournal]? {
        guard context.isDistributed else { return nil }
        let journals = try await database.read { try JournalStorage.list(in: $0) }
        try await database.write { try PositionStorage.settle(id, journals, in: $0) }
        return journals
    }

    /// One account's failure is its own: it is put on hold with the reason, unless it was the database that failed.
    func failed(_ id: AccountID, _ error: any Error) async throws -> InvoiceRunReport.AccountOutcome {
        if error is CancellationError || DatabaseFailure(error) == .unavailable { throw error }
        if try await database.read({ try !DeletionStorage.deleted(among: [id], in: $0).isEmpty }) {
            return InvoiceRunReport.AccountOutcome(accountID: id, name: "", result: .deleted)
        }
        let reason = "invoice \(options.month): \(error)"
        let isBooks = DatabaseFailure(error) == nil && !options.isDryRun
        let name = try await isBooks ? putOnHold(id, because: reason) : database.read { try Self.name(of: id, in: $0) }
        return InvoiceRunReport.AccountOutcome(
            accountID: id, name: name, result: isBooks ? .onHold(reason: reason) : .failed(reason: reason))
    }

    private static func name(of id: AccountID, in tx: DatabaseTransaction) throws -> String {
        try AccountStorage.name(of: id, in: tx) ?? ""
    }

    /// Keeps an account out of runs until someone looked; returns its name.
    private func putOnHold(_ id: AccountID, because reason: String) async throws -> String {
        try await service.change(by: actor) { session in
            try session.change(.accountPutOnHold) { tx in
                try AccountStorage.lock(id, in: tx)
                let before = try AccountStorage.holdReason(of: id, in: tx)
                guard let name = try AccountStorage.name(of: id, in: tx) else { return .nothing("") }
                try AccountStorage.putOnHold(id, reason: reason, in: tx)
                return .made(
                    name,
                    .account(
                        id, id, before: ["id": "\(id)", "hold_reason": .optional(before)],
                        after: ["id": "\(id)", "hold_reason": .text(reason)]))
            }
        }
    }

    // MARK: one account

    private func prepare(
        _ id: AccountID, _ context: Context, journals: [RegisteredJournal], in tx: DatabaseTransaction
    ) throws -> InvoiceRunReport.AccountOutcome {
        let account = try AccountMonth.account(id, for: options.month, in: tx)
        func outcome(_ result: InvoiceRunReport.AccountResult) -> InvoiceRunReport.AccountOutcome {
            InvoiceRunReport.AccountOutcome(accountID: id, name: account.name, result: result)
        }
        let accountMonth = try AccountMonth(account, month: options.month, in: tx)
        if let invoice = accountMonth.current, invoice.state != .draft {
            return outcome(.already(InvoiceSummary(invoice)))
        }
        if let reason = account.holdReason { return outcome(.onHold(reason: reason)) }
        let obstacles = try obstacles(accountMonth, journals, in: tx)
        guard obstacles.isEmpty else { return outcome(.notClosed(obstacles)) }

        if !options.isDryRun {
            // Not before the month closes: where a later one begins is for the zone data of that time to say.
            try PeriodStorage.keep(options.month, of: account, in: tx)
            try SuspenseStorage.moveRequestsCountedByUTC(of: account, in: accountMonth.period, in: tx)
            _ = try LedgerPoster.post(account, now: options.now, in: tx)
        }
        let draft = try makeDraft(accountMonth, in: tx)
        guard !draft.isEmpty else {
            if !options.isDryRun {
                try InvoiceStorage.deleteDrafts(of: id, periodStart: accountMonth.month.start, in: tx)
            }
            return outcome(.nothingToBill)
        }
        let document = try InvoiceDocument(draft, seller: context.seller, account: account)
        if options.isDryRun { return outcome(.wouldInvoice(document)) }
        let positions = try JournalVector.current(of: id, in: tx)
        _ = try InvoiceStorage.storeDraft(
            draft, documentJSON: try document.canonicalJSON(), positions: positions,
            now: account.billingTime(at: options.now), in: tx)
        try UsagePeriodStorage.store(
            UsagePeriodStorage.open(of: id, before: accountMonth.month.end, in: tx), takenInBy: draft.id, of: id, in: tx
        )
        return outcome(.drafted(InvoiceSummary(try InvoiceStorage.require(draft.id, in: tx))))
    }

    /// Closes the month's promises first, so that its own credits are known; they are on the invoice after this one.
    private func makeDraft(_ accountMonth: AccountMonth, in tx: DatabaseTransaction) throws -> InvoiceDraft {
        let account = accountMonth.account
        if !options.isDryRun {
            let evaluation = try ServiceLevelEvaluation(
                accountMonth, evaluatedAt: account.billingTime(at: options.now), in: tx)
            try evaluation.store(for: accountMonth, now: options.now, in: tx)
        }
        return try InvoiceDraft(accountMonth.input(in: tx))
    }

    /// What holds an account's invoices up to an instant until someone decided: asked when a draft is made, and again
    /// when it becomes final.
    static func holds(
        on account: Account, before end: Timestamp, in tx: DatabaseTransaction
    ) throws -> [ClosingObstacle] {
        var holds = try QuarantineStorage.holding(account.id, in: tx).map { ClosingObstacle.damagedJournal($0) }
        let allTimeBefore = BillingPeriod(start: Timestamp(milliseconds: 0), end: end)
        let waiting = try SuspenseStorage.unresolvedCount(account: account.id, period: allTimeBefore, in: tx)
        if waiting > 0 { holds.append(.suspense(count: waiting)) }
        return holds
    }

    private func obstacles(
        _ accountMonth: AccountMonth, _ journals: [RegisteredJournal], in tx: DatabaseTransaction
    ) throws -> [ClosingObstacle] {
        let account = accountMonth.account
        var obstacles = PeriodClosing.obstacles(
            account: account, period: accountMonth.period, journals: journals,
            open: try JournalStorage.open(of: account.id, in: tx), now: options.now,
            graceMilliseconds: options.graceMilliseconds)
        obstacles += try Self.holds(on: account, before: accountMonth.month.end, in: tx)
        if let earlier = try accountMonth.earlierMonthNotInvoiced(in: tx) { obstacles.append(.earlierMonth(earlier)) }
        return obstacles
    }
}
