import Identity
import NaiveArithmetic
import Testing

struct TimestampTests {
    @Test(
        arguments: [
            ("1970-01-01T00:00:00.000Z", 0),
            ("1969-12-31T23:59:59.999Z", -1),
            ("2026-11-23T06:03:27.123Z", 1_795_413_807_123),
            ("2000-02-29T12:00:00.000Z", 951_825_600_000),
            ("0000-01-01T00:00:00.000Z", -62_167_219_200_000),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ] as [(String, Int64)])
    func `an instant prints as RFC 3339 in UTC and is read back`(text: String, milliseconds: Int64) {
        #expect(Timestamp(milliseconds: milliseconds).description == text)
        #expect(Timestamp(text) == Timestamp(milliseconds: milliseconds))
    }

    @Test(arguments: [
        ("2026-11-23T06:03:27Z", "2026-11-23T06:03:27.000Z"),
        ("2026-11-23t06:03:27z", "2026-11-23T06:03:27.000Z"),
        ("2026-11-23T06:03:27.5Z", "2026-11-23T06:03:27.500Z"),
        ("2026-11-23T06:03:27.123999999Z", "2026-11-23T06:03:27.123Z"),
        ("2026-11-23T06:03:27+01:00", "2026-11-23T05:03:27.000Z"),
        ("2026-11-23T06:03:27-05:30", "2026-11-23T11:33:27.000Z"),
        ("2026-11-23T06:03:27+00:00", "2026-11-23T06:03:27.000Z"),
        ("2026-11-23T06:03:27-00:00", "2026-11-23T06:03:27.000Z"),
        ("2026-12-31T23:30:00-00:45", "2027-01-01T00:15:00.000Z"),
        ("2024-03-01T00:30:00+01:00", "2024-02-29T23:30:00.000Z"),
        ("1969-12-31T23:59:59.9999Z", "1969-12-31T23:59:59.999Z"),
    ])
    func `offsets, lower case and fractions are read`(text: String, printed: String) {
        #expect(Timestamp(text)?.description == printed)
    }

    @Test(arguments: [
        "", "2026", "2026-11-23", "2026-11-23T06:03:27", "2026-11-23 06:03:27Z", "2026-11-23T06:03Z",
        "2026-11-23T06:03:27.Z", "2026-11-23T06:03:27.1234567890Z", "2026-11-23T06:03:27,5Z",
        "2026-11-23T24:00:00Z", "2026-11-23T06:60:00Z", "2026-12-31T23:59:60Z",
        "2026-00-01T00:00:00Z", "2026-13-01T00:00:00Z", "2026-11-00T00:00:00Z", "2026-11-31T00:00:00Z",
        "2026-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2100-02-29T00:00:00Z",
        "2026-11-23T06:03:27+1:00", "2026-11-23T06:03:27+0100", "2026-11-23T06:03:27+24:00",
        "2026-11-23T06:03:27+01:60", "2026-11-23T06:03:27 Z", " 2026-11-23T06:03:27Z", "2026-11-23T06:03:27Z ",
        "2026-11-23T06:03:27ZZ", "+2026-11-23T06:03:27Z", "-026-11-23T06:03:27Z", "02026-11-23T06:03:27Z",
        "２026-11-23T06:03:27Z", "2026-11-23T06:03:27Z\u{0}", "1795413807123",
    ])
    func `what is not strict RFC 3339 is refused`(text: String) {
        #expect(Timestamp(text) == nil)
    }

    @Test(arguments: ["0000-01-01T00:00:00+00:01", "9999-12-31T23:59:59.999-00:01"])
    func `an offset that leads out of four-digit years is refused`(text: String) {
        #expect(Timestamp(text) == nil)
    }

    @Test(
        arguments: [
            (-62_167_219_200_001, "-0001-12-31T23:59:59.999Z"),
            (253_402_300_800_000, "+10000-01-01T00:00:00.000Z"),
        ] as [(Int64, String)])
    func `an instant outside RFC 3339's years prints a sign and is not read`(milliseconds: Int64, printed: String) {
        #expect(Timestamp(milliseconds: milliseconds).description == printed)
        #expect(Timestamp(printed) == nil)
    }

    /// 0000-01-01 to 9999-12-31, in milliseconds.
    private static let readable: Range<Int64> = -62_167_219_200_000..<253_402_300_800_000

    @Test func `every instant of ten thousand years survives its text, and text sorts as time`() {
        for seed in Seeds.all {
            var generator = SeededGenerator(seed: seed)
            let pair = [
                Timestamp(milliseconds: .random(in: Self.readable, using: &generator)),
                Timestamp(milliseconds: .random(in: Self.readable, using: &generator)),
            ]
            for instant in pair { #expect(Timestamp(instant.description) == instant, "seed \(seed)") }
            #expect((pair[0] < pair[1]) == (pair[0].description < pair[1].description), "seed \(seed)")
        }
    }

    @Test func `an offset moves the instant by as much, to either side`() throws {
        for seed in Seeds.all {
            var generator = SeededGenerator(seed: seed)
            let local = Timestamp(milliseconds: .random(in: 0..<4_000_000_000_000, using: &generator))
            let minutes = Int64.random(in: 0..<1440, using: &generator)
            func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
            for (sign, direction) in [("+", Int64(-1)), ("-", 1)] {
                let text = "\(local.description.dropLast())\(sign)\(two(minutes / 60)):\(two(minutes % 60))"
                let expected = local.advanced(byMilliseconds: direction * minutes * 60_000)
                #expect(Timestamp(text) == expected, "seed \(seed): \(text)")
            }
        }
    }

    @Test func `text damaged in one byte is refused or says what it says`() {
        for seed in Seeds.all {
            var generator = SeededGenerator(seed: seed)
            let instant = Timestamp(milliseconds: .random(in: Self.readable, using: &generator))
            var bytes = Array(instant.description.utf8)
            let index = Int.random(in: bytes.indices, using: &generator)
            bytes[index] = UInt8.random(in: 0x20..<0x7F, using: &generator)
            let text = String(decoding: bytes, as: UTF8.self)
            guard let read = Timestamp(text) else { continue }
            #expect(read.description == text.uppercased(), "seed \(seed): \(text)")
        }
    }
}
