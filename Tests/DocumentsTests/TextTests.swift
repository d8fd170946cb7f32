import Testing

@testable import Documents

struct TextTests {
    @Test(
        arguments: [
            ("0", "0"), ("999", "999"), ("1000", "1,000"), ("1234567.5", "1,234,567.5"), ("-1234.50", "−1,234.50"),
            ("-0.004", "−0.004"), ("9223372036854775807", "9,223,372,036,854,775,807"),
            ("170141183460469231731687303715884105.727", "170,141,183,460,469,231,731,687,303,715,884,105.727"),
            ("", ""), ("n/a", "n/a"), ("1.2.3", "1.2.3"), ("1e5", "1e5"), ("-", "-"), ("5.", "5."),
        ])
    func `digits are grouped and never changed`(text: String, expected: String) {
        #expect(NumberText.grouped(text) == expected)
    }

    @Test func `prices keep two decimals or more`() {
        #expect(NumberText.grouped("15", fractionDigitsMin: 2) == "15.00")
        #expect(NumberText.grouped("0.6", fractionDigitsMin: 2) == "0.60")
        #expect(NumberText.grouped("0.0375", fractionDigitsMin: 2) == "0.0375")
    }

    @Test func `equal numbers are equal whatever zeros trail`() {
        #expect(NumberText.areEqual("1.50", "1.5"))
        #expect(NumberText.areEqual("-0.00", "0"))
        #expect(!NumberText.areEqual("1.5", "-1.5"))
        #expect(!NumberText.areEqual("1.05", "1.5"))
        #expect(NumberText.isNegative("-0.01"))
        #expect(!NumberText.isNegative("-0.00"))
    }

    @Test func `days and months are said in words`() {
        #expect(DateText.day("2026-12-01") == "1 December 2026")
        #expect(DateText.month("2026-02") == "February 2026")
        #expect(DateText.days(from: "2026-11-01", through: "2026-11-30") == "1 – 30 November 2026")
        #expect(DateText.days(from: "2026-11-05", through: "2026-12-04") == "5 November – 4 December 2026")
        #expect(DateText.days(from: "2026-12-05", through: "2027-01-04") == "5 December 2026 – 4 January 2027")
        #expect(DateText.days(from: "2026-11-05", through: "2026-11-05") == "5 November 2026")
        #expect(DateText.span(from: "2024-02-01", through: "2024-02-29") == "February 2024")
        #expect(DateText.span(from: "2024-02-01", through: "2024-02-28") == "1 – 28 February 2024")
        #expect(DateText.instant("2026-10-03T14:22:05.123Z") == "2026-10-03 14:22:05.123 UTC")
    }

    @Test func `what is no date is shown as it is`() {
        #expect(DateText.day("2026-02-30") == "2026-02-30")
        #expect(DateText.day("soon") == "soon")
        #expect(DateText.month("2026-13") == "2026-13")
        #expect(DateText.instant("2026-10-03 10:00") == "2026-10-03 10:00")
    }
}
