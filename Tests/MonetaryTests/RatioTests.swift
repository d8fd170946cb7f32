import Monetary
import NaiveArithmetic
import Testing

@Suite struct RatioTests {
    @Test func `a ratio is in lowest terms with a positive denominator`() throws {
        let ratio = try Ratio(10, over: -4)
        #expect(ratio.numerator == -5 && ratio.denominator == 2)
        #expect(try Ratio(0, over: -7) == .zero)
        #expect(throws: MonetaryError.divisionByZero) { try Ratio(1, over: 0) }
        #expect(throws: MonetaryError.overflow) { try Ratio(1, over: .min) }
        #expect(throws: MonetaryError.overflow) { try Ratio(.min, over: -1) }
        #expect(try Ratio(.min, over: .min) == .one)
    }

    @Test func `three thirds are one`() throws {
        let third = try Ratio(1, over: 3)
        #expect(try third.adding(third).adding(third) == .one)
        #expect(try Ratio.one.subtracting(third) == Ratio(2, over: 3))
        #expect(try third.divided(by: third) == .one)
        #expect(throws: MonetaryError.divisionByZero) { try third.divided(by: .zero) }
    }

    @Test func `a fee is prorated with one rounding at the end`() throws {
        let fee = try Money(parsing: "49.00", currency: .usd)
        #expect(try fee.multiplied(by: Ratio(10, over: 30)).description == "16.333333333333")
        #expect(try fee.multiplied(by: Ratio(20, over: 30)).description == "32.666666666667")
        #expect(try fee.multiplied(by: .one) == fee)
    }

    @Test func `the middle of a proration may be wider than 128 bits`() throws {
        let large = Money(picounits: .max, currency: .usd)
        #expect(try large.multiplied(by: Ratio(.max - 1, over: .max)).picounits == .max - 1)
        #expect(throws: MonetaryError.overflow) { try large.multiplied(by: Ratio(3, over: 2)) }
    }

    @Test(arguments: Seeds.all)
    func `ratios agree with fractions done by hand, or throw`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<10 {
            let bits = Int.random(in: 2...100, using: &generator)
            let parts = (0..<4).map { _ in generator.integer(bitsMax: bits) }
            guard parts[1] != 0, parts[3] != 0 else { continue }
            let left = try Ratio(parts[0], over: parts[1])
            let right = try Ratio(parts[2], over: parts[3])
            let (exactLeft, exactRight) = (naive(left), naive(right))
            #expect(exactLeft == NaiveFraction(NaiveInteger(parts[0]), over: NaiveInteger(parts[1])))
            check(exactLeft + exactRight, bits) { () throws(MonetaryError) in try left.adding(right) }
            check(exactLeft * exactRight, bits) { () throws(MonetaryError) in try left.multiplied(by: right) }
            #expect(try NaiveInteger(left.rounded(.floor)) == exactLeft.floor)
        }
    }

    private func check(_ exact: NaiveFraction, _ bits: Int, _ operation: () throws(MonetaryError) -> Ratio) {
        do {
            #expect(try naive(operation()) == exact)
        } catch {
            // Four parts of at most 40 bits cannot need more than 128.
            #expect(error == .overflow && bits > 40)
        }
    }

    private func naive(_ ratio: Ratio) -> NaiveFraction {
        NaiveFraction(NaiveInteger(ratio.numerator), over: NaiveInteger(ratio.denominator))
    }
}
