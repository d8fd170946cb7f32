import Monetary
import NaiveArithmetic
import Testing

@Suite struct RoundingTests {
    @Test(arguments: Seeds.all)
    func `a division rounds as its definition says`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<10 {
            let value = generator.integer(bitsMax: 127)
            let factor = generator.flip(oneIn: 2) ? 1 : generator.integer(bitsMax: 127)
            // Small divisors make ties likely, wide ones exercise 256 bits.
            let divisor = generator.integer(bitsMax: generator.flip(oneIn: 2) ? 4 : 127)
            guard divisor != 0 else { continue }
            let exact = NaiveFraction(NaiveInteger(value) * NaiveInteger(factor), over: NaiveInteger(divisor))
            for rounding in Rounding.allCases {
                let expected = round(exact, rounding)
                let fits = expected <= NaiveInteger(Int128.max) && NaiveInteger(Int128.min) <= expected
                do {
                    let result = try rounding.multiply(value, by: factor, dividedBy: divisor)
                    #expect(fits && NaiveInteger(result) == expected, "\(value) × \(factor) ÷ \(divisor) \(rounding)")
                } catch {
                    #expect(!fits && error == .overflow, "\(value) × \(factor) ÷ \(divisor) \(rounding)")
                }
            }
        }
    }

    @Test(arguments: [
        (Rounding.halfEven, [-2, -2, -1, 0, 0, 0, 1, 2, 2]), (.halfUp, [-2, -2, -1, -1, 0, 1, 1, 2, 2]),
        (.up, [-2, -2, -1, -1, 0, 1, 1, 2, 2]), (.down, [-2, -1, -1, 0, 0, 0, 1, 1, 2]),
        (.ceiling, [-2, -1, -1, 0, 0, 1, 1, 2, 2]), (.floor, [-2, -2, -1, -1, 0, 0, 1, 1, 2]),
    ])
    func `halves from -2 to 2 go where the mode sends them`(rounding: Rounding, expected: [Int128]) throws {
        #expect(try (-4...4).map { try rounding.divide($0, by: 2) } == expected)
        #expect(try (-4...4).map { try rounding.divide(-$0, by: -2) } == expected)
    }

    @Test func `a division by zero is an error`() {
        #expect(throws: MonetaryError.divisionByZero) { try Rounding.halfEven.divide(1, by: 0) }
    }

    @Test func `the one quotient that does not fit is an error`() throws {
        #expect(throws: MonetaryError.overflow) { try Rounding.halfEven.divide(.min, by: -1) }
        #expect(try Rounding.halfEven.divide(.min, by: 1) == .min)
        #expect(try Rounding.halfEven.divide(.min, by: .min) == 1)
    }

    /// By the definition: the neighbours, and the distance to the upper one.
    private func round(_ exact: NaiveFraction, _ rounding: Rounding) -> NaiveInteger {
        if exact.isWhole { return exact.floor }
        let (below, above) = (exact.floor, exact.floor + NaiveInteger(1))
        let middle = NaiveFraction(below + above, over: NaiveInteger(2))
        let awayFromZero = exact.numerator.isNegative ? below : above
        let towardsZero = exact.numerator.isNegative ? above : below
        switch rounding {
        case .floor: return below
        case .ceiling: return above
        case .up: return awayFromZero
        case .down: return towardsZero
        case .halfUp: return exact == middle ? awayFromZero : exact < middle ? below : above
        case .halfEven: return exact == middle ? (below.isOdd ? above : below) : exact < middle ? below : above
        }
    }
}
