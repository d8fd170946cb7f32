import Synchronization

/// The settings in force, and the rules that change them for some requests or for a while.
final class ControlPanel: Sendable {
    /// At most this many rules at once.
    static let rulesMax = 32

    /// Settings for the requests that match. All conditions must hold.
    struct Rule: Sendable, Equatable {
        /// A tier as asked for; a request that names none, `default` or `auto`, is `standard`.
        var tier: String?
        var model: String?
        var operation: Operation?
        /// Milliseconds since 1970 at which the rule lapses.
        var untilMilliseconds: Int?
        /// How many more requests it applies to.
        var requestsLeft: Int?
        /// It applies to one in so many of the requests that match.
        var every = 1
        /// How many requests matched so far.
        var matched = 0
        /// Names and values, in the order to apply them.
        var settings: [String: String] = [:]
    }

    struct State: Sendable {
        var base: Behavior
        var rules: [Rule] = []
    }

    private let initial: Behavior
    private let state: Mutex<State>

    init(base: Behavior) {
        initial = base
        state = Mutex(State(base: base))
    }

    /// The settings and rules in force; lapsed rules are dropped.
    func snapshot(now: Int) -> State {
        state.withLock { state in
            Self.dropLapsed(&state, now: now)
            return state
        }
    }

    /// Goes back to the settings of the start if `reset`, then takes settings and, unless nil, rules in place of all.
    func configure(reset: Bool, settings: [String: String], rules: [Rule]?) throws(SettingError) {
        var next = state.withLock { $0 }
        if reset { next = State(base: initial) }
        for (name, value) in settings.sorted(by: { $0.key < $1.key }) { try next.base.apply(name: name, value: value) }
        if let rules {
            guard rules.count <= Self.rulesMax else {
                throw SettingError(description: "at most \(Self.rulesMax) rules at once")
            }
            for rule in rules { _ = try Self.applied(rule, to: next.base) }
            next.rules = rules
        }
        let agreed = next
        state.withLock { $0 = agreed }
    }

    /// Which words for an answer's length the engine goes by, before it has read any.
    var lengthReading: Behavior.LengthReading { state.withLock { $0.base.lengthReading } }

    /// The behaviour for a request, with the rules that match it.
    func behavior(for request: EngineRequest, now: Int) throws(SettingError) -> Behavior {
        let (base, matching) = state.withLock { state -> (Behavior, [Rule]) in
            guard !state.rules.isEmpty else { return (state.base, []) }
            Self.dropLapsed(&state, now: now)
            var matching: [Rule] = []
            for index in state.rules.indices where state.rules[index].covers(request) {
                state.rules[index].matched += 1
                guard state.rules[index].matched.isMultiple(of: state.rules[index].every) else { continue }
                if let left = state.rules[index].requestsLeft { state.rules[index].requestsLeft = left - 1 }
                matching.append(state.rules[index])
            }
            return (state.base, matching)
        }
        var behavior = base
        for rule in matching { behavior = try Self.applied(rule, to: behavior) }
        return behavior
    }

    private static func applied(_ rule: Rule, to base: Behavior) throws(SettingError) -> Behavior {
        var behavior = base
        for (name, value) in rule.settings.sorted(by: { $0.key < $1.key }) {
            try behavior.apply(name: name, value: value)
        }
        return behavior
    }

    private static func dropLapsed(_ state: inout State, now: Int) {
        state.rules.removeAll { rule in
            (rule.untilMilliseconds.map { $0 <= now } ?? false) || (rule.requestsLeft.map { $0 <= 0 } ?? false)
        }
    }
}

extension ControlPanel.Rule {
    /// Whether a request meets the rule's conditions.
    func covers(_ request: EngineRequest) -> Bool {
        let base = [nil, "auto", "default"].contains(request.serviceTier)
        let asked = base ? "standard" : request.serviceTier
        return (tier == nil || tier == asked) && (model == nil || model == request.model)
            && (operation == nil || operation == request.operation)
    }
}
