public import Accounts
import Identity
import Metering
public import Postgres

/// First instants of accounts' billing months, kept from when they are first needed on.
public enum PeriodStorage {
    /// Keeps the ends of an account's month. What is kept already stays.
    public static func keep(_ month: CivilMonth, of account: Account, in tx: Transaction) throws {
        for month in [month, month.advanced(by: 1)] {
            try tx.execute(
                """
                INSERT INTO billing_periods (account_id, month, period_start)
                VALUES (\(account.id), \(month.firstDay), \(account.calendar.start(of: month)))
                ON CONFLICT DO NOTHING
                """)
        }
    }

    /// Keeps the months that these requests are summed under, in the order of accounts: two ingesters that meet the
    /// same new month do not wait for each other in a circle.
    static func keep(monthsOf entries: [IngestRequest], in tx: Transaction) throws {
        let pairs = Set(entries.map { AccountPeriod(account: $0.request.accountID, start: $0.periodStart) })
        guard !pairs.isEmpty else { return }
        let kept = try tx.query(
            """
            SELECT account_id, period_start FROM billing_periods
            WHERE account_id = ANY(\(Array(Set(pairs.map(\.account))))::uuid[])
                AND period_start = ANY(\(Array(Set(pairs.map(\.start))))::timestamptz[])
            """
        ).map { AccountPeriod(account: try $0.decode("account_id"), start: try $0.decode("period_start")) }
        for missing in pairs.subtracting(kept).sorted() {
            // Of an account that nobody knows or that does not read, and by rules of a zone that are not ours, nothing
            // is kept.
            let found = try UnreadableRow.reading { try AccountStorage.find(missing.account, in: tx) }
            guard case .success(let account?) = found, account.calendar.isPeriodStart(missing.start) else { continue }
            try keep(account.calendar.month(containing: missing.start), of: account, in: tx)
        }
    }

    private struct AccountPeriod: Hashable, Comparable {
        let account: AccountID
        let start: Timestamp

        static func < (left: AccountPeriod, right: AccountPeriod) -> Bool {
            (left.account, left.start) < (right.account, right.start)
        }
    }
}

/// Whether the zones that Foundation and Postgres know are the same: months and hours are Foundation's, days Postgres'.
enum ZoneCheck {
    /// Refuses a zone that Postgres does not know, or knows otherwise in the years around an instant.
    static func require(_ calendar: BillingCalendar, around instant: Timestamp, in tx: Transaction) throws {
        let day: Int64 = 86_400_000
        let instants = stride(from: -365 as Int64, through: 3 * 365, by: 10).map {
            instant.advanced(byMilliseconds: $0 * day)
        }
        let offsets: [Int64]
        do {
            offsets = try tx.savepoint { tx in
                try tx.query(
                    """
                    SELECT extract(epoch FROM (t AT TIME ZONE \(calendar.zoneName)) - (t AT TIME ZONE 'UTC'))::bigint
                    FROM unnest(\(instants)::timestamptz[]) WITH ORDINALITY AS i(t, n) ORDER BY n
                    """
                ).decodeAll()
            }
        } catch let error as PostgresError where error.sqlState?.hasPrefix("22") == true {
            throw StorageError.invalid(
                parameter: "time_zone", message: "the database does not know the zone \(calendar.zoneName): use another"
            )
        }
        for (instant, offset) in zip(instants, offsets) where calendar.offsetMilliseconds(at: instant) != offset * 1000
        {
            throw StorageError.invalid(
                parameter: "time_zone",
                message:
                    "the database and this program disagree about \(calendar.zoneName) at \(instant): bring the zone "
                    + "data of both up to date")
        }
    }
}
