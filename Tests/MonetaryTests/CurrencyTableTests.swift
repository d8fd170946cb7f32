import Foundation
import Monetary
import Testing

@Suite struct CurrencyTableTests {
    @Test(arguments: [
        ("BMD", 2), ("KYD", 2), ("LAK", 2), ("BND", 2), ("FJD", 2), ("AFN", 2), ("AOA", 2), ("AWG", 2), ("BTN", 2),
        ("CDF", 2), ("CUP", 2), ("CVE", 2), ("ERN", 2), ("FKP", 2), ("GIP", 2), ("GMD", 2), ("GYD", 2), ("HTG", 2),
        ("IRR", 2), ("KPW", 2), ("LRD", 2), ("LSL", 2), ("MGA", 2), ("MRU", 2), ("MVR", 2), ("MWK", 2), ("SBD", 2),
        ("SCR", 2), ("SDG", 2), ("SHP", 2), ("SLE", 2), ("SOS", 2), ("SRD", 2), ("SSP", 2), ("STN", 2), ("SVC", 2),
        ("SYP", 2), ("SZL", 2), ("TJS", 2), ("TMT", 2), ("TOP", 2), ("VED", 2), ("VES", 2), ("WST", 2), ("XCG", 2),
        ("YER", 2), ("ZWG", 2), ("CHE", 2), ("MXV", 2), ("UYI", 0), ("UYW", 4), ("CLF", 4), ("XOF", 0), ("TND", 3),
    ])
    func `a currency of ISO 4217 is known with its minor unit`(code: String, digits: Int) throws {
        let currency = try Currency(code: code)
        #expect(currency.minorUnitDigits == digits && currency.code == code)
    }

    @Test(arguments: ["XAU", "XDR", "XXX", "XTS", "XPT", "ABC", "usd", "US", "USDD", "", "HRK"])
    func `what has no minor unit, or is none, is refused`(code: String) {
        #expect(throws: MonetaryError.unknownCurrency(code)) { try Currency(code: code) }
    }

    @Test func `the system's own table knows every one of them, and there is none twice`() {
        let known = Set(Locale.Currency.isoCurrencies.map { $0.identifier })
        let newer: Set<String> = ["XAD", "XCG", "ZWG", "SLE", "VED"]
        let unknown = Currency.all.map(\.code).filter { !known.contains($0) && !newer.contains($0) }
        #expect(unknown.isEmpty)
        #expect(Set(Currency.all).count == Currency.all.count && Currency.all.count >= 165)
    }
}
