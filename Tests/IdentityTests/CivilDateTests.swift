import Identity
import NaiveArithmetic
import Testing

struct CivilDateTests {
    /// A calendar that is walked a day at a time, by the rule as schools teach it.
    private struct Walk {
        var year: Int64
        var month: Int64 = 1
        var day: Int64 = 1

        /// 31, 28, 31 …, and a leap year's 29.
        private var daysInMonth: Int64 {
            let isLeap = year % 400 == 0 || (year % 4 == 0 && year % 100 != 0)
            return [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][Int(month) - 1]
        }

        mutating func step() {
            day += 1
            if day > daysInMonth { (day, month) = (1, month + 1) }
            if month > 12 { (month, year) = (1, year + 1) }
        }
    }

    @Test func `a thousand years and more agree with a walk day by day`() throws {
        // From 1600-01-01 to past 2800: three whole cycles of 400 years.
        var walk = Walk(year: 1600)
        var previous = CivilDate(daysSince1970: -135_141)
        for days in Int64(-135_140)..<305_000 {
            let date = CivilDate(daysSince1970: days)
            guard date.year == walk.year, date.month == walk.month, date.day == walk.day,
                date.daysSince1970 == days, previous < date
            else {
                Issue.record("day \(days) is \(date) instead of \(walk)")
                return
            }
            previous = date
            walk.step()
        }
        #expect(walk.year > 2800)
    }

    @Test func `days and dates are each other's inverse over millions of years`() {
        for seed in Seeds.all {
            var generator = SeededGenerator(seed: seed)
            let days = Int64.random(in: -4_000_000_000...4_000_000_000, using: &generator)
            let date = CivilDate(daysSince1970: days)
            #expect(date.daysSince1970 == days, "seed \(seed)")
            #expect(CivilDate(year: date.year, month: date.month, day: date.day) == date, "seed \(seed)")
            #expect(date < CivilDate(daysSince1970: days + 1), "seed \(seed)")
        }
    }

    @Test(
        arguments: [
            ("1970-01-01", 0), ("1969-12-31", -1), ("2000-02-29", 11016), ("2000-03-01", 11017),
            ("0000-01-01", -719_528),
            ("9999-12-31", 2_932_896),
        ] as [(String, Int64)])
    func `text names the day`(text: String, days: Int64) {
        #expect(CivilDate(text)?.daysSince1970 == days)
        #expect(CivilDate(daysSince1970: days).description == text)
    }

    @Test(arguments: [
        "", "2026-11", "2026-11-23-", "2026-1-23", "2026-11-3", "26-11-23", "12026-11-23", "+2026-11-23", "-026-11-23",
        "2026/11/23", "2026-11-23 ", "2026-00-10", "2026-13-10", "2026-11-00", "2026-11-31", "2026-02-29", "1900-02-29",
        "2026-+1-23", "２０２６-11-23",
    ])
    func `text of another form and days that do not exist are refused`(text: String) {
        #expect(CivilDate(text) == nil)
    }

    @Test func `days outside four-digit years print a sign and are not read`() {
        #expect(CivilDate(daysSince1970: 2_932_897).description == "+10000-01-01")
        #expect(CivilDate(daysSince1970: -719_529).description == "-0001-12-31")
        #expect(CivilDate("+10000-01-01") == nil)
        #expect(CivilDate("-0001-12-31") == nil)
    }

    @Test func `February has 29 days every fourth year, but not every hundredth, but every four hundredth`() {
        let days = [1900, 1999, 2000, 2024, 2026, 2100, 2400].map { CivilDate.daysInMonth(year: $0, month: 2) }
        #expect(days == [28, 28, 29, 29, 28, 28, 29])
        #expect((1...12).map { CivilDate.daysInMonth(year: 2026, month: $0) }.reduce(0, +) == 365)
    }
}
