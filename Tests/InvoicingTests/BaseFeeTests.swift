import Accounts
import Identity
import Invoicing
import Monetary
import NaiveArithmetic
import Pricing
import Testing

@Suite struct BaseFeeTests {
    private let early = Fixture.instant("2025-01-01T00:00:00Z")

    private func fees(_ terms: SubscriptionTerms, month: String = "2026-11") throws -> [InvoiceLine] {
        try Fixture.draft(month: Fixture.month(month), [terms]).lines
    }

    @Test func `a whole month costs the whole fee`() throws {
        let lines = try fees(Fixture.terms([Fixture.version(1, from: early, fee: "49.00")]))
        #expect(lines.map(\.exactAmount) == [try Fixture.usd("49")])
        #expect(lines.first?.description == "Team: base fee")
    }

    @Test func `the local day of the start counts and the day of an end in its middle does not`() throws {
        // 10 November 23:30 in Berlin; ends on 20 November at noon there: days 10 to 19.
        let terms = try Fixture.terms(
            from: "2026-11-10T22:30:00Z", until: "2026-11-20T11:00:00Z",
            [Fixture.version(1, from: early, fee: "30.00")])
        let line = try #require(try fees(terms).first)
        #expect(line.exactAmount == (try Fixture.usd("10")))
        #expect("\(line.period.firstDay) \(line.period.lastDay)" == "2026-11-10 2026-11-19")
        #expect(line.description == "Team: base fee, 10 of 30 days")
    }

    @Test func `an end at local midnight counts the whole day before`() throws {
        let terms = try Fixture.terms(
            until: "2026-11-20T23:00:00Z", [Fixture.version(1, from: early, fee: "30.00")])
        #expect(try fees(terms).map(\.exactAmount) == [try Fixture.usd("20")])
    }

    @Test func `a subscription that begins and ends within a day costs no fee`() throws {
        let terms = try Fixture.terms(
            from: "2026-11-10T08:00:00Z", until: "2026-11-10T12:00:00Z",
            [Fixture.version(1, from: early, fee: "30.00")])
        #expect(try fees(terms).isEmpty)
    }

    @Test func `a version that changes within the month makes two lines that tile it`() throws {
        let terms = try Fixture.terms([
            Fixture.version(1, from: early, fee: "31.00"),
            Fixture.version(2, from: Fixture.instant("2026-10-11T10:00:00Z"), fee: "62.00"),
        ])
        let lines = try fees(terms, month: "2026-10")
        #expect(lines.map(\.planVersion) == [1, 2])
        #expect(lines.map(\.exactAmount) == [try Fixture.usd("10"), try Fixture.usd("42")])
        #expect(lines.first?.period.end == lines.last?.period.start)
    }

    @Test func `a fee that is not prorated is charged whole and once`() throws {
        let terms = try Fixture.terms(
            from: "2026-11-29T00:00:00Z",
            [
                Fixture.version(1, from: early, fee: "10.00", proration: .none),
                Fixture.version(2, from: Fixture.instant("2026-11-30T00:00:00Z"), fee: "20.00", proration: .none),
            ])
        #expect(try fees(terms).map(\.exactAmount) == [try Fixture.usd("20")])
    }

    @Test(arguments: Seeds.all)
    func `fees equal days times fee over the month's days on paper`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let zones = ["UTC", "Europe/Berlin", "Pacific/Kiritimati", "America/St_Johns", "Pacific/Pago_Pago"]
        let zone = zones.randomElement(using: &generator) ?? "UTC"
        let civil = try #require(CivilMonth(year: 2026, month: Int64.random(in: 1...12, using: &generator)))
        let calendar = try Fixture.calendar(zone)
        let month = BillingMonth(civil, calendar: calendar)
        let days = Int64(month.dayCount)
        // Starts, changes and ends at random milliseconds around the month.
        func instant(_ range: ClosedRange<Int64>) -> Timestamp {
            let offset = Int64.random(in: range, using: &generator) * 86_400_000
            return month.start.advanced(byMilliseconds: offset + Int64.random(in: 0..<86_400_000, using: &generator))
        }
        let start = instant(-5...10)
        let end = generator.flip(oneIn: 2) ? max(instant(5...35), start.advanced(byMilliseconds: 1)) : nil
        let change = instant(-3...33)
        let fees = (0..<2).map { _ in "\(Int.random(in: 0...999, using: &generator)).37" }
        let terms = SubscriptionTerms(
            subscription: Subscription(
                id: Fixture.subscriptionID, accountID: Fixture.accountID, tenantID: TenantID(UUIDv7(high: 1, low: 1)),
                plan: "team", startsAt: start, endsAt: end, createdAt: start),
            tenantName: "Acme",
            history: try PlanHistory(published: [
                Fixture.version(1, from: early, fee: fees[0]), Fixture.version(2, from: change, fee: fees[1]),
            ]))
        let draft = try Fixture.draft(month: month, [terms])
        // On paper: ask each local day, by its last millisecond, what is in force.
        var counts = [0, 0]
        for day in 0..<days {
            let next = CivilDate(daysSince1970: civil.firstDay.daysSince1970 + day + 1)
            let last = calendar.start(of: next).advanced(byMilliseconds: -1)
            guard start <= last, end.map({ $0 > last }) ?? true else { continue }
            counts[change <= last ? 1 : 0] += 1
        }
        for version in 0..<2 where counts[version] > 0 {
            let exact =
                NaiveFraction(decimal: fees[version])
                * NaiveFraction(NaiveInteger(counts[version]), over: NaiveInteger(days))
            let expected = OnPaper.text(OnPaper.rounded(exact, decimals: 12), decimals: 12)
            let line = draft.lines.first { $0.planVersion == version + 1 }
            #expect(line.map { OnPaper.value(of: $0.exactAmount) == expected } == true, "seed \(seed) \(zone)")
        }
        #expect(draft.lines.count == counts.filter { $0 > 0 }.count, "seed \(seed)")
    }
}
