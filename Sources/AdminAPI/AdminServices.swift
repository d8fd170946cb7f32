public import Accounts
public import Billing
public import Engines
public import Identity
public import Invoicing
public import Ledger
public import Storage

/// What the API needs from the program around it: everything that this target may not do itself.
public struct AdminServices: Sendable {
    /// The use cases: all that the API knows of the database.
    var billing: BillingService
    /// Real time.
    public var now: @Sendable () -> Timestamp
    public var jobs: any AdminJobs
    /// Reads the YAML of backends and models; throws `DocumentRejection`, or any error whose description says what is
    /// wrong.
    public var readCatalogue: @Sendable (String) throws -> Catalogue
    /// The keys under which secrets are kept; nil where there are none.
    public var secretKeyring: @Sendable () throws -> SecretKeyring?
    /// Prometheus text of `/metrics`.
    public var metrics: @Sendable () -> String

    /// Everything at once.
    public init(
        database: Database, now: @escaping @Sendable () -> Timestamp, jobs: any AdminJobs,
        readCatalogue: @escaping @Sendable (String) throws -> Catalogue,
        secretKeyring: @escaping @Sendable () throws -> SecretKeyring? = { nil },
        metrics: @escaping @Sendable () -> String = { "" }
    ) {
        billing = BillingService(database, now: now)
        self.now = now
        self.jobs = jobs
        self.readCatalogue = readCatalogue
        self.secretKeyring = secretKeyring
        self.metrics = metrics
    }

    /// Looks at things for whoever calls.
    func look<Result: Sendable>(
        for call: Call, _ body: @Sendable (ReadSession) throws -> Result
    ) async throws -> Result {
        try await billing.read(by: call.requiredCaller, body)
    }

    /// What `readCatalogue` made of a document.
    public struct Catalogue: Sendable {
        public var backends: [Backend]
        public var models: [CatalogueModel]

        /// All backends and models that there shall be.
        public init(backends: [Backend], models: [CatalogueModel]) {
            self.backends = backends
            self.models = models
        }
    }
}

/// The jobs that callers may start. Each may throw `JobRefusal`, which becomes a 409 with its text.
public protocol AdminJobs: Sendable {
    /// Makes the invoices of a month, or says what it would make.
    func runInvoices(_ request: InvoiceRunRequest, by actor: Actor) async throws -> InvoiceRunAnswer
    /// Finalizes one draft; nothing happens where it is final already.
    func finalizeInvoice(_ id: InvoiceID, by actor: Actor) async throws
    /// Marks a final invoice as paid.
    func payInvoice(_ id: InvoiceID, by actor: Actor) async throws
    /// Makes a final invoice void.
    func voidInvoice(_ id: InvoiceID, by actor: Actor) async throws
    /// What an account's invoice of a month would say now, and what is missing from it. Changes nothing.
    func previewInvoice(of account: AccountID, month: CivilMonth, by actor: Actor) async throws -> InvoicePreview
    /// Rates or waives what waits in suspense.
    func resolveSuspense(_ order: SuspenseOrder, by actor: Actor) async throws -> SuspenseReport
    /// Pays out the credits that an account that left is owed, and books it.
    func payOutCredits(to account: AccountID, reason: String, by actor: Actor) async throws -> CreditPayoutReport
    /// Where an account's promises stand in a month: judged now, or as the month was closed.
    func serviceLevels(of account: AccountID, month: CivilMonth) async throws -> ServiceLevelStanding
}

/// Which invoices to make.
public struct InvoiceRunRequest: Hashable, Sendable {
    public var period: CivilMonth
    /// Nil for all of the mode.
    public var accounts: [AccountID]?
    /// Nil for both.
    public var mode: AccountMode?
    /// Change nothing, only say what would come out.
    public var isDryRun: Bool

    /// A run over some accounts, or all.
    public init(
        period: CivilMonth, accounts: [AccountID]? = nil, mode: AccountMode? = nil, isDryRun: Bool = false
    ) {
        self.period = period
        self.accounts = accounts
        self.mode = mode
        self.isDryRun = isDryRun
    }
}

/// What a run did.
public struct InvoiceRunAnswer: Hashable, Sendable {
    /// One account's part.
    public struct Item: Hashable, Sendable {
        public var accountID: AccountID
        /// A stable word: `finalized`, `draft`, `unchanged`, `would_invoice`, `nothing_to_bill`, `waiting`, `on_hold`,
        /// `failed`.
        public var outcome: String
        public var invoiceID: InvoiceID?
        public var number: String?
        /// Decimal text.
        public var total: String?
        public var currency: String?
        /// Why there is no final invoice; empty where there is one.
        public var reason: String

        /// One account's part.
        public init(
            accountID: AccountID, outcome: String, invoiceID: InvoiceID? = nil, number: String? = nil,
            total: String? = nil, currency: String? = nil, reason: String = ""
        ) {
            self.accountID = accountID
            self.outcome = outcome
            self.invoiceID = invoiceID
            self.number = number
            self.total = total
            self.currency = currency
            self.reason = reason
        }
    }

    /// In the order of account ids.
    public var items: [Item]

    /// What became of each account.
    public init(items: [Item]) {
        self.items = items
    }
}

/// Where the promises of an account stand in a month.
public struct ServiceLevelStanding: Sendable {
    /// Whether the month is invoiced, so that nothing of this changes any more.
    public var isFinal: Bool
    /// By subscription, tier and objective.
    public var results: [StoredPromiseResult]

    /// Results, final or in progress.
    public init(isFinal: Bool, results: [StoredPromiseResult]) {
        self.isFinal = isFinal
        self.results = results
    }
}

/// A job that cannot be done as things stand; the caller is told why.
public struct JobRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String

    /// A reason in words for the caller.
    public init(_ description: String) {
        self.description = description
    }
}

/// A document that cannot be used; the caller is told why.
public struct DocumentRejection: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String

    /// A reason in words for the caller.
    public init(_ description: String) {
        self.description = description
    }
}
