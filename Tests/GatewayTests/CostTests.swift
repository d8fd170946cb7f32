import Engines
import Identity
import PlanLanguage
import Pricing
import Testing

@testable import Gateway

/// What a client is told that its request costs.
@Suite(.timeLimit(.minutes(10))) struct CostTests {
    /// Seven of the prompt's eleven tokens at 0.15 a million, four from the cache at 0.075, three of output at 0.60.
    private static let amount = "0.00000315"

    static func prices() throws -> PriceSnapshot {
        let plan = try PlanVersion(
            yaml: """
                plan: basic
                version: 1
                title: Basic
                currency: USD
                effective_from: 2020-01-01T00:00:00Z
                base_fee: "0.00"
                models:
                  price-small: {input: "0.15", output: "0.60", cache_read: "0.075"}
                """)
        return PriceSnapshot(histories: ["basic": try PlanHistory(published: [plan])])
    }

    private func gateway(_ script: @escaping @Sendable (Socket) -> Void) async throws -> TestGateway {
        let engine = try ScriptedEngine { socket, _ in script(socket) }
        return try await TestGateway(
            engine: engine, snapshot: TestGateway.snapshot(port: engine.port, prices: try Self.prices()))
    }

    @Test func `a plain answer's headers say what it costs`() async throws {
        let gateway = try await gateway { $0.send(Answers.plain()) }
        let answer = try gateway.ask(TestGateway.request(TestGateway.chat()))
        #expect(answer.header("x-tollgate-cost") == Self.amount)
        #expect(answer.header("x-tollgate-cost-currency") == "USD")
        #expect(answer.header("x-tollgate-cost-basis") == "final")
        await gateway.stop()
    }

    @Test func `a gateway that was cut off for a minute quotes no final cost`() async throws {
        let gateway = try await gateway { $0.send(Answers.plain()) }
        func basis(confirmedBefore milliseconds: Int64) throws -> String? {
            gateway.server.confirmSnapshot(
                at: gateway.server.shared.clock.realTime.advanced(byMilliseconds: -milliseconds))
            return try gateway.ask(TestGateway.request(TestGateway.chat())).header("x-tollgate-cost-basis")
        }
        #expect(try basis(confirmedBefore: 3_600_000) == "provisional")
        #expect(try basis(confirmedBefore: 60_001) == "provisional")
        #expect(try basis(confirmedBefore: 10_000) == "final")
        #expect(try basis(confirmedBefore: 3_600_000) == "final", "news that come late tell nothing new")
        await gateway.stop()
    }

    @Test(arguments: [
        (#","stream_options":{"include_usage":true}"#, ""), ("", "x-tollgate-include-cost: true\r\n"),
    ])
    func `a stream says it inside its usage object, to whoever asks`(options: String, headers: String) async throws {
        let gateway = try await gateway { $0.send(Answers.stream()) }
        let body = TestGateway.chat(#","stream":true"# + options)
        let text = try gateway.ask(TestGateway.request(body, headers: headers)).text
        let cost =
            #","tollgate_cost":"\#(Self.amount)","tollgate_cost_currency":"USD","tollgate_cost_basis":"final"}"#
        #expect(text.contains(cost), "\(text)")
        #expect(text.hasSuffix("data: [DONE]\n\n"))
        await gateway.stop()
    }

    @Test func `a stream that did not ask is not told`() async throws {
        let gateway = try await gateway { $0.send(Answers.stream()) }
        let text = try gateway.ask(TestGateway.request(TestGateway.streamed)).text
        #expect(!text.contains("tollgate_cost"))
        await gateway.stop()
    }

    @Test func `what has no price is not told a cost`() async throws {
        let engine = try ScriptedEngine()
        let gateway = try await TestGateway(engine: engine)
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).header("x-tollgate-cost") == nil)
        await gateway.stop()
    }
}
