/// A `timestamptz` as milliseconds since 1970-01-01T00:00:00Z, without any floating point.
///
/// Reading drops what is finer than a millisecond (towards the past). Connections of this module run with
/// `TimeZone=UTC`, so that the text form always ends in `+00`.
public struct TimestampMilliseconds: PostgresBindable, PostgresDecodable, Sendable, Hashable, Comparable {
    public var milliseconds: Int64

    public init(_ milliseconds: Int64) { self.milliseconds = milliseconds }

    public static func < (left: Self, right: Self) -> Bool { left.milliseconds < right.milliseconds }

    public var postgresParameter: PostgresParameter { .text(text) }

    /// `2026-01-02 03:04:05.678+00`; `0044-03-15 12:00:00.000+00 BC` before year 1, of which Postgres knows no year 0.
    public var text: String {
        let days = floorDivide(milliseconds, 86_400_000)
        let rest = milliseconds - days * 86_400_000
        let (year, month, day) = civilDate(daysSinceEpoch: days)
        let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60)
        let (second, millisecond) = (rest / 1000 % 60, rest % 1000)
        return "\(padded(year > 0 ? year : 1 - year, 4))-\(padded(month, 2))-\(padded(day, 2)) "
            + "\(padded(hour, 2)):\(padded(minute, 2)):\(padded(second, 2)).\(padded(millisecond, 3))+00"
            + (year > 0 ? "" : " BC")
    }

    public init?(postgresText text: String) {
        let isBeforeChrist = text.hasSuffix(" BC")
        let text = isBeforeChrist ? text.dropLast(3) : text[...]
        guard text.hasSuffix("+00") else { return nil }
        let halves = text.dropLast(3).split(separator: " ")
        guard halves.count == 2 else { return nil }
        let date = halves[0].split(separator: "-").compactMap { Int64($0) }
        let time = halves[1].split(separator: ".", maxSplits: 1)
        let clock = time.first?.split(separator: ":").compactMap { Int64($0) } ?? []
        guard date.count == 3, clock.count == 3 else { return nil }
        var fraction: Int64 = 0
        if time.count == 2 {
            guard let digits = Int64((time[1] + "00").prefix(3)) else { return nil }
            fraction = digits
        }
        let days = daysSinceEpoch(year: isBeforeChrist ? 1 - date[0] : date[0], month: date[1], day: date[2])
        self.init(((days * 24 + clock[0]) * 60 + clock[1]) * 60_000 + clock[2] * 1000 + fraction)
    }
}

private func padded(_ number: Int64, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
}

private func floorDivide(_ number: Int64, _ divisor: Int64) -> Int64 {
    number >= 0 ? number / divisor : -((-number + divisor - 1) / divisor)
}

/// Days of the proleptic Gregorian calendar, counted in eras of 400 years that begin on 1 March, so that the leap day
/// is the last day of a year.
private func daysSinceEpoch(year: Int64, month: Int64, day: Int64) -> Int64 {
    let shifted = month <= 2 ? year - 1 : year
    let era = floorDivide(shifted, 400)
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
}

private func civilDate(daysSinceEpoch days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let shifted = days + 719_468
    let era = floorDivide(shifted, 146_097)
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
}
