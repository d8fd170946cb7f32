import Identity
import Metering
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(10))) struct HTTPTests {
    @Test func `headers pass both ways that belong to neither one connection nor to the gateway`() async throws {
        let engine = try ScriptedEngine { socket, _ in
            socket.send(
                Answers.plain(
                    headers:
                        "openai-version: 1\r\nconnection: keep-alive, request-id\r\nrequest-id: 1\r\n"
                        + "keep-alive: timeout=5\r\nx-request-id: engines-own\r\n"
                        + "set-cookie: a=1\r\nset-cookie: b=2\r\n"))
        }
        let gateway = try await TestGateway(engine: engine)
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        let headers =
            "Accept-Encoding: gzip\r\nConnection: keep-alive, User-Agent\r\nUser-Agent: 1\r\nTE: trailers\r\n"
            + "Accept: kept\r\ntraceparent: \(trace)\r\nX-Request-Id: clients-own\r\nx-api-key: secret\r\n"
        let answer = try gateway.ask(TestGateway.request(TestGateway.chat(), headers: headers))
        let request = engine.requests[0]
        #expect(request.startLine == "POST /base/v1/chat/completions HTTP/1.1")
        #expect(request.header("host") == "127.0.0.1:\(engine.port)")
        #expect(request.header("authorization") == "Bearer engine-key")
        #expect(request.header("accept-encoding") == "identity")
        #expect(request.header("accept") == "kept")
        #expect(request.header("traceparent") == trace)
        #expect(request.headers.filter { $0.name.lowercased() == "content-length" }.count == 1)
        for name in ["user-agent", "te", "x-api-key", "connection"] { #expect(request.header(name) == nil, "\(name)") }
        let id = try gateway.record().request.id.description
        #expect(request.header("x-request-id") == id)
        #expect(answer.header("x-request-id") == id)
        #expect(answer.headers.filter { $0.name.lowercased() == "x-request-id" }.count == 1)
        #expect(answer.header("openai-version") == "1")
        #expect(answer.header("set-cookie") == nil)
        for name in ["request-id", "keep-alive", "connection"] { #expect(answer.header(name) == nil, "\(name)") }
        await gateway.stop()
    }

    @Test func `a connection serves many requests, also when they are sent ahead`() async throws {
        let engine = try ScriptedEngine { socket, request in
            socket.send(request.text.contains("stream") ? Answers.stream() : Answers.plain())
        }
        let gateway = try await TestGateway(engine: engine)
        let socket = try gateway.connect()
        let plain = TestGateway.request(TestGateway.chat())
        let streamed = TestGateway.request(TestGateway.streamed)
        socket.send(plain + streamed + "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n" + TestGateway.request("{") + plain)
        #expect(socket.readMessage()?.text == Answers.plainBody())
        #expect(socket.readMessage()?.text == Answers.streamEvents(usage: nil).joined())
        #expect(socket.readMessage()?.text == #"{"status":"ok"}"#)
        #expect(socket.readMessage()?.status == 400)
        #expect(socket.readMessage()?.text == Answers.plainBody())
        #expect(try gateway.records(3).count == 3)
        #expect(engine.connectionCount == 1)
        await gateway.stop()
    }

    @Test func `a body in chunks is read like any other`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        let body = TestGateway.chat()
        let head =
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \(TestGateway.key)\r\n"
            + "transfer-encoding: chunked\r\n\r\n"
        let chunks = Answers.chunk(String(body.prefix(10))) + Answers.chunk(String(body.dropFirst(10))) + "0\r\n\r\n"
        #expect(try gateway.ask(head + chunks).status == 200)
        #expect(gateway.engine.requests[0].text.hasSuffix(String(body.dropFirst(20))))
        await gateway.stop()
    }

    @Test func `expect 100-continue is answered before the body, or refused in its place`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        let body = TestGateway.chat()
        func head(_ key: String) -> String {
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \(key)\r\n"
                + "expect: 100-continue\r\ncontent-length: \(body.utf8.count)\r\n\r\n"
        }
        let socket = try gateway.connect()
        socket.send(head(TestGateway.key))
        #expect(socket.readHead()?.status == 100)
        socket.send(body)
        #expect(socket.readMessage()?.status == 200)
        let refused = try gateway.connect()
        refused.send(head("wrong"))
        #expect(refused.readMessage()?.status == 401)
        #expect(refused.isClosedByPeer(within: 5000))
        await gateway.stop()
    }

    @Test func `HEAD and OPTIONS are answered without a body`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        let socket = try gateway.connect()
        socket.send("HEAD /healthz HTTP/1.1\r\nhost: x\r\n\r\nOPTIONS /v1/chat/completions HTTP/1.1\r\nhost: x\r\n\r\n")
        let head = try #require(socket.readMessage(isHead: true))
        #expect(head.status == 200)
        #expect(head.header("content-length") == "15")
        let options = try #require(socket.readMessage())
        #expect(options.status == 204)
        #expect(options.header("allow") == "POST, OPTIONS")
        await gateway.stop()
    }

    @Test func `HTTP 1.0 gets no chunks and a closed connection`() async throws {
        let engine = try ScriptedEngine { socket, _ in socket.send(Answers.stream()) }
        let gateway = try await TestGateway(engine: engine)
        let request = TestGateway.request(TestGateway.streamed).replacing("HTTP/1.1", with: "HTTP/1.0")
        let answer = try gateway.ask(request)
        #expect(answer.header("transfer-encoding") == nil)
        #expect(answer.text == Answers.streamEvents(usage: nil).joined())
        await gateway.stop()
    }

    @Test func `connection close is honoured after the answer`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        let socket = try gateway.connect()
        socket.send(TestGateway.request(TestGateway.chat(), headers: "connection: close\r\n"))
        let answer = try #require(socket.readMessage())
        #expect(answer.header("connection") == "close")
        #expect(answer.isComplete)
        #expect(socket.isClosedByPeer(within: 5000))
        await gateway.stop()
    }

    @Test func `an engine that closes after its answer is connected to again`() async throws {
        let engine = try ScriptedEngine { socket, _ in
            socket.send(Answers.plain(headers: "connection: close\r\n"))
            socket.close()
        }
        let gateway = try await TestGateway(engine: engine)
        for _ in 0..<3 { #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 200) }
        #expect(engine.connectionCount == 3)
        await gateway.stop()
    }

    @Test func `an answer that ends with its connection is whole`() async throws {
        let engine = try ScriptedEngine { socket, _ in
            socket.send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n" + Answers.plainBody())
            socket.close()
        }
        let gateway = try await TestGateway(engine: engine)
        let answer = try gateway.ask(TestGateway.request(TestGateway.chat()))
        #expect(answer.text == Answers.plainBody())
        #expect(answer.header("content-length") == String(Answers.plainBody().utf8.count))
        #expect(try gateway.record().attempts[0].buckets.outputTotal == 3)
        await gateway.stop()
    }

    @Test func `completions and embeddings are metered too`() async throws {
        let engine = try ScriptedEngine { socket, request in
            let isEmbedding = request.startLine.contains("embeddings")
            socket.send(
                Answers.plain(
                    body: isEmbedding
                        ? #"{"object":"list","data":[{"embedding":[0.5,1e-3]}],"model":"e","#
                            + #""usage":{"prompt_tokens":6,"total_tokens":6}}"#
                        : #"{"id":"cmpl-1","choices":[{"text":"x","finish_reason":"length"}],\#(Answers.usage)}"#))
        }
        let gateway = try await TestGateway(engine: engine)
        _ = try gateway.ask(TestGateway.request(#"{"model":"small","prompt":["a","b"]}"#, path: "/v1/completions"))
        _ = try gateway.ask(TestGateway.request(#"{"model":"small","input":"abc"}"#, path: "/v1/embeddings?x=1"))
        let entries = try gateway.records(2)
        #expect(entries.map(\.request.operation) == [.textCompletion, .embeddings])
        #expect(entries[0].attempts[0].finishReason == "length")
        #expect(entries[1].attempts[0].buckets == TokenBuckets(inputUncached: 6))
        #expect(entries[1].attempts[0].usageComplete)
        #expect(engine.requests[1].startLine == "POST /base/v1/embeddings HTTP/1.1")
        await gateway.stop()
    }

    @Test(arguments: [1, 2, 3]) func `a stream in any pieces is the same stream`(seed: UInt64) async throws {
        let events = Answers.streamEvents(tokens: 20)
        let bytes = Array(Answers.stream(events).utf8)
        let engine = try ScriptedEngine { socket, _ in
            var state = seed
            var rest = bytes[...]
            while !rest.isEmpty {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                let count = min(rest.count, Int(state >> 33) % 200 + 1)
                socket.send(rest.prefix(count))
                rest = rest.dropFirst(count)
                if state >> 60 == 0 { pause(milliseconds: 1) }
            }
        }
        let gateway = try await TestGateway(engine: engine)
        let answer = try gateway.ask(TestGateway.request(TestGateway.streamed))
        #expect(answer.text == Answers.streamEvents(tokens: 20, usage: nil).joined())
        #expect(try gateway.record().attempts[0].contentEvents == 20)
        await gateway.stop()
    }
}
