public import Accounts
public import Identity
public import Invoicing
public import Monetary
public import Storage

/// An invoice in a list.
public struct InvoiceSummary: Hashable, Sendable {
    public let id: InvoiceID
    public let accountID: AccountID
    public let period: BillingPeriod
    public let state: InvoiceState
    /// Nil on a draft.
    public let number: String?
    public let total: Money
    public let issuedOn: CivilDate?

    public init(_ invoice: StoredInvoice) {
        id = invoice.id
        accountID = invoice.accountID
        period = invoice.period
        state = invoice.state
        number = invoice.number
        total = invoice.total
        issuedOn = invoice.issuedOn
    }
}

/// What a run did, account by account.
public struct InvoiceRunReport: Sendable {
    /// What became of one account.
    public enum AccountResult: Sendable {
        /// The invoice is final since this run.
        case finalized(InvoiceSummary)
        /// The draft is stored and waits for its number.
        case drafted(InvoiceSummary)
        /// It was final before: nothing was changed.
        case already(InvoiceSummary)
        /// A dry run: this is what the invoice would say.
        case wouldInvoice(InvoiceDocument)
        /// No usage and no base fee: no invoice.
        case nothingToBill
        /// Not yet; each reason says what to do.
        case notClosed([ClosingObstacle])
        /// Its books do not balance: passed over until someone looked and released it.
        case onHold(reason: String)
        /// The database refused; try again.
        case failed(reason: String)
        /// Its sandbox was deleted while the run was on its way.
        case deleted

        /// A stable word, the same in the API and on the command line.
        public var word: String {
            switch self {
            case .finalized: "finalized"
            case .drafted: "draft"
            case .already: "unchanged"
            case .wouldInvoice: "would_invoice"
            case .nothingToBill: "nothing_to_bill"
            case .notClosed: "waiting"
            case .onHold: "on_hold"
            case .failed: "failed"
            case .deleted: "deleted"
            }
        }

        /// Why there is no final invoice; empty where there is one.
        public var reason: String {
            switch self {
            case .finalized, .drafted, .already, .wouldInvoice: ""
            case .nothingToBill: "no usage and no base fee"
            case .notClosed(let obstacles): obstacles.map(\.description).joined(separator: "; ")
            case .onHold(let reason), .failed(let reason): reason
            case .deleted: "its sandbox was deleted meanwhile"
            }
        }
    }

    /// One account and what became of it.
    public struct AccountOutcome: Sendable {
        public let accountID: AccountID
        public let name: String
        public var result: AccountResult
    }

    public let month: CivilMonth
    public let isDryRun: Bool
    /// In the order of their ids.
    public var accounts: [AccountOutcome] = []
    /// How many accounts the run left out because of their mode.
    public var otherModeCount = 0
    /// Journals that were given up by hand: what they held is on no invoice.
    public var retiredJournals: [RegisteredJournal] = []
    /// Places of journals that could not be read: they hold accounts until they are released.
    public var damagedPlaces: [StoredQuarantine] = []

    init(month: CivilMonth, isDryRun: Bool) {
        self.month = month
        self.isDryRun = isDryRun
    }

    /// True where every account is done: invoiced now or before, or with nothing to bill.
    public var isComplete: Bool {
        accounts.allSatisfy { outcome in
            switch outcome.result {
            case .finalized, .already, .nothingToBill, .wouldInvoice, .deleted: true
            case .drafted, .notClosed, .onHold, .failed: false
            }
        }
    }

    /// Accounts that wait for gateways and for nothing else: the same run soon after may finish them.
    public var waitingForGateways: [AccountID] {
        accounts.filter { outcome in
            guard case .notClosed(let obstacles) = outcome.result else { return false }
            return obstacles.allSatisfy(\.isOfGateways)
        }.map(\.accountID)
    }

    /// The invoices that became final in this run, in the order of their numbers.
    public var finalized: [InvoiceSummary] {
        accounts.compactMap { outcome in
            if case .finalized(let invoice) = outcome.result { invoice } else { nil }
        }.sorted { ($0.number ?? "") < ($1.number ?? "") }
    }

    /// The drafts that wait for their numbers.
    public var draftIDs: [InvoiceID] {
        accounts.compactMap { outcome in
            if case .drafted(let invoice) = outcome.result { invoice.id } else { nil }
        }
    }

    /// Takes over what a later try of the run made of some of its accounts.
    public mutating func update(with later: InvoiceRunReport) {
        merge(Dictionary(later.accounts.map { ($0.accountID, $0.result) }) { first, _ in first })
    }

    mutating func merge(_ outcomes: [AccountID: AccountResult]) {
        for index in accounts.indices {
            if let result = outcomes[accounts[index].accountID] { accounts[index].result = result }
        }
    }
}
