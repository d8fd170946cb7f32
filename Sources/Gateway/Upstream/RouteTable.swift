import Engines
import Metering
import Routing
import Synchronization
import Telemetry

/// The routes of one request, and which of them is to be tried next.
struct RoutePlan {
    /// The best first.
    fileprivate var routes: [ModelRoute]
    fileprivate var next = 0
    fileprivate var hasBegun = false
    fileprivate let isForced: Bool
    /// Whose request it is, as a hash.
    fileprivate let source: UInt64
    /// Tries of the request, the first among them.
    let triesMax: Int

    var hasMore: Bool { next < routes.count }

    /// Leaves out, of the routes that are left, those whose context is not larger than that of `route`, as far as is
    /// known.
    mutating func keepLarger(than route: ModelRoute) {
        let context = route.backend.settings.contextTokensMax
        routes =
            routes.prefix(next)
            + routes.suffix(from: next).filter { other in
                guard let others = other.backend.settings.contextTokensMax else { return context != nil }
                return context.map { others > $0 } ?? true
            }
    }
}

/// What all event loops know together of backends and routes, and where a request goes because of it.
///
/// One lock for each backend, held for well under a microsecond; a model with one route takes it twice a request.
final class RouteTable: Sendable {
    /// A try that is running; goes back to the table exactly once.
    struct Ticket {
        let route: ModelRoute
        fileprivate let cell: BackendCell
        fileprivate let permit: CircuitBreaker.Permit
        fileprivate let source: UInt64
        fileprivate var hasAnswered = false

        /// Whether the model lately counted much more output than it showed.
        var hidesOutput: Bool { cell.hidesOutput(route.upstreamName, now: ProcessTime.milliseconds) }
        /// Whether the model answered somebody within the last minute.
        var hasServedLately: Bool { cell.hasServedLately(route.upstreamName, now: ProcessTime.milliseconds) }
        /// Whether it was ever seen to show all the output that it counts.
        var showsOutput: Bool { cell.showsOutput(route.upstreamName) }
        /// Whether the model is known to answer requests, and none of this form.
        func neverServed(_ surface: Surface) -> Bool { cell.neverServed(surface, by: route.upstreamName) }
        /// Whether the model was seen to answer this form.
        func hasServed(_ surface: Surface) -> Bool { cell.hasServed(surface, by: route.upstreamName) }
        /// Whether the engine takes members that ask for usage, as far as is known.
        var takesUsageOptions: Bool { cell.takesUsageOptions(route.upstreamName) }
    }

    /// How fast an answer came, as far as it is known.
    struct Observation {
        var firstTokenMicroseconds: Int64?
        var outputTokens: Int64 = 0
        var outputMicroseconds: Int64?
        /// Whether the engine took members that ask for usage, and answered with usage.
        var tookUsageOptions = false
        /// Whether it counted much more output than it showed.
        var hidesOutput = false
        /// Whether it said that it reasoned about nothing, and counted no more than it showed.
        var showsOutput = false
        /// In which form it was asked, and answered.
        var surface: Surface?
    }

    private let cells = Mutex<[String: BackendCell]>([:])
    private let registry: MetricsRegistry
    private let rules: CircuitBreaker.Rules

    /// Backends that are remembered; more than a catalogue can have at one time.
    private static let backendsMax = 20_000

    init(registry: MetricsRegistry, rules: CircuitBreaker.Rules = CircuitBreaker.Rules()) {
        self.registry = registry
        self.rules = rules
    }

    // MARK: Choosing

    /// The routes that a request may take, in the order in which to try them. `source`: a hash of whose request it is.
    /// `now`: milliseconds of process time.
    func plan(
        among routes: [ModelRoute], rules: RoutingRules, size: @autoclosure () -> RouteChooser.Size, random: UInt64,
        source: UInt64 = 0, now: Int64
    ) -> RoutePlan {
        if routes.count == 1, rules.regionsAllowed.isEmpty, rules.quantisationsAllowed.isEmpty {
            // Nothing to choose: its breaker shows when the try begins.
            return RoutePlan(routes: routes, isForced: true, source: source, triesMax: rules.triesMax)
        }
        let candidates = routes.map { cell(of: $0.backend).candidate(for: $0, now: now) }
        let order = RouteChooser.order(candidates, rules: rules, size: size(), random: random)
        return RoutePlan(
            routes: order.places.map { routes[$0] }, isForced: order.isForced, source: source,
            triesMax: rules.triesMax)
    }

    /// Begins the next try; nil when no route is left that takes one.
    func begin(_ plan: inout RoutePlan, now: Int64) -> Ticket? {
        while plan.hasMore {
            let route = plan.routes[plan.next]
            plan.next += 1
            if let ticket = begin(route, isForced: plan.isForced, source: plan.source, now: now) {
                plan.hasBegun = true
                return ticket
            }
        }
        guard !plan.hasBegun, !plan.isForced else { return nil }
        // Other event loops took the probes that were free a moment ago: as if no breaker let anything through.
        plan.hasBegun = true
        for route in plan.routes {
            if let ticket = begin(route, isForced: true, source: plan.source, now: now) { return ticket }
        }
        return nil
    }

    /// Whether at least half of the requests that are at these routes' backends are of one source.
    func hold(mostlyOf source: UInt64, _ routes: [ModelRoute]) -> Bool {
        var (all, own) = (Int64(0), Int64(0))
        for backend in Set(routes.map(\.backend.name)) {
            guard let route = routes.first(where: { $0.backend.name == backend }) else { continue }
            let counts = cell(of: route.backend).inFlight(of: source)
            all += counts.all
            own += counts.own
        }
        return own > 0 && own * 2 >= all
    }

    private func begin(_ route: ModelRoute, isForced: Bool, source: UInt64, now: Int64) -> Ticket? {
        let cell = cell(of: route.backend)
        return cell.begin(route, isForced: isForced, source: source, now: now).map {
            Ticket(route: route, cell: cell, permit: $0, source: source)
        }
    }

    // MARK: What came of it

    /// The answer has begun well. Only a try that was to show how the backend is has to be told at once.
    func answered(_ ticket: inout Ticket, now: Int64) {
        guard !ticket.hasAnswered, ticket.permit.isProbe || ticket.permit.isForced else { return }
        ticket.hasAnswered = true
        ticket.cell.answered(ticket.permit, now: now)
    }

    /// The try has ended. `failure` is nil when it did not fail; `isNeutral` when nobody waited for how it would end.
    func ended(
        _ ticket: Ticket, failure: TryFailure?, isNeutral: Bool = false, observation: Observation? = nil, now: Int64
    ) {
        let verdict = isNeutral ? .neutral : failure.map { TryPolicy.verdict(on: $0) } ?? .success
        var isMissing = false
        if case .refused(let refusal)? = failure, refusal.consequence.breaker == .routeMissing { isMissing = true }
        let cause = CircuitBreaker.Cause(
            source: ticket.source, mayBeInput: failure.map { TryPolicy.mayBeInput($0) } ?? false)
        ticket.cell.ended(ticket, verdict, cause, isMissing: isMissing, observation: observation, now: now)
    }

    /// What an answer's headers say is left of our quota at the provider.
    func note(_ quota: UpstreamQuota, from ticket: Ticket, now: Int64) { ticket.cell.note(quota, now: now) }

    /// What an engine's own metrics say.
    func note(_ capacity: EngineCapacity, from backend: Backend, now: Int64) {
        cell(of: backend).note(capacity, now: now)
    }

    /// The engine refused members that ask for usage, and answered without them. `now`: milliseconds of process time.
    func noteRefusedUsageOptions(of ticket: Ticket, now: Int64) {
        ticket.cell.noteRefusedUsageOptions(ticket.route.upstreamName, now: now)
    }

    /// Whether a health check could bring the backend back.
    func wantsHealthCheck(_ backend: Backend, now: Int64) -> Bool {
        cells.withLock { $0[backend.name] }?.wantsHealthCheck(now: now) ?? false
    }

    /// A health check was answered well.
    func healthChecked(_ backend: Backend, now: Int64) { cell(of: backend).healthChecked(now: now) }

    private func cell(of backend: Backend) -> BackendCell {
        cells.withLock { cells in
            if let cell = cells[backend.name] { return cell }
            if cells.count >= Self.backendsMax { cells.removeAll() }
            let cell = BackendCell(name: backend.name, rules: rules, registry: registry)
            cells[backend.name] = cell
            return cell
        }
    }
}

/// What is known of one backend and of its routes.
final class BackendCell: Sendable {
    private struct State {
        var health: BackendHealth
        /// By the backend's own name of the model.
        var routes: [String: RouteHealth] = [:]
        /// Until when models are not asked for usage, by the backend's own names.
        var unasked: [String: Int64] = [:]
    }

    private let state: Mutex<State>
    private let successes: Counter
    private let failures: Counter
    private let coolDowns: Counter
    private let neutrals: Counter

    /// Models of one backend whose speed is remembered.
    private static let routesMax = 10_000
    /// Models that are remembered for refusing members of ours.
    private static let unaskedMax = 1000
    /// How long they are. Short: what one request had refused may be that request's own doing.
    static let unaskedMilliseconds: Int64 = 60_000
    /// How long an answer shows that a backend has nothing against our key.
    private static let servedMilliseconds: Int64 = 60_000
    /// How long a model is known for hiding output after it last did.
    private static let hiddenMilliseconds: Int64 = 3_600_000
    /// Whether any is, so that others need no lock.
    private let hasUnasked = Atomic<Bool>(false)

    init(name: String, rules: CircuitBreaker.Rules, registry: MetricsRegistry) {
        state = Mutex(State(health: BackendHealth(rules: rules)))
        func tries(_ outcome: String) -> Counter {
            registry.counter(
                "tollgate_backend_tries_total", help: "Finished tries, by backend and result.",
                labels: ["backend": name, "outcome": outcome])
        }
        successes = tries("success")
        failures = tries("failure")
        coolDowns = tries("cool_down")
        neutrals = tries("neutral")
        registerGauges(name, registry)
    }

    func candidate(for route: ModelRoute, now: Int64) -> RouteCandidate {
        var candidate = RouteCandidate(route: route)
        state.withLock { state in
            let breaker = state.health.breaker
            candidate.isAdmitting = breaker.admits(at: now)
            candidate.opensAt = breaker.opensAt(now)
            candidate.inFlight = state.health.inFlight
            if let most = route.backend.settings.concurrentRequestsMax {
                candidate.isFull = state.health.inFlight >= Int64(most)
            }
            candidate.isSaturated = state.health.capacity(at: now)?.isSaturated == true
            guard var known = state.routes[route.upstreamName] else { return }
            candidate.firstTokenMedian = known.firstTokenMedian(at: now)
            candidate.speedMedian = known.speedMedian(at: now)
            if known.isBlockedUntil > now {
                candidate.isAdmitting = false
                candidate.opensAt = max(candidate.opensAt ?? now, known.isBlockedUntil)
            }
        }
        return candidate
    }

    func begin(_ route: ModelRoute, isForced: Bool, source: UInt64, now: Int64) -> CircuitBreaker.Permit? {
        let most = route.backend.settings.concurrentRequestsMax
        return state.withLock { $0.health.began(at: now, concurrentMax: most, source: source, isForced: isForced) }
    }

    /// Requests that are there now, and how many of them are of one source.
    func inFlight(of source: UInt64) -> (all: Int64, own: Int64) {
        state.withLock { ($0.health.inFlight, $0.health.inFlight(of: source)) }
    }

    func answered(_ permit: CircuitBreaker.Permit, now: Int64) {
        state.withLock { $0.health.answered(permit, at: now) }
    }

    fileprivate func ended(
        _ ticket: RouteTable.Ticket, _ verdict: CircuitBreaker.Verdict, _ cause: CircuitBreaker.Cause, isMissing: Bool,
        observation: RouteTable.Observation?, now: Int64
    ) {
        count(verdict)
        state.withLock { state in
            state.health.ended(ticket.permit, verdict, cause, hasAnswered: ticket.hasAnswered, at: now)
            guard observation != nil || isMissing else { return }
            let name = ticket.route.upstreamName
            if state.routes.count >= Self.routesMax, state.routes[name] == nil { state.routes.removeAll() }
            if let observation {
                state.routes[name, default: RouteHealth()].observe(
                    firstTokenMicroseconds: observation.firstTokenMicroseconds,
                    outputTokens: observation.outputTokens, outputMicroseconds: observation.outputMicroseconds,
                    at: now)
                if observation.tookUsageOptions { state.routes[name]?.takesUsageOptions = true }
                if let surface = observation.surface { state.routes[name]?.served(surface) }
                state.routes[name]?.servedAt = now
                if observation.showsOutput { state.routes[name]?.showsOutput = true }
                if observation.hidesOutput {
                    state.routes[name]?.hidesOutputUntil = now + Self.hiddenMilliseconds
                    state.routes[name]?.showsOutput = false
                }
            }
            if isMissing { state.routes[name, default: RouteHealth()].block(at: now) }
        }
    }

    func hidesOutput(_ model: String, now: Int64) -> Bool {
        state.withLock { $0.routes[model].map { now < $0.hidesOutputUntil } ?? false }
    }

    func hasServedLately(_ model: String, now: Int64) -> Bool {
        state.withLock { $0.routes[model]?.servedAt.map { now - $0 < Self.servedMilliseconds } ?? false }
    }

    func showsOutput(_ model: String) -> Bool { state.withLock { $0.routes[model]?.showsOutput ?? false } }

    func neverServed(_ surface: Surface, by model: String) -> Bool {
        state.withLock { $0.routes[model]?.neverServed(surface) ?? false }
    }

    func hasServed(_ surface: Surface, by model: String) -> Bool {
        state.withLock { $0.routes[model]?.hasServed(surface) ?? false }
    }

    func takesUsageOptions(_ model: String) -> Bool {
        guard hasUnasked.load(ordering: .relaxed) else { return true }
        let now = ProcessTime.milliseconds
        return state.withLock { $0.unasked[model].map { $0 <= now } ?? true }
    }

    /// An engine that ever took them refuses something else in the one request that it refuses them in.
    func noteRefusedUsageOptions(_ model: String, now: Int64) {
        let isNoted = state.withLock { state in
            guard state.routes[model]?.takesUsageOptions != true else { return false }
            if state.unasked.count >= Self.unaskedMax { state.unasked.removeAll() }
            state.unasked[model] = now + Self.unaskedMilliseconds
            assert(state.unasked.count <= Self.unaskedMax)
            return true
        }
        if isNoted { hasUnasked.store(true, ordering: .relaxed) }
    }

    func wantsHealthCheck(now: Int64) -> Bool { state.withLock { $0.health.breaker.wantsHealthCheck(at: now) } }

    func healthChecked(now: Int64) { state.withLock { $0.health.healthChecked(at: now) } }

    func note(_ quota: UpstreamQuota, now: Int64) { state.withLock { $0.health.note(quota, at: now) } }

    func note(_ capacity: EngineCapacity, now: Int64) { state.withLock { $0.health.note(capacity, at: now) } }

    private func count(_ verdict: CircuitBreaker.Verdict) {
        switch verdict {
        case .success: successes.increment()
        case .failure: failures.increment()
        case .coolDown: coolDowns.increment()
        case .neutral: neutrals.increment()
        }
    }

    // MARK: Metrics

    private func registerGauges(_ name: String, _ registry: MetricsRegistry) {
        func gauge(_ metric: String, _ help: String, _ read: @escaping @Sendable (BackendHealth, Int64) -> Int64) {
            registry.gauge(metric, help: help, labels: ["backend": name]) { [weak self] in
                self.map { cell in cell.state.withLock { read($0.health, ProcessTime.milliseconds) } } ?? 0
            }
        }
        gauge("tollgate_backend_up", "1 while requests may go to the backend.") { $0.breaker.isClosed(at: $1) ? 1 : 0 }
        gauge("tollgate_backend_breaker_state", "0 closed, 1 probing, 2 open, 3 left alone as it asked.") {
            health, now in
            if health.breaker.isClosed(at: now) { return 0 }
            switch health.breaker.state {
            case .closed: return 0
            case .probing: return 1
            case .open: return 2
            case .cooling: return 3
            }
        }
        gauge("tollgate_backend_requests_in_flight", "Requests that are at the backend.") { health, _ in health.inFlight
        }
        gauge("tollgate_backend_failures_permille", "Tries of the last five minutes that failed, in thousandths.") {
            $0.failuresPermille(ofLast: 300_000, at: $1) ?? 0
        }
        gauge("tollgate_backend_queued", "Requests that wait at the engine, by its own metrics; -1 when unknown.") {
            $0.capacity(at: $1)?.queued ?? -1
        }
    }
}
