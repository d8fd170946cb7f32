import Routing
import Testing

@Suite struct HealthCheckTests {
    /// A breaker that five failures in a row have opened at 0.
    private func opened() throws -> CircuitBreaker {
        var breaker = CircuitBreaker()
        for _ in 0..<5 { try tried(&breaker, .failure, at: 0) }
        #expect(!breaker.isClosed(at: 0))
        return breaker
    }

    private func tried(
        _ breaker: inout CircuitBreaker, _ verdict: CircuitBreaker.Verdict, at now: Int64
    ) throws {
        let permit = breaker.permit(at: now)
        breaker.ended(try #require(permit), verdict, at: now)
    }

    @Test func `a health check closes a breaker once its pause is over`() throws {
        var breaker = try opened()
        #expect(!breaker.wantsHealthCheck(at: 1999))
        breaker.healthChecked(at: 1999)
        #expect(!breaker.isClosed(at: 1999))
        #expect(breaker.wantsHealthCheck(at: 2000))
        breaker.healthChecked(at: 2000)
        #expect(breaker.isClosed(at: 2000) && !breaker.wantsHealthCheck(at: 2000))
    }

    @Test func `an engine whose health lies is kept away for longer and longer`() throws {
        var breaker = try opened()
        var now: Int64 = 2000
        for pause in [4000, 8000, 16_000, 32_000, 60_000, 60_000] as [Int64] {
            breaker.healthChecked(at: now)
            try tried(&breaker, .failure, at: now)
            #expect(!breaker.isClosed(at: now))
            #expect(breaker.opensAt(now) == now + pause)
            now += pause
        }
        breaker.healthChecked(at: now)
        try tried(&breaker, .success, at: now)
        for _ in 0..<4 { try tried(&breaker, .failure, at: now) }
        #expect(breaker.isClosed(at: now))
        try tried(&breaker, .failure, at: now)
        #expect(breaker.opensAt(now) == now + 2000)
    }

    @Test func `neither a running probe nor a pause that was asked for is cut short`() throws {
        var breaker = try opened()
        _ = breaker.permit(at: 2000)
        #expect(!breaker.wantsHealthCheck(at: 2000))
        var cooling = CircuitBreaker()
        cooling.coolDown(milliseconds: 30_000, at: 0)
        #expect(!cooling.wantsHealthCheck(at: 10_000))
        cooling.healthChecked(at: 10_000)
        #expect(!cooling.isClosed(at: 10_000))
    }
}
