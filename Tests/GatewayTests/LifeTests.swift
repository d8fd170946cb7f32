import Identity
import Metering
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(10))) struct LifeTests {
    @Test func `draining lets the running finish and refuses the new`() async throws {
        let engine = try ScriptedEngine { socket, _ in
            pause(milliseconds: 300)
            socket.send(Answers.plain())
        }
        let gateway = try await TestGateway(engine: engine)
        let socket = try gateway.connect()
        socket.send(TestGateway.request(TestGateway.chat()))
        while engine.requests.isEmpty { pause(milliseconds: 5) }
        gateway.server.beginDraining()
        #expect(try gateway.ask("GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n").status == 503)
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 503)
        let answer = try #require(socket.readMessage())
        #expect(answer.status == 200)
        #expect(await gateway.server.drain(deadline: .seconds(60)) == 0)
        await gateway.stop()
    }

    @Test func `stopping cuts what runs and records it as lost`() async throws {
        let engine = try ScriptedEngine { socket, _ in
            socket.send(Answers.streamHead + Answers.chunk(Answers.streamEvents()[1]))
            _ = socket.isClosedByPeer(within: 5000)
        }
        let gateway = try await TestGateway(engine: engine)
        let socket = try gateway.connect()
        socket.send(TestGateway.request(TestGateway.streamed))
        _ = socket.readHead()
        _ = socket.readChunk()
        await gateway.stop()
        let entry = try #require(try gateway.closes.first)
        #expect(entry.attempts[0].termination == .gatewayLost)
        #expect(entry.request.outcome == .gatewayLost)
        #expect(entry.attempts[0].contentEvents == 1)
    }

    @Test func `no text of a prompt or an answer is in the journal, the log or the metrics`() async throws {
        let engine = try ScriptedEngine { socket, request in
            if request.text.contains("fail") { return socket.send(String(Answers.plain().dropLast(9))).ignored(socket) }
            socket.send(request.text.contains("stream") ? Answers.stream() : Answers.plain())
        }
        let gateway = try await TestGateway(engine: engine)
        for extra in [
            "", #","stream":true"#, #","service_tier":"nope""#, #","user":"fail""#, #","stream":true,"user":"fail""#,
        ] {
            _ = try gateway.ask(TestGateway.request(TestGateway.chat(extra)))
        }
        _ = try gateway.ask(TestGateway.request(#"{"model":"small","messages":[{"content":"SECRET-PROMPT"}"#))
        #expect(try gateway.records(4).count == 4)
        let metrics = gateway.metricsText
        await gateway.stop()
        let journal = gateway.journalBytes
        #expect(!journal.isEmpty)
        for canary in ["SECRET-PROMPT", "SECRET-ANSWER", TestGateway.key, "engine-key"] {
            #expect(journal.firstRange(of: Array(canary.utf8)) == nil, "\(canary)")
            #expect(!gateway.logLines.text.contains(canary))
            #expect(!metrics.contains(canary))
        }
    }

    @Test func `metrics tell tokens, times and refusals`() async throws {
        let engine = try ScriptedEngine { socket, request in
            socket.send(request.text.contains("stream") ? Answers.stream() : Answers.plain())
        }
        let gateway = try await TestGateway(engine: engine)
        _ = try gateway.ask(TestGateway.request(TestGateway.chat()))
        _ = try gateway.ask(TestGateway.request(TestGateway.streamed))
        _ = try gateway.ask(TestGateway.request(TestGateway.chat(), key: nil))
        let text = gateway.metricsText
        let labels =
            #"gen_ai_operation_name="chat",gen_ai_provider_name="openai-compatible",gen_ai_request_model="small","#
            + #"backend="scripted""#
        #expect(text.contains(#"gen_ai_client_token_usage_sum{\#(labels),gen_ai_token_type="input"} 22"#))
        #expect(text.contains(#"gen_ai_client_token_usage_sum{\#(labels),gen_ai_token_type="output"} 6"#))
        #expect(text.contains("gen_ai_server_request_duration_seconds_count{\(labels),error_type=\"\"} 2"))
        for (name, count) in [("input", 22), ("cache_read_input", 8), ("output", 6), ("reasoning_output", 2)] {
            let line = "gen_ai_client_inference_usage_\(name)_tokens_total{\(labels),gen_ai_token_modality=\"text\"}"
            #expect(text.contains("\(line) \(count)"), "\(text)")
        }
        #expect(text.contains("gen_ai_server_time_to_first_token_seconds_count{\(labels)} 1"))
        #expect(text.contains(#"tollgate_refusals_total{reason="missing_api_key"} 1"#))
        #expect(text.contains("tollgate_journal_wait_seconds_count 2"))
        #expect(text.contains("tollgate_open_requests 0"))
        await gateway.stop()
    }

    @Test func `requests of many connections at once are each recorded once`() async throws {
        let engine = try ScriptedEngine { socket, request in
            socket.send(request.text.contains("stream") ? Answers.stream() : Answers.plain())
        }
        let gateway = try await TestGateway(engine: engine, configure: { $0.eventLoopCount = 2 })
        let sockets = try (0..<40).map { _ in try gateway.connect() }
        var ids: Set<String> = []
        for round in 0..<5 {
            for (index, socket) in sockets.enumerated() {
                socket.send(
                    TestGateway.request((index + round).isMultiple(of: 2) ? TestGateway.chat() : TestGateway.streamed))
            }
            for socket in sockets {
                let answer = try #require(socket.readMessage())
                #expect(answer.isComplete)
                ids.insert(answer.header("x-request-id") ?? "")
            }
        }
        let entries = try gateway.records(200)
        #expect(entries.count == 200)
        #expect(Set(entries.map(\.request.id.description)) == ids)
        #expect(
            entries.allSatisfy { $0.attempts[0].termination == .complete && $0.attempts[0].buckets.outputTotal == 3 })
        await gateway.stop()
    }
}

extension Bool {
    /// Closes after an answer cut short.
    fileprivate func ignored(_ socket: Socket) { socket.close() }
}
