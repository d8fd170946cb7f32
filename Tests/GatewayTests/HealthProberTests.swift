import Engines
import Synchronization
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(10))) struct HealthProberTests {
    /// A gateway before an engine that fails until `isUp`, after so many failures that its breaker is open.
    private func broken(
        kind: EngineKind, settings: BackendSettings = TestGateway.keepingNames,
        _ body: (TestGateway, _ setUp: () -> Void) throws -> Void
    ) async throws {
        let isUp = Mutex(false)
        let engine = try ScriptedEngine { socket, _ in
            let status = isUp.withLock { $0 } ? "200 OK" : "503 Unavailable"
            socket.send(Answers.plain(status: status, body: "{}"))
        }
        let gateway = try await TestGateway(
            engine: engine, snapshot: TestGateway.snapshot(port: engine.port, kind: kind, settings: settings))
        for _ in 0..<5 { _ = try gateway.ask(TestGateway.request(TestGateway.chat())) }
        #expect(gateway.metricsText.contains(Self.up + "0"))
        try body(gateway) { isUp.withLock { $0 = true } }
        await gateway.stop()
    }

    private static let up = #"tollgate_backend_up{backend="scripted"} "#

    private func waits(_ gateway: TestGateway) -> Bool {
        for _ in 0..<800 where !gateway.metricsText.contains(Self.up + "1") { pause(milliseconds: 10) }
        return gateway.metricsText.contains(Self.up + "1")
    }

    @Test(arguments: [
        (EngineKind.vllm, nil as String?, "/health"), (.triton, nil, "/v2/health/ready"),
        (.openAICompatible, nil, "/base/v1/models"), (.openAI, "/status", "/status"),
    ])
    func `a backend that is back is up again without a request`(
        kind: EngineKind, probe: String?, path: String
    ) async throws {
        var settings = TestGateway.keepingNames
        settings.probePath = probe
        settings.probeSeconds = 1
        // Triton speaks no chat; it is the path alone that differs.
        let speaking = kind == .triton ? EngineKind.vllm : kind
        if kind == .triton { settings.probePath = "/v2/health/ready" }
        try await broken(kind: speaking, settings: settings) { (gateway: TestGateway, setUp: () -> Void) throws in
            setUp()
            #expect(waits(gateway))
            let probe = try #require(gateway.engine.requests.last)
            #expect(probe.startLine == "GET \(path) HTTP/1.1")
            #expect(probe.header("authorization") == "Bearer engine-key")
        }
    }

    @Test(arguments: [(EngineKind.openAI, nil as String?), (.vllm, "off")])
    func `paid services are not asked unless a path is set, and nobody who says off`(
        kind: EngineKind, probe: String?
    ) async throws {
        var settings = TestGateway.keepingNames
        settings.probePath = probe
        settings.probeSeconds = 1
        try await broken(kind: kind, settings: settings) { (gateway: TestGateway, setUp: () -> Void) throws in
            setUp()
            pause(milliseconds: 4000)
            #expect(gateway.metricsText.contains(Self.up + "0"))
            #expect(gateway.engine.requests.allSatisfy { $0.startLine.hasPrefix("POST") })
        }
    }
}
