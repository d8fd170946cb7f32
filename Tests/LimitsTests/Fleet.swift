import Identity
import Limits
import NaiveArithmetic

/// Gateways that share limits, on a clock that the test turns. Reports and answers take time; recalls too.
struct Fleet {
    struct Running {
        var reservation: Reservation
        var gateway: Int
    }

    struct Gateway {
        var set: LimitSet
        var id: UUIDv7
        var isAlive = true
        var isCutOff = false
        var underway: (batch: [SliceRequest], appliedAt: Int64, answeredAt: Int64, grants: [SliceGrant]?)?
        var recalls: [(ids: [LimitID], at: Int64)] = []
        var answers: [Int: LimitOutcome] = [:]
        var waiting: Set<Int> = []
    }

    var now: Int64 = 1_000_000
    var gateways: [Gateway]
    var ledgers: [LimitID: SliceLedger] = [:]
    var delay: ClosedRange<Int64>
    var generator: SeededGenerator

    init(gateways count: Int, rules: [LimitRule], delay: ClosedRange<Int64> = 1...3, seed: UInt64 = 1) {
        generator = SeededGenerator(seed: seed)
        self.delay = delay
        gateways = (0..<count).map { Gateway(set: LimitSet(), id: UUIDv7(high: 7, low: UInt64($0))) }
        for rule in rules {
            ledgers[rule.id] = SliceLedger(limitID: rule.id, kind: rule.kind, value: rule.value, now: now)
        }
    }

    /// Asks for a place; the outcome if it is there at once.
    mutating func admit(_ gateway: Int, _ rules: [LimitRule], _ demand: LimitDemand) -> LimitDecision {
        let decision = gateways[gateway].set.admit(rules, demand, now: now)
        if case .waiting(let number) = decision { gateways[gateway].waiting.insert(number) }
        send(gateway)
        return decision
    }

    mutating func settle(_ running: Running, _ usage: LimitUsage) {
        guard gateways[running.gateway].isAlive else { return }
        take(gateways[running.gateway].set.settle(running.reservation, usage, now: now), running.gateway)
        send(running.gateway)
    }

    /// The answer of a running request has grown.
    mutating func grow(_ reservation: inout Reservation, _ gateway: Int, outputTokens: Int64) {
        gateways[gateway].set.grow(&reservation, outputTokens: outputTokens, now: now)
        send(gateway)
    }

    /// A gateway that is killed, at an instant of its own.
    mutating func kill(_ gateway: Int) {
        gateways[gateway].isAlive = false
        gateways[gateway].underway = nil
    }

    mutating func advance(_ milliseconds: Int64) {
        let end = now + milliseconds
        while now < end {
            now = min(end, max(nextEvent ?? end, now + 1))
            for index in gateways.indices where gateways[index].isAlive { step(index) }
        }
    }

    /// When something happens next at any gateway.
    private var nextEvent: Int64? {
        gateways.filter(\.isAlive).flatMap { gateway in
            var times = gateway.recalls.map(\.at)
            if let underway = gateway.underway {
                times.append(underway.answeredAt)
                if underway.grants == nil { times.append(underway.appliedAt) }
            }
            if let wake = gateway.set.nextWake(now: now) { times.append(wake) }
            return times
        }.min()
    }

    private mutating func step(_ index: Int) {
        if var underway = gateways[index].underway {
            if underway.grants == nil, now >= underway.appliedAt, !gateways[index].isCutOff {
                underway.grants = apply(underway.batch, from: index)
                gateways[index].underway = underway
            }
            if now >= underway.answeredAt {
                gateways[index].underway = nil
                if let grants = underway.grants, !gateways[index].isCutOff {
                    take(gateways[index].set.received(grants, now: now), index)
                } else {
                    take(gateways[index].set.failed(now: now), index)
                }
            }
        }
        for recall in gateways[index].recalls where recall.at <= now {
            gateways[index].set.recall(recall.ids)
        }
        gateways[index].recalls.removeAll { $0.at <= now }
        take(gateways[index].set.tick(now: now), index)
        send(index)
    }

    private mutating func apply(_ batch: [SliceRequest], from index: Int) -> [SliceGrant] {
        batch.compactMap { request in
            let grant = ledgers[request.limitID]?.exchange(request, gateway: gateways[index].id, now: now)
            if let grant, grant.isHeldElsewhere, grant.amount < request.wanted {
                for other in gateways.indices where other != index {
                    gateways[other].recalls.append(([request.limitID], now + 1))
                }
            }
            return grant
        }
    }

    private mutating func send(_ index: Int) {
        guard gateways[index].underway == nil, let batch = gateways[index].set.nextBatch(now: now) else { return }
        let applied = now + Int64.random(in: delay, using: &generator)
        let answered = applied + Int64.random(in: delay, using: &generator)
        gateways[index].underway = (batch, applied, answered, nil)
    }

    private mutating func take(_ answers: [LimitAnswer], _ index: Int) {
        for answer in answers {
            gateways[index].answers[answer.number] = answer.outcome
            gateways[index].waiting.remove(answer.number)
        }
    }
}

/// Rules with ids in the order of `number`.
func rule(
    _ number: UInt64, _ kind: LimitKind, _ value: Int64, isShadow: Bool = false, model: String? = nil,
    scope: LimitScope = .account(AccountID(UUIDv7(high: 1, low: 1)))
) -> LimitRule {
    LimitRule(
        id: LimitID(UUIDv7(high: 1, low: number)), accountID: AccountID(UUIDv7(high: 1, low: 1)), scope: scope,
        model: model, kind: kind, value: value, isShadow: isShadow)
}

func rule(_ kind: LimitKind, _ value: Int64, isShadow: Bool = false) -> LimitRule {
    rule(1, kind, value, isShadow: isShadow)
}

func demand(input: Int64 = 10, output: Int64 = 10) -> LimitDemand {
    LimitDemand(inputBound: input, outputBound: output, outputAsked: output)
}
