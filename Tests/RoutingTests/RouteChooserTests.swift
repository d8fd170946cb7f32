import Engines
import NaiveArithmetic
import Routing
import Testing

struct RouteChooserTests {
    private func candidate(
        _ name: String, weight: Int64 = 1, cost: (Int64, Int64)? = nil, region: String = "", quantisation: String = "",
        change: (inout RouteCandidate) -> Void = { _ in }
    ) -> RouteCandidate {
        var settings = BackendSettings()
        settings.region = region
        let backend = Backend(
            name: name, isTLS: false, host: "h", port: 1, basePath: "", apiKey: nil, quantisation: quantisation,
            settings: settings)
        var candidate = RouteCandidate(
            route: ModelRoute(
                backend: backend, upstreamName: name, weight: weight, inputCostPicounits: cost?.0,
                outputCostPicounits: cost?.1))
        change(&candidate)
        return candidate
    }

    private func rules(_ preference: RoutingRules.Preference) -> RoutingRules {
        var rules = RoutingRules()
        rules.preference = preference
        return rules
    }

    private func order(
        _ candidates: [RouteCandidate], _ preference: RoutingRules.Preference = .weight,
        size: RouteChooser.Size = .init(), random: UInt64 = 7
    ) -> [String] {
        let order = RouteChooser.order(candidates, rules: rules(preference), size: size, random: random)
        return order.places.map { candidates[$0].route.upstreamName }
    }

    @Test func `by weight, each route is first as often as its weight says`() {
        let candidates = [candidate("a", weight: 6), candidate("b", weight: 3), candidate("c", weight: 1)]
        var firsts: [String: Int] = [:]
        var random = SeededGenerator(seed: 1)
        for _ in 0..<20_000 { firsts[order(candidates, random: random.next())[0], default: 0] += 1 }
        // Five standard deviations of a binomial distribution: √(20000 · p · (1 − p)) is at most 70.
        for (name, share) in ["a": 12_000, "b": 6000, "c": 2000] {
            #expect(abs(firsts[name, default: 0] - share) < 350, "\(firsts)")
        }
    }

    @Test func `the same random number gives the same order, of all routes`() {
        let candidates = (1...8).map { candidate("r\($0)", weight: Int64($0)) }
        #expect(order(candidates, random: 99) == order(candidates, random: 99))
        #expect(Set(order(candidates, random: 99)).count == 8)
        #expect(Set((0..<50).map { order(candidates, random: $0) }).count > 40)
    }

    @Test func `a backend known to be too small is left out while another is not`() {
        func sized(_ name: String, _ tokens: Int64?, isFull: Bool = false) -> RouteCandidate {
            candidate(name) {
                let old = $0.route
                var settings = old.backend.settings
                settings.contextTokensMax = tokens
                $0.route = ModelRoute(backend: old.backend.with(settings), upstreamName: old.upstreamName)
                $0.isFull = isFull
            }
        }
        let candidates = [sized("small", 8_192), sized("large", 131_072), sized("unknown", nil)]
        func names(_ tokens: Int64, _ candidates: [RouteCandidate]) -> Set<String> {
            Set(order(candidates, size: .init(tokensAtLeast: tokens)))
        }
        #expect(names(8_192, candidates) == ["small", "large", "unknown"])
        #expect(names(8_193, candidates) == ["large", "unknown"])
        #expect(names(200_000, candidates) == ["unknown"])
        // None has room: an engine says so itself. One has room and no place: waiting helps, a smaller one does not.
        #expect(names(200_000, Array(candidates.prefix(2))) == ["small", "large"])
        #expect(names(9_000, [sized("small", 8_192), sized("large", 131_072, isFull: true)]).isEmpty)
    }

    @Test func `a route of weight zero is the last resort whatever its price`() {
        let spare = candidate("spare", weight: 0, cost: (1, 1))
        let candidates = [spare, candidate("dear", cost: (900, 900)), candidate("cheap", cost: (10, 10))]
        for random in UInt64(0)..<20 {
            #expect(order(candidates, .price, random: random) == ["cheap", "dear", "spare"])
        }
        #expect(order([spare, candidate("closed") { $0.isAdmitting = false }]) == ["spare"])
    }

    @Test func `the price is that of the request's mix of input and output`() {
        let reading = candidate("cheap to read", cost: (1, 100))
        let writing = candidate("cheap to write", cost: (10, 40))
        #expect(
            order([reading, writing], .price, size: .init(inputTokens: 1000, outputTokens: 10)).first == "cheap to read"
        )
        #expect(
            order([reading, writing], .price, size: .init(inputTokens: 10, outputTokens: 1000)).first
                == "cheap to write")
        let unknown = candidate("unknown")
        let huge = candidate("huge", cost: (.max, .max))
        #expect(order([unknown, huge, reading], .price).first == "cheap to read")
    }

    @Test func `by latency the quickest is first, and those within a tenth of it share by weight`() {
        func timed(_ name: String, _ median: Int64) -> RouteCandidate {
            candidate(name) { $0.firstTokenMedian = median }
        }
        let candidates = [timed("slow", 90_000), timed("quick", 40_000), timed("as quick", 43_000)]
        let firsts = Set((0..<50).map { order(candidates, .latency, random: $0)[0] })
        #expect(firsts == ["quick", "as quick"])
        #expect(order(candidates, .latency).last == "slow")
    }

    @Test func `by throughput the one with most tokens a second is first`() {
        func timed(_ name: String, _ median: Int64) -> RouteCandidate { candidate(name) { $0.speedMedian = median } }
        #expect(order([timed("slow", 20_000), timed("quick", 90_000)], .throughput) == ["quick", "slow"])
    }

    @Test func `a route of unknown speed is tried first by two requests, then comes last`() {
        let known = candidate("known") { $0.firstTokenMedian = 1000 }
        func unknown(_ inFlight: Int64) -> RouteCandidate { candidate("unknown") { $0.inFlight = inFlight } }
        #expect(order([known, unknown(1)], .latency) == ["unknown", "known"])
        #expect(order([known, unknown(2)], .latency) == ["known", "unknown"])
    }

    @Test func `an engine whose new work would wait comes after one that is free`() {
        let busy = candidate("busy", weight: 1000) { $0.isSaturated = true }
        for random in UInt64(0)..<20 { #expect(order([busy, candidate("free")], random: random) == ["free", "busy"]) }
    }

    @Test func `regions and quantisations are floors, and silence is not above them`() {
        var rules = RoutingRules()
        rules.regionsAllowed = ["eu"]
        rules.quantisationsAllowed = ["bf16", "fp8"]
        let candidates = [
            candidate("far", region: "us", quantisation: "bf16"),
            candidate("coarse", region: "eu", quantisation: "int4"),
            candidate("silent"), candidate("right", region: "eu", quantisation: "fp8"),
        ]
        #expect(RouteChooser.order(candidates, rules: rules, random: 1).places == [3])
    }

    @Test func `when no breaker lets anything through, the one that opens first is tried even so`() {
        let later = candidate("later") {
            $0.isAdmitting = false
            $0.opensAt = 900
        }
        let sooner = candidate("sooner") {
            $0.isAdmitting = false
            $0.opensAt = 300
        }
        #expect(
            RouteChooser.order([later, sooner], rules: rules(.weight), random: 1)
                == RouteOrder(places: [1], isForced: true))
        let full = candidate("full") { $0.isFull = true }
        #expect(RouteChooser.order([full], rules: rules(.weight), random: 1) == .none)
    }

    @Test(arguments: Seeds.all)
    func `no route is given that was left out, none twice, and none is forgotten`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let candidates = (0..<Int.random(in: 1...9, using: &random)).map { index in
            candidate(
                "r\(index)", weight: Int64.random(in: 0...3, using: &random),
                cost: random.flip(oneIn: 3) ? nil : (Int64.random(in: 0...99, using: &random), 5),
                region: random.flip(oneIn: 3) ? "us" : "eu"
            ) {
                $0.isAdmitting = !random.flip(oneIn: 3)
                $0.opensAt = random.flip(oneIn: 2) ? nil : Int64.random(in: 0...9999, using: &random)
                $0.isFull = random.flip(oneIn: 5)
                $0.isSaturated = random.flip(oneIn: 4)
                $0.inFlight = Int64.random(in: 0...3, using: &random)
                $0.firstTokenMedian = random.flip(oneIn: 2) ? nil : Int64.random(in: 0...1_000_000, using: &random)
                $0.speedMedian = random.flip(oneIn: 2) ? nil : Int64.random(in: 0...1_000_000, using: &random)
            }
        }
        var rules = RoutingRules()
        rules.preference = RoutingRules.Preference.allCases.randomElement(using: &random) ?? .weight
        rules.regionsAllowed = random.flip(oneIn: 2) ? ["eu"] : []
        let order = RouteChooser.order(candidates, rules: rules, random: random.next())
        let usable = candidates.indices.filter {
            !candidates[$0].isFull && rules.allow(candidates[$0].route.backend)
        }
        let open = usable.filter { candidates[$0].isAdmitting }
        #expect(Set(order.places).count == order.places.count)
        if open.isEmpty {
            #expect(order.isForced == !usable.isEmpty && order.places.count == min(1, usable.count))
            #expect(Set(order.places).isSubset(of: usable))
        } else {
            #expect(!order.isForced && Set(order.places) == Set(open), "seed \(seed)")
            let groups = order.places.map { candidates[$0].route.weight == 0 ? 1 : 0 }
            #expect(groups == groups.sorted())
        }
    }
}
