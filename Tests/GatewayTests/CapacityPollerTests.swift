import Engines
import Metering
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(10))) struct CapacityPollerTests {
    /// An engine that has so many requests waiting.
    private func engine(queued: Int, isChunked: Bool) throws -> ScriptedEngine {
        try ScriptedEngine { socket, request in
            guard request.startLine.hasPrefix("GET /metrics ") else { return _ = socket.send(Answers.plain()) }
            let text = "# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting{engine=\"0\"} \(queued).0\n"
            socket.send(
                isChunked
                    ? "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\(Answers.chunk(text))0\r\n\r\n"
                    : "HTTP/1.1 200 OK\r\ncontent-length: \(text.utf8.count)\r\n\r\n\(text)")
        }
    }

    @Test func `an engine whose own metrics say that work waits is asked after one that is free`() async throws {
        let engines = [try engine(queued: 3, isChunked: true), try engine(queued: 0, isChunked: false)]
        var settings = BackendSettings()
        settings.readsMetrics = true
        let routes = zip(["busy", "free"], engines).map { name, engine in
            ModelRoute(
                backend: Backend(
                    name: name, isTLS: false, host: "127.0.0.1", port: engine.port, basePath: "", apiKey: "key",
                    kind: .vllm, settings: settings),
                upstreamName: "model")
        }
        let model = CatalogueModel(
            publicName: "small", aliases: [], routes: routes, priceKey: "price-small", contextTokensMax: 4096,
            outputTokensMax: 1024, tenantsAllowed: nil, createdAtSeconds: 0)
        let gateway = try await TestGateway(
            engine: engines[0],
            snapshot: GatewaySnapshot(
                change: 1, keys: TestGateway.snapshot(port: 1).keys, catalogue: ModelCatalogue(models: [model])))
        for _ in 0..<500 where !gateway.metricsText.contains(#"tollgate_backend_queued{backend="free"} 0"#) {
            pause(milliseconds: 10)
        }
        for _ in 0..<500 where !gateway.metricsText.contains(#"tollgate_backend_queued{backend="busy"} 3"#) {
            pause(milliseconds: 10)
        }
        for _ in 0..<8 { #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 200) }
        #expect(Set(try gateway.records(8).map { $0.attempts[0].backend }) == ["free"])
        let asked = try #require(engines[0].requests.first { $0.startLine.hasPrefix("GET ") })
        #expect(asked.header("authorization") == "Bearer key")
        await gateway.stop()
        engines[1].close()
    }
}
