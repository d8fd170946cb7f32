import Engines
import Metering
import Synchronization
import Testing

@testable import Gateway

/// One backend that hangs keeps nothing of another's waiting.
@Suite(.timeLimit(.minutes(10))) struct HangingBackendTests {
    private static let id = "resp_0123456789abcdef"

    private static func engine(hangs: Bool) throws -> ScriptedEngine {
        try ScriptedEngine { socket, request in
            guard request.startLine.hasPrefix("POST") else {
                if hangs { return pause(milliseconds: 20_000) }
                let usage = #"{"input_tokens":100,"output_tokens":4619,"total_tokens":4719}"#
                socket.send(
                    Answers.plain(body: #"{"id":"\#(id)","status":"completed","output":[],"usage":\#(usage)}"#))
                return
            }
            let delta = #"data: {"type":"response.output_text.delta","output_index":0,"delta":"word "}"# + "\n\n"
            let created =
                #"data: {"type":"response.created","response":{"id":"\#(id)","status":"in_progress"}}"# + "\n\n"
            socket.send(Answers.streamHead + Answers.chunk(created) + Answers.chunk(delta))
        }
    }

    @Test func `left streams of another backend are looked at all the same`() async throws {
        let hanging = try Self.engine(hangs: true)
        let engine = try Self.engine(hangs: false)
        let one = TestGateway.snapshot(port: engine.port, sealingSecret: [1, 2, 3])
        let backend = Backend(
            name: "hanging", isTLS: false, host: "127.0.0.1", port: hanging.port, basePath: "", apiKey: nil,
            kind: .openAICompatible, settings: TestGateway.keepingNames)
        let slow = CatalogueModel(
            publicName: "slow", aliases: [], backend: backend, upstreamName: "slow", priceKey: "price-slow",
            contextTokensMax: 4096, outputTokensMax: 1024, tenantsAllowed: nil, createdAtSeconds: 1_700_000_000)
        let snapshot = GatewaySnapshot(
            change: 1, keys: one.keys, catalogue: ModelCatalogue(models: one.catalogue.models + [slow]),
            prices: one.prices, limits: one.limits, tokenizers: [:], sealingSecret: [1, 2, 3])
        let gateway = try await TestGateway(engine: engine, snapshot: snapshot)
        func leave(_ model: String) throws {
            let socket = try gateway.connect()
            socket.send(
                TestGateway.request(#"{"model":"\#(model)","stream":true,"input":"a"}"#, path: "/v1/responses"))
            while !String(decoding: socket.received, as: UTF8.self).contains("word "), socket.receive() {}
            socket.close()
        }
        for _ in 0..<6 { try leave("slow") }
        // As many as are asked after at once hang by now.
        for _ in 0..<500 where hanging.requests.count < 10 { pause(milliseconds: 10) }
        try leave("small")
        let entry = try gateway.record(seconds: 10)
        #expect(entry.attempts.map(\.backend) == ["scripted"])
        #expect(entry.attempts.map(\.buckets.outputTotal) == [4619])
        await gateway.stop()
        hanging.close()
    }
}
