import Identity
import Limits
import NaiveArithmetic
import Testing

@Suite struct LimitSetTests {
    /// Sends 64 requests through `gateways` gateways within some milliseconds; the number admitted.
    private func admitted(of count: Int, gateways: Int, _ rules: [LimitRule], _ demand: LimitDemand, seed: UInt64)
        -> Int
    {
        var fleet = Fleet(gateways: gateways, rules: rules, seed: seed)
        var admitted = 0
        for index in 0..<count {
            if case .decided(.admitted) = fleet.admit(index % gateways, rules, demand) { admitted += 1 }
            if index % 16 == 15 { fleet.advance(1) }
        }
        fleet.advance(80)
        for gateway in fleet.gateways {
            #expect(gateway.waiting.isEmpty)
            for case .admitted in gateway.answers.values { admitted += 1 }
        }
        return admitted
    }

    @Test(arguments: 1...3, [1, 2, 3, 5, 7, 20, 31, 40, 63])
    func `of 64 requests at once exactly as many pass as there is room for`(gateways: Int, room: Int64) {
        for seed in 0..<5 as Range<UInt64> {
            let requests = rule(.requestsPerMinute, room)
            #expect(admitted(of: 64, gateways: gateways, [requests], demand(), seed: seed) == room)
            let running = rule(.concurrentRequests, room)
            #expect(admitted(of: 64, gateways: gateways, [running], demand(), seed: seed) == room)
            let output = rule(.outputTokensPerMinute, room * 100)
            #expect(admitted(of: 64, gateways: gateways, [output], demand(output: 100), seed: seed) == room)
            let two = [rule(1, .requestsPerMinute, 1_000), rule(2, .concurrentRequests, room)]
            #expect(admitted(of: 64, gateways: gateways, two, demand(), seed: seed) == room)
        }
    }

    @Test func `a request takes from all its rules or from none`() {
        let wide = rule(1, .requestsPerMinute, 100)
        let narrow = rule(2, .outputTokensPerMinute, 50)
        var set = LimitSet(hasSource: false)
        guard case .decided(.admitted) = set.admit([wide, narrow], demand(output: 40), now: 0) else {
            Issue.record("the first request has room")
            return
        }
        guard case .decided(.refused(let refusal)) = set.admit([wide, narrow], demand(output: 40), now: 0) else {
            Issue.record("the second request has none")
            return
        }
        #expect(refusal.rule == narrow)
        #expect(refusal.cause == .exhausted)
        #expect(refusal.remaining == 10)
        // 30 of 50 a minute.
        #expect(refusal.retryAfterMilliseconds == 36_000)
        #expect(refusal.retryAfterSeconds == 36)
        #expect(refusal.standings.requests == LimitStanding(limit: 100, remaining: 99))
        #expect(set.reserved(wide.id) == 1)
    }

    @Test func `what was reserved and not used comes back, what went over is a debt`() {
        let tokens = rule(.tokensPerMinute, 1_000)
        var set = LimitSet(hasSource: false)
        let worst = LimitDemand(inputBound: 400, outputBound: 500)
        guard case .decided(.admitted(let first)) = set.admit([tokens], worst, now: 0) else {
            Issue.record("it has room")
            return
        }
        #expect(first.standings.tokens?.remaining == 100)
        _ = set.settle(first, LimitUsage(inputTokens: 100, outputTokens: 50), now: 0)
        guard case .decided(.admitted(let second)) = set.admit([tokens], demand(input: 1, output: 9), now: 0) else {
            Issue.record("most came back")
            return
        }
        #expect(second.standings.tokens?.remaining == 840)
        _ = set.settle(second, LimitUsage(inputTokens: 0, outputTokens: 1_850), now: 0)
        guard case .decided(.refused(let refusal)) = set.admit([tokens], demand(input: 0, output: 1), now: 0) else {
            Issue.record("nothing is left")
            return
        }
        // 1,000 short of nothing, and one more.
        #expect(refusal.retryAfterMilliseconds == 60_060)
        #expect(set.reserved(tokens.id) == 0)
    }

    @Test func `a bound that is only ours is at most the whole limit; what the client asks for is not`() {
        let output = rule(.outputTokensPerMinute, 1_000)
        var set = LimitSet(hasSource: false)
        let asked = LimitDemand(inputBound: 1, outputBound: 2_000, outputAsked: 2_000)
        guard case .decided(.refused(let refusal)) = set.admit([output], asked, now: 0) else {
            Issue.record("it can never be served")
            return
        }
        #expect(refusal.cause == .tooLarge)
        #expect(refusal.retryAfterSeconds == nil)
        let bounded = LimitDemand(inputBound: 1, outputBound: 2_000)
        guard case .decided(.admitted(let reservation)) = set.admit([output], bounded, now: 0) else {
            Issue.record("the model's own limit is no demand")
            return
        }
        #expect(reservation.standings.tokens?.remaining == 0)
    }

    @Test func `a limit of zero lets nothing pass`() {
        var set = LimitSet()
        guard case .decided(.refused(let refusal)) = set.admit([rule(.requestsPerMinute, 0)], demand(), now: 0) else {
            Issue.record("it is closed")
            return
        }
        #expect(refusal.cause == .closed)
    }

    @Test func `a rule in shadow refuses nothing and counts what it would have refused`() {
        let shadow = rule(.requestsPerMinute, 10, isShadow: true)
        var fleet = Fleet(gateways: 1, rules: [shadow])
        var refused = 0
        for _ in 0..<64 {
            guard case .decided(.admitted(let reservation)) = fleet.admit(0, [shadow], demand()) else {
                Issue.record("a rule in shadow neither refuses nor makes wait")
                return
            }
            #expect(reservation.standings.isEmpty)
            refused += reservation.wouldRefuse.count
            if fleet.generator.flip(oneIn: 4) { fleet.advance(1) }
        }
        #expect(refused == 54)
    }

    @Test func `a key without limits reserves nothing`() {
        var set = LimitSet()
        #expect(set.admit([], demand(), now: 0) == .decided(.admitted(Reservation())))
        #expect(set.nextBatch(now: 0) == nil)
        #expect(set.nextWake(now: 0) == nil)
    }

    @Test func `where there is not enough a request waits 50 milliseconds and no longer`() {
        let limit = rule(.concurrentRequests, 1)
        var fleet = Fleet(gateways: 1, rules: [limit])
        _ = fleet.admit(0, [limit], demand())
        // It was told lately that nothing is left.
        fleet.advance(100)
        fleet.delay = 200...200
        guard case .waiting(let number) = fleet.admit(0, [limit], demand()) else {
            Issue.record("something may come back")
            return
        }
        fleet.advance(49)
        #expect(fleet.gateways[0].answers[number] == nil)
        fleet.advance(1)
        guard case .refused(let refusal)? = fleet.gateways[0].answers[number] else {
            Issue.record("it waited long enough")
            return
        }
        #expect(refusal.cause == .exhausted)
    }

    @Test func `a request that left while it waited takes nothing`() {
        let limit = rule(.concurrentRequests, 1)
        var set = LimitSet()
        guard case .waiting(let number) = set.admit([limit], demand(), now: 0) else {
            Issue.record("nothing was granted yet")
            return
        }
        let isForgotten = set.forget(number)
        let isForgottenAgain = set.forget(number)
        #expect(isForgotten && !isForgottenAgain)
        #expect(set.tick(now: 60).isEmpty)
        #expect(set.reserved(limit.id) == 0)
    }
}
