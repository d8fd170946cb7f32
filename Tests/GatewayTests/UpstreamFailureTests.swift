import Identity
import Metering
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(10))) struct UpstreamFailureTests {
    @Test(arguments: Array(0..<7), [true, false])
    func `an engine that breaks off after any chunk gives an incomplete stream and one record`(
        after: Int, isReset: Bool
    ) async throws {
        let events = Answers.streamEvents()
        let engine = try ScriptedEngine { socket, _ in
            socket.send(Answers.streamHead + events[..<min(after, events.count)].map(Answers.chunk).joined())
            pause(milliseconds: 30)
            if isReset { socket.reset() } else { socket.close() }
        }
        let gateway = try await TestGateway(engine: engine)
        let answer = try gateway.ask(TestGateway.request(TestGateway.streamed))
        let entry = try gateway.record()
        let attempt = entry.attempts[0]
        #expect(answer.status == 200)
        if after == events.count {
            #expect(answer.text.hasSuffix("data: [DONE]\n\n"))
            #expect(attempt.termination == .complete)
        } else {
            #expect(!answer.isComplete)
            #expect(!answer.text.contains("[DONE]"))
            #expect(answer.text.contains(#""code":"upstream_broken""#))
            #expect(attempt.termination == .upstreamError)
            #expect(entry.request.outcome == .providerError)
            #expect(entry.request.reason == "upstream_broken")
            #expect(attempt.contentEvents == Int64(min(3, max(0, after - 1))))
            // What breaks before the first word costs nothing.
            #expect(attempt.usageSource == (after <= 1 ? .nothing : after == 6 ? .engine : .estimated))
            #expect(attempt.isDelivered)
        }
        await gateway.stop()
    }

    @Test func `a stream that ends properly without finishing is incomplete`() async throws {
        let engine = try ScriptedEngine { socket, _ in
            socket.send(Answers.streamHead + Answers.chunk(Answers.streamEvents()[1]) + "0\r\n\r\n")
        }
        let gateway = try await TestGateway(engine: engine)
        let answer = try gateway.ask(TestGateway.request(TestGateway.streamed))
        #expect(!answer.isComplete)
        #expect(answer.text.contains("stream_incomplete"))
        #expect(try gateway.record().attempts[0].termination == .upstreamError)
        await gateway.stop()
    }

    @Test func `a finished stream without a terminator is complete, without usage estimated`() async throws {
        let events = Answers.streamEvents(usage: nil).dropLast()
        let engine = try ScriptedEngine { socket, _ in socket.send(Answers.stream(Array(events))) }
        let gateway = try await TestGateway(engine: engine)
        let answer = try gateway.ask(TestGateway.request(TestGateway.streamed))
        #expect(answer.isComplete)
        let attempt = try gateway.record().attempts[0]
        #expect(attempt.termination == .complete)
        #expect(attempt.usageSource == .estimated)
        #expect(!attempt.usageComplete)
        #expect(attempt.buckets.outputVisible == 3)
        await gateway.stop()
    }

    @Test func `an error inside a stream is told in neutral words and is the provider's fault`() async throws {
        let error = "data: {\"error\":{\"message\":\"out of memory\",\"code\":500}}\n\n"
        let engine = try ScriptedEngine { socket, _ in
            socket.send(Answers.stream([Answers.streamEvents()[1], error, "data: [DONE]\n\n"]))
        }
        let gateway = try await TestGateway(engine: engine)
        let answer = try gateway.ask(TestGateway.request(TestGateway.streamed))
        #expect(!answer.text.contains("memory") && !answer.text.contains("[DONE]"))
        #expect(answer.text.hasSuffix("\n\n") && answer.text.contains(#""code":"upstream_error""#))
        #expect(!answer.isComplete)
        let entry = try gateway.record()
        #expect(entry.request.outcome == .providerError)
        #expect(entry.request.reason == "stream_error")
        #expect(entry.attempts[0].termination == .upstreamError)
        #expect(entry.attempts[0].contentEvents == 1)
        await gateway.stop()
    }

    @Test(arguments: [
        "content-encoding: br\r\n", "content-encoding: zstd\r\n", "Content-Encoding: gzip, br\r\n",
        "content-encoding: gzip\r\ncontent-encoding: gzip\r\n", "content-encoding: compress\r\n",
        "content-encoding: identity, x\r\n",
    ])
    func `an answer that cannot be read reaches nobody unmetered`(header: String) async throws {
        let engine = try ScriptedEngine { socket, _ in socket.send(Answers.plain(headers: header)) }
        let gateway = try await TestGateway(engine: engine)
        let answer = try gateway.ask(TestGateway.request(TestGateway.chat()))
        #expect(answer.status == 502 && !answer.text.contains("SECRET-ANSWER"))
        let entry = try gateway.record()
        #expect(entry.request.outcome == .providerError && entry.attempts[0].termination == .upstreamError)
        #expect(engine.requests[0].header("accept-encoding") == "identity")
        await gateway.stop()
    }

    @Test(arguments: ["content-encoding: identity\r\n", "content-encoding: \r\n"])
    func `an answer that says that it is not packed is read`(header: String) async throws {
        let engine = try ScriptedEngine { socket, _ in socket.send(Answers.plain(headers: header)) }
        let gateway = try await TestGateway(engine: engine)
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 200)
        #expect(try gateway.record().attempts[0].usageSource == .engine)
        await gateway.stop()
    }

    @Test(arguments: [400, 409, 422, 413, 418])
    func `a client's own mistake passes in the engine's words`(status: Int) async throws {
        let body = #"{"error":{"message":"engine says \(status)"}}"#
        let engine = try ScriptedEngine { socket, _ in
            socket.send(Answers.plain(status: "\(status) Whatever", body: body))
        }
        let gateway = try await TestGateway(engine: engine)
        let answer = try gateway.ask(TestGateway.request(TestGateway.streamed))
        #expect(answer.status == status)
        #expect(answer.text == body)
        let entry = try gateway.record()
        #expect(entry.request.outcome == .clientError && entry.request.reason == "engine_rejected")
        #expect(entry.request.httpStatus == Int32(status))
        #expect(entry.attempts[0].usageSource == .nothing)
        await gateway.stop()
    }

    @Test(arguments: [
        (401, 502), (402, 503), (403, 502), (404, 501), (405, 501), (407, 502), (408, 504), (424, 502), (429, 503),
        (498, 503), (500, 502), (503, 503), (504, 504), (529, 503), (302, 501),
    ])
    func `what is not the client's mistake is told in neutral words`(status: Int, told: Int) async throws {
        let secret = "arn:aws:x engine-key SECRET"
        let body = #"{"error":{"message":"\#(secret)"}}"#
        let engine = try ScriptedEngine { socket, _ in
            socket.send(Answers.plain(status: "\(status) Whatever", body: body, headers: "retry-after: 7\r\n"))
        }
        let gateway = try await TestGateway(engine: engine)
        let answer = try gateway.ask(TestGateway.request(TestGateway.streamed))
        #expect(answer.status == told)
        #expect(!answer.text.contains("SECRET") && !answer.text.contains("engine-key"))
        #expect(answer.header("retry-after") == (told == 503 ? "7" : nil))
        let entry = try gateway.record()
        // Of a form that the model was never seen to answer nobody can tell whose fault it is, nor of a 403 that does
        // not name the key.
        #expect(entry.request.outcome == ([403, 404, 405].contains(status) ? .clientError : .providerError))
        #expect(entry.request.httpStatus == Int32(told) && entry.request.reason.hasPrefix("upstream_"))
        #expect(entry.attempts[0].upstreamStatus == Int32(status))
        #expect(entry.attempts[0].usageSource == .nothing && entry.attempts[0].buckets == TokenBuckets())
        #expect(!entry.attempts[0].isDelivered)
        await gateway.stop()
    }

    @Test func `a client's mistake is told without our key, host and name of the model`() async throws {
        let engine = try ScriptedEngine { socket, _ in
            let message = "engine-small at http://127.0.0.1:1/v1 with engine-key rejects the field x"
            socket.send(Answers.plain(status: "400 Bad", body: #"{"error":{"message":"\#(message)"}}"#))
        }
        let gateway = try await TestGateway(engine: engine)
        let answer = try gateway.ask(TestGateway.request(TestGateway.chat()))
        #expect(
            answer.text == #"{"error":{"message":"small at [redacted] with [redacted] rejects the field x"}}"#)
        #expect(answer.isComplete)
        await gateway.stop()
    }

    @Test(arguments: [
        ("text/html", "<html>nginx at 10.0.0.1</html>"), ("application/json", String(repeating: "x", count: 100_000)),
    ])
    func `a mistake told in a page or at length is told in our words`(type: String, body: String) async throws {
        let engine = try ScriptedEngine { socket, _ in
            socket.send(
                "HTTP/1.1 400 Bad\r\ncontent-type: \(type)\r\ncontent-length: \(body.utf8.count)\r\n\r\n\(body)")
        }
        let gateway = try await TestGateway(engine: engine)
        let answer = try gateway.ask(TestGateway.request(TestGateway.chat()))
        #expect(answer.status == 400 && answer.text.contains(#""code":"engine_rejected""#))
        #expect(try gateway.record().request.outcome == .clientError)
        await gateway.stop()
    }

    @Test func `an engine that refuses the gateway's own key is not the client's fault`() async throws {
        let engine = try ScriptedEngine { socket, _ in socket.send(Answers.plain(status: "401 No", body: "{}")) }
        let gateway = try await TestGateway(engine: engine)
        let answer = try gateway.ask(TestGateway.request(TestGateway.chat()))
        #expect(answer.status == 502)
        #expect(answer.text.contains("upstream_unauthorized"))
        #expect(try gateway.record().request.outcome == .providerError)
        await gateway.stop()
    }

    @Test func `an engine that cannot be reached is a 502 on record`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine(), port: 1)
        let answer = try gateway.ask(TestGateway.request(TestGateway.chat()))
        #expect(answer.status == 502)
        #expect(answer.text.contains("upstream_unavailable"))
        let entry = try gateway.record()
        #expect(answer.header("x-request-id") == entry.request.id.description)
        #expect(entry.request.outcome == .providerError)
        #expect(entry.attempts[0].upstreamStatus == 0)
        #expect(entry.attempts[0].usageSource == .nothing)
        #expect(!entry.attempts[0].isDelivered)
        await gateway.stop()
    }

    @Test func `a plain answer that breaks off is a 502 and not billed`() async throws {
        let engine = try ScriptedEngine { socket, _ in
            socket.send(String(Answers.plain().dropLast(20)))
            socket.close()
        }
        let gateway = try await TestGateway(engine: engine)
        let answer = try gateway.ask(TestGateway.request(TestGateway.chat()))
        #expect(answer.status == 502)
        #expect(answer.text.contains("upstream_broken"))
        let entry = try gateway.record()
        #expect(entry.request.httpStatus == 502)
        #expect(entry.attempts[0].termination == .upstreamError)
        #expect(!entry.attempts[0].isDelivered)
        await gateway.stop()
    }

    @Test func `a large plain answer that breaks off is visibly incomplete`() async throws {
        let engine = try ScriptedEngine { socket, _ in
            socket.send("HTTP/1.1 200 OK\r\ncontent-length: 2400000\r\n\r\n" + String(repeating: " ", count: 1_200_000))
            pause(milliseconds: 50)
            socket.close()
        }
        let gateway = try await TestGateway(engine: engine)
        let answer = try gateway.ask(TestGateway.request(TestGateway.chat()))
        #expect(answer.status == 200)
        #expect(!answer.isComplete)
        #expect(try gateway.record().request.outcome == .providerError)
        await gateway.stop()
    }

    @Test func `bytes that are no HTTP are a 502`() async throws {
        let engine = try ScriptedEngine { socket, _ in socket.send("SMTP hello\r\n\r\n") }
        let gateway = try await TestGateway(engine: engine)
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 502)
        #expect(try gateway.record().attempts[0].termination == .upstreamError)
        await gateway.stop()
    }

    @Test func `a kept connection that turns out stale is replaced once, unseen by the client`() async throws {
        let engine = try ScriptedEngine()
        let gateway = try await TestGateway(engine: engine)
        let socket = try gateway.connect()
        socket.send(TestGateway.request(TestGateway.chat()))
        #expect(socket.readMessage()?.status == 200)
        // The next request on the kept connection is met by a close; one on a new connection is answered.
        engine.setScript { socket, _ in
            engine.setScript { socket, _ in socket.send(Answers.plain()) }
            socket.close()
        }
        socket.send(TestGateway.request(TestGateway.chat()))
        #expect(socket.readMessage()?.status == 200)
        #expect(engine.connectionCount == 2)
        #expect(try gateway.records(2).count == 2)
        #expect(gateway.metricsText.contains("tollgate_upstream_retries_total 1"))
        await gateway.stop()
    }

    @Test func `a new connection that closes without an answer is not tried again`() async throws {
        let engine = try ScriptedEngine { socket, _ in socket.close() }
        let gateway = try await TestGateway(engine: engine)
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 502)
        #expect(engine.requests.count == 1)
        await gateway.stop()
    }

    @Test func `engines that keep silent run into the gateway's times`() async throws {
        let engine = try ScriptedEngine { socket, request in
            if request.text.contains("stream") {
                socket.send(Answers.streamHead + Answers.chunk(Answers.streamEvents()[1]))
            }
            _ = socket.isClosedByPeer(within: 5000)
        }
        let gateway = try await TestGateway(
            engine: engine,
            configure: {
                $0.times.firstByteMilliseconds = 200
                $0.times.answerIdleMilliseconds = 200
            })
        let plain = try gateway.ask(TestGateway.request(TestGateway.chat()))
        #expect(plain.status == 504)
        #expect(plain.text.contains("upstream_timeout"))
        let streamed = try gateway.ask(TestGateway.request(TestGateway.streamed))
        #expect(!streamed.isComplete)
        #expect(streamed.text.contains("upstream_timeout"))
        let entries = try gateway.records(2)
        #expect(entries.allSatisfy { $0.attempts[0].termination == .timeout && $0.request.outcome == .providerError })
        #expect(entries[1].attempts[0].buckets.outputVisible == 1)
        await gateway.stop()
    }

    @Test func `a request has a total time`() async throws {
        let engine = try ScriptedEngine { socket, _ in
            socket.send(Answers.streamHead)
            while socket.send(Answers.chunk(Answers.streamEvents()[1])) { pause(milliseconds: 20) }
        }
        let gateway = try await TestGateway(engine: engine, configure: { $0.times.totalMilliseconds = 400 })
        let answer = try gateway.ask(TestGateway.request(TestGateway.streamed))
        #expect(answer.text.contains("request_timeout"))
        #expect(try gateway.record().attempts[0].termination == .timeout)
        await gateway.stop()
    }

    @Test func `an answer larger than allowed is cut and says so`() async throws {
        let engine = try ScriptedEngine { socket, _ in
            socket.send(Answers.streamHead)
            while socket.send(Answers.chunk(Answers.streamEvents()[1])) {}
        }
        let gateway = try await TestGateway(engine: engine, configure: { $0.limits.answerBytes = 20_000 })
        let answer = try gateway.ask(TestGateway.request(TestGateway.streamed))
        #expect(!answer.isComplete)
        #expect(answer.text.contains("answer_too_large"))
        #expect(try gateway.record().attempts[0].termination == .limitReached)
        await gateway.stop()
    }

    /// Found by a reader from outside: embeddings asked of a chat model earned credits and opened its breaker.
    @Test(
        arguments: [
            ("403 Forbidden", #"{"error":{"message":"You are not allowed to generate embeddings from this model"}}"#),
            ("404 Not Found", #"{"error":{"message":"This is not a text model","code":"model_not_found"}}"#),
            ("405 Method Not Allowed", "{}"),
        ], ["/v1/embeddings", "/v1/responses", "/v1/images/generations"])
    func `a form of requests that a model never answered is its client's choice once others were`(
        failure: (status: String, body: String), path: String
    ) async throws {
        let engine = try ScriptedEngine { socket, request in
            let isChat = request.startLine.contains("chat/completions")
            socket.send(isChat ? Answers.plain() : Answers.plain(status: failure.status, body: failure.body))
        }
        let gateway = try await TestGateway(engine: engine)
        let wrong = TestGateway.request(#"{"model":"small","input":"x","prompt":"x"}"#, path: path)
        _ = try gateway.ask(wrong)
        #expect(try gateway.record().request.outcome == .clientError, "nobody knows what the model does")
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 200)
        for _ in 0..<10 { #expect(try gateway.ask(wrong).status == Int(failure.status.prefix(3))) }
        let records = try gateway.records(12)
        #expect(records[2...].allSatisfy { $0.request.outcome == .clientError })
        #expect(gateway.metricsText.contains(#"tollgate_backend_up{backend="scripted"} 1"#))
        // What it was seen to answer and answers no more is the provider's fault.
        engine.setScript { socket, _ in
            socket.send(Answers.plain(status: failure.status, body: failure.body))
        }
        _ = try gateway.ask(TestGateway.request(TestGateway.chat()))
        #expect(try gateway.records(13).last?.request.outcome == .providerError)
        await gateway.stop()
    }

    @Test(arguments: ["", "<html>Forbidden</html>", #"{"message":"Forbidden"}"#])
    func `a refusal without a word beside answers to others is of what was asked, if nobody else takes it`(
        body: String
    ) async throws {
        let engine = try ScriptedEngine()
        let gateway = try await TestGateway(engine: engine)
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 200)
        engine.setScript { socket, _ in socket.send(Answers.plain(status: "403 Forbidden", body: body)) }
        for _ in 0..<6 { _ = try gateway.ask(TestGateway.request(TestGateway.chat())) }
        #expect(try gateway.records(7)[1...].allSatisfy { $0.request.outcome == .clientError })
        #expect(gateway.metricsText.contains(#"tollgate_backend_up{backend="scripted"} 1"#))
        await gateway.stop()
    }

    @Test(arguments: [
        #"{"error":{"message":"Your API key has been revoked"}}"#, #"{"detail":"This key is disabled"}"#,
        "The key ends tomorrow",
    ])
    func `words of the operator's key are no client's, whoever was answered before`(body: String) async throws {
        let engine = try ScriptedEngine()
        let gateway = try await TestGateway(engine: engine)
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 200)
        engine.setScript { socket, _ in socket.send(Answers.plain(status: "403 Forbidden", body: body)) }
        let answer = try gateway.ask(TestGateway.request(TestGateway.chat()))
        #expect(answer.status == 502 && answer.text.contains("upstream_unauthorized") && !answer.text.contains("key"))
        #expect(try gateway.records(2)[1].request.outcome == .providerError)
        await gateway.stop()
    }
}
