import Engines
import Metering
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(10))) struct SurfaceTests {
    @Test(arguments: [
        ("/v1/messages", #"{"type":"error","error":{"type":"authentication_error""#, ""),
        ("/v1/responses", #"{"error":{"message":""#, ""),
        ("/v1/chat/completions", #"{"error":{"message":""#, ""),
    ])
    func `an error comes in the dialect in which was asked`(path: String, start: String, type: String) async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        let answer = try gateway.ask(TestGateway.request("{}", path: path, key: nil))
        #expect(answer.status == 401)
        #expect(answer.text.hasPrefix(start), "\(answer.text)")
        await gateway.stop()
    }

    @Test func `every envelope says the message`() {
        let error = APIError.modelNotFound("x\"y")
        for envelope in [ErrorEnvelope.openAI, .anthropic, .google, .aws, .tgi, .triton, .problem] {
            let text = String(decoding: envelope.body(of: error), as: UTF8.self)
            #expect(text.contains(#"The model 'x\"y' does not exist"#), "\(envelope): \(text)")
            #expect(text.hasPrefix("{") && text.hasSuffix("}"))
        }
        #expect(ErrorEnvelope.aws.header(of: error)?.value == "ResourceNotFoundException")
        #expect(ErrorEnvelope.problem.contentType == "application/problem+json")
    }

    @Test(arguments: ["x-api-key: sk-test-abc", "api-key: sk-test-abc", "x-goog-api-key: sk-test-abc"])
    func `a key is taken from wherever a dialect puts it, and goes no further`(header: String) async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        let request = TestGateway.request(TestGateway.chat(), key: nil, headers: header + "\r\n")
        #expect(try gateway.ask(request).status == 200)
        let seen = gateway.engine.requests[0]
        #expect(seen.header("authorization") == "Bearer engine-key")
        #expect(!seen.headers.contains { $0.value == "sk-test-abc" })
        await gateway.stop()
    }

    @Test func `a key in the query opens the gateway and is not shown to the engine`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        let path = "/v1/chat/completions?key=sk-test-abc&alt=sse"
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat(), path: path, key: nil)).status == 200)
        #expect(gateway.engine.requests[0].startLine == "POST /base/v1/chat/completions HTTP/1.1")
        await gateway.stop()
    }

    @Test func `an answer says who served it, in which tier and what the gateway took`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        let answer = try gateway.ask(TestGateway.request(TestGateway.chat()))
        #expect(answer.header("x-tollgate-backend") == "scripted")
        #expect(answer.header("x-tollgate-tier") == "standard")
        let overhead = try #require(answer.header("x-tollgate-overhead-us").flatMap { Int($0) })
        #expect(overhead > 0)
        await gateway.stop()
    }

    @Test func `a path below engines that no engine has is not found`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        let unknown = try gateway.ask(TestGateway.request("{}", path: "/engines/none/generate"))
        #expect(unknown.status == 404)
        #expect(unknown.text.contains(#""error_type":"engine_not_found""#))
        let nothing = try gateway.ask(TestGateway.request("{}", path: "/engines/scripted/none"))
        #expect(nothing.status == 404)
        #expect(nothing.text.contains("unknown_url"))
        #expect(gateway.engine.requests.isEmpty)
        await gateway.stop()
    }

    @Test(
        arguments: [
            ("/generate", #""error_type":"invalid_api_key""#), ("/v2/models/m/generate", #"{"error":"#),
            ("/v1/predictions", #""title":"invalid_api_key""#),
            ("/v1beta/models/m:generateContent", #""status":"UNAUTHENTICATED""#),
            ("/v1beta/models/m:batchEmbedContents", #""status":"UNAUTHENTICATED""#),
            ("/model/m/converse", #""code":"invalid_api_key""#),
            ("/endpoints/e/invocations", #""code":"invalid_api_key""#),
            ("/v1/chat/completions", #""type":"authentication_error""#),
        ])
    func `a wrong key below engines is refused in the path's own form, whether the backend exists or not`(
        path: String, expected: String
    ) async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine(), kind: .tgi)
        var texts: Set<String> = []
        for backend in ["scripted", "none"] {
            let answer = try gateway.ask(
                TestGateway.request("{}", path: "/engines/\(backend)\(path)", key: "sk-wrong"))
            #expect(answer.status == 401 && answer.text.contains(expected))
            if path.hasPrefix("/model/") {
                #expect(answer.header("x-amzn-errortype") == "AccessDeniedException")
            }
            texts.insert(answer.text)
        }
        #expect(texts.count == 1)
        await gateway.stop()
    }

    @Test func `an answer compressed against our wish is unpacked and metered`() async throws {
        let packed = try #require(Compressed.gzip(Array(Answers.plainBody().utf8)))
        let engine = try ScriptedEngine { socket, _ in
            socket.send(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\n"
                    + "content-length: \(packed.count)\r\n\r\n")
            socket.send(packed)
        }
        let gateway = try await TestGateway(engine: engine)
        let answer = try gateway.ask(TestGateway.request(TestGateway.chat()))
        #expect(answer.text == Answers.plainBody())
        #expect(answer.header("content-encoding") == nil)
        let attempt = try gateway.record().attempts[0]
        #expect(attempt.usageSource == .engine)
        #expect(attempt.buckets.inputTotal == 11)
        await gateway.stop()
    }

    @Test func `a compressed answer that breaks off is an error and not billed`() async throws {
        let packed = try #require(Compressed.gzip(Array(Answers.plainBody().utf8))).dropLast(20)
        let engine = try ScriptedEngine { socket, _ in
            socket.send(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\n"
                    + "content-length: \(packed.count)\r\n\r\n")
            socket.send(Array(packed))
        }
        let gateway = try await TestGateway(engine: engine)
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 502)
        #expect(try gateway.record().attempts[0].isDelivered == false)
        await gateway.stop()
    }

    @Test func `a response that failed is read by its client and is the engine's failure`() async throws {
        let events = [
            #"event: response.created"# + "\n" + #"data: {"type":"response.created","response":{"id":"r"}}"# + "\n\n",
            #"event: response.failed"# + "\n"
                + #"data: {"type":"response.failed","response":{"id":"r","status":"failed","error":{"code":"x"},"#
                + #""usage":null}}"# + "\n\n",
        ]
        let engine = try ScriptedEngine { socket, _ in socket.send(Answers.stream(events)) }
        let gateway = try await TestGateway(engine: engine, kind: .openAI)
        let body = #"{"model":"small","input":"hello","stream":true}"#
        let answer = try gateway.ask(TestGateway.request(body, path: "/v1/responses"))
        let neutral =
            #"{"code":"upstream_error","message":"The engine behind this model failed on this request. Try again."}"#
        #expect(answer.text == events.joined().replacing(#"{"code":"x"}"#, with: neutral))
        let entry = try gateway.record()
        #expect(entry.request.outcome == .providerError)
        #expect(entry.attempts[0].termination == .upstreamError)
        await gateway.stop()
    }
}
