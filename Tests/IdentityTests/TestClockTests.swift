import Identity
import Testing

struct TestClockTests {
    private func clock(_ moves: (at: Int64, ahead: Int64)...) -> TestClock {
        TestClock(moves: moves.map { .init(at: Timestamp(milliseconds: $0.at), offsetMilliseconds: $0.ahead) })
    }

    @Test(arguments: [(0, 0), (9, 9), (10, 110), (19, 119), (20, 520), (1_000, 1_500)] as [(Int64, Int64)])
    func `billing time is what the last move before it made of real time`(real: Int64, billing: Int64) {
        let clock = clock((10, 100), (20, 500))
        #expect(clock.billingTime(at: Timestamp(milliseconds: real)).milliseconds == billing)
        #expect(clock.offsetMilliseconds == 500)
        #expect(TestClock().billingTime(at: Timestamp(milliseconds: real)).milliseconds == real)
    }

    /// Date, publication (nil: not known), moves of the clock, and the first instant that counts.
    private static let cases: [(from: Int64, publishedAt: Int64?, moves: [(Int64, Int64)]?, first: Int64)] = [
        // Live accounts go by the date, whenever it was published.
        (100_000, 40_000, nil, 100_000), (100_000, 900_000, nil, 100_000), (100_000, nil, nil, 100_000),
        // A clock behind the date goes by the date.
        (100_000, 40_000, [], 100_000), (100_000, 40_000, [(1, 0)], 100_000), (100_000, 40_000, [(1, 58_999)], 100_000),
        // One that had just reached it, or passed it by far, goes by its time of the publication and a second.
        (100_000, 40_000, [(1, 59_001)], 100_001), (100_000, 40_000, [(1, 500_000)], 541_000),
        (100_000, 40_000, [(1, 5), (40_000, 500_000)], 541_000),
        // What it moved afterwards changes nothing any more.
        (100_000, 40_000, [(1, 500_000), (40_001, 900_000)], 541_000), (100_000, 40_000, [(40_001, 900_000)], 100_000),
        // Where nobody knows when it was published, and for first versions, the date counts under every clock.
        (100_000, nil, [(1, 500_000)], 100_000), (100_000, nil, [], 100_000),
    ]

    @Test(arguments: cases.indices)
    func `what is published counts from the later of its date and the clock's time of the publication`(row: Int) {
        let row = Self.cases[row]
        let date = EffectiveDate(
            from: Timestamp(milliseconds: row.from), publishedAt: row.publishedAt.map { Timestamp(milliseconds: $0) })
        let clock = row.moves.map { moves in
            TestClock(moves: moves.map { .init(at: Timestamp(milliseconds: $0.0), offsetMilliseconds: $0.1) })
        }
        #expect(date.instant(under: clock).milliseconds == row.first)
    }

    /// Against a search through all moves, for clocks and publications in any order.
    @Test(arguments: 0..<300 as Range<UInt64>)
    func `no move after a publication changes from when it counts`(seed: UInt64) {
        var state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1
        func random(below limit: Int64) -> Int64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int64(state >> 33) % limit
        }
        var moves: [TestClock.Move] = []
        var (at, ahead) = (0 as Int64, 0 as Int64)
        for _ in 0..<random(below: 12) {
            at += random(below: 4_000)
            ahead += random(below: 9_000)
            moves.append(.init(at: Timestamp(milliseconds: at), offsetMilliseconds: ahead))
        }
        let published = random(below: 40_000)
        let date = EffectiveDate(
            from: Timestamp(milliseconds: random(below: 90_000)), publishedAt: Timestamp(milliseconds: published))
        let then = moves.last { $0.at.milliseconds <= published }?.offsetMilliseconds ?? 0
        let expected = max(date.from.milliseconds, published + then + 1_000)
        #expect(date.instant(under: TestClock(moves: moves)).milliseconds == expected)
        let before = moves.filter { $0.at.milliseconds <= published }
        #expect(date.instant(under: TestClock(moves: before)).milliseconds == expected)
        #expect(date.instant(under: nil) == date.from)
    }
}
