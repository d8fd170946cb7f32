import Engines
import Metering
import Synchronization
import Testing

@testable import Gateway

/// One request, several backends: `first` is always tried first, `second` when it fails.
@Suite(.timeLimit(.minutes(10))) struct FallbackTests {
    static func snapshot(
        _ ports: [Int], weights: [Int64] = [1, 0], concurrentMax: Int? = nil, contexts: [Int64?] = [nil, nil, nil],
        rules: RoutingRules = RoutingRules()
    ) -> GatewaySnapshot {
        let routes = zip(ports, weights).enumerated().map { index, route in
            var settings = BackendSettings()
            settings.concurrentRequestsMax = concurrentMax
            settings.contextTokensMax = contexts[index]
            let name = ["first", "second", "third"][index]
            return ModelRoute(
                backend: Backend(
                    name: name, isTLS: false, host: "127.0.0.1", port: route.0, basePath: "", apiKey: "key-\(name)",
                    settings: settings),
                upstreamName: "model-at-\(name)", weight: route.1)
        }
        let model = CatalogueModel(
            publicName: "small", aliases: [], routes: routes, routing: rules, priceKey: "price-small",
            contextTokensMax: 4096, outputTokensMax: 1024, tenantsAllowed: nil, createdAtSeconds: 0)
        return GatewaySnapshot(
            change: 1, keys: TestGateway.snapshot(port: 1).keys, catalogue: ModelCatalogue(models: [model]))
    }

    /// A gateway before two engines: `first` does as told, `second` answers.
    private func gateway(
        first: @escaping ScriptedEngine.Script,
        second: @escaping ScriptedEngine.Script = { socket, request in
            let isStream = request.text.contains(#""stream":true"#)
            socket.send(isStream ? Answers.stream() : Answers.plain())
        }, rules: RoutingRules = RoutingRules(), configure: (inout GatewayConfiguration) -> Void = { _ in }
    ) async throws -> (gateway: TestGateway, first: ScriptedEngine, second: ScriptedEngine) {
        let engines = (try ScriptedEngine(first), try ScriptedEngine(second))
        let gateway = try await TestGateway(
            engine: engines.0, snapshot: Self.snapshot([engines.0.port, engines.1.port], rules: rules),
            configure: configure)
        return (gateway, engines.0, engines.1)
    }

    @Test(arguments: [
        "503 Service Unavailable", "429 Too Many Requests", "500 Oops", "404 Not Found", "401 Unauthorized",
    ])
    func `what is the backend's fault is tried at the next, and both tries are recorded`(status: String) async throws {
        let (gateway, first, second) = try await gateway(first: { socket, _ in
            socket.send(Answers.plain(status: status, body: #"{"error":{"message":"no"}}"#))
        })
        let answer = try gateway.ask(TestGateway.request(TestGateway.chat()))
        #expect(answer.status == 200 && answer.text.contains("SECRET-ANSWER"))
        let entry = try gateway.record()
        #expect(entry.request.outcome == .success && entry.request.httpStatus == 200)
        #expect(entry.attempts.map(\.backend) == ["first", "second"] && entry.attempts.map(\.number) == [1, 2])
        #expect(entry.attempts.map(\.isDelivered) == [false, true])
        #expect(entry.attempts.map(\.upstreamStatus) == [Int32(status.prefix(3)), 200])
        #expect(entry.attempts[0].termination == .upstreamError && entry.attempts[0].usageSource == .nothing)
        #expect(entry.attempts[0].marks.end != nil && entry.attempts[1].marks.upstreamSent != nil)
        #expect(entry.attempts[1].upstreamModel == "model-at-second" && entry.attempts[1].buckets.outputTotal == 3)
        #expect(Set(entry.attempts.map(\.id)).count == 2)
        #expect(first.requests.count == 1 && second.requests.count == 1)
        #expect(
            second.requests[0].text.contains("SECRET-PROMPT") && second.requests[0].text.contains("model-at-second"))
        #expect(gateway.metricsText.contains("tollgate_fallbacks_total 1"))
        await gateway.stop()
        second.close()
    }

    @Test func `a prompt too long for a backend goes to one that takes it`() async throws {
        let engines = (try ScriptedEngine(), try ScriptedEngine())
        let gateway = try await TestGateway(
            engine: engines.0,
            snapshot: Self.snapshot([engines.0.port, engines.1.port], contexts: [1_000, 100_000, nil]))
        // An eighth of its bytes are tokens in any case: 1,000 of 8,000, and what the answer may have.
        let long = String(repeating: "long ", count: 1_600)
        for (text, tokens, backend) in [("short", 10, "first"), (long, 10, "second"), ("short", 1_001, "second")] {
            let body = #"{"model":"small","max_tokens":\#(tokens),"messages":[{"role":"user","content":"\#(text)"}]}"#
            let answer = try gateway.ask(TestGateway.request(body))
            #expect(answer.header("x-tollgate-backend") == backend)
        }
        await gateway.stop()
        engines.1.close()
    }

    @Test func `a gateway that dies in a later try leaves a record of all tries`() async throws {
        let (gateway, _, second) = try await gateway(
            first: { socket, _ in socket.send(Answers.plain(status: "503 Busy", body: #"{"error":"no"}"#)) },
            second: { socket, _ in
                socket.send(Answers.streamHead + Answers.chunk(Answers.event(delta: #"{"content":"x"}"#)))
                pause(milliseconds: 3000)
            }, configure: { $0.times.progressMilliseconds = 100 })
        let client = try gateway.connect()
        client.send(TestGateway.request(TestGateway.streamed))
        let end = now() + 8000
        while now() < end, try gateway.progress.count < 2 { pause(milliseconds: 10) }
        let lost = try gateway.lostIfKilledNow()
        let entry = try #require(lost.first)
        #expect(lost.count == 1 && entry.request.outcome == .gatewayLost)
        #expect(entry.attempts.map(\.backend) == ["first", "second"] && entry.attempts.map(\.number) == [1, 2])
        #expect(entry.attempts.map(\.termination) == [.upstreamError, .gatewayLost])
        #expect(entry.attempts[0].upstreamStatus == 503 && !entry.attempts[0].isDelivered)
        #expect(entry.attempts[1].upstreamModel == "model-at-second" && entry.attempts[1].contentEvents == 1)
        client.close()
        await gateway.stop()
        second.close()
    }

    @Test(arguments: [
        (contexts: [1_000, 100_000], tries: 2), ([100_000, 1_000], 1), ([nil, nil], 1), ([nil, 100_000], 2),
        ([1_000, nil], 2),
    ])
    func `a request too long for an engine is tried where there may be more room`(
        contexts: [Int64?], tries: Int
    ) async throws {
        let tooLong = #"{"error":{"message":"This model's maximum context length is 10 tokens.","code":400}}"#
        let engines = (
            try ScriptedEngine { socket, _ in socket.send(Answers.plain(status: "400 Bad", body: tooLong)) },
            try ScriptedEngine()
        )
        let gateway = try await TestGateway(
            engine: engines.0, snapshot: Self.snapshot([engines.0.port, engines.1.port], contexts: contexts))
        let answer = try gateway.ask(TestGateway.request(TestGateway.chat()))
        #expect(answer.status == (tries == 2 ? 200 : 400))
        let entry = try gateway.record()
        #expect(entry.attempts.count == tries && entry.request.outcome == (tries == 2 ? .success : .clientError))
        #expect(gateway.metricsText.contains(#"tollgate_backend_tries_total{backend="first",outcome="success"} 1"#))
        await gateway.stop()
        engines.1.close()
    }

    @Test(arguments: ["400 Bad Request", "422 Unprocessable", "413 Too Large"])
    func `a client's mistake is not tried again`(status: String) async throws {
        let (gateway, _, second) = try await gateway(first: { socket, _ in
            socket.send(Answers.plain(status: status, body: #"{"error":{"message":"your fault"}}"#))
        })
        let answer = try gateway.ask(TestGateway.request(TestGateway.chat()))
        #expect(answer.status == Int(status.prefix(3)) && answer.text.contains("your fault"))
        #expect(try gateway.record().attempts.map(\.backend) == ["first"] && second.requests.isEmpty)
        #expect(gateway.metricsText.contains(#"tollgate_backend_up{backend="first"} 1"#))
        await gateway.stop()
        second.close()
    }

    @Test(arguments: [
        #"{"error":{"message":"your fault","code":400}}"#,
        #"{"error":{"message":"your fault","type":"invalid_request_error","code":"400"}}"#,
        #"{"error":{"message":"your fault","code":422,"metadata":{"provider_name":"x"}}}"#,
    ])
    func `a client's mistake that comes with status 200 is an error to the client`(body: String) async throws {
        let (gateway, _, second) = try await gateway(first: { socket, _ in socket.send(Answers.plain(body: body)) })
        let answer = try gateway.ask(TestGateway.request(TestGateway.chat()))
        #expect(answer.status == 400 && answer.text.contains("your fault"))
        #expect(!answer.text.contains("x-tollgate-tier"))
        let entry = try gateway.record()
        #expect(entry.request.httpStatus == 400 && entry.request.outcome == .clientError)
        #expect(entry.attempts.map(\.upstreamStatus) == [200] && entry.attempts[0].usageSource == .nothing)
        #expect(second.requests.isEmpty)
        await gateway.stop()
        second.close()
    }

    @Test func `the client is told of the last engine's refusal when all refuse`() async throws {
        let (gateway, _, second) = try await gateway(
            first: { socket, _ in socket.send(Answers.plain(status: "503 Busy", body: #"{"error":"first"}"#)) },
            second: { socket, _ in socket.send(Answers.plain(status: "429 Slow", body: #"{"error":"second"}"#)) })
        let answer = try gateway.ask(TestGateway.request(TestGateway.chat()))
        #expect(answer.status == 503 && answer.text.contains("upstream_overloaded"))
        #expect(!answer.text.contains("second"))
        let entry = try gateway.record()
        #expect(entry.attempts.count == 2 && entry.request.outcome == .providerError)
        #expect(entry.attempts.allSatisfy { $0.usageSource == .nothing })
        await gateway.stop()
        second.close()
    }

    @Test func `an engine that cannot be reached costs no request`() async throws {
        let gone = try ScriptedEngine()
        gone.close()
        let second = try ScriptedEngine()
        let gateway = try await TestGateway(engine: gone, snapshot: Self.snapshot([gone.port, second.port]))
        for _ in 0..<8 { #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 200) }
        let entries = try gateway.records(8)
        // Five in a row opened the breaker; after that nobody goes there.
        #expect(entries.map(\.attempts.count) == [2, 2, 2, 2, 2, 1, 1, 1])
        #expect(gateway.metricsText.contains(#"tollgate_backend_up{backend="first"} 0"#))
        #expect(gateway.metricsText.contains(#"tollgate_backend_breaker_state{backend="first"} 2"#))
        #expect(gateway.metricsText.contains(#"tollgate_backend_tries_total{backend="first",outcome="failure"} 5"#))
        await gateway.stop()
        second.close()
    }

    @Test func `an engine that does not begin to answer in time is passed over`() async throws {
        let (gateway, _, second) = try await gateway(
            first: { _, _ in pause(milliseconds: 2000) }, configure: { $0.times.firstByteMilliseconds = 200 })
        let answer = try gateway.ask(TestGateway.request(TestGateway.streamed))
        #expect(answer.status == 200 && answer.text.hasSuffix("data: [DONE]\n\n"))
        let entry = try gateway.record()
        #expect(entry.attempts.map(\.termination) == [.timeout, .complete])
        #expect(entry.attempts.map(\.isDelivered) == [false, true])
        await gateway.stop()
        second.close()
    }

    @Test(arguments: [true, false])
    func `a stream that breaks before its first byte is asked for elsewhere`(isError: Bool) async throws {
        let (gateway, _, second) = try await gateway(first: { socket, _ in
            let error = "data: {\"error\":{\"message\":\"out of memory\",\"code\":500}}\n\n"
            socket.send(Answers.streamHead + (isError ? Answers.chunk(error) : ""))
            pause(milliseconds: 30)
            socket.close()
        })
        let answer = try gateway.ask(TestGateway.request(TestGateway.streamed))
        #expect(answer.isComplete && answer.text.hasSuffix("data: [DONE]\n\n") && !answer.text.contains("memory"))
        let entry = try gateway.record()
        #expect(entry.attempts.map(\.backend) == ["first", "second"] && entry.request.outcome == .success)
        #expect(entry.attempts[1].contentEvents == 3)
        await gateway.stop()
        second.close()
    }

    @Test(arguments: ["reset", "end", "cut"])
    func `a stream that breaks after nothing but a role is asked for elsewhere`(how: String) async throws {
        let (gateway, _, second) = try await gateway(first: { socket, _ in
            let role = #"data: {"id":"first","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#
            socket.send(Answers.streamHead + Answers.chunk(role + "\n\n"))
            pause(milliseconds: 30)
            switch how {
            case "end": socket.send("0\r\n\r\n")
            case "cut": socket.send("5\r\nda")
            default: break
            }
            socket.close()
        })
        let answer = try gateway.ask(TestGateway.request(TestGateway.streamed))
        #expect(answer.isComplete && answer.text.hasSuffix("data: [DONE]\n\n") && !answer.text.contains("first"))
        let entry = try gateway.record()
        #expect(entry.attempts.map(\.backend) == ["first", "second"] && entry.request.outcome == .success)
        await gateway.stop()
        second.close()
    }

    @Test(arguments: [
        #"{"error":{"message":"out of memory","code":500}}"#,
        #"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"error"}]}"#,
        #"{"object":"error","message":"out of memory","type":"InternalServerError","code":500}"#,
    ])
    func `a stream that fails before its first content is asked for elsewhere`(error: String) async throws {
        let (gateway, _, second) = try await gateway(first: { socket, _ in
            socket.send(Answers.streamHead + Answers.chunk(": keep-alive\n\n"))
            pause(milliseconds: 30)
            socket.send(Answers.chunk(Answers.streamEvents()[0]))
            pause(milliseconds: 30)
            socket.send(Answers.chunk("data: \(error)\n\n") + Answers.chunk("data: [DONE]\n\n") + "0\r\n\r\n")
        })
        let answer = try gateway.ask(TestGateway.request(TestGateway.streamed))
        #expect(answer.isComplete && answer.text.hasSuffix("data: [DONE]\n\n"))
        #expect(!answer.text.contains("memory") && !answer.text.contains("keep-alive"))
        let entry = try gateway.record()
        #expect(entry.attempts.map(\.backend) == ["first", "second"] && entry.request.outcome == .success)
        #expect(entry.attempts[0].usageSource == .nothing && entry.attempts[1].contentEvents == 3)
        await gateway.stop()
        second.close()
    }

    @Test func `what comes before the first content waits no longer than it may`() async throws {
        let (gateway, _, second) = try await gateway(
            first: { socket, _ in
                socket.send(Answers.streamHead + Answers.chunk(": keep-alive\n\n"))
                pause(milliseconds: 1500)
                socket.send(Answers.streamEvents().map(Answers.chunk).joined() + "0\r\n\r\n")
            }, configure: { $0.times.beginningMilliseconds = 100 })
        let client = try gateway.connect()
        client.send(TestGateway.request(TestGateway.streamed))
        #expect(client.receive(milliseconds: 1300))
        client.close()
        await gateway.stop()
        second.close()
    }

    @Test func `once a byte has gone out, no other engine is asked`() async throws {
        let (gateway, _, second) = try await gateway(first: { socket, _ in
            socket.send(Answers.streamHead + Answers.chunk(Answers.streamEvents()[1]))
            pause(milliseconds: 30)
            socket.reset()
        })
        let answer = try gateway.ask(TestGateway.request(TestGateway.streamed))
        #expect(!answer.isComplete && answer.text.contains("upstream_broken"))
        #expect(try gateway.record().attempts.map(\.backend) == ["first"] && second.requests.isEmpty)
        await gateway.stop()
        second.close()
    }

    @Test func `a model with one try has no second`() async throws {
        var rules = RoutingRules()
        rules.triesMax = 1
        let (gateway, _, second) = try await gateway(
            first: { socket, _ in socket.send(Answers.plain(status: "503 Busy", body: "{}")) }, rules: rules)
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 503)
        #expect(second.requests.isEmpty)
        await gateway.stop()
        second.close()
    }

    @Test func `a failing engine is left alone, then asked by one request, then used again`() async throws {
        let (gateway, first, second) = try await gateway(first: { socket, _ in
            socket.send(Answers.plain(status: "500 Oops", body: "{}"))
        })
        for _ in 0..<9 { #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 200) }
        #expect(first.requests.count == 5 && second.requests.count == 9)
        first.setScript { socket, _ in socket.send(Answers.plain()) }
        for _ in 0..<500 where first.requests.count == 5 {
            pause(milliseconds: 20)
            #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 200)
        }
        let elsewhere = second.requests.count
        for _ in 0..<2 { #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 200) }
        #expect(first.requests.count == 8 && second.requests.count == elsewhere)
        #expect(gateway.metricsText.contains(#"tollgate_backend_up{backend="first"} 1"#))
        await gateway.stop()
        second.close()
    }

    @Test func `an engine that says when to come again is left alone until then`() async throws {
        let (gateway, first, second) = try await gateway(first: { socket, _ in
            socket.send(Answers.plain(status: "429 Slow", body: "{}", headers: "retry-after: 1\r\n"))
        })
        for _ in 0..<4 { #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 200) }
        #expect(first.requests.count == 1)
        #expect(gateway.metricsText.contains(#"tollgate_backend_breaker_state{backend="first"} 3"#))
        pause(milliseconds: 1100)
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 200)
        #expect(first.requests.count == 2)
        await gateway.stop()
        second.close()
    }

    @Test(arguments: [TestGateway.key, TestGateway.otherKey])
    func `engines that are full are not asked, and who fills them is owed nothing for it`(key: String) async throws {
        let mayAnswer = Gate()
        let engine = try ScriptedEngine { socket, _ in
            mayAnswer.wait()
            socket.send(Answers.plain())
        }
        let gateway = try await TestGateway(
            engine: engine, snapshot: Self.snapshot([engine.port], weights: [1], concurrentMax: 1))
        let running = try gateway.connect()
        running.send(TestGateway.request(TestGateway.chat()))
        while engine.requests.isEmpty { pause(milliseconds: 5) }
        let refused = try gateway.ask(TestGateway.request(TestGateway.chat(), key: key))
        #expect(refused.status == 503 && refused.text.contains("backends_busy"))
        let record = try gateway.record().request
        #expect(record.outcome == (key == TestGateway.key ? .clientError : .providerError))
        #expect(record.reason == "backends_busy")
        mayAnswer.open()
        #expect(running.readMessage()?.status == 200)
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 200)
        await gateway.stop()
    }

    @Test func `an engine killed under load costs no request that had no byte`() async throws {
        let seen = Seen()
        let (gateway, first, second) = try await gateway(first: { socket, _ in
            pause(milliseconds: 5)
            if seen.isKilled.load(ordering: .relaxed) { socket.reset() } else { socket.send(Answers.plain()) }
        })
        await withTaskGroup { group in
            for _ in 0..<8 {
                group.addTask {
                    for number in 0..<25 {
                        let status = (try? gateway.ask(TestGateway.request(TestGateway.chat())).status) ?? 0
                        seen.statuses.withLock { $0.append(status) }
                        if number == 8, !seen.isKilled.exchange(true, ordering: .relaxed) {
                            first.close()
                        }
                    }
                }
            }
        }
        #expect(seen.statuses.withLock { $0.count == 200 && $0.allSatisfy { $0 == 200 } })
        let entries = try gateway.records(200)
        #expect(entries.count == 200 && entries.allSatisfy { $0.request.outcome == .success })
        #expect(entries.allSatisfy { $0.attempts.filter(\.isDelivered).count == 1 })
        #expect(entries.contains { $0.attempts.count == 2 })
        await gateway.stop()
        second.close()
    }
}

/// What several threads of a test see.
private final class Seen: Sendable {
    let statuses = Mutex<[Int]>([])
    let isKilled = Atomic<Bool>(false)
}
