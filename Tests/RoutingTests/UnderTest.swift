import Engines
import Routing

// `#expect` and `#require` take values that they cannot change; these change behind a reference.

final class BreakerUnderTest {
    private var breaker = CircuitBreaker()

    var state: CircuitBreaker.State { breaker.state }
    func isClosed(at now: Int64) -> Bool { breaker.isClosed(at: now) }
    func opensAt(_ now: Int64) -> Int64? { breaker.opensAt(now) }
    func permit(at now: Int64) -> CircuitBreaker.Permit? { breaker.permit(at: now) }
    func forcedPermit(at now: Int64) -> CircuitBreaker.Permit { breaker.forcedPermit(at: now) }
    func coolDown(milliseconds: Int64, at now: Int64) { breaker.coolDown(milliseconds: milliseconds, at: now) }
    func ended(_ permit: CircuitBreaker.Permit, _ verdict: CircuitBreaker.Verdict, at now: Int64) {
        breaker.ended(permit, verdict, at: now)
    }
}

final class HealthUnderTest {
    private(set) var health = BackendHealth()

    func began(at now: Int64, concurrentMax: Int?, isForced: Bool = false) -> CircuitBreaker.Permit? {
        health.began(at: now, concurrentMax: concurrentMax, isForced: isForced)
    }
    func ended(_ permit: CircuitBreaker.Permit, _ verdict: CircuitBreaker.Verdict, at now: Int64) {
        health.ended(permit, verdict, hasAnswered: false, at: now)
    }
    func note(_ quota: UpstreamQuota, at now: Int64) { health.note(quota, at: now) }
}

final class RouteUnderTest {
    private var route = RouteHealth()

    var speedCount: Int64 { route.speed.count }
    func firstTokenMedian(at now: Int64) -> Int64? { route.firstTokenMedian(at: now) }
    func speedMedian(at now: Int64) -> Int64? { route.speedMedian(at: now) }
    func observe(firstToken: Int64?, outputTokens: Int64, outputMicroseconds: Int64?) {
        route.observe(
            firstTokenMicroseconds: firstToken, outputTokens: outputTokens, outputMicroseconds: outputMicroseconds,
            at: 0)
    }
}
