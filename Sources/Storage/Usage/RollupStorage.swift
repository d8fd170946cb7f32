import Identity
import Metering
import Monetary
import Postgres

/// Sums by local hour. Rows are written in key order, so that two ingesters never wait for each other in a circle.
enum RollupStorage {
    private static let keyColumns: [InsertBatch.Column] = [
        .init("account_id", "uuid"), .init("period_start", "timestamptz"), .init("hour_start", "timestamptz"),
        .init("tenant_id", "uuid"), .init("project_id", "uuid"), .init("key_id", "uuid"),
        .init("subscription_id", "uuid"), .init("model", "text"),
    ]

    /// Adds priced attempts, billed or waived, to the usage rollups.
    static func add(attempts: [(IngestRequest, IngestAttempt)], in tx: Transaction) throws {
        try PlanStorage.addConditional(attempts.flatMap(\.1.conditionalPrices), in: tx)
        var sums: [RollupKey: UsageSum] = [:]
        for (entry, attempt) in attempts where attempt.rating == .rated || attempt.rating == .waived {
            for line in attempt.lines {
                let key = RollupKey(entry, last: line.priceID)
                try sums[key, default: UsageSum()].add(line, isBilled: attempt.rating == .rated)
            }
        }
        var batch = InsertBatch(
            columns: keyColumns + [
                .init("price_id", "text"), .init("records", "bigint"), .init("quantity", "numeric"),
                .init("amount", "numeric"), .init("waived_quantity", "numeric"), .init("waived_amount", "numeric"),
            ])
        for (key, sum) in sums.sorted(by: { $0.key < $1.key }) {
            try batch.append(
                key.values + [
                    sum.records, sum.quantity, Picounits.text(sum.amount), sum.waivedQuantity,
                    Picounits.text(sum.waivedAmount),
                ])
        }
        guard !batch.isEmpty else { return }
        try tx.execute(
            batch.insert(
                into: "usage_rollups",
                """
                ON CONFLICT (
                    account_id, period_start, hour_start, tenant_id, project_id, key_id, subscription_id, model,
                    price_id
                ) DO UPDATE SET records = usage_rollups.records + excluded.records,
                    quantity = usage_rollups.quantity + excluded.quantity,
                    amount = usage_rollups.amount + excluded.amount,
                    waived_quantity = usage_rollups.waived_quantity + excluded.waived_quantity,
                    waived_amount = usage_rollups.waived_amount + excluded.waived_amount
                """))
    }

    /// Adds requests to the request rollups.
    static func add(requests: [IngestRequest], in tx: Transaction) throws {
        var sums: [RollupKey: [RequestOutcome: Int64]] = [:]
        for entry in requests {
            sums[RollupKey(entry, last: entry.tier.storable), default: [:]][entry.request.outcome, default: 0] += 1
        }
        try add(sums, in: tx)
    }

    static func add(_ sums: [RollupKey: [RequestOutcome: Int64]], in tx: Transaction) throws {
        var batch = InsertBatch(
            columns: keyColumns + [
                .init("tier", "text"), .init("requests", "bigint"), .init("successes", "bigint"),
                .init("client_errors", "bigint"), .init("client_aborts", "bigint"),
                .init("provider_errors", "bigint"), .init("gateway_losses", "bigint"),
            ])
        for (key, counts) in sums.sorted(by: { $0.key < $1.key }) {
            let outcomes: [RequestOutcome] = [.success, .clientError, .clientAbort, .providerError, .gatewayLost]
            let columns = outcomes.map { counts[$0] ?? 0 }
            try batch.append(key.values + [columns.reduce(0, +)] + columns)
        }
        guard !batch.isEmpty else { return }
        try tx.execute(
            batch.insert(
                into: "request_rollups",
                """
                ON CONFLICT (
                    account_id, period_start, hour_start, tenant_id, project_id, key_id, subscription_id, model, tier
                ) DO UPDATE SET requests = request_rollups.requests + excluded.requests,
                    successes = request_rollups.successes + excluded.successes,
                    client_errors = request_rollups.client_errors + excluded.client_errors,
                    client_aborts = request_rollups.client_aborts + excluded.client_aborts,
                    provider_errors = request_rollups.provider_errors + excluded.provider_errors,
                    gateway_losses = request_rollups.gateway_losses + excluded.gateway_losses
                """))
    }
}

/// The primary key of a rollup row; the last column is the price row or the tier.
struct RollupKey: Hashable, Comparable {
    var account: AccountID
    var periodStart: Timestamp
    var hourStart: Timestamp
    var tenant: TenantID
    var project: ProjectID
    var key: KeyID
    var subscription: SubscriptionID
    var model: String
    var last: String

    init(_ row: Row, account: AccountID, periodStart: Timestamp, hourStart: Timestamp) throws {
        self.account = account
        self.periodStart = periodStart
        self.hourStart = hourStart
        tenant = try row.decode("tenant_id")
        project = try row.decode("project_id")
        key = try row.decode("key_id")
        subscription = try row.decode("subscription_id")
        model = try row.decode("model")
        last = try row.decode("tier")
    }

    init(_ entry: IngestRequest, last: String) {
        account = entry.request.accountID
        periodStart = entry.periodStart
        hourStart = entry.hourStart
        tenant = entry.request.tenantID
        project = entry.request.projectID
        key = entry.request.keyID
        subscription = entry.request.subscriptionID
        model = entry.request.model.storable
        self.last = last
    }

    var values: [any PostgresBindable] {
        [account, periodStart, hourStart, tenant, project, key, subscription, model, last]
    }

    static func < (left: RollupKey, right: RollupKey) -> Bool {
        let times = (left.account, left.periodStart, left.hourStart, left.tenant)
        let otherTimes = (right.account, right.periodStart, right.hourStart, right.tenant)
        if times != otherTimes { return times < otherTimes }
        let ids = (left.project, left.key, left.subscription)
        let otherIDs = (right.project, right.key, right.subscription)
        if ids != otherIDs { return ids < otherIDs }
        return (left.model, left.last) < (right.model, right.last)
    }
}

private struct UsageSum {
    var records: Int64 = 0
    var quantity: Int128 = 0
    var amount: Int128 = 0
    var waivedQuantity: Int128 = 0
    var waivedAmount: Int128 = 0

    /// A batch is bounded, so sums of 64-bit quantities fit; amounts are checked.
    mutating func add(_ line: IngestLine, isBilled: Bool) throws {
        if isBilled {
            records += 1
            quantity += Int128(line.quantity)
            amount = try sum(amount, line.amount.picounits)
        } else {
            waivedQuantity += Int128(line.quantity)
            waivedAmount = try sum(waivedAmount, line.amount.picounits)
        }
    }

    private func sum(_ left: Int128, _ right: Int128) throws -> Int128 {
        let (sum, overflowed) = left.addingReportingOverflow(right)
        if overflowed { throw MonetaryError.overflow }
        return sum
    }
}

/// Amounts whose currency is not at hand.
private enum Picounits {
    /// As a `numeric` with all 12 decimals.
    static func text(_ picounits: Int128) -> String {
        Money(picounits: picounits, currency: .usd).decimalText
    }
}
