import Accounts
import Engines
import Identity
import Postgres

/// The instants of a span for each account that a query is about: its own month, or whole hours of its zone.
struct UsageSpans {
    private(set) var accounts: [AccountID] = []
    private var first: [Timestamp] = []
    private var end: [Timestamp] = []
    /// Accounts that do not read, at most `ServiceFault.countMax`: where their hours and months begin nobody can say.
    private(set) var leftOut: [ServiceFault] = []

    /// Reads the calendars of the accounts, and refuses instants that would cut an hour's sum.
    init(_ query: UsageQuery, in tx: Transaction) throws {
        var cuts: [CutHour] = []
        for (id, reading) in try AccountStorage.readings(of: try Self.accounts(query, in: tx), in: tx) {
            switch reading {
            case .failure(let error):
                if leftOut.count < ServiceFault.countMax {
                    leftOut.append(.unreadable(.account, "\(id)", error.reason))
                }
            case .success(let account):
                switch query.span {
                case .instants(let from, let to):
                    for (instant, parameter) in [(from, "from"), (to, "to")] {
                        if let cut = CutHour(instant, parameter, of: account) { cuts.append(cut) }
                    }
                    add(id, from, to)
                case .month(let month):
                    let period = account.calendar.period(of: month)
                    add(id, period.start, period.end)
                }
            }
        }
        // Of one account it is told at once; of many, only where it matters: some zones are apart by half hours.
        if let cut = query.account == nil ? try CutHour.first(withUsage: cuts, in: tx) : cuts.first { throw cut.error }
    }

    private mutating func add(_ account: AccountID, _ from: Timestamp, _ to: Timestamp) {
        accounts.append(account)
        first.append(from)
        end.append(to)
    }

    /// From the first of all instants to the last; nil where no account is concerned.
    var bounds: (from: Timestamp, to: Timestamp)? {
        guard let from = first.min(), let to = end.max() else { return nil }
        return (from, to)
    }

    /// `account_id`, `first` and `past` of each account, for a join.
    var rows: SQL {
        "unnest(\(accounts)::uuid[], \(first)::timestamptz[], \(end)::timestamptz[]) AS s(account_id, first, past)"
    }

    /// The account asked for, or all that have sums in the span or within two days of it: zones are less apart, and
    /// so are months that were kept.
    private static func accounts(_ query: UsageQuery, in tx: Transaction) throws -> [AccountID] {
        if let account = query.account { return [account] }
        let (day, monthMax) = (86_400_000 as Int64, 31 * 86_400_000 as Int64)
        let (from, to) =
            switch query.span {
            case .instants(let from, let to): (from, to)
            case .month(let month):
                (
                    Timestamp(milliseconds: month.firstDay.daysSince1970 * day),
                    Timestamp(milliseconds: month.advanced(by: 1).firstDay.daysSince1970 * day)
                )
            }
        let earliest = from.advanced(byMilliseconds: -2 * day)
        let latest = to.advanced(byMilliseconds: 2 * day)
        var filter: SQL = ""
        if let mode = query.mode { filter += "AND a.mode = \(mode.rawValue) " }
        if let tenant = query.tenant {
            filter += "AND a.account_id IN (SELECT account_id FROM tenants WHERE tenant_id = \(tenant)) "
        }
        if let project = query.project {
            filter += "AND a.account_id IN (SELECT account_id FROM projects WHERE project_id = \(project)) "
        }
        if let key = query.key {
            filter += "AND a.account_id IN (SELECT account_id FROM api_keys WHERE key_id = \(key)) "
        }
        return try tx.query(
            """
            SELECT a.account_id FROM accounts a
            WHERE EXISTS (
                SELECT 1 FROM usage_rollups r
                WHERE r.account_id = a.account_id AND r.hour_start >= \(earliest) AND r.hour_start < \(latest)
                    AND r.period_start >= \(earliest.advanced(byMilliseconds: -monthMax - day))
                    AND r.period_start < \(latest)
            ) \(filter)
            ORDER BY a.account_id
            """
        ).decodeAll()
    }
}

/// An hour of an account that an end of the span lies within. Sums are kept by local hour, and it cannot be cut.
private struct CutHour {
    let account: AccountID
    let hourStart: Timestamp
    let periodStart: Timestamp
    let error: StorageError

    /// Nil where an hour of the account begins with the instant.
    init?(_ instant: Timestamp, _ parameter: String, of account: Account) {
        hourStart = account.calendar.hourStart(of: instant)
        if hourStart == instant { return nil }
        self.account = account.id
        periodStart = account.calendar.period(containing: hourStart).start
        error = .invalid(
            parameter: parameter,
            message:
                "\(instant) is not on a whole hour in \(account.calendar.zoneName), the zone of account \(account.id). "
                + "Sums are kept by local hour; this one began at \(hourStart). Ask for whole hours, for one account, "
                + "or for a period")
    }

    /// The first of them for which there are sums.
    static func first(withUsage cuts: [CutHour], in tx: Transaction) throws -> CutHour? {
        guard !cuts.isEmpty else { return nil }
        let used = try tx.query(
            """
            SELECT DISTINCT r.account_id, r.hour_start
            FROM usage_rollups r JOIN unnest(
                \(cuts.map(\.account))::uuid[], \(cuts.map(\.periodStart))::timestamptz[],
                \(cuts.map(\.hourStart))::timestamptz[]
            ) AS c(account_id, period_start, hour_start) ON c.account_id = r.account_id
                AND c.period_start = r.period_start AND c.hour_start = r.hour_start
            """
        ).map { Hour(account: try $0.decode("account_id"), start: try $0.decode("hour_start")) }
        let hours = Set(used)
        return cuts.first { hours.contains(Hour(account: $0.account, start: $0.hourStart)) }
    }

    private struct Hour: Hashable {
        let account: AccountID
        let start: Timestamp
    }
}
