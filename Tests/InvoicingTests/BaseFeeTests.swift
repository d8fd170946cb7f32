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
        #expect(lines.map(\.charge.planVersion) == [1, 2])
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
        // On paper: ask each local day, by its last millisecond, what is in force; its share of the fee is what the fee
        // is worth through that day, less what it is worth through the day before.
        var counts = [0, 0]
        var exact = [NaiveInteger(0), NaiveInteger(0)]
        for day in 0..<days {
            let next = CivilDate(daysSince1970: civil.firstDay.daysSince1970 + day + 1)
            let last = calendar.start(of: next).advanced(byMilliseconds: -1)
            guard start <= last, end.map({ $0 > last }) ?? true else { continue }
            let version = change <= last ? 1 : 0
            counts[version] += 1
            exact[version] =
                exact[version] + OnPaper.share(of: fees[version], through: day + 1, of: days)
                + -OnPaper.share(of: fees[version], through: day, of: days)
        }
        for version in 0..<2 where counts[version] > 0 {
            let line = draft.lines.first { $0.charge.planVersion == version + 1 }
            let expected = OnPaper.text(exact[version], decimals: 12)
            #expect(line.map { OnPaper.value(of: $0.exactAmount) == expected } == true, "seed \(seed) \(zone)")
            // Within 10⁻¹² of days × fee ÷ days of the month.
            let plain = OnPaper.rounded(
                NaiveFraction(decimal: fees[version])
                    * NaiveFraction(NaiveInteger(counts[version]), over: NaiveInteger(Int(days))), decimals: 12)
            let apart = exact[version] + -plain
            #expect([NaiveInteger(-1), NaiveInteger(0), NaiveInteger(1)].contains(apart), "seed \(seed)")
        }
        #expect(draft.lines.count == counts.filter { $0 > 0 }.count, "seed \(seed)")
        // Together the lines ask for the rounded sum.
        let sum = OnPaper.text(exact[0] + exact[1], decimals: 12)
        #expect(
            OnPaper.value(of: draft.total) == OnPaper.text(OnPaper.rounded(sum, decimals: 2), decimals: 2),
            "seed \(seed)")
    }

    // MARK: one fee, several lines

    @Test(arguments: Rounding.allCases, ["49.01", "0.01", "10.00", "99.99"])
    func `a fee that a version or a pause splits comes to the fee`(rounding: Rounding, fee: String) throws {
        for day in 2...30 {
            let change = Fixture.instant("2026-10-31T23:00:00Z").advanced(byMilliseconds: Int64(day - 1) * 86_400_000)
            let split = try Fixture.terms([
                Fixture.version(1, from: early, fee: fee, rounding: rounding),
                Fixture.version(2, from: change, fee: fee, rounding: rounding),
            ])
            #expect(try Fixture.draft([split]).total == (try Fixture.usd(fee)), "day \(day)")
            let versions = [try Fixture.version(1, from: early, fee: fee, rounding: rounding)]
            let paused = try [
                Fixture.terms(until: "\(change)", versions),
                Fixture.terms(from: "\(change)", id: other(1), tenant: Fixture.subscriptionID, versions),
            ]
            #expect(try Fixture.draft(paused).total == (try Fixture.usd(fee)), "day \(day)")
        }
    }

    private func other(_ number: UInt64) -> SubscriptionID {
        SubscriptionID(UUIDv7(high: 0x0190_0000_0000_7000, low: 0x8000_0000_0000_0100 + number))
    }

    @Test func `a whole fee is charged once, however often the tenant leaves and comes back`() throws {
        let versions = [try Fixture.version(1, from: early, fee: "50.00", proration: .none)]
        let spans = [
            ("2026-10-20T10:00:00Z", "2026-11-03T10:00:00Z"), ("2026-11-03T12:00:00Z", "2026-11-10T09:00:00Z"),
            ("2026-11-10T10:00:00Z", "2026-11-10T11:00:00Z"), ("2026-11-25T10:00:00Z", nil),
        ]
        let terms = try spans.enumerated().map { index, span in
            try Fixture.terms(
                from: span.0, until: span.1, id: other(UInt64(index)), tenant: Fixture.subscriptionID, versions)
        }
        let lines = try Fixture.draft(terms).lines
        #expect(lines.map(\.amount) == [try Fixture.usd("50")])
        #expect(lines.first?.subscriptionID == other(3))
        #expect(lines.first?.description == "Team: base fee, not prorated")
        // Another tenant on the same plan has a fee of its own.
        let neighbour = try Fixture.terms(from: "2026-11-05T10:00:00Z", id: other(9), tenant: other(9), versions)
        #expect(try Fixture.draft(terms + [neighbour]).total == (try Fixture.usd("100")))
    }

    @Test(arguments: [1, 2, 3]) func `a whole fee is charged once for visits of less than a day`(visits: Int) throws {
        let versions = [try Fixture.version(1, from: early, fee: "50.00", proration: .none)]
        let terms = try (0..<visits).map { visit in
            try Fixture.terms(
                from: "2026-11-\(11 + visit)T08:00:00Z", until: "2026-11-\(11 + visit)T12:00:00Z",
                id: other(UInt64(visit)), tenant: Fixture.subscriptionID, versions)
        }
        #expect(try Fixture.draft(terms).lines.map(\.amount) == [try Fixture.usd("50")])
    }

    @Test func `a day that two plans share has one of them`() throws {
        let versions = [try Fixture.version(1, from: early, fee: "30.00")]
        let terms = try [
            Fixture.terms(until: "2026-11-10T04:00:00Z", id: other(1), tenant: Fixture.subscriptionID, versions),
            Fixture.terms(
                from: "2026-11-10T05:00:00Z", until: "2026-11-10T06:00:00Z", id: other(2),
                tenant: Fixture.subscriptionID, versions),
            Fixture.terms(from: "2026-11-10T07:00:00Z", id: other(3), tenant: Fixture.subscriptionID, versions),
        ]
        let lines = try Fixture.draft(terms).lines
        #expect(
            lines.map { "\($0.period.firstDay) \($0.period.lastDay) \($0.amount)" } == [
                "2026-11-01 2026-11-09 9.00", "2026-11-10 2026-11-30 21.00",
            ])
    }
}
