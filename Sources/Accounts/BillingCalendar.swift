public import Identity

/// Why a calendar could not be made.
public enum BillingCalendarError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The name is not in the IANA time zone database.
    case unknownZone(String)

    public var description: String {
        switch self {
        case .unknownZone(let name):
            "\"\(name)\" is not a time zone; use an IANA name such as Europe/Berlin or UTC"
        }
    }
}

/// A half-open span of billing time, in UTC instants: `start` belongs to it, `end` does not.
public struct BillingPeriod: Hashable, Sendable {
    public let start: Timestamp
    public let end: Timestamp

    /// From `start` up to, and without, `end`.
    public init(start: Timestamp, end: Timestamp) {
        self.start = start
        self.end = end
    }

    /// Whether the instant lies inside.
    public func contains(_ instant: Timestamp) -> Bool { start <= instant && instant < end }
}

/// A civil month, such as `2026-11`.
public struct CivilMonth: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let year: Int64
    /// 1 to 12.
    public let month: Int64

    /// Nil for a month that does not exist.
    public init?(year: Int64, month: Int64) {
        guard (1...12).contains(month), (1...9999).contains(year) else { return nil }
        self.year = year
        self.month = month
    }

    public init(of day: CivilDate) {
        year = day.year
        month = day.month
    }

    /// The years of months that can be billed: instants of theirs are text that can be read back, in every zone.
    public static let years: ClosedRange<Int64> = 1970...9998

    /// Reads `YYYY-MM`; nil for anything else, and for years in which nothing can be billed.
    public init?(_ text: some StringProtocol) {
        guard let first = CivilDate(String(text) + "-01"), Self.years.contains(first.year) else { return nil }
        self.init(of: first)
    }

    /// The month so many months later (earlier, when negative).
    public func advanced(by months: Int64) -> CivilMonth {
        let count = year * 12 + month - 1 + months
        return CivilMonth(knownYear: count / 12, month: count % 12 + 1)
    }

    private init(knownYear: Int64, month: Int64) {
        year = knownYear
        self.month = month
    }

    /// Day 1.
    public var firstDay: CivilDate { CivilDate(year: year, month: month, day: 1) ?? CivilDate(daysSince1970: 0) }

    public var description: String { String(firstDay.description.dropLast(3)) }

    public static func < (left: CivilMonth, right: CivilMonth) -> Bool {
        (left.year, left.month) < (right.year, right.month)
    }
}

/// Days, hours and billing months of an IANA zone, as UTC instants.
///
/// Correct where clocks change: a day may have 23, 24, 23½ or 25 hours, midnight may not exist or come twice, and an
/// hour that comes twice is two hours.
public struct BillingCalendar: Hashable, Sendable {
    private let zone: ClockZone
    /// First instants of months that are settled, whatever the zone's rules say today.
    private var keptStarts: [CivilMonth: Timestamp] = [:]

    /// The calendar of an IANA zone. Abbreviations (`CEST`) and offsets are refused: they have no history.
    public init(zoneName: String) throws(BillingCalendarError) {
        guard let zone = ClockZone(zoneName) else { throw .unknownZone(zoneName) }
        self.zone = zone
    }

    /// The IANA name, such as `Europe/Berlin`.
    public var zoneName: String { zone.name }

    /// The same calendar, whose months begin at these instants where there is one. A month ends where the next begins.
    public func keeping(_ starts: [CivilMonth: Timestamp]) -> BillingCalendar {
        var calendar = self
        calendar.keptStarts = starts
        return calendar
    }

    /// The billing period (calendar month) that holds the instant.
    public func period(containing instant: Timestamp) -> BillingPeriod { period(of: month(containing: instant)) }

    /// The calendar month of the billing period that begins at the instant, by whatever rules it began there: its
    /// middle is in the same month by all of them.
    public func month(ofPeriodAt start: Timestamp) -> CivilMonth {
        CivilMonth(of: day(of: start.advanced(byMilliseconds: 14 * Self.dayMilliseconds)))
    }

    /// The last local day of the billing period that begins at the instant.
    public func lastDay(ofPeriodAt start: Timestamp) -> CivilDate {
        CivilDate(daysSince1970: month(ofPeriodAt: start).advanced(by: 1).firstDay.daysSince1970 - 1)
    }

    /// The calendar month whose billing period holds the instant.
    public func month(containing instant: Timestamp) -> CivilMonth {
        let month = CivilMonth(of: day(of: instant))
        // Where clocks went back across a month's midnight, the month has begun once and for all.
        if instant < start(of: month) { return month.advanced(by: -1) }
        if instant >= start(of: month.advanced(by: 1)) { return month.advanced(by: 1) }
        return month
    }

    /// The billing period that is this calendar month.
    public func period(of month: CivilMonth) -> BillingPeriod {
        BillingPeriod(start: start(of: month), end: start(of: month.advanced(by: 1)))
    }

    /// The first instant of a billing month.
    public func start(of month: CivilMonth) -> Timestamp { keptStarts[month] ?? start(of: month.firstDay) }

    /// Whether a billing period begins at the instant: sums under any other one belong to no month.
    public func isPeriodStart(_ instant: Timestamp) -> Bool { period(containing: instant).start == instant }

    /// The local day of the instant.
    public func day(of instant: Timestamp) -> CivilDate {
        let local = instant.milliseconds + offsetMilliseconds(at: instant)
        return CivilDate(daysSince1970: floorDivide(local, Self.dayMilliseconds))
    }

    /// The UTC instant at which the local hour of `instant` began.
    public func hourStart(of instant: Timestamp) -> Timestamp {
        let offset = offsetMilliseconds(at: instant)
        let local = instant.milliseconds + offset
        let hour = floorDivide(local, Self.hourMilliseconds) * Self.hourMilliseconds
        let start = Timestamp(milliseconds: hour - offset)
        guard offsetMilliseconds(at: start) != offset else { return start }
        // Clocks changed within this local hour: what is after the change is an hour of its own.
        return firstInstant(after: start, through: instant, withOffset: offset)
    }

    /// The first instant of a local day.
    public func start(of day: CivilDate) -> Timestamp {
        let midnight = day.daysSince1970 * Self.dayMilliseconds
        let before = offsetMilliseconds(at: Timestamp(milliseconds: midnight - Self.dayMilliseconds))
        let after = offsetMilliseconds(at: Timestamp(milliseconds: midnight + Self.dayMilliseconds))
        // The larger offset gives the earlier instant.
        for offset in [max(before, after), min(before, after)] {
            let candidate = Timestamp(milliseconds: midnight - offset)
            if offsetMilliseconds(at: candidate) == offset { return candidate }
        }
        // Midnight was skipped: the day begins at the change.
        return firstInstant(
            after: Timestamp(milliseconds: midnight - max(before, after)),
            through: Timestamp(milliseconds: midnight - min(before, after)), withOffset: after)
    }

    /// Local time minus UTC, in milliseconds.
    public func offsetMilliseconds(at instant: Timestamp) -> Int64 {
        zone.offsetMilliseconds(at: instant)
    }

    /// The change to `offset` that lies in (`after`, `through`], to the second.
    private func firstInstant(after: Timestamp, through: Timestamp, withOffset offset: Int64) -> Timestamp {
        var low = floorDivide(after.milliseconds, 1000)
        var high = floorDivide(through.milliseconds, 1000)
        while high - low > 1 {
            let middle = low + (high - low) / 2
            if offsetMilliseconds(at: Timestamp(milliseconds: middle * 1000)) == offset {
                high = middle
            } else {
                low = middle
            }
        }
        return Timestamp(milliseconds: high * 1000)
    }

    private static let hourMilliseconds: Int64 = 3_600_000
    private static let dayMilliseconds: Int64 = 86_400_000
}

/// Division rounded towards minus infinity.
private func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
    let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? quotient - 1 : quotient
}
