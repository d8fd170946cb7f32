import Identity
import Metering
import Monetary
public import Postgres

/// Sums of usage.
public enum UsageStorage {
    /// Sums, in the order of what they are grouped by, then of the meters. Summed from rollups; with tags, from the
    /// records themselves.
    public static func sums(_ query: UsageQuery, in tx: Transaction) throws -> UsageSums {
        let spans = try UsageSpans(query, in: tx)
        return UsageSums(totals: try totals(query, spans, in: tx), leftOut: spans.leftOut)
    }

    private static func totals(
        _ query: UsageQuery, _ spans: UsageSpans, in tx: Transaction
    ) throws -> [UsageTotal] {
        guard let bounds = spans.bounds else { return [] }
        let dimensions = UsageQuery.Dimension.allCases.filter(query.groupBy.contains)
        let groups = dimensions.map { "\(Self.expression(of: $0)) AS \($0.column)" }
        let columns = groups.map { $0 + ", " }.joined()
        let keys = (dimensions.map(\.column) + ["currency", "meter"]).joined(separator: ", ")
        let rows = try tx.query(
            """
            SELECT \(unescaped: columns)a.currency, u.meter, sum(u.records)::bigint AS records,
                sum(u.quantity)::numeric AS quantity, sum(u.amount)::numeric AS amount,
                sum(u.waived_quantity)::numeric AS waived_quantity, sum(u.waived_amount)::numeric AS waived_amount
            FROM (\(query.tags.isEmpty ? rollups(spans, bounds) : records(query, spans, bounds))) u
            JOIN accounts a USING (account_id) JOIN \(spans.rows) USING (account_id)
            WHERE u.instant >= s.first AND u.instant < s.past \(filters(query))
            GROUP BY \(unescaped: keys) ORDER BY \(unescaped: keys)
            LIMIT \(UsageQuery.rowsMax)
            """)
        return try rows.map { row in try total(row, dimensions) }
    }

    private static func total(_ row: Row, _ dimensions: [UsageQuery.Dimension]) throws -> UsageTotal {
        let currency = try row.decode("currency", as: Currency.self)
        var group: [UsageQuery.Dimension: String] = [:]
        for dimension in dimensions { group[dimension] = try text(of: dimension, row) }
        return UsageTotal(
            group: group, meter: try row.value("meter"), quantity: try row.decode("quantity"),
            amount: try row.money("amount", currency), waivedQuantity: try row.decode("waived_quantity"),
            waivedAmount: try row.money("waived_amount", currency), records: try row.decode("records"))
    }

    private static func expression(of dimension: UsageQuery.Dimension) -> String {
        switch dimension {
        case .hour: "u.hour_start"
        case .day: "(u.hour_start AT TIME ZONE a.time_zone)::date"
        case .account: "u.account_id"
        case .tenant: "u.tenant_id"
        case .project: "u.project_id"
        case .key: "u.key_id"
        case .model: "u.model"
        case .priceKey: "u.price_key"
        case .tier: "u.tier"
        }
    }

    private static func text(of dimension: UsageQuery.Dimension, _ row: Row) throws -> String {
        switch dimension {
        case .hour: try row.decode(dimension.column, as: Timestamp.self).description
        case .account: try row.decode(dimension.column, as: AccountID.self).description
        case .tenant: try row.decode(dimension.column, as: TenantID.self).description
        case .project: try row.decode(dimension.column, as: ProjectID.self).description
        case .key: try row.decode(dimension.column, as: KeyID.self).description
        case .day, .model, .priceKey, .tier: try row.decode(dimension.column)
        }
    }

    private static func filters(_ query: UsageQuery) -> SQL {
        var sql: SQL = ""
        if let account = query.account { sql += "AND u.account_id = \(account) " }
        if let tenant = query.tenant { sql += "AND u.tenant_id = \(tenant) " }
        if let project = query.project { sql += "AND u.project_id = \(project) " }
        if let key = query.key { sql += "AND u.key_id = \(key) " }
        if let model = query.model { sql += "AND u.model = \(model) " }
        if let tier = query.tier { sql += "AND u.tier = \(tier) " }
        if let meter = query.meter { sql += "AND u.meter = \(meter.rawValue) " }
        return sql
    }

    private static func rollups(_ spans: UsageSpans, _ bounds: (from: Timestamp, to: Timestamp)) -> SQL {
        """
        SELECT r.*, r.hour_start AS instant, p.price_key, p.tier, p.meter
        FROM usage_rollups r JOIN effective_prices p USING (price_id)
        WHERE r.account_id = ANY(\(spans.accounts)::uuid[])
            AND r.hour_start >= \(bounds.from) AND r.hour_start < \(bounds.to)
        """
    }

    /// The same rows as the rollups', one for each attempt and price, computed from counts and prices: a count goes to
    /// its meter's own price, else to that of the nearest parent that the version prices.
    private static func records(
        _ query: UsageQuery, _ spans: UsageSpans, _ bounds: (from: Timestamp, to: Timestamp)
    ) -> SQL {
        """
        SELECT r.account_id, date_trunc('hour', r.accepted_at, z.time_zone) AS hour_start, r.accepted_at AS instant,
            r.tenant_id, r.project_id, r.key_id, r.model, t.price_key, t.tier, l.meter,
            (t.rating = 'rated')::integer AS records,
            CASE t.rating WHEN 'rated' THEN l.quantity ELSE 0 END AS quantity,
            CASE t.rating WHEN 'rated' THEN l.quantity * l.picounits_per_unit * 0.000000000001 ELSE 0 END AS amount,
            CASE t.rating WHEN 'waived' THEN l.quantity ELSE 0 END AS waived_quantity,
            CASE t.rating WHEN 'waived' THEN l.quantity * l.picounits_per_unit * 0.000000000001 ELSE 0 END
                AS waived_amount
        FROM request_records r
        JOIN accounts z ON z.account_id = r.account_id
        JOIN attempt_records t ON t.account_id = r.account_id AND t.accepted_at = r.accepted_at
            AND t.request_id = r.record_id
        CROSS JOIN LATERAL (
            SELECT p.meter, p.picounits_per_unit, sum(m.quantity) AS quantity
            FROM (VALUES
                \(unescaped: MeterColumns.counts)
            ) AS m(quantity, meters)
            CROSS JOIN LATERAL (
                SELECT e.meter, e.picounits_per_unit FROM effective_prices e
                WHERE e.plan = t.plan AND e.version = t.plan_version AND e.price_key = t.price_key
                    AND e.tier = t.tier AND e.variant = t.price_variant AND e.meter = ANY (m.meters)
                ORDER BY array_position(m.meters, e.meter) LIMIT 1
            ) AS p
            WHERE m.quantity > 0
            GROUP BY p.meter, p.picounits_per_unit
        ) AS l
        WHERE r.account_id = ANY(\(spans.accounts)::uuid[])
            AND t.rating IN ('rated', 'waived') AND r.operation <> 'count_tokens'
            AND (r.operation <> 'batch' OR t.kind = 'batch_item')
            AND r.accepted_at >= \(bounds.from) AND r.accepted_at < \(bounds.to)
            AND r.tags @> \(TagText.json(of: query.tags))::jsonb
        """
    }
}

/// Which column of attempt records holds what a meter counts.
enum MeterColumns {
    static func column(of meter: Meter) -> String {
        switch meter {
        case .inputTokens: "input_uncached"
        case .inputAudioTokens: "input_audio"
        case .inputImageTokens: "input_image"
        case .inputVideoTokens: "input_video"
        case .cacheReadTokens: "cache_read"
        case .cacheReadAudioTokens: "cache_read_audio"
        case .cacheReadImageTokens: "cache_read_image"
        case .cacheReadVideoTokens: "cache_read_video"
        case .cacheWriteTokens: "cache_write_5m"
        case .cacheWriteHourTokens: "cache_write_1h"
        case .cacheWriteLongTokens: "cache_write_long"
        case .outputTokens: "output_visible"
        case .outputAudioTokens: "output_audio"
        case .outputImageTokens: "output_image"
        case .reasoningTokens: "output_reasoning"
        case .images: "images"
        case .audioMilliseconds: "audio_ms"
        case .characters: "characters"
        case .searches: "searches"
        case .computeMilliseconds: "compute_ms"
        case .requests: "requests"
        }
    }

    /// Rows of a VALUES list: what an attempt `t` counts, and the meters whose price counts for it, nearest first.
    static let counts: String = Meter.allCases.map { meter in
        var meters: [Meter] = []
        var next: Meter? = meter
        while let current = next {
            meters.append(current)
            next = current.parent
        }
        let names = meters.map { "'\($0.rawValue)'" }.joined(separator: ", ")
        return "(t.\(column(of: meter))::numeric, ARRAY[\(names)])"
    }.joined(separator: ", ")
}
