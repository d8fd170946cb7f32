internal import Identity

/// Dates as HTTP headers carry them (RFC 9110, section 5.6.7): the one form that is written today, and the two old ones
/// that a reader must still take.
enum HTTPDate {
    /// Reads `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT` and `Sun Nov  6 08:49:37 1994`; nil for
    /// anything else. A year of two digits that would lie more than 50 years after `now` is of the century before.
    static func read(_ text: String, now: Timestamp) -> Timestamp? {
        let parts = text.split(separator: " ")
        switch parts.count {
        case 6:
            guard parts[0].hasSuffix(","), parts[5] == "GMT" else { return nil }
            return instant(day: parts[1], month: parts[2], year: number(parts[3], digits: 4...4), time: parts[4])
        case 5 where parts[4].utf8.count == 4:
            return instant(day: parts[2], month: parts[1], year: number(parts[4], digits: 4...4), time: parts[3])
        case 4:
            let date = parts[1].split(separator: "-", omittingEmptySubsequences: false)
            guard parts[0].hasSuffix(","), parts[3] == "GMT", date.count == 3,
                let shortYear = number(date[2], digits: 2...2)
            else { return nil }
            let thisYear = CivilDate(daysSince1970: now.milliseconds / 86_400_000).year
            var year = thisYear - thisYear % 100 + shortYear
            if year > thisYear + 50 { year -= 100 }
            return instant(day: date[0], month: date[1], year: year, time: parts[2])
        default: return nil
        }
    }

    private static func instant(day: Substring, month: Substring, year: Int64?, time: Substring) -> Timestamp? {
        let clock = time.split(separator: ":", omittingEmptySubsequences: false).map { number($0, digits: 2...2) }
        guard let day = number(day, digits: 1...2), let month = months.firstIndex(of: String(month)), let year,
            let date = CivilDate(year: year, month: Int64(month) + 1, day: day),
            clock.count == 3, let hour = clock[0], let minute = clock[1], let second = clock[2],
            // A leap second may be written, and is the next minute's first.
            hour < 24, minute < 60, second <= 60
        else { return nil }
        let minutes = (date.daysSince1970 * 24 + hour) * 60 + minute
        return Timestamp(milliseconds: (minutes * 60 + second) * 1000)
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private static func number(_ text: Substring, digits: ClosedRange<Int>) -> Int64? {
        guard digits.contains(text.utf8.count) else { return nil }
        var value: Int64 = 0
        for byte in text.utf8 {
            guard let digit = byte.decimalDigit else { return nil }
            value = value * 10 + digit
        }
        return value
    }
}
