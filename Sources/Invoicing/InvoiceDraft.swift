public import Identity
public import Monetary
import Pricing

/// What an invoice of one account and month says before it has a number. A function of its input alone.
public struct InvoiceDraft: Hashable, Sendable {
    public let id: InvoiceID
    public let accountID: AccountID
    public let currency: Currency
    public let period: ServicePeriod
    /// In their fixed order.
    public let lines: [InvoiceLine]
    /// The sum of the lines' rounded amounts: what is to be paid. Never below zero.
    public let total: Money
    /// The sum before rounding.
    public let exactTotal: Money
    /// Credits that wait for the next invoice.
    public let carriedOver: Money

    /// The most lines that an invoice can have.
    public static let linesMax = 10_000

    /// The id of the invoice of an account's month. Void ones keep theirs; the next `generation` has another.
    public static func id(accountID: AccountID, periodStart: Timestamp, generation: Int) -> InvoiceID {
        let text = ["invoice", "\(accountID)", "\(periodStart)", "\(generation)"].joined(separator: "\n")
        return InvoiceID(UUIDv7(derivedFrom: SHA256Digest(of: text)))
    }

    /// Computes the draft. Without lines there is nothing to bill, and no invoice.
    public init(_ input: InvoiceInput) throws(InvoicingError) {
        var builder = try InvoiceBuilder(input)
        let fees = try builder.baseFees()
        for terms in input.subscriptions.sorted(by: { $0.id < $1.id }) {
            builder.lines += fees[terms.id] ?? []
            try builder.addUsage(of: terms)
        }
        for terms in input.subscriptions.sorted(by: { $0.id < $1.id }) { try builder.addAdjustments(of: terms) }
        let charges = try builder.sum(\.amount)
        guard !charges.isNegative else { throw .negativeTotal(charges) }
        try builder.addCredits()
        guard builder.lines.count <= InvoiceDraft.linesMax else { throw .tooManyLines(builder.lines.count) }
        id = builder.invoiceID
        accountID = input.accountID
        currency = input.currency
        period = input.month.period
        lines = builder.lines
        total = try builder.sum(\.amount)
        exactTotal = try builder.sum(\.exactAmount)
        carriedOver = builder.carriedOver
    }

    /// True where there is nothing to bill: then no invoice is made.
    public var isEmpty: Bool { lines.isEmpty }
}

/// Collects the lines of one invoice, in order.
struct InvoiceBuilder {
    let input: InvoiceInput
    let invoiceID: InvoiceID
    let terms: [SubscriptionID: SubscriptionTerms]
    var lines: [InvoiceLine] = []
    var carriedOver: Money
    private let usageBySubscription: [SubscriptionID: [RatedUsage]]
    private let earlierBySubscription: [SubscriptionID: [EarlierUsage]]

    init(_ input: InvoiceInput) throws(InvoicingError) {
        self.input = input
        invoiceID = InvoiceDraft.id(
            accountID: input.accountID, periodStart: input.month.start, generation: input.generation)
        terms = Dictionary(input.subscriptions.map { ($0.id, $0) }) { first, _ in first }
        carriedOver = .zero(input.currency)
        usageBySubscription = Dictionary(grouping: input.usage, by: \.charge.subscriptionID)
        earlierBySubscription = Dictionary(grouping: input.earlierUsage, by: \.rated.charge.subscriptionID)
        let known = Set(terms.keys)
        let used = Set(usageBySubscription.keys).union(earlierBySubscription.keys)
        if let unknown = used.subtracting(known).min() { throw .unknownSubscription(unknown) }
        for terms in input.subscriptions {
            for version in terms.history.versions where version.currency != input.currency {
                throw .currency(
                    plan: version.planID, planCurrency: version.currency, accountCurrency: input.currency)
            }
        }
    }

    /// In the order of lines.
    func usage(of subscription: SubscriptionID) -> [RatedUsage] {
        (usageBySubscription[subscription] ?? []).sorted { $0.charge < $1.charge }
    }

    /// By month, then in the order of lines.
    func earlierUsage(of subscription: SubscriptionID) -> [EarlierUsage] {
        (earlierBySubscription[subscription] ?? []).sorted {
            $0.period.start == $1.period.start
                ? $0.rated.charge < $1.rated.charge : $0.period.start < $1.period.start
        }
    }

    func sum(_ amount: (InvoiceLine) -> Money) throws(InvoicingError) -> Money {
        do throws(MonetaryError) {
            return try Money.sum(lines.map(amount), currency: input.currency)
        } catch {
            throw .money(error)
        }
    }

    /// A line with its id.
    func line(
        _ kind: InvoiceLineKind, _ charge: LineCharge, subscription: SubscriptionID, description: String,
        period: ServicePeriod, exact: Money, amount: Money, measured: (quantity: Int64, unitPrice: UnitPrice)? = nil,
    ) -> InvoiceLine {
        let identity = InvoiceLineIdentity(
            invoiceID: invoiceID, subscriptionID: subscription, kind: kind, charge: charge, period: period)
        return InvoiceLine(
            id: identity.lineID, kind: kind, subscriptionID: subscription,
            tenantName: terms[subscription]?.tenantName ?? "", charge: charge, description: description,
            period: period, quantity: measured?.quantity, unitPrice: measured?.unitPrice, exactAmount: exact,
            amount: amount)
    }
}
