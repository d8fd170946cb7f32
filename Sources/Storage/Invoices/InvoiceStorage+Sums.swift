public import Accounts
public import Identity
public import Invoicing
public import Monetary
public import Postgres

/// A sum of one charge in one period: of the rollups, or of invoiced lines.
public struct ChargeSum: Hashable, Sendable {
    public let periodStart: Timestamp
    public let charge: UsageCharge
    public let unitPrice: UnitPrice
    public let quantity: Int64
    /// Exact.
    public let amount: Money
    /// Of invoiced lines: in whole minor units.
    public var rounded: Money?
}

/// What was used, and what of it is on invoices.
extension InvoiceStorage {
    /// The billed sums of the rollups of these periods.
    public static func ratedSums(
        of account: Account, periods: some Collection<Timestamp>, in tx: Transaction
    ) throws -> [ChargeSum] {
        if periods.isEmpty { return [] }
        let rows = try tx.query(
            """
            SELECT r.period_start, r.subscription_id, r.model, r.price_id, p.plan, p.version AS plan_version,
                p.price_key, p.tier, p.variant, p.meter, p.picounits_per_unit::numeric(38, 0) AS picounits_per_unit,
                sum(r.quantity)::numeric(38, 0) AS quantity, sum(r.amount)::numeric(38, 12) AS amount
            FROM usage_rollups r LEFT JOIN effective_prices p USING (price_id)
            WHERE r.account_id = \(account.id) AND r.period_start = ANY(\(Array(periods))::timestamptz[])
            GROUP BY r.period_start, r.subscription_id, r.model, r.price_id, p.plan, p.version, p.price_key, p.tier,
                p.variant, p.meter, p.picounits_per_unit
            HAVING sum(r.quantity) <> 0 OR sum(r.amount) <> 0
            ORDER BY r.period_start, r.subscription_id, r.model, r.price_id
            """)
        for row in rows where row.isMissingPrice {
            throw StorageError.corrupt("rollups name the price \(row.priceName), which does not exist")
        }
        return try rows.map { try sum($0, currency: account.currency) }
    }

    /// The sums of usage and adjustment lines on the account's final invoices that are for these periods.
    public static func invoicedSums(
        of account: Account, periods: some Collection<Timestamp>, in tx: Transaction
    ) throws -> [ChargeSum] {
        if periods.isEmpty { return [] }
        return try tx.query(
            """
            SELECT l.period_start, l.subscription_id, l.model, l.plan, l.plan_version, l.price_key, l.tier,
                l.variant, l.meter, (l.unit_price * 1000000)::numeric(38, 0) AS picounits_per_unit,
                sum(l.quantity)::numeric(38, 0) AS quantity,
                sum(l.exact_amount)::numeric(38, 12) AS amount, sum(l.amount)::numeric(38, 12) AS rounded
            FROM invoice_lines l JOIN invoices i USING (account_id, invoice_id)
            WHERE l.account_id = \(account.id) AND l.period_start = ANY(\(Array(periods))::timestamptz[])
                AND i.state IN ('finalized', 'paid')
                AND l.kind = ANY (\(InvoiceLineKind.ofUsage.map(\.rawValue))::text[])
            GROUP BY l.period_start, l.subscription_id, l.model, l.plan, l.plan_version, l.price_key, l.tier,
                l.variant, l.meter, l.unit_price
            ORDER BY l.period_start, l.subscription_id, l.model
            """
        ).map { row in
            var sum = try sum(row, currency: account.currency)
            sum.rounded = try row.money("rounded", account.currency)
            return sum
        }
    }

    /// What a line of usage or of an adjustment is about and comes to; nil where there is no such line.
    public static func usageLine(_ id: InvoiceLineID, in tx: Transaction) throws -> ChargeSum? {
        try tx.query(
            """
            SELECT l.period_start, l.subscription_id, l.model, l.plan, l.plan_version, l.price_key, l.tier, l.variant,
                l.meter, (l.unit_price * 1000000)::numeric(38, 0) AS picounits_per_unit, l.quantity,
                l.exact_amount AS amount, l.amount AS rounded, i.currency
            FROM invoice_lines l JOIN invoices i USING (account_id, invoice_id)
            WHERE l.line_id = \(id) AND l.kind = ANY (\(InvoiceLineKind.ofUsage.map(\.rawValue))::text[])
            """
        ).first.map { row in
            let currency = try row.decode("currency", as: Currency.self)
            var sum = try sum(row, currency: currency)
            sum.rounded = try row.money("rounded", currency)
            return sum
        }
    }

    /// The exact billed charges of a period by subscription and the tier of their price, batches among them: what
    /// credits were a share of by the first rule of promises.
    static func tierCharges(
        of account: Account, periodStart: Timestamp, in tx: Transaction
    ) throws -> [TierCharge] {
        try tx.query(
            """
            SELECT r.subscription_id, p.tier, sum(r.amount)::numeric(38, 12) AS amount
            FROM usage_rollups r JOIN effective_prices p USING (price_id)
            WHERE r.account_id = \(account.id) AND r.period_start = \(periodStart)
            GROUP BY r.subscription_id, p.tier ORDER BY r.subscription_id, p.tier
            """
        ).map { row in
            TierCharge(
                subscriptionID: try row.decode("subscription_id"), tier: try row.decode("tier"),
                amount: try row.money("amount", account.currency))
        }
    }

    private static func sum(_ row: Row, currency: Currency) throws -> ChargeSum {
        ChargeSum(
            periodStart: try row.decode("period_start"),
            charge: UsageCharge(
                subscriptionID: try row.decode("subscription_id"), plan: try row.decode("plan"),
                planVersion: try row.decode("plan_version"), model: try row.decode("model"),
                priceKey: try row.decode("price_key"), tier: try row.decode("tier"), meter: try row.value("meter"),
                variant: try row.decode("variant")),
            unitPrice: try unitPrice(row), quantity: try row.decode("quantity"),
            amount: try row.money("amount", currency))
    }

    /// Never by way of a division: Postgres keeps 16 digits of a quotient, and prices have up to 19.
    private static func unitPrice(_ row: Row) throws -> UnitPrice {
        try UnitPrice(picounits: try row.decode("picounits_per_unit"))
    }
}

/// A tier's exact charges in one period of one subscription.
public struct TierCharge: Hashable, Sendable {
    public let subscriptionID: SubscriptionID
    public let tier: String
    public internal(set) var amount: Money
}

extension Row {
    fileprivate var isMissingPrice: Bool {
        columns.firstIndex(of: "plan").map { self[$0] == nil } ?? true
    }

    fileprivate var priceName: String {
        columns.firstIndex(of: "price_id").flatMap { self[$0] } ?? ""
    }
}
