import EngineSimulator
import Testing

@Suite(.timeLimit(.minutes(10)))
struct BookTests {
    @Test func `the book says what a client received, per request id`() async throws {
        try await withSimulator("cached_tokens=2") { simulator in
            var received: [String: Int] = [:]
            for number in 1...12 {
                let id = "req_\(number)"
                let stream = number.isMultiple(of: 2)
                let more = #""max_tokens":\#(number),"service_tier":"priority","stream":\#(stream)"#
                let answer = try await simulator.chat(more, id: id)
                received[id] = stream ? try answer.tokenCount() : try Answer(answer.body).usage?.completion_tokens
            }
            for line in simulator.requests() {
                #expect(line.outcome == .complete)
                #expect(line.completionTokensSent == received[line.requestID])
                #expect(line.completionTokensProduced == line.completionTokensSent)
                #expect(line.promptTokens == 6)
                #expect(line.cachedTokens == 2)
                #expect(line.tierServed == "priority")
                #expect(line.endedMilliseconds >= line.startedMilliseconds)
            }
        }
    }

    @Test func `a stream stops when its client leaves, and the book says after which token`() async throws {
        try await withSimulator("decode_ms=10,completion_tokens=400") { simulator in
            let body = #"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}"#
            let text = RawClient.request("POST", "/v1/chat/completions", body: body)
            _ = try await RawClient.exchange(port: simulator.port, sending: text) {
                $0.split(separator: "data: ").count > 4
            }
            let line = try await simulator.onlyLine()
            #expect(line.outcome == .clientGone)
            #expect(line.completionTokensProduced >= 3)
            #expect(line.completionTokensProduced < 400)
            #expect(line.usageReported == nil)
        }
    }

    @Test(arguments: [false, true])
    func `a plain answer whose client left goes on only when told to`(finishes: Bool) async throws {
        try await withSimulator("decode_ms=10,completion_tokens=600,finish_abandoned=\(finishes)") { simulator in
            let body = #"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#
            let text = RawClient.request("POST", "/v1/chat/completions", body: body)
            let waiting = Task {
                try await RawClient.exchange(port: simulator.port, sending: text)
            }
            while simulator.requests().isEmpty { try await Task.sleep(for: .milliseconds(5)) }
            try await Task.sleep(for: .milliseconds(40))
            waiting.cancel()
            let line = try await simulator.onlyLine()
            #expect(line.outcome == .clientGone)
            #expect(line.completionTokensSent == 0)
            #expect(line.completionTokensProduced > 0)
            #expect((line.completionTokensProduced == 600) == finishes)
        }
    }

    @Test func `stopping the simulator cuts the streams that are open`() async throws {
        var configuration = SimulatedEngine.Configuration()
        configuration.behavior = try Behavior(settings: "decode_ms=20,completion_tokens=1000")
        let simulator = try await SimulatedEngine.start(configuration)
        async let answer = simulator.chat(#""stream":true"#)
        while simulator.requests().isEmpty { try await Task.sleep(for: .milliseconds(5)) }
        try await Task.sleep(for: .milliseconds(50))
        try await simulator.stop()
        #expect(try await !answer.isComplete)
        #expect(try await simulator.onlyLine().outcome == .clientGone)
    }

    @Test func `pipelined requests are answered in order on one connection`() async throws {
        try await withSimulator("decode_ms=1") { simulator in
            let requests = (1...5).map { number in
                RawClient.request(
                    "POST", "/v1/chat/completions", headers: ["x-request-id": "req_\(number)"],
                    body: #"{"model":"model-\#(number)","messages":[{"role":"user","content":"hi"}],"max_tokens":3}"#,
                    close: number == 5
                )
            }
            let text = try await RawClient.exchange(port: simulator.port, sending: requests.joined())
            let models = text.split(separator: "\"model\":\"").dropFirst().map { $0.prefix { $0 != "\"" } }
            #expect(models == ["model-1", "model-2", "model-3", "model-4", "model-5"])
            #expect(simulator.requests().map(\.requestID) == ["req_1", "req_2", "req_3", "req_4", "req_5"])
        }
    }

    @Test func `the book is served in pages and can be cleared`() async throws {
        try await withSimulator { simulator in
            for number in 1...5 { _ = try await simulator.chat(#""max_tokens":2"#, id: "req_\(number)") }
            func page(_ query: String) async throws -> BookPage {
                let path = "/simulator/requests?\(query)"
                return try BookPage(try await RawClient.send(port: simulator.port, "GET", path).body)
            }
            let first = try await page("limit=3")
            #expect(first.data.map(\.request_id) == ["req_1", "req_2", "req_3"])
            #expect(first.has_more)
            let second = try await page("limit=3&after=\(first.next_after)")
            #expect(second.data.map(\.request_id) == ["req_4", "req_5"])
            #expect(!second.has_more)
            #expect(second.data[0].usage_reported?.completion_tokens == 2)
            let count = try await RawClient.send(port: simulator.port, "GET", "/simulator/count").body
            #expect(count.contains(#""requests":5"#))
            #expect(count.contains(#""completion_tokens_sent":10"#))
            _ = try await RawClient.send(port: simulator.port, "DELETE", "/simulator/requests")
            #expect(simulator.requests().isEmpty)
            _ = try await simulator.chat(#""max_tokens":2"#, id: "req_6")
            #expect(simulator.requests().map(\.sequence) == [6])
        }
    }

    @Test func `only the last requests are remembered, all are counted`() async throws {
        try await withSimulator(configuration: .init(rememberedRequestsMax: 3)) { simulator in
            for number in 1...8 { _ = try await simulator.chat(#""max_tokens":1"#, id: "req_\(number)") }
            #expect(simulator.requests().map(\.requestID) == ["req_6", "req_7", "req_8"])
            let count = try await RawClient.send(port: simulator.port, "GET", "/simulator/count").body
            #expect(count.contains(#""requests":8,"forgotten":5"#))
        }
    }

    @Test func `two hundred streams run at once and each is whole`() async throws {
        try await withSimulator("decode_ms=2,completion_tokens=20") { simulator in
            let whole = try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<200 {
                    group.addTask {
                        let answer = try await simulator.chat(#""stream":true"#, id: "req_\(number)")
                        return try answer.isComplete && answer.tokenCount() == 20
                    }
                }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(whole == 200)
            #expect(simulator.requests().count { $0.completionTokensSent == 20 } == 200)
        }
    }
}
