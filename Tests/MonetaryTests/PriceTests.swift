import Monetary
import NaiveArithmetic
import Testing

@Suite struct UnitPriceTests {
    @Test func `the price of one token is a whole number`() throws {
        #expect(try UnitPrice(parsing: "0.0375").picounits == 37_500)
        #expect(try UnitPrice(parsing: "0.000001").picounits == 1)
        #expect(try UnitPrice(parsing: "0") == .free)
        #expect(try UnitPrice(parsing: "9223372036854.775807").picounits == .max)
    }

    @Test func `the text of a price is kept`() throws {
        for text in ["0.15", "0.0375", "3", "0", "12.5", "0.000001", "1000000"] {
            #expect(try UnitPrice(parsing: text).description == text)
        }
        #expect(try UnitPrice(parsing: "0.150").description == "0.15")
    }

    @Test func `a price that cannot be is refused`() {
        #expect(throws: MonetaryError.negative("-0.15")) { try UnitPrice(parsing: "-0.15") }
        #expect(throws: MonetaryError.negative("-1")) { try UnitPrice(picounits: -1) }
        #expect(throws: MonetaryError.overflow) { try UnitPrice(parsing: "9223372036854.775808") }
        #expect(throws: MonetaryError.self) { try UnitPrice(parsing: "0.0000001") }
    }

    @Test func `the largest cost that a record can have fits`() throws {
        let price = try UnitPrice(picounits: .max)
        #expect(NaiveInteger(price.cost(of: .max)) == NaiveInteger(Int64.max) * NaiveInteger(Int64.max))
        #expect(price.cost(of: .max, currency: .usd).picounits == price.cost(of: .max))
    }

    @Test(arguments: Seeds.all)
    func `a cost is quantity times price a million, exactly`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<20 {
            let price = try UnitPrice(picounits: Int64(generator.integer(bitsMax: 63).magnitude))
            let quantity = Int64(generator.integer(bitsMax: 63).magnitude)
            let money = price.cost(of: quantity, currency: .usd)
            let expected =
                NaiveFraction(decimal: price.description)
                * NaiveFraction(NaiveInteger(quantity), over: NaiveInteger(1_000_000))
            #expect(NaiveFraction(decimal: money.decimalText) == expected)
        }
    }
}

@Suite struct MultiplierTests {
    @Test func `equal factors are equal however they are written`() throws {
        #expect(try Multiplier(parsing: "1.50") == Multiplier(parsing: "1.5"))
        #expect(try Multiplier(parsing: "1.000") == .one)
        #expect(try Multiplier(parsing: "100").description == "100")
        #expect(try Multiplier(parsing: "0.00").description == "0")
    }

    @Test func `a product with too many digits is refused unless rounding is asked for`() throws {
        let (price, factor) = (try UnitPrice(parsing: "0.000005"), try Multiplier(parsing: "0.5"))
        #expect(throws: MonetaryError.inexact("0.000005 × 0.5")) { try factor.applied(to: price) }
        #expect(try factor.applied(to: price, rounding: .halfEven).description == "0.000002")
        #expect(try factor.applied(to: price, rounding: .halfUp).description == "0.000003")
    }

    @Test func `factors that overflow throw`() throws {
        let price = try UnitPrice(picounits: .max)
        #expect(throws: MonetaryError.overflow) { try Multiplier(parsing: "2").applied(to: price) }
        #expect(throws: MonetaryError.negative("-1")) { try Multiplier(parsing: "-1") }
        let tiny = try Multiplier(parsing: "0.000000000001")
        let product = try tiny.multiplied(by: tiny).multiplied(by: tiny)
        #expect(product.scale == 36)
        #expect(throws: MonetaryError.overflow) { try product.multiplied(by: tiny) }
    }

    @Test(arguments: Seeds.all)
    func `factors multiply exactly or throw`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<20 {
            let texts = (0..<2).map { _ in decimal(using: &generator) }
            let (left, right) = (try Multiplier(parsing: texts[0]), try Multiplier(parsing: texts[1]))
            let expected = NaiveFraction(decimal: texts[0]) * NaiveFraction(decimal: texts[1])
            #expect(try NaiveFraction(decimal: left.multiplied(by: right).description) == expected)

            let price = try UnitPrice(picounits: Int64.random(in: 0...10_000_000, using: &generator))
            let exact = NaiveFraction(NaiveInteger(price.picounits)) * NaiveFraction(decimal: texts[0])
            if exact.isWhole {
                #expect(try NaiveInteger(left.applied(to: price).picounits) == exact.floor)
            } else {
                #expect(throws: MonetaryError.inexact("\(price) × \(left)")) { try left.applied(to: price) }
                #expect(try NaiveInteger(left.applied(to: price, rounding: .floor).picounits) == exact.floor)
            }
        }
    }

    private func decimal(using generator: inout SeededGenerator) -> String {
        let decimals = Int.random(in: 0...5, using: &generator)
        let fraction = (0..<decimals).map { _ in String(Int.random(in: 0...9, using: &generator)) }.joined()
        return "\(Int.random(in: 0...99, using: &generator))" + (decimals > 0 ? "." + fraction : "")
    }
}

@Suite struct PercentageTests {
    @Test func `a percentage is exact and at most 100`() throws {
        #expect(try Percentage(parsing: "99.95").description == "99.95")
        #expect(try Percentage(parsing: "99.5").ratio == Ratio(199, over: 200))
        #expect(try Percentage(parsing: "0").ratio == .zero)
        #expect(throws: MonetaryError.self) { try Percentage(parsing: "100.000001") }
        #expect(throws: MonetaryError.negative("-1")) { try Percentage(parsing: "-1") }
    }

    @Test func `a share is compared without division`() throws {
        let promise = try Percentage(parsing: "99.9")
        #expect(promise.isReached(by: 999, of: 1000))
        #expect(!promise.isReached(by: 998, of: 1000))
        #expect(!promise.isReached(by: 9_989_999, of: 10_000_000))
        #expect(promise.isReached(by: 0, of: 0))
        #expect(promise.isReached(by: .max, of: .max))
    }
}

@Suite struct CurrencyTests {
    @Test func `minor digits follow the table of ISO 4217`() throws {
        for (code, digits) in [("USD", 2), ("EUR", 2), ("JPY", 0), ("KRW", 0), ("KWD", 3), ("BHD", 3), ("CLF", 4)] {
            let currency = try Currency(code: code)
            #expect(currency.code == code && currency.minorUnitDigits == digits)
        }
        #expect(Currency.all.count > 40)
        #expect(Currency.all.allSatisfy { $0.code.utf8.count == 3 })
        #expect(try Currency(code: "USD") == .usd)
    }

    @Test(arguments: ["", "usd", "US", "USDT", "XXX", "€"])
    func `an unknown code is refused`(code: String) {
        #expect(throws: MonetaryError.unknownCurrency(code)) { try Currency(code: code) }
    }
}
