import EngineSimulator
import FoundationEssentials
import Testing

@Suite(.timeLimit(.minutes(10)))
struct AnthropicTests {
    private struct Usage: Decodable {
        struct Iteration: Decodable {
            var type: String
            var model: String
            var input_tokens: Int
        }
        struct Creation: Decodable {
            var ephemeral_5m_input_tokens: Int
            var ephemeral_1h_input_tokens: Int
        }
        var input_tokens: Int
        var cache_read_input_tokens: Int
        var cache_creation_input_tokens: Int
        var cache_creation: Creation?
        var output_tokens: Int
        var iterations: [Iteration]?
    }

    private struct Message: Decodable {
        struct Block: Decodable {
            var type: String
            var text: String?
            var thinking: String?
        }
        struct Failure: Decodable { var type: String }
        var type: String
        var content: [Block]?
        var stop_reason: String?
        var usage: Usage?
        var error: Failure?
    }

    private struct Event: Decodable {
        struct Delta: Decodable {
            var text: String?
            var thinking: String?
            var stop_reason: String?
        }
        var type: String
        var message: Message?
        var delta: Delta?
        var usage: Usage?
    }

    private func send(
        _ simulator: RunningSimulator, _ more: String = "", path: String = "/v1/messages",
        headers: [String: String] = ["anthropic-version": "2023-06-01"]
    ) async throws -> RawAnswer {
        try await RawClient.send(
            port: simulator.port, "POST", path, headers: headers,
            body: #"{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"Say two words."}]\#(more)}"#)
    }

    private func read<T: Decodable>(_ type: T.Type, _ text: String) throws -> T {
        try JSONDecoder().decode(type, from: Data(text.utf8))
    }

    @Test func `input tokens leave out what the cache read and was written`() async throws {
        let settings = "prompt_tokens=100,cached_tokens=30,cache_write_tokens=20,cache_write_hour_tokens=10"
        try await withSimulator(settings + ",reasoning_tokens=2,text=w") { simulator in
            let message = try read(Message.self, try await send(simulator).body)
            #expect(message.content?.map(\.type) == ["thinking", "text"])
            #expect(message.content?.last?.text == "www")
            #expect(message.stop_reason == "max_tokens")
            let usage = try #require(message.usage)
            #expect(usage.input_tokens == 40)
            #expect(usage.cache_read_input_tokens == 30)
            #expect(usage.cache_creation_input_tokens == 30)
            #expect(usage.cache_creation?.ephemeral_5m_input_tokens == 20)
            #expect(usage.cache_creation?.ephemeral_1h_input_tokens == 10)
            #expect(usage.output_tokens == 5)
            let line = try await simulator.onlyLine()
            #expect(line.promptTokens == 100)
            #expect(line.cacheWriteHourTokens == 10)
        }
    }

    @Test func `a stream's last usage overrides its first`() async throws {
        try await withSimulator("reasoning_tokens=2,text=w,start_twice=true") { simulator in
            let events = try await send(simulator, #","stream":true"#).namedEvents.map { name, data in
                let event = try read(Event.self, data)
                #expect(event.type == name)
                return event
            }
            #expect(events.count { $0.type == "message_start" } == 2)
            #expect(events.first?.message?.usage?.output_tokens == 1)
            #expect(events.compactMap(\.delta?.text).joined() == "www")
            #expect(events.compactMap(\.delta?.thinking).joined() == "ww")
            let delta = try #require(events.last { $0.type == "message_delta" })
            #expect(delta.delta?.stop_reason == "max_tokens")
            #expect(delta.usage?.output_tokens == 5)
            #expect(events.last?.type == "message_stop")
        }
    }

    @Test(arguments: [("advisor", "advisor_message"), ("compaction", "compaction"), ("fallback", "message")])
    func `inner inferences stand in the usage and in the book`(inner: String, kind: String) async throws {
        try await withSimulator("inner=\(inner)") { simulator in
            let usage = try #require(try read(Message.self, try await send(simulator).body).usage)
            #expect(usage.iterations?.count == 2)
            #expect(usage.iterations?.first?.type == kind)
            #expect(try await simulator.onlyLine().inner.count == 1)
        }
    }

    @Test func `counting tokens makes nothing`() async throws {
        try await withSimulator { simulator in
            let answer = try await send(simulator, path: "/v1/messages/count_tokens")
            #expect(answer.body == #"{"input_tokens":4}"#)
            let line = try await simulator.onlyLine()
            #expect(line.operation == .countTokens)
            #expect(line.promptTokens == 0)
        }
    }

    @Test func `errors come in Anthropic's envelope, before and after the start`() async throws {
        try await withSimulator(configuration: .init(apiKey: "sk-right")) { simulator in
            let version = ["anthropic-version": "2023-06-01"]
            let noKey = try await send(simulator, headers: version)
            #expect(noKey.status == 401)
            #expect(try read(Message.self, noKey.body).error?.type == "authentication_error")
            let key = version.merging(["x-api-key": "sk-right"]) { $1 }
            #expect(try await send(simulator, headers: key).status == 200)
            #expect(try await send(simulator, headers: ["x-api-key": "sk-right"]).status == 400)
            let full = try await send(simulator, headers: key.merging(["x-simulator": "status=529"]) { $1 })
            #expect(full.status == 529)
            #expect(try read(Message.self, full.body).error?.type == "overloaded_error")
            let midway = try await send(
                simulator, #","stream":true"#,
                headers: key.merging(["x-simulator": "fail_after=2,fail_status=529"]) { $1 })
            #expect(midway.namedEvents.last?.name == "error")
            #expect(midway.namedEvents.last?.data.contains("overloaded_error") == true)
        }
    }
}
