import Identity
import Limits
import NaiveArithmetic
import Testing

/// Random traffic through several gateways against what a naive count allows.
@Suite struct LimitPropertyTests {
    @Test(arguments: Seeds.all)
    func `gateways together never exceed a limit, and nothing leaks`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let value = Int64.random(in: 1...60, using: &generator)
        let rules = [
            rule(1, .requestsPerMinute, value * 5), rule(2, .concurrentRequests, value),
            rule(3, .tokensPerMinute, value * 1_000),
        ]
        var fleet = Fleet(
            gateways: Int.random(in: 1...3, using: &generator), rules: rules,
            delay: 1...(generator.flip(oneIn: 3) ? 40 : 4), seed: seed)
        var traffic = Traffic()
        let begin = fleet.now
        for _ in 0..<150 {
            let gateway = Int.random(in: fleet.gateways.indices, using: &generator)
            for _ in 0..<Int.random(in: 0...4, using: &generator) {
                let worst = Int64.random(in: 1...(value * 100), using: &generator)
                traffic.admit(&fleet, gateway, rules, demand(input: worst, output: worst))
            }
            fleet.advance(Int64.random(in: 0...(generator.flip(oneIn: 10) ? 2_000 : 40), using: &generator))
            traffic.collect(&fleet)
            #expect(traffic.running.count <= value)
            let passed = fleet.now - begin
            #expect(Int64(traffic.begun) * 60_000 <= value * 5 * (60_000 + passed))
            #expect(traffic.tokens * 60_000 <= value * 1_000 * (60_000 + passed))
            traffic.endSome(&fleet, &generator)
        }
        traffic.endAll(&fleet)
        fleet.advance(1_500)
        for rule in rules {
            #expect(fleet.ledgers[rule.id]?.slices.values.allSatisfy { $0.reserved == 0 } == true)
        }
        fleet.advance(130_000)
        #expect(fleet.gateways.allSatisfy { $0.set.rulesInUse == 0 })
        #expect(fleet.ledgers.values.allSatisfy { $0.slices.values.allSatisfy { $0.held == 0 } })
    }

    @Test(arguments: Seeds.all)
    func `whatever is killed or cut off, gateways that live get everything back`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let value = Int64.random(in: 2...40, using: &generator)
        let rules = [rule(1, .requestsPerMinute, value * 100), rule(2, .concurrentRequests, value)]
        var fleet = Fleet(gateways: 3, rules: rules, seed: seed)
        var traffic = Traffic()
        for _ in 0..<60 {
            let gateway = Int.random(in: fleet.gateways.indices, using: &generator)
            if fleet.gateways[gateway].isAlive { traffic.admit(&fleet, gateway, rules, demand()) }
            fleet.advance(Int64.random(in: 0...(generator.flip(oneIn: 8) ? 4_000 : 60), using: &generator))
            traffic.collect(&fleet)
            traffic.endSome(&fleet, &generator)
            if generator.flip(oneIn: 20) { fleet.gateways[1].isCutOff.toggle() }
            if generator.flip(oneIn: 30) {
                fleet.kill(2)
                traffic.forget(2)
            }
        }
        fleet.gateways[1].isCutOff = false
        traffic.endAll(&fleet)
        fleet.kill(2)
        fleet.advance(70_000)
        // Everything is to be had again, at once and at one gateway.
        for _ in 0..<value { traffic.admit(&fleet, 0, rules, demand()) }
        fleet.advance(60)
        traffic.collect(&fleet)
        #expect(traffic.running.count == Int(value))
        #expect(fleet.ledgers[rules[1].id]?.available == 0)
    }
}

/// Requests under way and what they came to.
private struct Traffic {
    struct Request {
        var running: Fleet.Running
        var worst: Int64
    }

    var running: [Request] = []
    var waiting: [(gateway: Int, number: Int, worst: Int64)] = []
    var begun = 0
    /// Reserved by those that run, and used by those that ended.
    var tokens: Int64 = 0

    mutating func admit(_ fleet: inout Fleet, _ gateway: Int, _ rules: [LimitRule], _ demand: LimitDemand) {
        let worst = demand.inputBound + demand.outputBound
        switch fleet.admit(gateway, rules, demand) {
        case .decided(.admitted(let reservation)): begin(reservation, gateway, worst)
        case .decided(.refused): break
        case .waiting(let number): waiting.append((gateway, number, worst))
        }
    }

    mutating func collect(_ fleet: inout Fleet) {
        let asked = waiting
        waiting = []
        for waiter in asked {
            switch fleet.gateways[waiter.gateway].answers[waiter.number] {
            case .admitted(let reservation): begin(reservation, waiter.gateway, waiter.worst)
            case .refused: break
            case nil: waiting.append(waiter)
            }
        }
    }

    private mutating func begin(_ reservation: Reservation, _ gateway: Int, _ worst: Int64) {
        running.append(Request(running: Fleet.Running(reservation: reservation, gateway: gateway), worst: worst))
        begun += 1
        tokens += worst
    }

    mutating func endSome(_ fleet: inout Fleet, _ generator: inout SeededGenerator) {
        for index in running.indices.reversed() where generator.flip(oneIn: 4) {
            end(running.remove(at: index), used: Int64.random(in: 0...4, using: &generator), &fleet)
        }
    }

    /// The requests of a gateway that is no more.
    mutating func forget(_ gateway: Int) {
        running.removeAll { $0.running.gateway == gateway }
        waiting.removeAll { $0.gateway == gateway }
    }

    mutating func endAll(_ fleet: inout Fleet) {
        // Those that wait are decided within a second; who was forgotten would hold its place for ever.
        fleet.advance(1_050)
        collect(&fleet)
        for request in running { end(request, used: 1, &fleet) }
        running = []
    }

    private mutating func end(_ request: Request, used quarter: Int64, _ fleet: inout Fleet) {
        let used = request.worst * quarter / 4
        tokens += used - request.worst
        fleet.settle(request.running, LimitUsage(inputTokens: used, outputTokens: 0))
    }
}
