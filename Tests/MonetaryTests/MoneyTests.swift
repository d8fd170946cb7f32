import Monetary
import NaiveArithmetic
import Testing

@Suite struct MoneyTests {
    @Test(arguments: [
        ("0", "0.00", "0.000000000000"),
        ("12.5", "12.50", "12.500000000000"),
        ("-12.5", "-12.50", "-12.500000000000"),
        ("0.000000123", "0.000000123", "0.000000123000"),
        ("-0.000000000001", "-0.000000000001", "-0.000000000001"),
        ("-0", "0.00", "0.000000000000"),
        ("1000000", "1000000.00", "1000000.000000000000"),
        (
            "170141183460469231731687303.715884105727", "170141183460469231731687303.715884105727",
            "170141183460469231731687303.715884105727"
        ),
        (
            "-170141183460469231731687303.715884105728", "-170141183460469231731687303.715884105728",
            "-170141183460469231731687303.715884105728"
        ),
    ])
    func `an amount prints in canonical form and in full`(text: String, canonical: String, full: String) throws {
        let money = try Money(parsing: text, currency: .usd)
        #expect(money.description == canonical)
        #expect(money.decimalText == full)
        #expect(Money(decimalText: full, currency: .usd) == money)
    }

    @Test func `the canonical form shows the minor digits of its currency`() throws {
        #expect(try Money(parsing: "1200", currency: .jpy).description == "1200")
        #expect(try Money(parsing: "0.5", currency: .jpy).description == "0.5")
        #expect(try Money(parsing: "1.5", currency: .kwd).description == "1.500")
    }

    @Test(arguments: [
        "", "-", "+1", "1e3", "1E3", ".5", "5.", ".", "1.2.3", "1,5", "1_000", " 1", "1 ", "--1", "1-", "0x10", "007",
        "00",
        "1.0000000000001", "nan", "NaN", "inf", "١", "½", "1\n", "\u{0}", String(repeating: "9", count: 65),
    ])
    func `text that is not a plain decimal number is refused`(text: String) {
        #expect {
            try Money(parsing: text, currency: .usd)
        } throws: {
            if case .malformed = $0 as? MonetaryError { true } else { false }
        }
        #expect(Money(decimalText: text, currency: .usd) == nil)
    }

    @Test(arguments: [
        "170141183460469231731687303.715884105728", "-170141183460469231731687303.715884105729",
        "999999999999999999999999999999999999999999999999", "400000000000000000000000000",
    ])
    func `an amount that does not fit is an error`(text: String) {
        #expect(throws: MonetaryError.overflow) { try Money(parsing: text, currency: .usd) }
    }

    @Test(arguments: Seeds.all)
    func `what is printed is read back, and means what it says`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<20 {
            let currency = try #require(Currency.all.randomElement(using: &generator))
            let money = Money(picounits: generator.integer(bitsMax: 127), currency: currency)
            for text in [money.description, money.decimalText] {
                #expect(try Money(parsing: text, currency: currency) == money)
                let meant = NaiveFraction(decimal: text) * NaiveFraction(NaiveInteger.powerOfTen(12))
                #expect(meant == NaiveFraction(NaiveInteger(money.picounits)))
            }
        }
    }

    @Test(arguments: Seeds.all)
    func `arithmetic is exact, or throws where the result does not fit`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<20 {
            let (a, b) = (generator.integer(bitsMax: 127), generator.integer(bitsMax: 127))
            let (left, right) = (Money(picounits: a, currency: .eur), Money(picounits: b, currency: .eur))
            check(NaiveInteger(a) + NaiveInteger(b)) { () throws(MonetaryError) in try left.adding(right) }
            check(NaiveInteger(a) - NaiveInteger(b)) { () throws(MonetaryError) in try left.subtracting(right) }
            check(NaiveInteger(a) * NaiveInteger(b)) { () throws(MonetaryError) in try left.multiplied(by: b) }
            check(-NaiveInteger(a)) { () throws(MonetaryError) in try left.negated() }
            #expect(try left.isLess(than: right) == (NaiveInteger(a) < NaiveInteger(b)))
        }
    }

    @Test(arguments: Seeds.all)
    func `a sum is exact in any order`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let counts = (0..<50).map { _ in generator.integer(bitsMax: 110) }
        let amounts = counts.map { Money(picounits: $0, currency: .usd) }
        let total = try Money.sum(amounts, currency: .usd)
        #expect(try Money.sum(amounts.shuffled(using: &generator), currency: .usd) == total)
        #expect(NaiveInteger(total.picounits) == counts.reduce(NaiveInteger(0)) { $0 + NaiveInteger($1) })
    }

    @Test func `the most negative amount has no opposite`() {
        let lowest = Money(picounits: .min, currency: .usd)
        #expect(throws: MonetaryError.overflow) { try lowest.negated() }
        #expect(throws: MonetaryError.overflow) { try lowest.multiplied(by: -1 as Int64) }
        #expect(throws: MonetaryError.overflow) { try lowest.subtracting(Money(picounits: 1, currency: .usd)) }
    }

    @Test func `amounts of different currencies never meet`() {
        let (dollar, euro) = (Money(picounits: 1, currency: .usd), Money(picounits: 1, currency: .eur))
        let expected = MonetaryError.currencyMismatch(.usd, .eur)
        #expect(throws: expected) { try dollar.adding(euro) }
        #expect(throws: expected) { try dollar.subtracting(euro) }
        #expect(throws: expected) { try dollar.isLess(than: euro) }
        #expect(throws: expected) { try Money.sum([dollar, euro], currency: .usd) }
        #expect(dollar != euro)
    }

    @Test func `a sum of nothing is zero in the named currency`() throws {
        #expect(try Money.sum([], currency: .jpy) == .zero(.jpy))
    }

    @Test(arguments: [
        (Rounding.halfEven, "1.005", "1.00"), (.halfEven, "1.015", "1.02"), (.halfEven, "-1.005", "-1.00"),
        (.halfEven, "1.005000000001", "1.01"), (.halfUp, "1.005", "1.01"), (.halfUp, "-1.005", "-1.01"),
        (.up, "1.000000000001", "1.01"), (.up, "-1.000000000001", "-1.01"), (.down, "1.009", "1.00"),
        (.down, "-1.009", "-1.00"), (.ceiling, "1.001", "1.01"), (.ceiling, "-1.009", "-1.00"),
        (.floor, "1.009", "1.00"), (.floor, "-1.001", "-1.01"),
    ])
    func `a payable amount is rounded to the cent`(rounding: Rounding, exact: String, payable: String) throws {
        let rounded = try Money(parsing: exact, currency: .usd).roundedToMinorUnit(rounding)
        #expect(rounded.description == payable)
        #expect(rounded.isRoundedToMinorUnit)
    }

    @Test func `rounding follows the minor unit of the currency`() throws {
        #expect(try Money(parsing: "1234.5", currency: .jpy).roundedToMinorUnit().description == "1234")
        #expect(try Money(parsing: "1.23456", currency: .kwd).roundedToMinorUnit().description == "1.235")
        #expect(try Money(parsing: "1.23456", currency: .kwd).minorUnits() == 1235)
        #expect(try Money(minorUnits: 1999, currency: .usd).description == "19.99")
        #expect(throws: MonetaryError.overflow) { try Money(minorUnits: .max, currency: .usd) }
        #expect(throws: MonetaryError.overflow) { try Money(picounits: .max, currency: .usd).roundedToMinorUnit(.up) }
    }

    private func check(_ expected: NaiveInteger, _ operation: () throws(MonetaryError) -> Money) {
        let fits = expected <= NaiveInteger(Int128.max) && NaiveInteger(Int128.min) <= expected
        do {
            let result = try operation()
            #expect(fits && NaiveInteger(result.picounits) == expected)
        } catch {
            #expect(!fits && error == .overflow)
        }
    }
}
