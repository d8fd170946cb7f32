import Engines
import Routing
import Telemetry
import Testing

@testable import Gateway

/// The table by a clock of its own.
struct RouteTableTests {
    private let table = RouteTable(registry: MetricsRegistry())
    private let routes = ["a", "b"].map { name in
        ModelRoute(
            backend: Backend(name: name, isTLS: false, host: "h", port: 1, basePath: "", apiKey: nil),
            upstreamName: "model", weight: name == "a" ? 1 : 0)
    }

    private func plan(_ routes: [ModelRoute], now: Int64, rules: RoutingRules = RoutingRules()) -> RoutePlan {
        table.plan(among: routes, rules: rules, size: .init(), random: 1, now: now)
    }

    /// The backend of the next try.
    private func begin(now: Int64) -> RouteTable.Ticket? {
        var plan = plan(routes, now: now)
        return table.begin(&plan, now: now)
    }

    @Test func `five failures send everybody elsewhere, and one request comes to see after the pause`() throws {
        for _ in 0..<5 {
            let ticket = try #require(begin(now: 0))
            #expect(ticket.route.backend.name == "a")
            table.ended(ticket, failure: .connect, now: 0)
        }
        let elsewhere = try #require(begin(now: 1999))
        #expect(elsewhere.route.backend.name == "b")
        table.ended(elsewhere, failure: nil, now: 1999)
        var probe = try #require(begin(now: 2000))
        #expect(probe.route.backend.name == "a")
        let beside = try #require(begin(now: 2000))
        #expect(beside.route.backend.name == "b")
        table.answered(&probe, now: 2010)
        #expect(begin(now: 2010)?.route.backend.name == "a")
        table.ended(probe, failure: nil, now: 9000)
    }

    @Test func `the only route is tried even while its breaker is open`() throws {
        let only = [routes[0]]
        for _ in 0..<9 {
            var plan = plan(only, now: 0)
            let ticket = try #require(table.begin(&plan, now: 0))
            table.ended(ticket, failure: .broken, now: 0)
            #expect(!plan.hasMore)
        }
    }

    @Test func `a backend without the model is passed over for a minute`() throws {
        let ticket = try #require(begin(now: 0))
        table.ended(ticket, failure: .refused(EngineRefusal(meaning: .notFound)), now: 0)
        #expect(begin(now: 59_999)?.route.backend.name == "b" && begin(now: 60_000)?.route.backend.name == "a")
    }

    private func tries(
        of source: UInt64, _ failures: [TryFailure?], at now: Int64, on route: Int = 0, tookOptions: Bool = false
    ) throws {
        for failure in failures {
            var plan = table.plan(
                among: [routes[route]], rules: RoutingRules(), size: .init(), random: 1, source: source, now: now)
            let ticket = try #require(table.begin(&plan, now: now))
            var observation = RouteTable.Observation()
            observation.tookUsageOptions = tookOptions
            table.ended(ticket, failure: failure, observation: failure == nil ? observation : nil, now: now)
        }
    }

    @Test(arguments: [
        TryFailure.refused(EngineRefusal(meaning: .modelError)), .refused(EngineRefusal(meaning: .unavailable)),
        .refused(EngineRefusal(meaning: .timeout)), .refused(EngineRefusal(meaning: .overloaded)), .silence,
    ]) func `what fails for one tenant alone is kept from nobody`(failure: TryFailure) throws {
        try tries(of: 1, [nil], at: 0)
        try tries(of: 2, Array(repeating: failure, count: 20), at: 100)
        #expect(begin(now: 200)?.route.backend.name == "a")
        // A second one makes it the backend's.
        try tries(of: 3, Array(repeating: failure, count: 1), at: 300)
        #expect(begin(now: 301)?.route.backend.name == "b")
    }

    @Test(arguments: [TryFailure.connect, .connectTimeout, .broken, .refused(EngineRefusal(meaning: .unauthorised))])
    func `what no request can bring about counts whoever it hits`(failure: TryFailure) throws {
        try tries(of: 1, [nil], at: 0)
        try tries(of: 2, Array(repeating: failure, count: 5), at: 100)
        #expect(begin(now: 200)?.route.backend.name == "b")
    }

    @Test func `a tenant's failures count once nobody else was served well for a while`() throws {
        try tries(of: 1, [nil], at: 0)
        let failure = TryFailure.refused(EngineRefusal(meaning: .unavailable))
        try tries(of: 2, Array(repeating: failure, count: 5), at: 30_001)
        #expect(begin(now: 30_002)?.route.backend.name == "b")
    }

    @Test func `refused options are remembered for a minute, and never of a model that took them`() throws {
        try tries(of: 1, [nil], at: 0, on: 1, tookOptions: true)
        for (route, isRemembered) in [(0, true), (1, false)] {
            var plan = plan([routes[route]], now: 0)
            let ticket = try #require(table.begin(&plan, now: 0))
            table.noteRefusedUsageOptions(of: ticket, now: ProcessTime.milliseconds)
            #expect(ticket.takesUsageOptions == !isRemembered)
            table.noteRefusedUsageOptions(of: ticket, now: ProcessTime.milliseconds - 60_001)
            #expect(ticket.takesUsageOptions)
        }
    }

    @Test func `a region that is not allowed is never asked, even as the only one`() {
        var rules = RoutingRules()
        rules.regionsAllowed = ["eu"]
        #expect(!plan([routes[0]], now: 0, rules: rules).hasMore)
    }

    @Test func `a plan gives each route once`() {
        var plan = plan(routes, now: 0)
        #expect(table.begin(&plan, now: 0)?.route.backend.name == "a")
        #expect(table.begin(&plan, now: 0)?.route.backend.name == "b")
        #expect(table.begin(&plan, now: 0) == nil)
    }
}
