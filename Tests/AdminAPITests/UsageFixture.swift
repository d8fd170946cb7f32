import Accounts
import Identity
import Invoicing
import Metering
import Monetary
import PlanLanguage
import Pricing
import ServiceLevels
import Storage

@testable import AdminAPI

/// A customer on the plan of `PlanFixture`, and one journal with three requests: one that was billed, one that was
/// waived after its gateway died, one without a price.
struct UsageFixture {
    let account: Account
    let tenant: Tenant
    let project: Project
    let key: APIKey
    let subscription: Subscription
    let journal: JournalID
    let requests: [RequestID]
    let attempts: [AttemptID]

    static let acceptedAt = Timestamp(milliseconds: 1_789_990_000_000)  // 2026-09-21T11:26:40Z

    static func id<Kind>(_ number: UInt64, as kind: Kind.Type = Kind.self) -> TypedID<Kind> {
        TypedID(UUIDv7(milliseconds: acceptedAt.milliseconds, randomness: (number, number)))
    }

    static func store(in database: Database) async throws -> UsageFixture {
        let fixture = try UsageFixture()
        let version = try PlanVersion(yaml: PlanFixture.text())
        let batch = try fixture.batch(version)
        try await database.write { tx in
            try PlanStorage.apply(version, now: acceptedAt, in: tx)
            try AccountStorage.insert(fixture.account, in: tx)
            try TenantStorage.insert(fixture.tenant, in: tx)
            try ProjectStorage.insert(fixture.project, in: tx)
            try APIKeyStorage.insert(fixture.key, in: tx)
            try SubscriptionStorage.insert(fixture.subscription, in: tx)
            _ = try JournalStorage.register(fixture.journal, gateway: "gw-1", epoch: 1, now: acceptedAt, in: tx)
            _ = try IngestStorage.store(batch, in: tx)
        }
        return fixture
    }

    private init() throws {
        let now = Self.acceptedAt
        account = Account(
            id: Self.id(1), name: "Example", currency: .usd, calendar: try BillingCalendar(zoneName: "UTC"),
            createdAt: now)
        tenant = Tenant(id: Self.id(2), accountID: account.id, name: "Research", createdAt: now)
        project = Project(id: Self.id(3), accountID: account.id, tenantID: tenant.id, name: "Chat", createdAt: now)
        key = APIKey(id: Self.id(4), project: project, name: "k", secret: Secret(text: "tg_1"), createdAt: now)
        subscription = Subscription(
            id: Self.id(5), accountID: account.id, tenantID: tenant.id, plan: "pay-as-you-go",
            startsAt: now.advanced(byMilliseconds: -1000), createdAt: now)
        journal = Self.id(6)
        requests = (10..<13).map { Self.id($0) }
        attempts = (20..<23).map { Self.id($0) }
    }

    private func batch(_ version: PlanVersion) throws -> IngestBatch {
        let start = JournalPosition(segment: 0, offset: 0)
        var batch = IngestBatch(
            journalID: journal, epoch: 1, from: start, to: JournalPosition(segment: 1, offset: 300))
        batch.requests = [
            try entry(0, version, .rated, outcome: .success, tags: [Tag(name: "team", value: "search & find")]),
            try entry(1, version, .waived, outcome: .gatewayLost),
            try entry(2, version, .suspended, outcome: .success),
        ]
        return batch
    }

    private func entry(
        _ index: Int, _ version: PlanVersion, _ rating: RatingState, outcome: RequestOutcome, tags: [Tag] = []
    ) throws -> IngestRequest {
        let request = RequestRecord(
            id: requests[index], accountID: account.id, tenantID: tenant.id, projectID: project.id, keyID: key.id,
            subscriptionID: subscription.id, surface: .chatCompletions, modelRequested: "sim-small",
            tierRequested: "priority", isStream: true, outcome: outcome, httpStatus: 200,
            marks: TimeMarks(firstByte: 900, firstToken: 1000, lastToken: 5000, end: 6000), tags: tags)
        var record = AttemptRecord(
            id: attempts[index], backend: "engine-1", upstreamModel: "sim-small", priceKey: "sim-small")
        record.buckets = TokenBuckets(inputUncached: 1000, outputVisible: 150, outputReasoning: 50)
        record.usageSource = .engine
        record.usageComplete = rating == .rated
        record.termination = outcome == .gatewayLost ? .gatewayLost : .complete
        record.tierServed = "standard"
        record.finishReason = "stop"
        record.upstreamStatus = 200
        var lines: [IngestLine] = []
        if rating != .suspended {
            for meter in [Meter.inputTokens, .outputTokens] {
                guard let price = version.price(priceKey: "sim-small", tier: "standard", meter: meter) else { continue }
                let quantity = meter == .inputTokens ? record.buckets.inputTotal : record.buckets.outputTotal
                lines.append(
                    IngestLine(
                        priceID: price.id, quantity: quantity,
                        amount: price.unitPrice.cost(of: quantity, currency: .usd)))
            }
        }
        let attempt = IngestAttempt(
            record: record, rating: rating, plan: rating == .suspended ? nil : version.planID,
            planVersion: rating == .suspended ? nil : version.version, tier: "standard",
            amount: try Money.sum(lines.map(\.amount), currency: .usd), lines: lines,
            suspense: rating == .suspended ? .init(reason: "no_price", detail: "sim-small has no price") : nil)
        let period = account.calendar.period(containing: Self.acceptedAt)
        return IngestRequest(
            request: request, tier: "standard", attempts: [attempt], periodStart: period.start,
            hourStart: account.calendar.hourStart(of: Self.acceptedAt),
            mark: JournalPosition(segment: 1, offset: Int64(100 * (index + 1))))
    }

    /// A stored draft of the account's September.
    func storeDraft(in database: Database, quantity: Int64 = 1000) async throws -> InvoiceID {
        guard let september = CivilMonth("2026-09") else { preconditionFailure("September is a month") }
        let month = BillingMonth(september, calendar: account.calendar)
        let version = try PlanVersion(yaml: PlanFixture.text())
        guard let price = version.price(priceKey: "sim-small", tier: "standard", meter: .inputTokens) else {
            preconditionFailure("the plan has this price")
        }
        let usage = RatedUsage(
            charge: UsageCharge(
                subscriptionID: subscription.id, plan: version.planID, planVersion: 1, model: "sim-small",
                priceKey: "sim-small", tier: "standard", meter: .inputTokens),
            price: price.model, rounding: .halfEven, quantity: quantity,
            rolledUp: price.unitPrice.cost(of: quantity, currency: .usd))
        let terms = SubscriptionTerms(
            subscription: subscription, tenantName: tenant.name, history: try PlanHistory(published: [version]))
        let draft = try InvoiceDraft(
            InvoiceInput(
                accountID: account.id, currency: .usd, month: month, generation: 0, subscriptions: [terms],
                usage: [usage], earlierUsage: [], credits: []))
        let document = try InvoiceDocument(draft, seller: Seller(name: "Tokens Ltd"), account: account)
        let json = try document.canonicalJSON()
        try await database.write { tx in
            _ = try InvoiceStorage.storeDraft(
                draft, documentJSON: json, positions: try JournalVector.current(of: draft.accountID, in: tx),
                now: Self.acceptedAt, in: tx)
        }
        return draft.id
    }

    /// A final invoice of the account's September over 1.50 USD.
    func storeFinal(in database: Database) async throws -> InvoiceID {
        let id = try await storeDraft(in: database, quantity: 10_000_000)
        guard let day = CivilDate("2026-10-02") else { preconditionFailure("the second is a day") }
        let number = InvoiceNumber(series: InvoiceNumber.series(of: .live, on: day), value: 1)
        try await database.write { tx in
            try SellerStorage.set(Seller(name: "Tokens Ltd"), in: tx)
            let draft = try InvoiceStorage.require(id, in: tx)
            let document = try draft.document().issued(as: number, on: day, paymentTermsDays: 14)
            _ = try InvoiceStorage.takeNumbers(1, series: number.series, in: tx)
            try InvoiceStorage.finalize(
                draft, number: number, documentJSON: try document.canonicalJSON(), issuedAt: Self.acceptedAt,
                issuedOn: day, dueOn: day, in: tx)
        }
        return id
    }
}
