import NaiveArithmetic
import Routing
import Testing

struct CircuitBreakerTests {
    private func failing(_ breaker: BreakerUnderTest, times: Int, at now: Int64) throws {
        for _ in 0..<times {
            let permit = try #require(breaker.permit(at: now))
            breaker.ended(permit, .failure, at: now)
        }
    }

    @Test func `failures in a row open it, and a success among them does not let them add up`() throws {
        let breaker = BreakerUnderTest()
        try failing(breaker, times: 4, at: 0)
        let good = try #require(breaker.permit(at: 0))
        breaker.ended(good, .success, at: 0)
        try failing(breaker, times: 4, at: 0)
        #expect(breaker.isClosed(at: 0))
        try failing(breaker, times: 1, at: 0)
        #expect(breaker.state == .open(until: 2000) && breaker.permit(at: 1999) == nil)
    }

    @Test func `it opens when most tries of half a minute fail, and forgets what is older`() throws {
        let breaker = BreakerUnderTest()
        func alternate(_ count: Int, at now: Int64) throws {
            for index in 0..<count {
                let permit = try #require(breaker.permit(at: now))
                breaker.ended(permit, index % 2 == 0 ? .failure : .success, at: now)
            }
        }
        try alternate(8, at: 0)
        try alternate(8, at: 40_000)
        #expect(breaker.isClosed(at: 40_000))
        try alternate(1, at: 40_000)
        try failing(breaker, times: 1, at: 40_000)
        #expect(!breaker.isClosed(at: 40_000))
    }

    @Test func `after its pause one probe goes through; its success closes it`() throws {
        let breaker = BreakerUnderTest()
        try failing(breaker, times: 5, at: 0)
        let probe = try #require(breaker.permit(at: 2000))
        #expect(probe.isProbe && breaker.permit(at: 2000) == nil && breaker.permit(at: 100_000) == nil)
        breaker.ended(probe, .success, at: 2100)
        #expect(breaker.isClosed(at: 2100) && breaker.permit(at: 2100)?.isProbe == false)
    }

    @Test func `each failed probe doubles the pause up to a minute; a success makes it short again`() throws {
        let breaker = BreakerUnderTest()
        try failing(breaker, times: 5, at: 0)
        var now: Int64 = 2000
        for pause: Int64 in [4000, 8000, 16_000, 32_000, 60_000, 60_000] {
            let probe = try #require(breaker.permit(at: now))
            breaker.ended(probe, .failure, at: now)
            #expect(breaker.state == .open(until: now + pause))
            now += pause
        }
        let probe = try #require(breaker.permit(at: now))
        breaker.ended(probe, .success, at: now)
        try failing(breaker, times: 5, at: now)
        #expect(breaker.state == .open(until: now + 2000))
    }

    @Test func `a probe that says nothing leaves the next try to be the probe`() throws {
        let breaker = BreakerUnderTest()
        try failing(breaker, times: 5, at: 0)
        let probe = try #require(breaker.permit(at: 2000))
        breaker.ended(probe, .neutral, at: 2500)
        #expect(breaker.permit(at: 2500)?.isProbe == true && breaker.permit(at: 2500) == nil)
    }

    @Test func `a backend that asks for it is left alone until then, and needs no probe after`() throws {
        let breaker = BreakerUnderTest()
        let permit = try #require(breaker.permit(at: 0))
        breaker.ended(permit, .coolDown(milliseconds: 7000), at: 100)
        #expect(breaker.permit(at: 7099) == nil && breaker.opensAt(200) == 7100)
        #expect(breaker.permit(at: 7100)?.isProbe == false && breaker.permit(at: 7100) != nil)
    }

    @Test func `a backend cannot ask for more than ten minutes, nor shorten its pause`() throws {
        let breaker = BreakerUnderTest()
        breaker.coolDown(milliseconds: 86_400_000, at: 0)
        #expect(breaker.state == .cooling(until: 600_000))
        breaker.coolDown(milliseconds: 1000, at: 10)
        #expect(breaker.state == .cooling(until: 600_000))
        let open = BreakerUnderTest()
        try failing(open, times: 5, at: 0)
        open.coolDown(milliseconds: 1, at: 0)
        #expect(open.state == .open(until: 2000))
    }

    @Test func `tries from before it opened no longer move it`() throws {
        let breaker = BreakerUnderTest()
        let early = try #require(breaker.permit(at: 0))
        try failing(breaker, times: 5, at: 0)
        breaker.ended(early, .success, at: 10)
        #expect(!breaker.isClosed(at: 10))
        let probe = try #require(breaker.permit(at: 2000))
        breaker.ended(early, .failure, at: 2001)
        breaker.ended(probe, .success, at: 2002)
        #expect(breaker.isClosed(at: 2002))
    }

    @Test func `a forced try that succeeds closes it, one that fails changes nothing`() throws {
        let breaker = BreakerUnderTest()
        try failing(breaker, times: 5, at: 0)
        let failed = breaker.forcedPermit(at: 1)
        breaker.ended(failed, .failure, at: 2)
        #expect(failed.isForced && breaker.state == .open(until: 2000))
        let good = breaker.forcedPermit(at: 3)
        breaker.ended(good, .success, at: 4)
        #expect(breaker.isClosed(at: 4))
    }

    @Test(arguments: Seeds.all)
    func `whatever happens, at most one probe is out, and nothing goes through a pause`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let breaker = BreakerUnderTest()
        var out: [CircuitBreaker.Permit] = []
        var now: Int64 = 0
        for step in 0..<400 {
            now += Int64.random(in: 0...random.flipped(3000, 50), using: &random)
            let before = breaker.state
            if random.flip(oneIn: 2), let permit = breaker.permit(at: now) {
                if permit.isProbe {
                    #expect(!out.contains { $0.isProbe }, "seed \(seed), step \(step): two probes")
                }
                switch before {
                case .open(let until), .cooling(let until): #expect(now >= until)
                case .probing: Issue.record("seed \(seed): let through beside a probe")
                case .closed: break
                }
                out.append(permit)
            } else if !out.isEmpty {
                let permit = out.remove(at: Int.random(in: 0..<out.count, using: &random))
                let verdicts: [CircuitBreaker.Verdict] = [
                    .success, .failure, .failure, .failure, .neutral, .coolDown(milliseconds: 500),
                ]
                breaker.ended(permit, verdicts.randomElement(using: &random) ?? .neutral, at: now)
            }
        }
        // And it always comes back: once all have ended and its pause is over, a good backend is closed.
        for permit in out { breaker.ended(permit, .neutral, at: now) }
        now += 1_000_000
        if let permit = breaker.permit(at: now) { breaker.ended(permit, .success, at: now) }
        #expect(breaker.isClosed(at: now), "seed \(seed): \(breaker.state)")
    }
}

extension SeededGenerator {
    /// The first number once in ten times, else the second.
    fileprivate mutating func flipped(_ rare: Int64, _ usual: Int64) -> Int64 { flip(oneIn: 10) ? rare : usual }
}
