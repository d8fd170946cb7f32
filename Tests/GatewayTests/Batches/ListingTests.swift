import Synchronization
import Testing

@testable import Engines
@testable import Gateway

/// Listings where one of several backends does not do its part.
@Suite(.timeLimit(.minutes(10))) struct ListingTests {
    private func get(_ path: String) -> String {
        "GET \(path) HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer \(TestGateway.key)\r\ncontent-length: 0\r\n\r\n"
    }

    private func upload() -> String {
        let line =
            #"{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"small","messages":[]}}"#
        let body =
            "--xx\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n"
            + "--xx\r\ncontent-disposition: form-data; name=\"file\"; filename=\"mine.jsonl\"\r\n\r\n"
            + "\(line)\r\n--xx--\r\n"
        return "POST /v1/files HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer \(TestGateway.key)\r\n"
            + "content-type: multipart/form-data; boundary=xx\r\ncontent-length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    /// A gateway with a backend that works and one that does not, which stands before or after it by its name.
    private func gateway(_ service: BatchService, beside bad: ScriptedEngine, named name: String) async throws
        -> TestGateway
    {
        let secret = Array("a secret of the installation".utf8)
        let good = TestGateway.snapshot(port: service.engine.port, sealingSecret: secret)
        let backend = Backend(
            name: name, isTLS: false, host: "127.0.0.1", port: bad.port, basePath: "/base", apiKey: "engine-key",
            hardware: "h100x8", quantisation: "fp8", kind: .openAICompatible, settings: BackendSettings())
        let other = CatalogueModel(
            publicName: "other", aliases: [], backend: backend, upstreamName: "other", priceKey: "other",
            contextTokensMax: 4096, outputTokensMax: 1024, tenantsAllowed: nil, createdAtSeconds: 1_700_000_000)
        let small = try #require(good.catalogue.model(named: "small"))
        let models = name < "scripted" ? [other, small] : [small, other]
        let snapshot = GatewaySnapshot(
            change: 1, keys: good.keys, catalogue: ModelCatalogue(models: models), prices: good.prices,
            limits: good.limits, tokenizers: good.tokenizers, sealingSecret: secret)
        return try await TestGateway(engine: service.engine, snapshot: snapshot)
    }

    private static let rubbish: [@Sendable (Socket) -> Void] = [
        { $0.send(Answers.plain(body: "<html>")) },
        { $0.send(Answers.plain(body: #"{"data":7}"#)) },
        { $0.send(Answers.plain(status: "500 X")) },
        { $0.send(Answers.plain(status: "401 X")) },
        { $0.send(Answers.plain(status: "400 X")) },
        { $0.close() },
    ]

    @Test(arguments: Array(rubbish.indices), ["a-bad", "z-bad"])
    func `a backend that answers rubbish is left out, and the others' rows are served`(
        kind: Int, name: String
    ) async throws {
        let service = try BatchService()
        let answer = Self.rubbish[kind]
        let gateway = try await gateway(service, beside: ScriptedEngine { socket, _ in answer(socket) }, named: name)
        #expect(try gateway.ask(upload()).status == 200)
        for _ in 0..<2 {
            let files = try gateway.ask(get("/v1/files"))
            #expect(files.status == 200)
            #expect(try JSONObjectText(reading: files.body).elements("data")?.count == 1)
            #expect(files.header("x-tollgate-unavailable-backends") == name)
            let batches = try gateway.ask(get("/v1/batches"))
            #expect(batches.status == 200)
        }
        if kind != 4 {
            #expect(gateway.metricsText.contains(#"tollgate_listings_left_out_total{backend="\#(name)"} 4"#))
        }
        await gateway.stop()
    }

    @Test func `a backend without files and batches is no reason to tell anything`() async throws {
        let service = try BatchService()
        let bad = try ScriptedEngine { socket, _ in socket.send(Answers.plain(status: "404 X")) }
        let gateway = try await gateway(service, beside: bad, named: "a-bad")
        let files = try gateway.ask(get("/v1/files"))
        #expect(files.status == 200)
        #expect(files.header("x-tollgate-unavailable-backends") == nil)
        await gateway.stop()
    }

    @Test func `where no backend answers the client is told so`() async throws {
        let service = try BatchService()
        let bad = try ScriptedEngine { socket, _ in socket.close() }
        let gateway = try await gateway(service, beside: bad, named: "a-bad")
        service.state.withLock { $0.isDown = true }
        #expect(try gateway.ask(get("/v1/files")).status == 502)
        await gateway.stop()
    }
}
