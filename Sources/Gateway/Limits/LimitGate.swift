import Identity
import Limits
import NIOCore
import Synchronization
import Telemetry

/// Holds requests to their limits: one for all event loops of a gateway.
///
/// What is decided, `LimitSet` decides; this keeps the threads apart, the time, and the talk with the source of slices.
/// It never blocks: a request that needs a larger slice is told later, on its own event loop.
final class LimitGate: Sendable {
    /// The answer to a request that asks for a place.
    enum Decision {
        case admitted(LimitHold)
        /// The outcome comes within a second.
        case waiting(LimitWait)
        case refused(APIError)
    }

    /// What became of a request that waited.
    enum Outcome {
        case admitted(LimitHold)
        case refused(APIError)
    }

    private struct Waiter {
        let model: String
        let eventLoop: any EventLoop
        let tell: @Sendable (Outcome) -> Void
    }

    private struct State {
        var set: LimitSet
        var waiters: [Int: Waiter] = [:]
        var alarmAt = Int64.max
        var alarmLoop: (any EventLoop)?
    }

    /// What is to be done once the lock is free again.
    private struct Work {
        var batch: [SliceRequest]?
        var alarm: (loop: any EventLoop, at: Int64)?
        var told: [(Waiter, LimitOutcome)] = []
    }

    private let state: Mutex<State>
    private let source: (any SliceSource)?
    private let metrics: LimitMetrics

    /// Limits that are shared through `source`; without one, this gateway has all of them to itself.
    init(source: (any SliceSource)?, registry: MetricsRegistry, waitMilliseconds: Int64) {
        self.source = source
        metrics = LimitMetrics(registry: registry)
        state = Mutex(State(set: LimitSet(waitMilliseconds: waitMilliseconds, hasSource: source != nil)))
        registry.gauge("tollgate_limits_in_use", help: "Limits that requests were held to lately.") { [weak self] in
            Int64(self?.state.withLock { $0.set.rulesInUse } ?? 0)
        }
        registry.gauge("tollgate_limit_waiters", help: "Requests waiting for a larger slice of a limit.") {
            [weak self] in
            Int64(self?.state.withLock { $0.set.waitingCount } ?? 0)
        }
        registry.gauge(
            "tollgate_limits_local",
            help: "1 while limits are not shared: this gateway goes by what it holds, then by its last share."
        ) { [weak self] in
            self?.state.withLock { $0.set.isAway } == true ? 1 : 0
        }
    }

    /// Begins to look at times, on this event loop.
    func start(on eventLoop: any EventLoop) {
        state.withLock { $0.alarmLoop = eventLoop }
    }

    // MARK: Requests

    /// A request asks for a place under its rules. When it has to wait, `tell` is called on `eventLoop`, once, unless
    /// the wait is cancelled before.
    func admit(
        _ rules: [LimitRule], model: String, worst: LimitDemand, on eventLoop: any EventLoop,
        tell: @escaping @Sendable (Outcome) -> Void
    ) -> Decision {
        let now = LimitGate.now()
        let decision = perform(now) { state, work in
            let decision = state.set.admit(rules, worst, now: now)
            if case .waiting(let number) = decision {
                state.waiters[number] = Waiter(model: model, eventLoop: eventLoop, tell: tell)
            }
            return decision
        }
        switch decision {
        case .waiting(let number):
            metrics.waits.increment()
            return .waiting(LimitWait(gate: self, number: number))
        case .decided(let outcome):
            switch self.outcome(outcome, model: model) {
            case .admitted(let hold): return .admitted(hold)
            case .refused(let error): return .refused(error)
            }
        }
    }

    /// Other gateways need what is kept here of these limits.
    func recall(_ ids: [LimitID]) {
        perform(LimitGate.now()) { state, _ in state.set.recall(ids) }
    }

    /// Gives everything back that no request holds: this gateway stops.
    func giveBack() {
        perform(LimitGate.now()) { state, _ in state.set.recallAll() }
    }

    /// Takes what an answer has beyond its reserve.
    fileprivate func grow(_ reservation: Reservation, outputTokens: Int64) -> Reservation {
        let now = LimitGate.now()
        return perform(now) { state, _ in
            var grown = reservation
            state.set.grow(&grown, outputTokens: outputTokens, now: now)
            return grown
        }
    }

    fileprivate func end(_ reservation: Reservation, usage: LimitUsage?) {
        let now = LimitGate.now()
        metrics.holds.add(-1)
        perform(now) { state, work in
            let answers =
                usage.map { state.set.settle(reservation, $0, now: now) } ?? state.set.release(reservation, now: now)
            LimitGate.tell(answers, &state, &work)
        }
    }

    fileprivate func charge(_ reservation: Reservation, more usage: LimitUsage) {
        let now = LimitGate.now()
        perform(now) { state, _ in state.set.charge(reservation, more: usage, now: now) }
    }

    /// False when the outcome is on its way already.
    fileprivate func cancel(_ number: Int) -> Bool {
        state.withLock { state in
            state.waiters[number] = nil
            return state.set.forget(number)
        }
    }

    private func outcome(_ outcome: LimitOutcome, model: String) -> Outcome {
        switch outcome {
        case .admitted(let reservation):
            metrics.wouldRefuse(reservation.wouldRefuse)
            metrics.holds.add(1)
            return .admitted(LimitHold(gate: self, reservation: reservation))
        case .refused(let refusal):
            if refusal.cause != .unavailable { metrics.refused(refusal.rule.kind) }
            return .refused(.limit(refusal, model: model))
        }
    }

    // MARK: Between the calls

    static func now() -> Int64 { Int64(NIODeadline.now().uptimeNanoseconds / 1_000_000) }

    /// Changes the state, then does what follows from it without the lock.
    @discardableResult
    private func perform<Result: Sendable>(
        _ now: Int64, _ body: (inout State, inout Work) -> Result
    ) -> Result {
        let (result, work) = state.withLock { state in
            var work = Work()
            let result = body(&state, &work)
            work.batch = state.set.nextBatch(now: now)
            if let loop = state.alarmLoop, let wake = state.set.nextWake(now: now), wake < state.alarmAt {
                state.alarmAt = wake
                work.alarm = (loop, wake)
            }
            return (result, work)
        }
        for (waiter, outcome) in work.told {
            let outcome = self.outcome(outcome, model: waiter.model)
            waiter.eventLoop.execute { waiter.tell(outcome) }
        }
        if let batch = work.batch { ask(batch) }
        if let (loop, wake) = work.alarm {
            loop.scheduleTask(in: .milliseconds(wake - now)) { [weak self] in self?.alarm(wake) }
        }
        return result
    }

    private func alarm(_ at: Int64) {
        let now = LimitGate.now()
        perform(now) { state, work in
            // An earlier alarm was set meanwhile: this one is not the last word on the time.
            if state.alarmAt >= at { state.alarmAt = .max }
            LimitGate.tell(state.set.tick(now: now), &state, &work)
        }
    }

    private func ask(_ batch: [SliceRequest]) {
        metrics.batches.increment()
        source?.request(batch) { [weak self] reply in
            let now = LimitGate.now()
            self?.perform(now) { state, work in
                switch reply {
                case .granted(let grants): LimitGate.tell(state.set.received(grants, now: now), &state, &work)
                case .unreachable: LimitGate.tell(state.set.failed(now: now), &state, &work)
                }
            }
        }
    }

    private static func tell(_ answers: [LimitAnswer], _ state: inout State, _ work: inout Work) {
        for answer in answers {
            guard let waiter = state.waiters.removeValue(forKey: answer.number) else { continue }
            work.told.append((waiter, answer.outcome))
        }
    }
}

/// What a running request holds of its limits. Ends once; if nobody ends it, it ends with the last reference.
final class LimitHold: Sendable {
    /// Where the limits stood when the request was admitted.
    let standings: LimitStandings
    private let gate: LimitGate
    private let state: Mutex<State>

    private enum State {
        case held(Reservation)
        case settled(Reservation, LimitUsage)
        case released
    }

    fileprivate init(gate: LimitGate, reservation: Reservation) {
        self.gate = gate
        state = Mutex(.held(reservation))
        standings = reservation.standings
    }

    deinit { release() }

    /// The answer has grown to so many tokens, and goes on.
    func grow(outputTokens: Int64) {
        state.withLock { state in
            guard case .held(let reservation) = state, !reservation.covers(outputTokens: outputTokens) else { return }
            state = .held(gate.grow(reservation, outputTokens: outputTokens))
        }
    }

    /// The request has ended and came to `usage`: the rest of what was reserved comes back. Settled again, it takes
    /// what it came to beyond.
    func settle(_ usage: LimitUsage) {
        let before = state.withLock { state in
            let before = state
            if case .held(let reservation) = before { state = .settled(reservation, usage) }
            if case .settled(let reservation, _) = before { state = .settled(reservation, usage) }
            return before
        }
        switch before {
        case .held(let reservation): gate.end(reservation, usage: usage)
        case .settled(let reservation, let known): gate.charge(reservation, more: usage.beyond(known))
        case .released: break
        }
    }

    /// The request never went to an engine: everything comes back.
    func release() {
        let before = state.withLock { state in
            let before = state
            if case .held = before { state = .released }
            return before
        }
        if case .held(let reservation) = before { gate.end(reservation, usage: nil) }
    }
}

/// A request's wait for a larger slice.
struct LimitWait {
    fileprivate let gate: LimitGate
    fileprivate let number: Int

    /// The client has left. When the outcome is on its way already it still comes.
    /// Returns whether it does not.
    func cancel() -> Bool { gate.cancel(number) }
}

/// The series of limits; labels are kinds of limits only.
private struct LimitMetrics {
    let waits: Counter
    let batches: Counter
    let holds: Gauge
    private let refusals: [LimitKind: Counter]
    private let shadowRefusals: [LimitKind: Counter]

    init(registry: MetricsRegistry) {
        waits = registry.counter(
            "tollgate_limit_waits_total", help: "Requests that waited for a larger slice of a limit.")
        batches = registry.counter(
            "tollgate_limit_batches_total", help: "Reports and wishes sent for slices of limits.")
        holds = registry.gauge("tollgate_limit_holds", help: "Running requests that hold some of a limit.")
        func counters(_ mode: String) -> [LimitKind: Counter] {
            Dictionary(
                uniqueKeysWithValues: LimitKind.allCases.map { kind in
                    let counter = registry.counter(
                        "tollgate_limit_refusals_total",
                        help: "Requests that a limit refused, or in shadow would have refused.",
                        labels: ["kind": kind.rawValue, "mode": mode])
                    return (kind, counter)
                })
        }
        refusals = counters("enforced")
        shadowRefusals = counters("shadow")
    }

    func refused(_ kind: LimitKind) { refusals[kind]?.increment() }

    func wouldRefuse(_ kinds: [LimitKind]) {
        for kind in kinds { shadowRefusals[kind]?.increment() }
    }
}
