import Limits
import NaiveArithmetic
import Testing

@Suite struct TokenBucketTests {
    @Test func `a minute refills the whole limit, a sixtieth of it each second`() {
        var bucket = TokenBucket(holding: 60, at: 0)
        bucket.take(60, perMinute: 60)
        #expect(bucket.available == 0)
        bucket.refill(perMinute: 60, ceiling: 60, now: 999)
        #expect(bucket.available == 0)
        bucket.refill(perMinute: 60, ceiling: 60, now: 1_000)
        #expect(bucket.available == 1)
        bucket.refill(perMinute: 60, ceiling: 60, now: 60_000)
        #expect(bucket.available == 60)
        bucket.refill(perMinute: 60, ceiling: 60, now: 600_000)
        #expect(bucket.available == 60)
    }

    @Test func `a debt has to be refilled before anything is available`() {
        var bucket = TokenBucket(holding: 0, at: 0)
        bucket.take(30, perMinute: 60)
        #expect(bucket.milliseconds(until: 1, perMinute: 60) == 31_000)
        bucket.refill(perMinute: 60, ceiling: 60, now: 30_000)
        #expect(bucket.available == 0)
        bucket.refill(perMinute: 60, ceiling: 60, now: 31_000)
        #expect(bucket.available == 1)
    }

    @Test func `a clock that steps back adds nothing and takes nothing`() {
        var bucket = TokenBucket(holding: 5, at: 10_000)
        bucket.refill(perMinute: 60, ceiling: 60, now: 4_000)
        #expect(bucket.available == 5)
        bucket.refill(perMinute: 60, ceiling: 60, now: 10_000)
        #expect(bucket.available == 5)
    }

    @Test func `the largest limit, the largest request and a century of time stay within 64 bits`() {
        let most = LimitRule.valueMax
        var bucket = TokenBucket(holding: most, at: 0)
        for _ in 0..<100 { bucket.take(Int64.max, perMinute: most) }
        for _ in 0..<100 { bucket.give(Int64.max, ceiling: most) }
        bucket.take(most, perMinute: most)
        bucket.refill(perMinute: most, ceiling: most, now: 100 * 365 * 86_400_000)
        #expect(bucket.available == most)
    }

    @Test func `a limit of nothing never refills`() {
        var bucket = TokenBucket(holding: 0, at: 0)
        bucket.refill(perMinute: 0, ceiling: 0, now: 1_000_000)
        #expect(bucket.available == 0)
        #expect(bucket.milliseconds(until: 1, perMinute: 0) == nil)
    }

    @Test(arguments: Seeds.all)
    func `the level is that of a bucket that refills millisecond by millisecond`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let limit = Int64.random(in: 1...200, using: &generator)
        var bucket = TokenBucket(holding: limit, at: 0)
        var naive = limit * 60_000
        var now: Int64 = 0
        for _ in 0..<50 {
            let pause = Int64.random(in: 0...400, using: &generator)
            for _ in 0..<pause { naive = min(naive + limit, limit * 60_000) }
            now += pause
            bucket.refill(perMinute: limit, ceiling: limit, now: now)
            #expect(bucket.level == naive)
            let amount = Int64.random(in: 0...limit, using: &generator)
            if generator.flip(oneIn: 3) {
                bucket.give(amount, ceiling: limit)
                naive = min(naive + amount * 60_000, limit * 60_000)
            } else {
                bucket.take(amount, perMinute: limit)
                naive = max(naive - amount * 60_000, -limit * 600_000)
            }
            if let wait = bucket.milliseconds(until: amount, perMinute: limit), wait > 0 {
                #expect(naive + wait * limit >= amount * 60_000)
                #expect(naive + (wait - 1) * limit < amount * 60_000)
            }
        }
    }
}
