public import Accounts
public import Identity

/// A stretch of whole local days that a charge is for, half-open in time.
public struct ServicePeriod: Hashable, Sendable {
    /// The first instant.
    public let start: Timestamp
    /// The first instant after it.
    public let end: Timestamp
    /// The first local day.
    public let firstDay: CivilDate
    /// The last local day, which is still inside.
    public let lastDay: CivilDate

    /// Joins both ways of saying it; the caller has converted them in the account's zone.
    public init(start: Timestamp, end: Timestamp, firstDay: CivilDate, lastDay: CivilDate) {
        self.start = start
        self.end = end
        self.firstDay = firstDay
        self.lastDay = lastDay
    }

    /// `2026-11`, the month of the first day.
    public var monthText: String { String("\(firstDay)".dropLast(3)) }
}

/// A month of the account's zone, and when each of its local days begins.
public struct BillingMonth: Hashable, Sendable {
    public let month: CivilMonth
    /// The first instant of each local day, and of the day after the last. Days of 23 and 25 hours come from here.
    private let dayStarts: [Timestamp]

    public init(_ month: CivilMonth, calendar: BillingCalendar) {
        self.month = month
        let first = month.firstDay
        let days = CivilDate.daysInMonth(year: first.year, month: first.month)
        // Where the month is settled to begin or end elsewhere than the zone's rules say now, its outer days give way.
        let period = calendar.period(of: month)
        dayStarts = (0...days).map { day in
            if day == 0 { return period.start }
            if day == days { return period.end }
            let start = calendar.start(of: CivilDate(daysSince1970: first.daysSince1970 + day))
            return min(max(start, period.start), period.end)
        }
    }

    /// 28 to 31.
    public var dayCount: Int { dayStarts.count - 1 }
    public var start: Timestamp { dayStarts[0] }
    public var end: Timestamp { dayStarts[dayCount] }

    /// The whole month.
    public var period: ServicePeriod { period(ofDays: 0..<dayCount) }

    /// The first instant of the local day with this index; 0 is the first of the month.
    func start(ofDay day: Int) -> Timestamp { dayStarts[day] }

    /// The first instant after the local day with this index; 0 is the first of the month.
    func end(ofDay day: Int) -> Timestamp { dayStarts[day + 1] }

    /// The local days with these indices.
    func period(ofDays days: Range<Int>) -> ServicePeriod {
        let first = month.firstDay.daysSince1970
        return ServicePeriod(
            start: dayStarts[days.lowerBound], end: dayStarts[days.upperBound],
            firstDay: CivilDate(daysSince1970: first + Int64(days.lowerBound)),
            lastDay: CivilDate(daysSince1970: first + Int64(days.upperBound) - 1))
    }
}
