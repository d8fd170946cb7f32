import Accounts
import Identity
import Testing

/// Instants are written as RFC 3339 text; a typo fails the test.
private func instant(_ text: String) throws -> Timestamp { try #require(Timestamp(text)) }

struct BillingCalendarTests {
    @Test(arguments: [
        ("UTC", "2026-11-23T06:03:27.123Z", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"),
        ("Europe/Berlin", "2026-10-31T22:59:59.999Z", "2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z"),
        ("Europe/Berlin", "2026-10-31T23:00:00Z", "2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z"),
        ("Europe/Berlin", "2026-03-15T12:00:00Z", "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z"),
        ("Pacific/Kiritimati", "2026-10-31T10:00:00Z", "2026-10-31T10:00:00Z", "2026-11-30T10:00:00Z"),
        ("Pacific/Kiritimati", "2026-10-31T09:59:59.999Z", "2026-09-30T10:00:00Z", "2026-10-31T10:00:00Z"),
        ("Pacific/Pago_Pago", "2026-12-01T10:59:59.999Z", "2026-11-01T11:00:00Z", "2026-12-01T11:00:00Z"),
        ("Asia/Kolkata", "2026-11-30T18:30:00Z", "2026-11-30T18:30:00Z", "2026-12-31T18:30:00Z"),
        ("America/New_York", "2026-11-20T00:00:00Z", "2026-11-01T04:00:00Z", "2026-12-01T05:00:00Z"),
        ("UTC", "2026-12-31T23:59:59.999Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
    ])
    func `a billing period is the local calendar month`(zone: String, at: String, start: String, end: String) throws {
        let calendar = try BillingCalendar(zoneName: zone)
        let period = calendar.period(containing: try instant(at))
        #expect(period == BillingPeriod(start: try instant(start), end: try instant(end)))
    }

    @Test func `an hour that comes twice is two hours`() throws {
        let calendar = try BillingCalendar(zoneName: "Europe/Berlin")
        let first = try instant("2026-10-25T00:30:00Z")
        let second = try instant("2026-10-25T01:30:00Z")
        #expect(calendar.hourStart(of: first) == (try instant("2026-10-25T00:00:00Z")))
        #expect(calendar.hourStart(of: second) == (try instant("2026-10-25T01:00:00Z")))
        #expect(calendar.day(of: first) == calendar.day(of: second))
    }

    @Test func `local hours of a half-hour zone begin at the half hour in UTC`() throws {
        let calendar = try BillingCalendar(zoneName: "Asia/Kolkata")
        #expect(calendar.hourStart(of: try instant("2026-11-23T06:10:00Z")) == (try instant("2026-11-23T05:30:00Z")))
    }

    @Test func `a change of half an hour splits the hour it falls into`() throws {
        // Lord Howe goes back from +11 to +10:30 at 15:00Z: local 02:00 becomes 01:30.
        let calendar = try BillingCalendar(zoneName: "Australia/Lord_Howe")
        #expect(calendar.hourStart(of: try instant("2026-04-04T14:59:00Z")) == (try instant("2026-04-04T14:00:00Z")))
        #expect(calendar.hourStart(of: try instant("2026-04-04T15:10:00Z")) == (try instant("2026-04-04T15:00:00Z")))
        #expect(calendar.hourStart(of: try instant("2026-04-04T15:30:00Z")) == (try instant("2026-04-04T15:30:00Z")))
    }

    @Test func `days have 23 and 25 hours where clocks change`() throws {
        let calendar = try BillingCalendar(zoneName: "Europe/Berlin")
        func hours(_ text: String) throws -> Int64 {
            let day = try #require(CivilDate(text))
            let next = CivilDate(daysSince1970: day.daysSince1970 + 1)
            return (calendar.start(of: next).milliseconds - calendar.start(of: day).milliseconds) / 3_600_000
        }
        #expect(try hours("2026-03-29") == 23)
        #expect(try hours("2026-10-25") == 25)
        #expect(try hours("2026-11-23") == 24)
    }

    @Test func `a day whose midnight was skipped begins at the change`() throws {
        // Cairo goes forward at 00:00 on the last Friday of April.
        let calendar = try BillingCalendar(zoneName: "Africa/Cairo")
        let start = calendar.start(of: try #require(CivilDate("2026-04-24")))
        #expect(start == (try instant("2026-04-23T22:00:00Z")))
        #expect(calendar.day(of: start) == CivilDate("2026-04-24"))
        #expect(calendar.day(of: start.advanced(byMilliseconds: -1)) == CivilDate("2026-04-23"))
    }

    @Test func `a day that began twice begins at the first time`() throws {
        // Havana goes back from 01:00 to 00:00, so that midnight comes twice on one day.
        let calendar = try BillingCalendar(zoneName: "America/Havana")
        #expect(calendar.start(of: try #require(CivilDate("2026-11-01"))) == (try instant("2026-11-01T04:00:00Z")))
    }

    @Test(arguments: ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kathmandu"])
    func `periods and hours cover the year without gap or overlap`(zone: String) throws {
        let calendar = try BillingCalendar(zoneName: zone)
        var month = try #require(CivilMonth("2026-01"))
        var end = calendar.period(of: month).start
        for _ in 0..<12 {
            let period = calendar.period(of: month)
            #expect(period.start == end)
            #expect(calendar.period(containing: period.start) == period)
            #expect(calendar.period(containing: period.end.advanced(byMilliseconds: -1)) == period)
            #expect(calendar.hourStart(of: period.start) == period.start)
            end = period.end
            month = month.advanced(by: 1)
        }
        var instant = calendar.period(of: try #require(CivilMonth("2026-01"))).start
        while instant < end {
            let hour = calendar.hourStart(of: instant)
            #expect(hour <= instant && instant.milliseconds - hour.milliseconds < 3_600_000)
            #expect(calendar.hourStart(of: hour) == hour)
            instant = instant.advanced(byMilliseconds: 17 * 60_000)
        }
    }

    @Test(arguments: ["", "Mars/Olympus", "CEST", "+01:00", "Europe/Berlin "])
    func `what is no IANA zone is refused`(name: String) {
        #expect(throws: BillingCalendarError.unknownZone(name)) { try BillingCalendar(zoneName: name) }
    }

    @Test func `months are read, printed and counted`() throws {
        let month = try #require(CivilMonth("2026-11"))
        #expect(month.description == "2026-11")
        #expect(month.advanced(by: 2).description == "2027-01")
        #expect(month.advanced(by: -11).description == "2025-12")
        #expect(CivilMonth("2026-13") == nil)
    }
}
