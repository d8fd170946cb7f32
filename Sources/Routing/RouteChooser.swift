public import Engines

/// A route as it stands when a request has to be sent somewhere.
public struct RouteCandidate: Sendable {
    public var route: ModelRoute
    /// Whether its backend's breaker would let a try through.
    public var isAdmitting = true
    /// When it will again; nil when that depends on a probe that is running.
    public var opensAt: Int64?
    /// Whether its backend has as many requests as it takes.
    public var isFull = false
    /// Whether its engine says that new work would wait.
    public var isSaturated = false
    /// Requests that are there now.
    public var inFlight: Int64 = 0
    /// The median time to the first token, in microseconds; nil when unknown.
    public var firstTokenMedian: Int64?
    /// The median of output tokens a second, in thousandths; nil when unknown.
    public var speedMedian: Int64?

    public init(route: ModelRoute) { self.route = route }
}

/// The routes that a request may take, the first to be tried first.
public struct RouteOrder: Hashable, Sendable {
    /// Places in the list of candidates.
    public var places: [Int]
    /// Whether no breaker lets anything through: the only place is the best of bad ones, tried even so.
    public var isForced: Bool

    public init(places: [Int], isForced: Bool) {
        self.places = places
        self.isForced = isForced
    }

    /// No way at all.
    public static let none = RouteOrder(places: [], isForced: false)
}

/// Orders a model's routes for one request. Pure: the same candidates and random number give the same order.
///
/// Left out are backends outside the allowed regions and quantisations, those known to be too small for the request
/// where another is not, and those that are full. Breakers keep the
/// others' failing ones out; where they keep out all, the one that opens first is tried even so: a refusal would be
/// certain, a try is not. What remains is ordered by the model's preference; engines that say that new work would wait
/// come after those that do not; routes of weight zero come last.
public struct RouteChooser {
    /// How many tokens the request is expected to have, for its price, and has in any case, for its room.
    public struct Size: Hashable, Sendable {
        public var inputTokens: Int64
        public var outputTokens: Int64
        /// Of prompt and answer together, as little as they can be.
        public var tokensAtLeast: Int64

        /// Three tokens of input for one of output, unless more is known.
        public init(inputTokens: Int64 = 3000, outputTokens: Int64 = 1000, tokensAtLeast: Int64 = 0) {
            self.inputTokens = inputTokens
            self.outputTokens = outputTokens
            self.tokensAtLeast = tokensAtLeast
        }
    }

    /// Medians that differ by no more than this share of the best, in thousandths, count as equal: chance by weight
    /// decides then, so that the fastest does not get everything.
    public static let equalPermille: Int64 = 100
    /// Requests that a route of unknown speed gets at once, ahead of all others, so that its speed becomes known.
    public static let explorersMax: Int64 = 2

    /// The order in which to try.
    public static func order(
        _ candidates: [RouteCandidate], rules: RoutingRules, size: Size = Size(), random: UInt64
    ) -> RouteOrder {
        let allowed = roomy(candidates.indices.filter { rules.allow(candidates[$0].route.backend) }, candidates, size)
            .filter { !candidates[$0].isFull }
        let admitting = allowed.filter { candidates[$0].isAdmitting }
        guard !admitting.isEmpty else {
            let best = allowed.min {
                (candidates[$0].opensAt ?? 0, $0) < (candidates[$1].opensAt ?? 0, $1)
            }
            return best.map { RouteOrder(places: [$0], isForced: true) } ?? .none
        }
        if admitting.count == 1 { return RouteOrder(places: admitting, isForced: false) }
        var draws = Draws(seed: random)
        let groups = Dictionary(grouping: admitting) { group(of: candidates[$0]) }
        let places = groups.sorted { $0.key < $1.key }.flatMap {
            ordered($0.value, candidates, rules: rules, size: size, draws: &draws)
        }
        return RouteOrder(places: places, isForced: false)
    }

    /// Those of `places` whose backends are not known to be too small for the request; all of them where none is left,
    /// so that an engine says no in its own words.
    private static func roomy(_ places: [Int], _ candidates: [RouteCandidate], _ size: Size) -> [Int] {
        func isTooSmall(_ place: Int) -> Bool {
            candidates[place].route.backend.settings.contextTokensMax.map { $0 < size.tokensAtLeast } ?? false
        }
        guard places.contains(where: isTooSmall) else { return places }
        let roomy = places.filter { !isTooSmall($0) }
        return roomy.isEmpty ? places : roomy
    }

    /// Routes of a lower group come first whatever their scores.
    private static func group(of candidate: RouteCandidate) -> Int {
        if candidate.route.weight == 0 { return 2 }
        return candidate.isSaturated ? 1 : 0
    }

    private static func ordered(
        _ places: [Int], _ candidates: [RouteCandidate], rules: RoutingRules, size: Size, draws: inout Draws
    ) -> [Int] {
        let scores = Dictionary(
            uniqueKeysWithValues: places.map { ($0, score(of: candidates[$0], rules.preference, size)) })
        var rest = places.sorted { (scores[$0] ?? .max, $0) < (scores[$1] ?? .max, $1) }
        guard let best = rest.first.flatMap({ scores[$0] }) else { return [] }
        let slack = rules.preference == .price ? 0 : best / 1000 * equalPermille
        let limit = best.addingReportingOverflow(slack)
        let equalCount = rest.prefix { (scores[$0] ?? .max) <= (limit.overflow ? .max : limit.partialValue) }.count
        var equals = Array(rest.prefix(equalCount))
        rest.removeFirst(equalCount)
        var result: [Int] = []
        while !equals.isEmpty {
            let weights = equals.map { candidates[$0].route.weight }
            result.append(equals.remove(at: draws.place(byWeights: weights)))
        }
        return result + rest
    }

    /// Smaller is better.
    private static func score(
        of candidate: RouteCandidate, _ preference: RoutingRules.Preference, _ size: Size
    ) -> Int64 {
        switch preference {
        case .weight: 0
        case .price: price(of: candidate.route, size)
        case .latency: candidate.firstTokenMedian ?? unknown(candidate)
        case .throughput: candidate.speedMedian.map { 1_000_000_000_000 / max(1, $0) } ?? unknown(candidate)
        }
    }

    /// A route of unknown speed comes first until it has its explorers, then last.
    private static func unknown(_ candidate: RouteCandidate) -> Int64 {
        candidate.inFlight < explorersMax ? 0 : .max
    }

    /// What the request will cost us there, in 10⁻¹² US dollars; the most when unknown.
    private static func price(of route: ModelRoute, _ size: Size) -> Int64 {
        guard let input = route.inputCostPicounits, let output = route.outputCostPicounits else { return .max }
        let (inputCost, isInputLarge) = input.multipliedReportingOverflow(by: max(0, size.inputTokens))
        let (outputCost, isOutputLarge) = output.multipliedReportingOverflow(by: max(0, size.outputTokens))
        let (sum, isSumLarge) = inputCost.addingReportingOverflow(outputCost)
        return isInputLarge || isOutputLarge || isSumLarge ? .max : sum
    }
}

/// A row of random numbers from one (splitmix64).
private struct Draws {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    private mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A place with a chance as large as its weight; among none but zeros each has the same.
    mutating func place(byWeights weights: [Int64]) -> Int {
        let total = weights.reduce(0, +)
        guard total > 0 else { return Int(next().multipliedFullWidth(by: UInt64(weights.count)).high) }
        var rest = Int64(next().multipliedFullWidth(by: UInt64(total)).high)
        for (place, weight) in weights.enumerated() {
            if rest < weight { return place }
            rest -= weight
        }
        return weights.count - 1
    }
}
