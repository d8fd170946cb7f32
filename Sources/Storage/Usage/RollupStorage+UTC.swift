import Accounts
import Identity
import Metering
import Postgres

/// Requests of an account whose calendar was not known when they came are counted by UTC's hours and months. Once it is
/// known they are counted anew, from the records, by its own.
extension RollupStorage {
    /// Hours that are read in one go.
    private static let hoursAtOnce: Int64 = 24
    private static let hour: Int64 = 3_600_000
    /// Zones are apart from UTC, and change, by whole quarters.
    private static let quarter: Int64 = 900_000

    /// Counts the requests of all hours that UTC's hours stand in for. Ingest of all accounts waits meanwhile: what it
    /// counts at the same time would be counted twice, or not at all.
    static func moveRequestsCountedByUTC(of account: Account, in tx: Transaction) throws {
        guard try !hoursByUTC(of: account, in: tx).isEmpty else { return }
        try tx.execute("LOCK TABLE request_rollups IN SHARE ROW EXCLUSIVE MODE")
        for span in spans(around: try hoursByUTC(of: account, in: tx), in: account.calendar) {
            try tx.execute(
                """
                DELETE FROM request_rollups
                WHERE account_id = \(account.id) AND hour_start >= \(span.start) AND hour_start < \(span.end)
                """)
            var start = span.start
            while start < span.end {
                let end = min(start.advanced(byMilliseconds: hoursAtOnce * hour), span.end)
                try add(requests(of: account, in: BillingPeriod(start: start, end: end), in: tx), in: tx)
                start = end
            }
        }
    }

    /// Whether requests are counted under an instant of the span at which no month of the account was kept to begin.
    /// Months are looked up one by one, whatever number of rows each has.
    static func countsStrayRequests(of account: AccountID, in span: BillingPeriod, in tx: Transaction) throws -> Bool {
        try tx.query(
            """
            WITH RECURSIVE starts(period_start) AS (
                SELECT min(period_start) FROM request_rollups
                WHERE account_id = \(account) AND period_start >= \(span.start)
                UNION ALL
                SELECT (
                    SELECT min(r.period_start) FROM request_rollups r
                    WHERE r.account_id = \(account) AND r.period_start > s.period_start
                )
                FROM starts s WHERE s.period_start < \(span.end)
            )
            SELECT EXISTS (
                SELECT 1 FROM starts s WHERE s.period_start < \(span.end) AND NOT EXISTS (
                    SELECT 1 FROM billing_periods b
                    WHERE b.account_id = \(account) AND b.period_start = s.period_start
                )
            )
            """
        ).onlyValue()
    }

    /// The hours of UTC under which requests of the account are counted, and that are not its own, in order.
    private static func hoursByUTC(of account: Account, in tx: Transaction) throws -> [Timestamp] {
        let utc = try BillingCalendar(zoneName: "UTC")
        let rows = try tx.query(
            """
            SELECT DISTINCT hour_start, period_start FROM request_rollups WHERE account_id = \(account.id)
            ORDER BY hour_start
            """)
        var hours: [Timestamp] = []
        for row in rows {
            let hour: Timestamp = try row.decode("hour_start")
            let place = Place(of: hour, in: account.calendar)
            let counted = Place(periodStart: try row.decode("period_start"), hourStart: hour)
            if counted != place, counted == Place(of: hour, in: utc) { hours.append(hour) }
        }
        return hours
    }

    private struct Place: Hashable {
        let periodStart: Timestamp
        let hourStart: Timestamp

        init(periodStart: Timestamp, hourStart: Timestamp) {
            self.periodStart = periodStart
            self.hourStart = hourStart
        }

        init(of instant: Timestamp, in calendar: BillingCalendar) {
            periodStart = calendar.period(containing: instant).start
            hourStart = calendar.hourStart(of: instant)
        }
    }

    /// What the hours reach into, in whole hours of the calendar, in order and apart from each other.
    private static func spans(around hours: [Timestamp], in calendar: BillingCalendar) -> [BillingPeriod] {
        var spans: [BillingPeriod] = []
        for first in hours {
            let start = calendar.hourStart(of: first)
            var end = first.advanced(byMilliseconds: hour)
            while calendar.hourStart(of: end) != end { end = end.advanced(byMilliseconds: quarter) }
            if let last = spans.last, start <= last.end {
                spans[spans.count - 1] = BillingPeriod(start: last.start, end: max(end, last.end))
            } else {
                spans.append(BillingPeriod(start: start, end: end))
            }
        }
        return spans
    }

    private static func requests(
        of account: Account, in span: BillingPeriod, in tx: Transaction
    ) throws -> [RollupKey: [RequestOutcome: Int64]] {
        let rows = try tx.query(
            """
            SELECT date_bin('15 minutes', accepted_at, '1970-01-01T00:00:00Z') AS quarter, tenant_id, project_id,
                key_id, subscription_id, model, tier, outcome, count(*) AS count
            FROM request_records
            WHERE account_id = \(account.id) AND accepted_at >= \(span.start) AND accepted_at < \(span.end)
            GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
            """)
        var sums: [RollupKey: [RequestOutcome: Int64]] = [:]
        for row in rows {
            let place = Place(of: try row.decode("quarter"), in: account.calendar)
            let key = try RollupKey(
                row, account: account.id, periodStart: place.periodStart, hourStart: place.hourStart)
            sums[key, default: [:]][try row.value("outcome"), default: 0] += try row.decode("count", as: Int64.self)
        }
        return sums
    }
}
