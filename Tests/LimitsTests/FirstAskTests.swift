import Identity
import Limits
import NaiveArithmetic
import Testing

/// What a gateway does that does not know a limit yet, or has not heard of it lately.
@Suite struct FirstAskTests {
    private func isAdmitted(_ outcome: LimitOutcome?) -> Bool {
        if case .admitted? = outcome { true } else { false }
    }

    private func refusal(_ outcome: LimitOutcome?) -> LimitRefusal? {
        if case .refused(let refusal)? = outcome { refusal } else { nil }
    }

    /// One request, and what became of it after so many milliseconds.
    private func ask(
        _ fleet: inout Fleet, _ rules: [LimitRule], _ demand: LimitDemand = demand(), gateway: Int = 0, wait: Int64
    ) -> LimitOutcome? {
        switch fleet.admit(gateway, rules, demand) {
        case .decided(let outcome): return outcome
        case .waiting(let number):
            fleet.advance(wait)
            return fleet.gateways[gateway].answers[number]
        }
    }

    @Test(arguments: [3, 20, 60, 140, 240], LimitKind.allCases)
    func `however far the shared state is, no request is refused while its limit is unused`(
        delay: Int64, kind: LimitKind
    ) {
        let limit = rule(kind, 100_000)
        var fleet = Fleet(gateways: 2, rules: [limit], delay: delay...delay)
        for pause in [0, 40, 400, 5_000, 11_000, 30_000, 70_000, 0, 0] as [Int64] {
            fleet.advance(pause + 1)
            for gateway in 0...1 {
                let outcome = ask(&fleet, [limit], gateway: gateway, wait: 1_000)
                guard case .admitted(let reservation)? = outcome else {
                    Issue.record("after \(pause) ms: \(String(describing: outcome))")
                    return
                }
                fleet.settle(
                    Fleet.Running(reservation: reservation, gateway: gateway),
                    LimitUsage(inputTokens: 1, outputTokens: 1))
            }
        }
    }

    @Test func `a burst that outruns its slice waits for the next one, and is not refused while there is room`() {
        let limit = rule(.requestsPerMinute, 600)
        var fleet = Fleet(gateways: 1, rules: [limit], delay: 90...90)
        #expect(isAdmitted(ask(&fleet, [limit], wait: 1_000)))
        var admitted = 0
        for _ in 0..<300 {
            if case .decided(let outcome) = fleet.admit(0, [limit], demand()) {
                admitted += isAdmitted(outcome) ? 1 : 0
            }
            fleet.advance(1)
        }
        fleet.advance(1_000)
        admitted += fleet.gateways[0].answers.values.count { isAdmitted($0) } - 1
        #expect(admitted == 300)
    }

    @Test func `without an answer within a second the limit's state is unavailable, and nothing was admitted`() {
        for kind in LimitKind.allCases {
            let limit = rule(kind, 600)
            var fleet = Fleet(gateways: 1, rules: [limit], delay: 3_000...3_000)
            guard case .waiting(let number) = fleet.admit(0, [limit], demand()) else {
                Issue.record("nothing is known yet")
                return
            }
            fleet.advance(999)
            #expect(fleet.gateways[0].answers[number] == nil)
            fleet.advance(1)
            let refusal = refusal(fleet.gateways[0].answers[number])
            #expect(refusal?.cause == .unavailable)
            #expect(refusal?.retryAfterSeconds == 1)
            #expect(fleet.gateways[0].set.reserved(limit.id) == 0)
        }
    }

    @Test func `with the shared state out of reach an unknown limit admits nobody, and a known one goes on`() {
        let known = rule(1, .requestsPerMinute, 60)
        let unknown = rule(2, .requestsPerMinute, 60)
        var fleet = Fleet(gateways: 1, rules: [known, unknown])
        #expect(isAdmitted(ask(&fleet, [known], wait: 50)))
        fleet.gateways[0].isCutOff = true
        fleet.advance(300_000)
        #expect(isAdmitted(ask(&fleet, [known], wait: 1_100)))
        #expect(refusal(ask(&fleet, [unknown], wait: 1_100))?.cause == .unavailable)
        #expect(refusal(ask(&fleet, [known, unknown], wait: 1_100))?.cause == .unavailable)
        #expect(fleet.gateways[0].set.reserved(unknown.id) == 0)
        // As soon as it is back, whoever waits is served.
        guard case .waiting(let number) = fleet.admit(0, [unknown], demand()) else {
            Issue.record("it is still unknown")
            return
        }
        fleet.advance(500)
        fleet.gateways[0].isCutOff = false
        fleet.advance(499)
        #expect(isAdmitted(fleet.gateways[0].answers[number]))
    }

    @Test func `a first request of a limit that is used up is a 429 as soon as that is known`() {
        let limit = rule(.requestsPerMinute, 2)
        var fleet = Fleet(gateways: 2, rules: [limit], delay: 40...40)
        for _ in 0..<2 { #expect(isAdmitted(ask(&fleet, [limit], gateway: 1, wait: 1_000))) }
        fleet.advance(1_000)
        let refusal = refusal(ask(&fleet, [limit], gateway: 0, wait: 150))
        #expect(refusal?.cause == .exhausted)
    }

    @Test func `what is small enough for what is left is not refused because something larger was`() {
        let limit = rule(.tokensPerMinute, 10_000)
        var fleet = Fleet(gateways: 1, rules: [limit])
        #expect(isAdmitted(ask(&fleet, [limit], demand(input: 10, output: 5_000), wait: 50)))
        // Too large for what is left; while it waits, and after it, small ones fit.
        _ = fleet.admit(0, [limit], demand(input: 10, output: 8_000))
        fleet.advance(3)
        #expect(isAdmitted(ask(&fleet, [limit], demand(input: 10, output: 100), wait: 1_000)))
        fleet.advance(10)
        #expect(isAdmitted(ask(&fleet, [limit], demand(input: 10, output: 100), wait: 1_000)))
    }

    @Test func `with very many waiting for an unknown limit, the next is told that its state is unavailable`() {
        let limit = rule(.requestsPerMinute, 1_000_000)
        var set = LimitSet()
        for _ in 0..<LimitSet.waitersMax {
            guard case .waiting = set.admit([limit], demand(), now: 0) else {
                Issue.record("there is room to wait")
                return
            }
        }
        guard case .decided(.refused(let refusal)) = set.admit([limit], demand(), now: 0) else {
            Issue.record("nobody may wait any more")
            return
        }
        #expect(refusal.cause == .unavailable)
        #expect(set.tick(now: 1_000).count == LimitSet.waitersMax)
    }
}
