import Accounts
import Billing
import Identity
import Invoicing
import Metering
import Monetary
import PlanLanguage
import Postgres
import Pricing
import Storage
import TestSupport

/// For tests of months, on the running test's database: a seller, plans and accounts are stored below the use cases,
/// and usage arrives through a journal, rated and stored as ingest does it. For use cases there is `BillingFixture`.
actor BillingWorld {
    nonisolated let database: Database
    nonisolated let pool: ConnectionPool
    nonisolated let journalID = BillingWorld.id(900, as: IDKinds.Journal.self)
    private var mark = JournalPosition(segment: 0, offset: 0)
    private var sequence: UInt64 = 1000
    private var histories: [String: PlanHistory] = [:]

    static let beginning = BillingWorld.instant("2026-01-15T12:00:00Z")

    static func id<Kind>(_ number: UInt64, as kind: Kind.Type = Kind.self) -> TypedID<Kind> {
        TypedID(UUIDv7(milliseconds: beginning.milliseconds, randomness: (number, number)))
    }

    static func instant(_ text: String) -> Timestamp { Timestamp(text) ?? Timestamp(milliseconds: 0) }

    /// A token costs 1 USD a million in and 2 out, twice that in `priority`; 30 USD a month, by days.
    static let alpha = """
        plan: alpha
        version: 1
        title: Alpha
        currency: USD
        effective_from: 2026-01-01T00:00:00Z
        base_fee:
          amount: "30.00"
        models:
          sim:
            input: "1.00"
            output: "2.00"
        tiers:
          priority:
            multiplier: "2"
        promises:
          priority:
            - objective: availability
              percent: "99"
              minimum_requests: 10
              credits:
                - {below: "99", credit_percent: "10"}
                - {below: "90", credit_percent: "25"}
            - objective: time_to_first_token
              percent: "95"
              threshold_ms: 500
              minimum_requests: 10
              credits:
                - {below: "95", credit_percent: "15"}
        """

    /// 0.15 USD a million in, 0.60 out; no fee and no promise.
    static let beta = """
        plan: beta
        version: 1
        title: Beta
        currency: USD
        effective_from: 2026-01-01T00:00:00Z
        models:
          sim:
            input: "0.15"
            output: "0.60"
        """

    init() throws {
        pool = try TestDatabase.required.pool
        database = Database(pool)
    }

    /// A world with a seller, both plans and a registered journal.
    static func make() async throws -> BillingWorld {
        let world = try BillingWorld()
        try await world.setUp()
        return world
    }

    private func setUp() async throws {
        let (now, journal) = (Self.beginning, journalID)
        try await database.write { tx in
            try SellerStorage.set(Seller(name: "Tokens Ltd", address: ["1 Quay"], paymentTermsDays: 14), in: tx)
            _ = try JournalStorage.register(journal, gateway: "gw-1", epoch: 1, now: now, in: tx)
        }
        for text in [Self.alpha, Self.beta] { try await publish(text) }
    }

    func publish(_ text: String) async throws {
        let version = try PlanVersion(yaml: text)
        let now = Self.beginning
        histories[version.planID] = try await database.write { tx in
            try PlanStorage.apply(version, now: now, in: tx)
            return try PlanStorage.history(of: version.planID, in: tx)
        }
    }

    /// Learns of what was published by other ways.
    func reload(_ plan: String) async {
        histories[plan] = try? await database.read { try PlanStorage.history(of: plan, in: $0) }
    }

    /// A customer with one subscription.
    func customer(
        _ number: UInt64, plan: String, zone: String = "UTC", from: String = "2026-09-01T00:00:00Z",
        mode: AccountMode = .live
    ) async throws -> Customer {
        let account = Account(
            id: Self.id(number), name: "Customer \(number)", currency: .usd,
            calendar: try BillingCalendar(zoneName: zone),
            sandboxID: mode == .test ? SandboxID(Self.id(number, as: IDKinds.Account.self).uuid) : nil,
            createdAt: Self.beginning)
        let subscription = Subscription(
            id: Self.id(number), accountID: account.id, tenantID: Self.id(number), plan: plan,
            startsAt: Self.instant(from),
            createdAt: Self.beginning)
        let customer = Customer(account: account, subscription: subscription)
        try await database.write { try customer.store(tenant: "Tenant \(number)", in: $0) }
        return customer
    }

    /// A closed request, rated as ingest rates it.
    func request(
        _ customer: Customer, at text: String, input: Int64 = 0, output: Int64 = 0, tier: String = "standard",
        outcome: RequestOutcome = .success, firstToken: Int64? = 100_000, model: String = "sim-model",
        region: String = ""
    ) throws -> IngestRequest {
        sequence += 1
        let accepted = Self.instant(text)
        let uuid = UUIDv7(milliseconds: accepted.milliseconds, randomness: (sequence, sequence))
        var record = RequestRecord(
            id: RequestID(uuid), accountID: customer.account.id, tenantID: customer.subscription.tenantID,
            projectID: ProjectID(customer.subscription.tenantID.uuid), keyID: KeyID(customer.account.id.uuid),
            subscriptionID: customer.subscription.id, surface: .chatCompletions, modelRequested: model,
            tierRequested: tier,
            isStream: true, outcome: outcome)
        record.marks = TimeMarks(firstByte: 90_000, firstToken: firstToken, end: 900_000)
        if outcome == .providerError { record.httpStatus = 503 }
        var attempt = AttemptRecord(
            id: AttemptID(UUIDv7(milliseconds: accepted.milliseconds, randomness: (sequence + 1 << 20, sequence))),
            backend: "sim", upstreamModel: model, priceKey: "sim")
        attempt.tierServed = tier
        attempt.region = region
        attempt.buckets = TokenBuckets(inputUncached: input, outputVisible: output)
        attempt.usageSource = .engine
        attempt.usageComplete = true
        attempt.termination = outcome == .success ? .complete : .upstreamError
        let history = histories[customer.subscription.plan] ?? PlanHistory()
        guard let version = history.version(at: accepted, under: customer.account.clock) else {
            throw StorageError.notFound("version")
        }
        let rated = try Rating.rate(
            attempt, surface: record.surface, tierRequested: tier, version: version)
        return IngestRequest(
            request: record, tier: rated.tier,
            attempts: [try IngestAttempt(attempt, rated: rated, by: version)],
            periodStart: customer.account.calendar.period(containing: accepted).start,
            hourStart: customer.account.calendar.hourStart(of: accepted), mark: mark)
    }

    /// Stores requests and a heartbeat of this real time as one batch of the journal.
    func ingest(
        _ requests: [IngestRequest] = [], heartbeat: String, snapshotChange: Int64 = 0, oldestOpenAt: String? = nil,
        open: [AccountID: String?] = [:], opensByAccount: Bool = true
    ) async throws {
        var batch = IngestBatch(journalID: journalID, epoch: 1, from: mark, to: mark)
        var position = JournalPosition(segment: 1, offset: mark.offset)
        batch.requests = requests.map { request in
            position.offset += 100
            var placed = request
            placed.mark = position
            return placed
        }
        position.offset += 100
        batch.to = position
        batch.heartbeat = (Self.instant(heartbeat), snapshotChange)
        batch.oldestOpenAt = oldestOpenAt.map(Self.instant)
        batch.openChanges = open.mapValues { $0.map(Self.instant) }
        batch.opensByAccount = opensByAccount
        let outcome = try await database.write { [batch] in try IngestStorage.store(batch, in: $0) }
        guard case .stored = outcome else { throw StorageError.conflict("fenced") }
        mark = position
    }

    nonisolated func run(
        _ month: String, now: String, accounts: [AccountID]? = nil, mode: AccountMode? = nil, isDryRun: Bool = false,
        graceMilliseconds: Int64 = 0
    ) throws -> InvoiceRun {
        guard let civil = CivilMonth(month) else { throw StorageError.notFound("month \(month)") }
        var options = InvoiceRun.Options(month: civil, now: Self.instant(now), accounts: accounts, mode: mode)
        options.isDryRun = isDryRun
        options.graceMilliseconds = graceMilliseconds
        return InvoiceRun(database: database, by: .clerk, options: options)
    }

    nonisolated func document(_ id: InvoiceID) async throws -> InvoiceDocument {
        try await database.read { try InvoiceStorage.require(id, in: $0).document() }
    }

    /// Everything that a run could have changed, as text.
    nonisolated func fingerprint() async throws -> String {
        var parts: [String] = []
        for table in [
            "invoices", "invoice_lines", "ledger_transactions", "ledger_postings", "service_level_results",
            "number_series",
        ] {
            let rows = try await pool.query(
                "SELECT coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '') FROM \(unescaped: table) t")
            parts.append(try rows.onlyValue(as: String.self))
        }
        return parts.joined(separator: "\n--\n")
    }

    /// The sum of all postings, and how many transactions do not sum to zero.
    nonisolated func ledgerImbalance() async throws -> String {
        try await pool.query(
            """
            SELECT (SELECT coalesce(sum(amount), 0)::numeric(38, 2) FROM ledger_postings) || ' ' || count(*) FROM (
                SELECT 1 FROM ledger_postings GROUP BY account_id, transaction_id HAVING sum(amount) <> 0
            ) t
            """
        ).onlyValue(as: String.self)
    }
}

extension InvoiceRunReport {
    /// The result of one account in a word, with its number or reason.
    func word(_ id: AccountID) -> String {
        guard let outcome = accounts.first(where: { $0.accountID == id }) else { return "missing" }
        switch outcome.result {
        case .finalized(let invoice): return "finalized \(invoice.number ?? "") \(invoice.total)"
        case .drafted(let invoice): return "drafted \(invoice.total)"
        case .already(let invoice): return "already \(invoice.number ?? "")"
        case .wouldInvoice(let document): return "would invoice \(document.totals.total)"
        case .nothingToBill: return "nothing"
        case .notClosed(let obstacles): return "not closed: " + obstacles.map(\.description).joined(separator: "; ")
        case .onHold(let reason): return "on hold: \(reason)"
        case .failed(let reason): return "failed: \(reason)"
        case .deleted: return "deleted"
        }
    }
}
