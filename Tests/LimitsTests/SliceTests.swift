import Identity
import Limits
import NaiveArithmetic
import Testing

@Suite struct SliceTests {
    @Test func `a killed gateway's slices are free within 15 seconds`() {
        for kind in [LimitKind.concurrentRequests, .requestsPerMinute] {
            let limit = rule(kind, 4)
            var fleet = Fleet(gateways: 2, rules: [limit])
            for _ in 0..<4 { _ = fleet.admit(0, [limit], demand()) }
            fleet.advance(30)
            #expect(fleet.ledgers[limit.id]?.available == 0)
            fleet.kill(0)
            fleet.advance(14_900)
            for _ in 0..<4 { _ = fleet.admit(1, [limit], demand()) }
            fleet.advance(100)
            #expect(fleet.gateways[1].answers.values.count { if case .admitted = $0 { true } else { false } } == 4)
        }
    }

    @Test func `slices of requests that run on are asked for again and again`() {
        let limit = rule(.concurrentRequests, 2)
        var fleet = Fleet(gateways: 2, rules: [limit])
        for _ in 0..<2 { _ = fleet.admit(0, [limit], demand()) }
        fleet.advance(60_000)
        _ = fleet.admit(1, [limit], demand())
        fleet.advance(60)
        guard case .refused? = fleet.gateways[1].answers.values.first else {
            Issue.record("both places are taken")
            return
        }
    }

    @Test func `a second after the last request ended nothing is held anywhere`() {
        let rules = [
            rule(1, .requestsPerMinute, 600), rule(2, .tokensPerMinute, 100_000), rule(3, .concurrentRequests, 50),
        ]
        var fleet = Fleet(gateways: 2, rules: rules)
        var running: [Fleet.Running] = []
        for index in 0..<40 {
            if case .decided(.admitted(let reservation)) = fleet.admit(index % 2, rules, demand()) {
                running.append(Fleet.Running(reservation: reservation, gateway: index % 2))
            }
        }
        fleet.advance(40)
        for (index, gateway) in fleet.gateways.enumerated() {
            for case .admitted(let reservation) in gateway.answers.values {
                running.append(Fleet.Running(reservation: reservation, gateway: index))
            }
        }
        #expect(running.count == 40)
        for one in running { fleet.settle(one, LimitUsage(inputTokens: 3, outputTokens: 4)) }
        fleet.advance(1_000)
        for rule in rules {
            let ledger = fleet.ledgers[rule.id]
            #expect(ledger?.slices.values.allSatisfy { $0.reserved == 0 } == true)
            #expect(fleet.gateways.allSatisfy { $0.set.reserved(rule.id) == 0 })
        }
        // What is kept in reserve is free again too once nobody uses it, and the gateways forget the rules.
        fleet.advance(120_000)
        for rule in rules {
            #expect(fleet.ledgers[rule.id]?.slices.values.allSatisfy { $0.held == 0 } == true)
            _ = fleet.ledgers[rule.id]?.exchange(look(at: rule), gateway: UUIDv7(high: 9, low: 9), now: fleet.now)
            #expect(fleet.ledgers[rule.id]?.available == rule.value)
        }
        #expect(fleet.gateways.allSatisfy { $0.set.rulesInUse == 0 })
    }

    @Test func `with the shared state away limits go by a local share, and what was taken is told afterwards`() {
        let limit = rule(.requestsPerMinute, 60)
        var fleet = Fleet(gateways: 2, rules: [limit])
        for gateway in 0...1 { _ = fleet.admit(gateway, [limit], demand()) }
        fleet.advance(600)
        fleet.gateways[0].isCutOff = true
        fleet.advance(11_000)
        var admitted = 0
        for index in 0..<64 {
            switch fleet.admit(0, [limit], demand()) {
            case .decided(.admitted): admitted += 1
            case .waiting, .decided(.refused): break
            }
            if index == 0 { fleet.advance(40) }
        }
        admitted += fleet.gateways[0].answers.values.count { if case .admitted = $0 { true } else { false } } - 1
        #expect(fleet.gateways[0].set.isAway)
        // Half of the limit, as two gateways shared it.
        #expect((28...31).contains(admitted))
        fleet.gateways[0].isCutOff = false
        fleet.advance(1_700)
        #expect(!fleet.gateways[0].set.isAway)
        fleet.advance(600)
        let left = fleet.ledgers[limit.id]?.available ?? -1
        #expect((28...36).contains(left))
    }

    @Test func `concurrency without the shared state is held to the share too`() {
        let limit = rule(.concurrentRequests, 10)
        var fleet = Fleet(gateways: 1, rules: [limit])
        _ = fleet.admit(0, [limit], demand())
        fleet.advance(100)
        fleet.gateways[0].isCutOff = true
        for _ in 0..<20 { _ = fleet.admit(0, [limit], demand()) }
        fleet.advance(2_000)
        #expect(fleet.gateways[0].set.reserved(limit.id) == 10)
        #expect(fleet.gateways[0].waiting.isEmpty)
    }

    @Test func `an answer that never comes counts as none after a second`() {
        let limit = rule(.requestsPerMinute, 10)
        var fleet = Fleet(gateways: 1, rules: [limit])
        _ = fleet.admit(0, [limit], demand())
        fleet.advance(30_000)
        // Longer than anybody waits.
        fleet.delay = 50_000...50_000
        guard case .waiting(let number) = fleet.admit(0, [limit], demand()) else {
            Issue.record("its slice has lapsed")
            return
        }
        fleet.advance(990)
        #expect(!fleet.gateways[0].set.isAway)
        #expect(fleet.gateways[0].answers[number] == nil)
        fleet.advance(10)
        #expect(fleet.gateways[0].set.isAway)
        guard case .admitted? = fleet.gateways[0].answers[number] else {
            Issue.record("a slow database blocks nobody whose limit is known")
            return
        }
    }

    @Test func `a report that arrives twice changes nothing`() {
        let limit = rule(.tokensPerMinute, 1_000)
        var ledger = SliceLedger(limitID: limit.id, kind: limit.kind, value: limit.value, now: 0)
        let gateway = UUIDv7(high: 7, low: 1)
        func report(spent: Int64, confirmed: Int64, free: Int64, wanted: Int64) -> SliceRequest {
            SliceRequest(
                accountID: limit.accountID, limitID: limit.id, spent: spent, spentConfirmed: confirmed,
                isFirst: false, free: free, reserved: 0, need: wanted, wanted: wanted, ahead: 0)
        }
        #expect(
            ledger.exchange(report(spent: 0, confirmed: 0, free: 0, wanted: 400), gateway: gateway, now: 0).amount
                == 400)
        // The grant got lost on its way: what the gateway does not keep comes back.
        #expect(
            ledger.exchange(report(spent: 0, confirmed: 0, free: 0, wanted: 300), gateway: gateway, now: 0).amount
                == 300)
        #expect(ledger.available == 700)
        for _ in 0..<3 {
            _ = ledger.exchange(report(spent: 250, confirmed: 0, free: 50, wanted: 0), gateway: gateway, now: 0)
            #expect(ledger.available == 700)
        }
        _ = ledger.exchange(report(spent: 250, confirmed: 250, free: 0, wanted: 0), gateway: gateway, now: 0)
        #expect(ledger.available == 750)
    }

    /// A gateway that looks and takes nothing.
    private func look(at rule: LimitRule) -> SliceRequest {
        SliceRequest(
            accountID: rule.accountID, limitID: rule.id, spent: 0, spentConfirmed: 0, isFirst: true, free: 0,
            reserved: 0, need: 0, wanted: 0, ahead: 0)
    }

    /// The limit is overdrawn by more than a minute's worth: whoever asks is told when that has been made up for, be it
    /// at the gateway that overdrew it or at another.
    @Test(arguments: [0, 1], [0, 200, 5_000] as [Int64])
    func `a refusal in debt says how long the debt lasts`(gateway: Int, reported: Int64) {
        let limit = rule(.outputTokensPerMinute, 600)
        var fleet = Fleet(gateways: 2, rules: [limit], delay: 1...4, seed: 1)
        guard case .waiting(let number) = fleet.admit(0, [limit], demand()) else {
            Issue.record("nobody has been asked yet")
            return
        }
        fleet.advance(100)
        guard case .admitted(var stream)? = fleet.gateways[0].answers[number] else {
            Issue.record("there is room for it")
            return
        }
        fleet.grow(&stream, 0, outputTokens: 3_000)
        fleet.advance(1_000 + reported)
        let outcome: LimitOutcome?
        switch fleet.admit(gateway, [limit], demand()) {
        case .decided(let decided): outcome = decided
        case .waiting(let number):
            fleet.advance(1_100)
            outcome = fleet.gateways[gateway].answers[number]
        }
        guard case .refused(let refusal)? = outcome else {
            Issue.record("the limit is overdrawn")
            return
        }
        let overdrawn = 3_000 - limit.value + 10
        let seconds = (overdrawn * 60 + limit.value - 1) / limit.value - (1_200 + reported) / 1_000
        #expect((seconds - 3...seconds + 3).contains(refusal.retryAfterSeconds ?? 0))
    }
}
