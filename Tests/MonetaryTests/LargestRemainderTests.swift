import Monetary
import NaiveArithmetic
import Testing

@Suite struct LargestRemainderTests {
    private func usd(_ text: String) throws -> Money { try Money(parsing: text, currency: .usd) }

    @Test func `cents go to the largest rests, the first where they are equal`() throws {
        let parts = try ["0.334", "0.333", "0.333", "0.335"].map(usd)
        let rounded = try Money.roundedTogether(parts, currency: .usd)
        // 1.335 is 1.34 to even: two cents more than the cut parts.
        #expect(rounded.map(\.description) == ["0.34", "0.33", "0.33", "0.34"])
        let equal = try Money.roundedTogether(["0.005", "0.005", "0.005"].map(usd), currency: .usd, .up)
        #expect(equal.map(\.description) == ["0.01", "0.01", "0.00"])
        #expect(try Money.roundedTogether([], currency: .usd).isEmpty)
    }

    @Test(arguments: Seeds.all) func `rounded parts are near their amounts and sum to the rounded sum`(
        seed: UInt64
    ) throws {
        var generator = SeededGenerator(seed: seed)
        let currency = [Currency.usd, .jpy, .kwd].randomElement(using: &generator) ?? .usd
        let rounding = Rounding.allCases.randomElement(using: &generator) ?? .halfEven
        let minor = currency.picounitsPerMinorUnit
        let parts = (0..<Int.random(in: 0...12, using: &generator)).map { _ in
            let size =
                generator.flip(oneIn: 4)
                ? minor / 2 : Int128(Int64.random(in: 0...9_000_000_000_000, using: &generator))
            return Money(picounits: generator.flip(oneIn: 3) ? -size : size, currency: currency)
        }
        let rounded = try Money.roundedTogether(parts, currency: currency, rounding)
        #expect(rounded.count == parts.count)
        #expect(rounded.allSatisfy { $0.isRoundedToMinorUnit }, "seed \(seed)")
        // On paper: rank the rests, and give a unit to each whose rank is below what the cut parts leave.
        let whole = try Money.sum(parts, currency: currency).minorUnits(rounding)
        let cuts = parts.map { part -> Int128 in
            let (quotient, rest) = part.picounits.quotientAndRemainder(dividingBy: minor)
            return rest < 0 ? quotient - 1 : quotient
        }
        let rests = zip(parts, cuts).map { $0.picounits - $1 * minor }
        let left = whole - cuts.reduce(0, +)
        for index in parts.indices {
            let before = rests.indices.count { rests[$0] > rests[index] || (rests[$0] == rests[index] && $0 < index) }
            let expected = cuts[index] + (Int128(before) < left ? 1 : 0)
            #expect(rounded[index].picounits == expected * minor, "seed \(seed)")
        }
        #expect(rounded.reduce(0) { $0 + $1.picounits } == whole * minor, "seed \(seed)")
    }

    @Test(arguments: Seeds.all) func `equal parts sum to the amount and differ by one at most`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let count = Int.random(in: 1...366, using: &generator)
        let picounits = Int64.random(in: -1_000_000_000_000_000...1_000_000_000_000_000, using: &generator)
        let amount = Money(picounits: Int128(picounits), currency: .eur)
        let parts = try amount.divided(amongEqual: count)
        #expect(parts.count == count)
        #expect(parts.reduce(0) { $0 + $1.picounits } == amount.picounits, "seed \(seed)")
        let sizes = Set(parts.map(\.picounits)).sorted()
        #expect((sizes.last ?? 0) - (sizes.first ?? 0) <= 1, "seed \(seed)")
        // On paper: what the first parts together are, as a fraction rounded half to even.
        let first = Int.random(in: 1...count, using: &generator)
        let exact = NaiveFraction(NaiveInteger(Int(picounits)) * NaiveInteger(first), over: NaiveInteger(count))
        let floor = exact.floor
        let twice = (exact + NaiveFraction(-floor)) * NaiveFraction(NaiveInteger(2))
        let one = NaiveFraction(NaiveInteger(1))
        let rounded = twice < one || (twice == one && !floor.isOdd) ? floor : floor + NaiveInteger(1)
        let sum = parts.prefix(first).reduce(0) { $0 + $1.picounits }
        #expect(NaiveFraction(decimal: "\(sum)") == NaiveFraction(rounded), "seed \(seed)")
    }

    @Test func `nothing can be divided among none`() {
        #expect(throws: MonetaryError.divisionByZero) { try usd("1").divided(amongEqual: 0) }
    }
}
