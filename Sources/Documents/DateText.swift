import Identity

/// Days, months and instants in words. Text that is none stays as it is.
enum DateText {
    /// `2026-12-01` → `1 December 2026`
    static func day(_ text: String) -> String {
        guard let date = civilDate(text) else { return text }
        return "\(date.day) \(monthName(date.month)) \(date.year)"
    }

    /// `2026-11` → `November 2026`
    static func month(_ text: String) -> String {
        guard let first = civilDate(text + "-01") else { return text }
        return "\(monthName(first.month)) \(first.year)"
    }

    /// Both days inside: `1 – 30 November 2026`, with as much said twice as differs.
    static func days(from: String, through: String) -> String {
        guard let first = civilDate(from), let last = civilDate(through) else { return "\(from) – \(through)" }
        if first == last { return day(through) }
        if first.year != last.year { return "\(day(from)) – \(day(through))" }
        if first.month != last.month { return "\(first.day) \(monthName(first.month)) – \(day(through))" }
        return "\(first.day) – \(day(through))"
    }

    /// A whole month by its name, anything else by its days.
    static func span(from: String, through: String) -> String {
        guard let first = civilDate(from), let last = civilDate(through), first.day == 1,
            first.year == last.year, first.month == last.month,
            last.day == CivilDate.daysInMonth(year: last.year, month: last.month)
        else { return days(from: from, through: through) }
        return "\(monthName(first.month)) \(first.year)"
    }

    /// `2026-10-03T14:22:05.123Z` → `2026-10-03 14:22:05.123 UTC`
    static func instant(_ text: String) -> String {
        guard text.hasSuffix("Z") else { return text }
        return text.dropLast().replacing("T", with: " ") + " UTC"
    }

    private static func civilDate(_ text: String) -> CivilDate? {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false).compactMap { Int64($0) }
        guard parts.count == 3, text.utf8.count == 10 else { return nil }
        return CivilDate(year: parts[0], month: parts[1], day: parts[2])
    }

    private static func monthName(_ month: Int64) -> String { monthNames[Int(month) - 1] }

    private static let monthNames = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]
}
