import Engines
import NaiveArithmetic
import Routing
import Testing

struct HealthTests {
    @Test(arguments: Seeds.all.prefix(50))
    func `percentiles are those of the sorted numbers, within an eighth`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var histogram = RollingHistogram()
        var values: [Int64] = []
        for _ in 0..<Int.random(in: 1...500, using: &random) {
            let value = Int64(random.next() >> UInt64.random(in: 32...63, using: &random))
            values.append(value)
            histogram.observe(value, at: 1000)
        }
        values.sort()
        for permille: Int64 in [1, 500, 950, 1000] {
            let rank = max(1, (values.count * Int(permille) + 999) / 1000)
            let exact = values[rank - 1]
            let shown = try #require(histogram.percentile(permille))
            #expect(shown <= exact && exact - shown <= exact / 8, "seed \(seed): \(shown) for \(exact)")
        }
    }

    @Test func `a histogram forgets slot by slot what is older than its span`() {
        var histogram = RollingHistogram()
        histogram.observe(10, at: 0)
        histogram.observe(1000, at: 120_000)
        #expect(histogram.count == 2 && histogram.percentile(1) == 10)
        histogram.advance(to: 300_000)
        #expect(histogram.count == 1 && histogram.percentile(1) == 960)
        histogram.advance(to: 10_000_000)
        #expect(histogram.count == 0 && histogram.percentile(500) == nil)
    }

    @Test func `a backend takes no more requests than it is said to`() throws {
        let health = HealthUnderTest()
        let first = try #require(health.began(at: 0, concurrentMax: 2))
        #expect(health.began(at: 0, concurrentMax: 2) != nil && health.began(at: 0, concurrentMax: 2) == nil)
        #expect(health.began(at: 0, concurrentMax: 2, isForced: true) == nil)
        health.ended(first, .neutral, at: 1)
        #expect(health.began(at: 1, concurrentMax: 2) != nil && health.health.inFlight == 2)
    }

    @Test func `requests at a backend with a bound are counted by whose they are`() throws {
        var health = BackendHealth()
        let began = health.began(at: 0, concurrentMax: 3, source: 7)
        let first = try #require(began)
        _ = health.began(at: 0, concurrentMax: 3, source: 7)
        _ = health.began(at: 0, concurrentMax: 3, source: 8)
        let beyond = health.began(at: 0, concurrentMax: 3, source: 9)
        #expect(beyond == nil)
        #expect(health.inFlight(of: 7) == 2 && health.inFlight(of: 8) == 1 && health.inFlight(of: 9) == 0)
        health.ended(first, .success, CircuitBreaker.Cause(source: 7), hasAnswered: false, at: 1)
        #expect(health.inFlight(of: 7) == 1 && health.inFlight == 2)
    }

    @Test func `rates of failure are of thirty seconds and of five minutes`() throws {
        let health = HealthUnderTest()
        func end(_ verdict: CircuitBreaker.Verdict, at now: Int64) throws {
            let permit = try #require(health.began(at: now, concurrentMax: nil))
            health.ended(permit, verdict, at: now)
        }
        #expect(health.health.failuresPermille(ofLast: 30_000, at: 0) == nil)
        try end(.failure, at: 0)
        for _ in 0..<3 { try end(.success, at: 100_000) }
        try end(.neutral, at: 100_000)
        #expect(health.health.failuresPermille(ofLast: 30_000, at: 110_000) == 0)
        #expect(health.health.failuresPermille(ofLast: 300_000, at: 110_000) == 250)
        #expect(health.health.failuresPermille(ofLast: 300_000, at: 500_000) == nil)
    }

    @Test func `nothing left of a provider's quota keeps requests away until it is full again`() {
        let health = HealthUnderTest()
        var quota = UpstreamQuota()
        quota.requestsRemaining = 4
        quota.requestsResetMilliseconds = 60_000
        health.note(quota, at: 0)
        #expect(health.health.breaker.isClosed(at: 0) && health.health.requestsRemaining == 4)
        quota.tokensRemaining = 0
        quota.tokensResetMilliseconds = 3000
        health.note(quota, at: 10)
        #expect(health.began(at: 3009, concurrentMax: nil) == nil && health.began(at: 3010, concurrentMax: nil) != nil)
    }

    @Test func `an engine's own figures are believed for ten seconds`() {
        var health = BackendHealth()
        var capacity = EngineCapacity()
        capacity.queued = 3
        health.note(capacity, at: 5000)
        #expect(health.capacity(at: 15_000)?.isSaturated == true && health.capacity(at: 15_001) == nil)
    }

    @Test func `a route's medians are known after five answers`() {
        let route = RouteUnderTest()
        for index in 0..<5 {
            #expect(route.firstTokenMedian(at: 0) == nil && route.speedMedian(at: 0) == nil)
            // 101 tokens: 100 after the first in 2 s are 50 a second.
            route.observe(
                firstToken: 80_000 + Int64(index), outputTokens: 101, outputMicroseconds: 2_000_000)
        }
        #expect(route.firstTokenMedian(at: 0) == 73_728 && route.speedMedian(at: 0) == 49_152)
        #expect(route.firstTokenMedian(at: 400_000) == nil)
    }

    @Test func `an answer of one token, or without times, has no speed`() {
        let route = RouteUnderTest()
        for _ in 0..<9 {
            route.observe(firstToken: nil, outputTokens: 1, outputMicroseconds: 5)
            route.observe(firstToken: nil, outputTokens: 10, outputMicroseconds: 0)
            route.observe(firstToken: nil, outputTokens: .max, outputMicroseconds: 5)
        }
        #expect(route.speedCount == 0)
    }
}
