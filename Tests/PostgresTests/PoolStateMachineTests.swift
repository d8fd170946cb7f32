import TestSupport
import Testing

@testable import Postgres

/// The pool's rules on a clock that the test turns.
@Suite struct PoolStateMachineTests {
    private func machine(_ change: (inout PoolLimits) -> Void = { _ in }) -> PoolStateMachine {
        var limits = PoolLimits(connectionCountMax: 2)
        change(&limits)
        return PoolStateMachine(limits: limits)
    }

    /// A machine with that many connections lent.
    private func lent(_ count: Int, _ change: (inout PoolLimits) -> Void = { _ in }) throws -> (
        PoolStateMachine, [Int]
    ) {
        var machine = machine(change)
        let ids = try (0..<count).map { _ in
            let id = try #require(connectID(machine.acquire(now: .zero).answer))
            machine.connected(id, now: .zero, jitter: 0, of: 100)
            return id
        }
        return (machine, ids)
    }

    private func connectID(_ answer: PoolStateMachine.Answer) -> Int? {
        if case .grant(.connect(let id)) = answer { id } else { nil }
    }

    private func waiterID(_ answer: PoolStateMachine.Answer) -> Int? {
        if case .wait(let id) = answer { id } else { nil }
    }

    @Test func `it connects up to the limit, then callers wait in line`() throws {
        var (machine, ids) = try lent(2)
        let first = try #require(waiterID(machine.acquire(now: .seconds(1)).answer))
        let second = try #require(waiterID(machine.acquire(now: .seconds(1)).answer))
        #expect(machine.openCount == 2)
        let effects = machine.release(ids[0], reusable: true, now: .seconds(2))
        #expect(effects == .init(grant: [.init(waiter: first, grant: .lend(ids[0], probe: false))]))
        #expect(machine.cancel(first) == false)
        #expect(machine.cancel(second) == true)
        #expect(machine.release(ids[1], reusable: true, now: .seconds(2)) == .init())
        #expect(machine.idleCount == 1)
    }

    @Test func `a full line refuses the next caller`() throws {
        var (machine, _) = try lent(2) { $0.waiterCountMax = 1 }
        #expect(waiterID(machine.acquire(now: .zero).answer) != nil)
        #expect(machine.acquire(now: .zero).answer == .refuse(.tooManyWaiters))
    }

    @Test func `a waiter is refused when its time is up and not before`() throws {
        var (machine, _) = try lent(2)
        let waiter = try #require(waiterID(machine.acquire(now: .seconds(5)).answer))
        #expect(machine.nextDeadline == .seconds(7))
        #expect(machine.expire(now: .milliseconds(6_999)) == .init())
        #expect(machine.expire(now: .seconds(7)) == .init(refuse: [.init(waiter: waiter, refusal: .timedOut)]))
        #expect(machine.nextDeadline == nil)
    }

    @Test func `a broken connection makes room for the first waiter to connect`() throws {
        var (machine, ids) = try lent(2)
        let waiter = try #require(waiterID(machine.acquire(now: .zero).answer))
        let effects = machine.release(ids[0], reusable: false, now: .zero)
        #expect(effects.close == [ids[0]])
        #expect(effects.grant.first?.waiter == waiter)
        #expect(machine.connectingCount == 1)
        #expect(machine.openCount == 2)
    }

    @Test func `old connections are closed when they come back or are found idle`() throws {
        var (machine, ids) = try lent(2) { $0.lifetimeMax = .seconds(100) }
        _ = machine.release(ids[0], reusable: true, now: .seconds(50))
        #expect(machine.release(ids[1], reusable: true, now: .seconds(100)).close == [ids[1]])
        let (answer, closing) = machine.acquire(now: .seconds(101))
        #expect(closing == [ids[0]])
        #expect(connectID(answer) != nil)
    }

    @Test func `a connection idle for long is probed`() throws {
        var (machine, ids) = try lent(1)
        _ = machine.release(ids[0], reusable: true, now: .zero)
        #expect(machine.acquire(now: .seconds(30)).answer == .grant(.lend(ids[0], probe: false)))
        _ = machine.release(ids[0], reusable: true, now: .seconds(30))
        #expect(machine.acquire(now: .seconds(61)).answer == .grant(.lend(ids[0], probe: true)))
    }

    @Test func `while Postgres is away callers are refused at once, and tries grow rarer`() throws {
        var machine = machine()
        var now = Duration.zero
        for delay in [50, 100, 200, 400, 800, 1_000, 1_000] {
            let id = try #require(connectID(machine.acquire(now: now).answer))
            #expect(machine.connectFailed(id, now: now) == .init())
            now += .milliseconds(delay)
            #expect(machine.acquire(now: now - .milliseconds(1)).answer == .refuse(.unavailable))
        }
    }

    @Test func `when the last attempt fails all who wait are told`() throws {
        var machine = machine { $0.connectionCountMax = 1 }
        let id = try #require(connectID(machine.acquire(now: .zero).answer))
        let waiter = try #require(waiterID(machine.acquire(now: .zero).answer))
        let effects = machine.connectFailed(id, now: .zero)
        #expect(effects.refuse == [.init(waiter: waiter, refusal: .unavailable)])
        #expect(machine.openCount == 0)
    }

    @Test func `a closed pool refuses everyone and closes what comes back`() throws {
        var (machine, ids) = try lent(2)
        _ = machine.release(ids[0], reusable: true, now: .zero)
        #expect(machine.close().close == [ids[0]])
        #expect(machine.acquire(now: .zero).answer == .refuse(.closed))
        #expect(machine.release(ids[1], reusable: true, now: .zero).close == [ids[1]])
        #expect(machine.openCount == 0)
    }

    /// Whatever happens: never more connections than the limit, each lent to one, every waiter answered once.
    @Test func `limits hold under any order of events`() {
        for seed in propertySeeds {
            var generator = SeededGenerator(seed: seed)
            var model = PoolModel(machine: machine { $0.waiterCountMax = 3 })
            for _ in 0..<300 { model.step(&generator) }
            #expect(model.faults.isEmpty, "seed \(seed)")
        }
    }
}

/// Drives the machine at random and keeps its own books.
private struct PoolModel {
    var machine: PoolStateMachine
    var now = Duration.zero
    var lent: Set<Int> = []
    var connecting: Set<Int> = []
    var waiting: Set<Int> = []
    var faults: [String] = []

    mutating func step(_ generator: inout SeededGenerator) {
        now += .milliseconds(Int.random(in: 0...700, using: &generator))
        switch Int.random(in: 0..<7, using: &generator) {
        case 0, 1: take(machine.acquire(now: now).answer)
        case 2:
            guard let id = lent.sorted().randomElement(using: &generator) else { return }
            lent.remove(id)
            apply(machine.release(id, reusable: Bool.random(using: &generator), now: now))
        case 3:
            guard let id = connecting.sorted().randomElement(using: &generator) else { return }
            connecting.remove(id)
            machine.connected(id, now: now, jitter: 50, of: 100)
            lent.insert(id)
        case 4:
            guard let id = connecting.sorted().randomElement(using: &generator) else { return }
            connecting.remove(id)
            apply(machine.connectFailed(id, now: now))
        case 5:
            guard let id = waiting.sorted().randomElement(using: &generator) else { return }
            if machine.cancel(id) { waiting.remove(id) } else { faults.append("waiter \(id) is unknown") }
        default: apply(machine.expire(now: now))
        }
        if machine.openCount > machine.limits.connectionCountMax { faults.append("\(machine.openCount) open") }
        if machine.leasedCount != lent.count { faults.append("\(machine.leasedCount) lent, not \(lent.count)") }
        if machine.waiterCount != waiting.count { faults.append("\(machine.waiterCount) wait, not \(waiting.count)") }
    }

    private mutating func take(_ answer: PoolStateMachine.Answer) {
        switch answer {
        case .grant(let grant): take(grant)
        case .wait(let id): waiting.insert(id)
        case .refuse: break
        }
    }

    private mutating func take(_ grant: PoolStateMachine.Grant) {
        switch grant {
        case .lend(let id, _): if !lent.insert(id).inserted { faults.append("\(id) lent twice") }
        case .connect(let id): connecting.insert(id)
        }
    }

    private mutating func apply(_ effects: PoolStateMachine.Effects) {
        for grant in effects.grant {
            if waiting.remove(grant.waiter) == nil { faults.append("waiter \(grant.waiter) answered twice") }
            take(grant.grant)
        }
        for refusal in effects.refuse where waiting.remove(refusal.waiter) == nil {
            faults.append("waiter \(refusal.waiter) answered twice")
        }
    }
}
