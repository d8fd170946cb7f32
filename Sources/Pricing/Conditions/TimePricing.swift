public import Identity

/// What times of day and week cost more or less, by the clock of a zone.
public struct TimePricing: Hashable, Sendable {
    /// Names its rows: `peak`.
    public var name: String
    public var zone: ClockZone
    /// The name of the calendar whose days are holidays here; nil: no day is.
    public var holidays: String?
    /// It applies in any of these.
    public var spans: [WeeklySpan]
    public var scope: PricingScope
    public var factors: PriceFactors

    public init(
        name: String, zone: ClockZone, holidays: String? = nil, spans: [WeeklySpan],
        scope: PricingScope = PricingScope(), factors: PriceFactors
    ) {
        self.name = name
        self.zone = zone
        self.holidays = holidays
        self.spans = spans
        self.scope = scope
        self.factors = factors
    }

    /// The name of its rows: `time_peak`.
    public var variant: String { "\(PriceVariant.time)\(name)" }

    /// Whether the clock of the zone stands in one of the spans.
    public func contains(_ instant: Timestamp, holidays: HolidayCalendar?) -> Bool {
        let local = instant.milliseconds + zone.offsetMilliseconds(at: instant)
        let day = local.floorDivided(by: 86_400_000)
        let minute = (local - day * 86_400_000) / 60_000
        return spans.contains { span in
            if span.endsNextDay {
                return span.covers(day, holidays) && minute >= span.from
                    || span.covers(day - 1, holidays) && minute < span.to
            }
            return span.covers(day, holidays) && minute >= span.from && minute < span.to
        }
    }
}

/// A span of hours on some days of the week, in whole minutes of the clock.
public struct WeeklySpan: Hashable, Sendable {
    /// What a day is. A holiday is none of the days of the week.
    public enum Day: String, CaseIterable, Hashable, Sendable {
        case monday = "mon"
        case tuesday = "tue"
        case wednesday = "wed"
        case thursday = "thu"
        case friday = "fri"
        case saturday = "sat"
        case sunday = "sun"
        case holiday
    }

    /// The days on which it begins; empty: every day.
    public var days: Set<Day>
    /// Minutes of the day; 0 to 1439.
    public var from: Int64
    /// The first minute that does not belong to it; 1440 is the day's end. Where it is not after `from` the span ends
    /// on the next day.
    public var to: Int64

    public init(days: Set<Day> = [], from: Int64 = 0, to: Int64 = 1440) {
        self.days = days
        self.from = from
        self.to = to
    }

    var endsNextDay: Bool { to <= from }

    /// Whether it begins on that day (0 is 1970-01-01, a Thursday).
    func covers(_ day: Int64, _ holidays: HolidayCalendar?) -> Bool {
        if days.isEmpty { return true }
        if holidays?.contains(day) == true { return days.contains(.holiday) }
        let sinceMonday = day + 3
        return days.contains(Day.allCases[Int(sinceMonday - sinceMonday.floorDivided(by: 7) * 7)])
    }
}

/// Days that are holidays, and how long the list is good.
public struct HolidayCalendar: Hashable, Sendable {
    /// The last day that the list knows of. Later days are ordinary ones, and the lint complains in time.
    public var until: CivilDate
    public private(set) var days: [CivilDate]
    private let numbers: Set<Int64>

    public init(until: CivilDate, days: [CivilDate]) {
        self.until = until
        self.days = days.sorted()
        numbers = Set(days.map(\.daysSince1970))
    }

    /// Whether the day is one; 0 is 1970-01-01.
    func contains(_ day: Int64) -> Bool { numbers.contains(day) }
}
