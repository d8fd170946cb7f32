import Engines
import Metering
import Testing

@testable import Gateway

/// What reaches an engine, and what reaches a client: nothing but what was understood.
@Suite(.timeLimit(.minutes(10))) struct ForwardingTests {
    private static let strays =
        "cookie: session=1\r\nx-http-method-override: DELETE\r\nx-data-parallel-rank: 3\r\nrange: bytes=0-1\r\n"
        + "if-none-match: x\r\nx-goog-fieldmask: candidates\r\nx-goog-user-project: other\r\nopenai-project: p\r\n"
        + "x-forwarded-for: 1.2.3.4\r\nx-api-key: c\r\nproxy-authorization: c\r\nx-amz-target: y\r\n"
        + "x-amzn-bedrock-service-tier: priority\r\nanthropic-beta: fast-mode-2026-02-01\r\n"
        + "inference-header-content-length: 1\r\nuser-agent: test\r\ntraceparent: 00-a-b-01\r\n"

    @Test(arguments: [EngineKind.openAICompatible, .vllm, .openAI, .groq])
    func `headers that the dialect does not name stay behind`(kind: EngineKind) async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine(), kind: kind)
        let request = TestGateway.request(TestGateway.chat(), headers: Self.strays)
        #expect(try gateway.ask(request).status == 200)
        let names = gateway.engine.requests[0].headers.map { $0.name.lowercased() }.sorted()
        #expect(
            names == [
                "accept-encoding", "authorization", "content-length", "content-type", "host", "traceparent",
                "user-agent", "x-request-id",
            ])
        await gateway.stop()
    }

    @Test func `of betas only those that change no price go on`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine(), kind: .anthropic)
        let body = #"{"model":"small","max_tokens":5,"messages":[]}"#
        let headers =
            "anthropic-version: 2023-01-01\r\nanthropic-beta: fast-mode-2026-02-01, interleaved-thinking-2025-05-14\r\n"
            + "anthropic-beta: files-api-2025-04-14,effort-2025-11-24\r\n"
        _ = try gateway.ask(TestGateway.request(body, path: "/v1/messages?beta=true&%6bey=x", headers: headers))
        let seen = gateway.engine.requests[0]
        #expect(seen.startLine == "POST /base/v1/messages?beta=true HTTP/1.1")
        let betas = seen.headers.filter { $0.name == "anthropic-beta" }.map(\.value)
        #expect(betas == ["interleaved-thinking-2025-05-14,effort-2025-11-24"])
        #expect(seen.headers.filter { $0.name == "anthropic-version" }.map(\.value) == ["2023-06-01"])
        await gateway.stop()
    }

    @Test(arguments: [
        (["standard", "files-api-2025-04-14"], "files-api-2025-04-14,effort-2025-11-24"),
        (["fast-mode-2026-02-01"], "fast-mode-2026-02-01"), (["standard"], "effort-2025-11-24"), ([], nil),
    ])
    func `a backend's own list of betas takes the place of its dialect's`(own: [String], passed: String?) async throws {
        var settings = BackendSettings()
        settings.anthropicBetas = own
        let engine = try ScriptedEngine()
        let gateway = try await TestGateway(
            engine: engine, snapshot: TestGateway.snapshot(port: engine.port, kind: .anthropic, settings: settings))
        let headers = "anthropic-beta: fast-mode-2026-02-01, files-api-2025-04-14,effort-2025-11-24\r\n"
        let body = #"{"model":"small","max_tokens":5,"messages":[]}"#
        _ = try gateway.ask(TestGateway.request(body, path: "/v1/messages", headers: headers))
        #expect(gateway.engine.requests[0].header("anthropic-beta") == passed)
        await gateway.stop()
    }

    @Test func `a tier that Bedrock's header names is the tier asked for`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine(), kind: .bedrock)
        let path = "/engines/scripted/model/small/invoke"
        func ask(_ header: String, _ body: String = #"{"prompt":"x"}"#) throws -> HTTPMessage {
            try gateway.ask(TestGateway.request(body, path: path, headers: header + "\r\n"))
        }
        #expect(try ask("X-Amzn-Bedrock-Service-Tier: priority").status == 200)
        #expect(gateway.engine.requests[0].header("x-amzn-bedrock-service-tier") == "priority")
        #expect(try gateway.record().request.tierRequested == "priority")
        // The plan sells standard and priority.
        let refused = try ask("x-amzn-bedrock-service-tier: flex")
        #expect((400..<404).contains(refused.status))
        #expect(try ask("x-amzn-bedrock-service-tier: default\r\nx-amzn-bedrock-service-tier: priority").status == 400)
        #expect(try ask("x-amzn-bedrock-performanceconfig-latency: optimized").status == 400)
        #expect(gateway.engine.requests.count == 1)
        await gateway.stop()
    }

    @Test func `an alias in path and body of embeddings reaches the engine as its own name`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine(), kind: .gemini)
        let path = "/engines/scripted/v1beta/models/small-latest:batchEmbedContents"
        func ask(_ models: [String]) throws -> HTTPMessage {
            let entries = models.map { #"{"model":"models/\#($0)","content":{"parts":[{"text":"a"}]}}"# }
            return try gateway.ask(
                TestGateway.request(#"{"requests":[\#(entries.joined(separator: ","))]}"#, path: path))
        }
        #expect(try ask(["small-latest", "small-latest"]).status == 200)
        let sent = gateway.engine.requests[0].text
        #expect(sent.ranges(of: #""model":"models/engine-small""#).count == 2 && !sent.contains("small-latest"))
        for other in ["other", "engine-small", "small"] {
            #expect(try ask(["small-latest", other]).status == 400)
        }
        #expect(gateway.engine.requests.count == 1)
        await gateway.stop()
    }

    @Test(arguments: ["target-model", "target-variant", "inference-component", "target-container-hostname"])
    func `another model or variant than the endpoint's is not to be had by a header`(name: String) async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine(), kind: .sageMaker)
        let request = TestGateway.request(
            #"{"inputs":"x"}"#, path: "/engines/scripted/endpoints/small/invocations",
            headers: "X-Amzn-SageMaker-\(name): other\r\n")
        let answer = try gateway.ask(request)
        #expect(answer.status == 400)
        #expect(answer.text.contains("header_not_available"))
        #expect(gateway.engine.requests.isEmpty)
        await gateway.stop()
    }

    @Test(
        arguments: [
            (.replicate, "GET /engines/scripted/v1/streams/../../../../etc/passwd"),
            (.replicate, "GET /engines/scripted/v1/predictions/..%2faccount"),
            (.gemini, "POST /engines/scripted/../../x/models/small:generateContent"),
            (.triton, "POST /engines/scripted/v2/models/small/versions/..%2f..%2fother/generate"),
            (.bedrock, "POST /engines/scripted/model/small/..%2f..%2fagents/invoke"),
            (.tgi, "POST /engines/scripted//generate"),
        ] as [(EngineKind, String)])
    func `paths that lead elsewhere are unknown, and no engine sees them`(kind: EngineKind, line: String) async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine(), kind: kind)
        let answer = try gateway.ask(
            "\(line) HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \(TestGateway.key)\r\ncontent-length: 2\r\n\r\n{}")
        #expect(answer.status == 404)
        #expect(gateway.engine.requests.isEmpty)
        await gateway.stop()
    }

    @Test func `of an engine's headers clients see what the answer needs`() async throws {
        let engine = try ScriptedEngine { socket, _ in
            socket.send(
                Answers.plain(
                    headers: "location: http://engine/\r\nset-cookie: a=1\r\nset-cookie2: b\r\nalt-svc: h3\r\n"
                        + "server: uvicorn\r\nx-powered-by: x\r\nopenai-organization: seller\r\nvia: 1.1 x\r\n"
                        + "x-ratelimit-remaining-tokens: 5\r\nrefresh: 0\r\nstrict-transport-security: x\r\n"
                        + "openai-processing-ms: 12\r\nretry-after: 3\r\nx-tollgate-cost: 0\r\n"))
        }
        let gateway = try await TestGateway(engine: engine)
        let names = Set(try gateway.ask(TestGateway.request(TestGateway.chat())).headers.map { $0.name.lowercased() })
        #expect(
            names.subtracting(["x-tollgate-backend", "x-tollgate-tier", "x-tollgate-overhead-us"]) == [
                "content-type", "content-length", "openai-processing-ms", "retry-after", "x-request-id",
            ])
        await gateway.stop()
    }
}
