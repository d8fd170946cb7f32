public import Accounts
import Billing
public import Identity
import Pricing
public import Storage

/// Compares every station of a token's way: journal files, records, rollups, ledger, invoices; and an engine's own
/// count where there is one. Reads one moment of the database and changes nothing.
public struct ReconciliationRun: Sendable {
    /// What is compared.
    public struct Options: Sendable {
        /// Only this calendar month, in each account's zone, its invoice and what became of that; nil for all. Of a
        /// month no more is read than it has; balances are those of its end, and numbers and the audit trail's chains
        /// are not compared.
        public var month: CivilMonth?
        /// Only these accounts; nil for all.
        public var accounts: [AccountID]?
        /// Only accounts of this mode; nil for both, each compared by itself.
        public var mode: AccountMode?
        /// Directories of gateways' journals that can be read from here.
        public var journalDirectories: [String] = []
        /// An engine's own book; nil where there is none.
        public var engineCounts: [EngineCount]?
        /// Brings the ledger up to date first: where nothing posts regularly, usage of today would be a difference.
        public var postsLedgerFirst = false
        /// Real time; only the posting before uses it.
        public var now: Timestamp

        public init(now: Timestamp) {
            self.now = now
        }
    }

    private let database: Database
    private let options: Options

    public init(database: Database, options: Options) {
        self.database = database
        self.options = options
    }

    /// Compares everything. What cannot be read is a difference, not an error; errors are the database's own.
    public func run() async throws -> ReconciliationReport {
        if options.postsLedgerFirst {
            _ = try await LedgerPoster(database: database).postAll(now: options.now)
        }
        return try await database.read { [options] tx in
            var comparison = try Comparison(options, in: tx)
            try comparison.compareJournals(in: tx)
            try comparison.forEachMode { comparison in
                try comparison.compareRecords(in: tx)
                try comparison.compareLedger(in: tx)
                try comparison.compareInvoices(in: tx)
            }
            if options.accounts == nil, options.month == nil { try comparison.compareNumbers(in: tx) }
            if options.month == nil { try comparison.compareAuditChains(in: tx) }
            try comparison.compareEngine(in: tx)
            return ReconciliationReport(checks: comparison.checks)
        }
    }
}

/// What all parts of a comparison share.
struct Comparison {
    let options: ReconciliationRun.Options
    /// The accounts compared.
    private(set) var accounts: [Account]
    let histories: [String: PlanHistory]
    var checks: [ReconciliationCheck]
    /// Accounts of deleted sandboxes: nothing of them is compared, and their requests are missed nowhere.
    let deleted: Set<AccountID>
    /// Their requests, as far as journals named them.
    var deletedRequests: Set<RequestID> = []
    var deletedRequestCount = 0
    /// Completed requests by the gateways' records, with what the engine should have counted.
    var completed: [RequestID: RecordedTokens] = [:]

    /// After everything that was ever billed.
    static let endOfTime = Timestamp(milliseconds: .max / 2_000)

    /// The most completed requests that are held against an engine's book.
    static let completedMax = 2_000_000

    init(_ options: ReconciliationRun.Options, in tx: DatabaseTransaction) throws {
        self.options = options
        deleted = try DeletionStorage.all(in: tx)
        var accounts: [Account] = []
        var readable = ReconciliationCheck("accounts can be read")
        for id in try AccountStorage.ids(options.accounts, mode: options.mode, in: tx) where !deleted.contains(id) {
            try Self.guarding("\(id)", &readable, in: tx) { check in
                // Of a month no more is read than a run of it would.
                accounts.append(
                    try options.month.map { try AccountMonth.account(id, for: $0, in: tx) }
                        ?? AccountStorage.require(id, in: tx))
                check.add(.count("accounts"), left: 1, right: 1)
            }
        }
        self.accounts = accounts
        checks = readable.isEqual ? [] : [readable]
        histories = try PlanStorage.histories(in: tx)
    }

    /// Compares the accounts of each mode by themselves: sums of live accounts hold nothing of a test, and what a check
    /// says is said of accounts of one mode. Where there are none it is said of no live ones.
    mutating func forEachMode(_ body: (inout Comparison) throws -> Void) rethrows {
        let all = accounts
        let modes = AccountMode.allCases.filter { mode in all.contains { $0.mode == mode } }
        for mode in modes.isEmpty ? [options.mode ?? .live] : modes {
            accounts = all.filter { $0.mode == mode }
            let first = checks.count
            try body(&self)
            for index in first..<checks.count { checks[index].mode = mode }
        }
        accounts = all
    }

    /// Compares one account; what cannot be read or computed of it is its own difference, and the others go on.
    static func guarding(
        _ label: String, _ check: inout ReconciliationCheck, in tx: DatabaseTransaction,
        _ body: (inout ReconciliationCheck) throws -> Void
    ) throws {
        do {
            try tx.isolating { try body(&check) }
        } catch {
            if error is CancellationError || DatabaseFailure(error) == .unavailable { throw error }
            check.report("\(label) cannot be compared: \(error)")
        }
    }

    /// The span of an account's usage that is compared; nil for all.
    func period(of account: Account) -> BillingPeriod? {
        options.month.map { account.calendar.period(of: $0) }
    }

    /// The month's local days; nil for all.
    var days: ClosedRange<CivilDate>? {
        options.month.map { month in
            let next = month.advanced(by: 1).firstDay
            return month.firstDay...CivilDate(daysSince1970: next.daysSince1970 - 1)
        }
    }

    /// The last part of an account's name in messages.
    func label(_ account: Account) -> String { "\(account.name) (\(account.id))" }
}
