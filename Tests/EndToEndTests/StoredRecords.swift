import Postgres
import TestSupport

/// One request record with its attempts, as the database has it.
struct StoredRecord: Sendable {
    let requestID: String
    let outcome: String
    var attempts: [StoredAttempt] = []
}

/// One attempt record.
struct StoredAttempt: Sendable {
    let termination: String
    let usageSource: String
    let inputTokens: Int64
    let outputTokens: Int64
    let contentEvents: Int64
    let rating: String
}

extension Installation {
    /// All records, in the order of their ids. The same id twice stands there twice.
    func records() async throws -> [StoredRecord] {
        let rows = try await query(
            """
            SELECT 'req_' || replace(r.record_id::text, '-', '') AS request, r.outcome, a.termination, a.usage_source,
                   a.input_uncached + a.cache_read + a.cache_write_5m + a.cache_write_1h + a.cache_write_long
                       + a.input_audio + a.input_image AS input,
                   a.output_visible + a.output_reasoning + a.output_audio + a.output_image AS output,
                   a.content_events, a.rating,
                   r.ctid::text || r.tableoid::text AS place
            FROM request_records r
            LEFT JOIN attempt_records a ON a.account_id = r.account_id AND a.request_id = r.record_id
            ORDER BY r.record_id, place, a.number
            """)
        var records: [StoredRecord] = []
        var place = ""
        for row in rows {
            let rowPlace = try row.decode("place", as: String.self)
            if rowPlace != place {
                records.append(
                    StoredRecord(
                        requestID: try row.decode("request", as: String.self),
                        outcome: try row.decode("outcome", as: String.self)))
                place = rowPlace
            }
            guard let termination = try row.decode("termination", as: String?.self) else { continue }
            records[records.count - 1].attempts.append(
                StoredAttempt(
                    termination: termination, usageSource: try row.decode("usage_source", as: String.self),
                    inputTokens: try row.decode("input", as: Int64.self),
                    outputTokens: try row.decode("output", as: Int64.self),
                    contentEvents: try row.decode("content_events", as: Int64.self),
                    rating: try row.decode("rating", as: String.self)))
        }
        return records
    }

    /// What the rollups say against the sums of the records, by account, model, tier and meter; empty when equal.
    func rollupDifferences() async throws -> [String] {
        let usage = try await query(
            """
            WITH metered AS (
                SELECT a.account_id, r.model, a.tier, m.meter, m.quantity, a.rating
                FROM attempt_records a
                JOIN request_records r ON r.account_id = a.account_id AND r.record_id = a.request_id
                CROSS JOIN LATERAL (VALUES
                    ('input_tokens', a.input_uncached), ('cache_read_tokens', a.cache_read),
                    ('cache_write_tokens', a.cache_write_5m + a.cache_write_1h + a.cache_write_long),
                    ('output_tokens', a.output_visible + a.output_reasoning)) AS m (meter, quantity)
                WHERE a.rating IN ('rated', 'waived') AND m.quantity > 0
            ), summed AS (
                SELECT account_id, model, tier, meter,
                       coalesce(sum(quantity) FILTER (WHERE rating = 'rated'), 0) AS billed,
                       coalesce(sum(quantity) FILTER (WHERE rating = 'waived'), 0) AS waived
                FROM metered GROUP BY 1, 2, 3, 4
            ), rolled AS (
                SELECT u.account_id, u.model, p.tier, p.meter, sum(u.quantity) AS billed,
                       sum(u.waived_quantity) AS waived
                FROM usage_rollups u JOIN effective_prices p USING (price_id) GROUP BY 1, 2, 3, 4
            )
            SELECT concat_ws(' ', model, tier, meter) AS what,
                   concat_ws(' ', summed.billed, summed.waived) AS records,
                   concat_ws(' ', rolled.billed, rolled.waived) AS rollups
            FROM summed FULL JOIN rolled USING (account_id, model, tier, meter)
            WHERE (summed.billed, summed.waived) IS DISTINCT FROM (rolled.billed, rolled.waived)
            """)
        let amounts = try await query(
            """
            SELECT 'amount' AS what, records::text, rollups::text FROM
                (SELECT coalesce(sum(amount) FILTER (WHERE rating = 'rated'), 0) AS records FROM attempt_records) a,
                (SELECT coalesce(sum(amount), 0) AS rollups FROM usage_rollups) b
            WHERE records <> rollups
            UNION ALL
            SELECT 'requests', records::text, rollups::text FROM
                (SELECT count(*) AS records FROM request_records) a,
                (SELECT coalesce(sum(requests), 0) AS rollups FROM request_rollups) b
            WHERE records <> rollups
            """)
        return try (Array(usage) + Array(amounts)).map { row in
            let (records, rollups) = (row[1] ?? "nothing", row[2] ?? "nothing")
            return "\(try row.decode("what", as: String.self)): records say \(records), rollups \(rollups)"
        }
    }
}
