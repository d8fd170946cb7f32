public import Accounts
public import Identity
import Postgres

/// The instants of a span in the zones of the accounts that a query is about.
struct UsageSpans {
    private var zones: [String] = []
    private var first: [Timestamp] = []
    private var end: [Timestamp] = []

    /// Reads which zones there are, and refuses instants that are no whole hours in one of them.
    init(_ query: UsageQuery, in tx: Transaction) throws {
        for calendar in try Self.calendars(query, in: tx) {
            switch query.span {
            case .instants(let from, let to):
                try WholeHour.require(from, parameter: "from", in: calendar)
                try WholeHour.require(to, parameter: "to", in: calendar)
                add(calendar, from, to)
            case .month(let month):
                let period = calendar.period(of: month)
                add(calendar, period.start, period.end)
            }
        }
    }

    private mutating func add(_ calendar: BillingCalendar, _ from: Timestamp, _ to: Timestamp) {
        zones.append(calendar.zoneName)
        first.append(from)
        end.append(to)
    }

    /// From the first of all instants to the last; nil where no account is concerned.
    var bounds: (from: Timestamp, to: Timestamp)? {
        guard let from = first.min(), let to = end.max() else { return nil }
        return (from, to)
    }

    /// `zone`, `first` and `past` of each zone, for a join.
    var rows: SQL { "unnest(\(zones)::text[], \(first)::timestamptz[], \(end)::timestamptz[]) AS s(zone, first, past)" }

    private static func calendars(_ query: UsageQuery, in tx: Transaction) throws -> [BillingCalendar] {
        if let account = query.account { return try AccountStorage.find(account, in: tx).map { [$0.calendar] } ?? [] }
        var filter: SQL = ""
        if let tenant = query.tenant {
            filter += "AND account_id IN (SELECT account_id FROM tenants WHERE tenant_id = \(tenant)) "
        }
        if let project = query.project {
            filter += "AND account_id IN (SELECT account_id FROM projects WHERE project_id = \(project)) "
        }
        if let key = query.key {
            filter += "AND account_id IN (SELECT account_id FROM api_keys WHERE key_id = \(key)) "
        }
        let zones: [String] = try tx.query(
            "SELECT DISTINCT time_zone FROM accounts WHERE true \(filter) ORDER BY time_zone"
        ).decodeAll()
        return try zones.map { try BillingCalendar(zoneName: $0) }
    }
}

/// Sums are kept by local hour: an instant within one would cut a sum that cannot be cut.
public enum WholeHour {
    /// What is wrong with the instant as an end of a span; nil where an hour of the calendar begins with it.
    public static func complaint(about instant: Timestamp, in calendar: BillingCalendar) -> String? {
        let hour = calendar.hourStart(of: instant)
        if hour == instant { return nil }
        return
            "\(instant) is no whole hour in \(calendar.zoneName), and sums are kept by local hour: the one that it is "
            + "in begins at \(hour). Ask for whole hours, for one account, or for a period"
    }

    static func require(
        _ instant: Timestamp, parameter: String, in calendar: BillingCalendar
    ) throws(StorageError) {
        if let complaint = complaint(about: instant, in: calendar) {
            throw .invalid(parameter: parameter, message: complaint)
        }
    }
}
