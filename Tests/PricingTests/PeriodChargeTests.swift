import Monetary
import Pricing
import Testing

@Suite struct PeriodChargeTests {
    private func fee(_ text: String, _ proration: BaseFee.Proration = .days) throws -> BaseFee {
        BaseFee(amount: try Money(parsing: text, currency: .usd), proration: proration)
    }

    private func totals(_ segments: [ChargeSegment<BaseFee>], days: Int = 30) throws -> [String] {
        let period = ChargePeriod(dayCount: days, isClosed: false)
        return try BaseFee.amounts(of: segments, in: period).map { try Money.sum($0, currency: .usd).description }
    }

    @Test func `a fee is prorated by covered days`() throws {
        let fee = try fee("49")
        #expect(try totals([ChargeSegment(terms: fee, days: 0..<30)]) == ["49.00"])
        #expect(try totals([ChargeSegment(terms: fee, days: 0..<10)]) == ["16.333333333333"])
        #expect(
            try totals([ChargeSegment(terms: fee, days: 0..<10), ChargeSegment(terms: fee, days: 10..<30)])
                == ["16.333333333333", "32.666666666667"])
        #expect(try totals([ChargeSegment(terms: fee, days: 4..<5, isCounted: false)]) == ["0.00"])
        #expect(try totals([]).isEmpty)
    }

    @Test func `a whole fee is the last terms', once, on the first of their days`() throws {
        let whole = try fee("49", .none)
        #expect(try totals([ChargeSegment(terms: whole, days: 29..<30)]) == ["49.00"])
        #expect(try totals([ChargeSegment(terms: whole, days: 7..<8, isCounted: false)]) == ["49.00"])
        let two = [ChargeSegment(terms: try fee("10"), days: 0..<10), ChargeSegment(terms: whole, days: 12..<20)]
        #expect(try totals(two) == ["0.00", "49.00"])
        let days = try BaseFee.amounts(of: two, in: ChargePeriod(dayCount: 30, isClosed: true))
        #expect(days[1].map(\.isZero) == [false] + Array(repeating: true, count: 7))
        // Terms by days after whole ones ask for each version's days.
        #expect(
            try totals(two.reversed().map { ChargeSegment(terms: $0.terms, days: $0.days) }) == [
                "13.066666666667", "3.333333333333",
            ])
    }

    @Test func `charges are named once and for ever`() {
        #expect(BaseFee.name == "base_fee")
    }
}
