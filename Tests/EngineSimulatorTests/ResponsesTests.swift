import EngineSimulator
import FoundationEssentials
import Testing

@Suite(.timeLimit(.minutes(10)))
struct ResponsesTests {
    private struct Response: Decodable {
        struct Item: Decodable {
            struct Part: Decodable { var text: String }
            var type: String
            var content: [Part]?
        }
        struct Usage: Decodable {
            struct Input: Decodable { var cached_tokens: Int }
            struct Output: Decodable { var reasoning_tokens: Int }
            var input_tokens: Int
            var input_tokens_details: Input
            var output_tokens: Int
            var output_tokens_details: Output
            var total_tokens: Int
        }
        var status: String
        var output: [Item]
        var usage: Usage?
    }

    private struct Event: Decodable {
        var type: String
        var sequence_number: Int
        var delta: String?
        var response: Response?
    }

    private func send(_ simulator: RunningSimulator, _ more: String = "") async throws -> RawAnswer {
        try await RawClient.send(
            port: simulator.port, "POST", "/v1/responses",
            body: #"{"model":"m","input":"Say two words.","max_output_tokens":5\#(more)}"#)
    }

    private func read<T: Decodable>(_ type: T.Type, _ text: String) throws -> T {
        try JSONDecoder().decode(type, from: Data(text.utf8))
    }

    private func events(_ answer: RawAnswer) throws -> [Event] {
        try answer.namedEvents.map { name, data in
            let event = try read(Event.self, data)
            #expect(event.type == name)
            return event
        }
    }

    @Test func `a plain response has its items and a usage that adds up`() async throws {
        try await withSimulator("cached_tokens=1,reasoning_tokens=2,text=w") { simulator in
            let response = try read(Response.self, try await send(simulator).body)
            #expect(response.status == "incomplete")
            #expect(response.output.map(\.type) == ["reasoning", "message"])
            #expect(response.output.last?.content?.first?.text == "www")
            let usage = try #require(response.usage)
            #expect(usage.input_tokens == 4)
            #expect(usage.input_tokens_details.cached_tokens == 1)
            #expect(usage.output_tokens == 5)
            #expect(usage.output_tokens_details.reasoning_tokens == 2)
            #expect(usage.total_tokens == 9)
            let line = try await simulator.onlyLine()
            #expect(line.operation == .responses)
            #expect(line.completionTokensSent == 5)
        }
    }

    @Test func `a streamed response counts its events and ends with the usage`() async throws {
        try await withSimulator("reasoning_tokens=2,text=w") { simulator in
            let events = try events(try await send(simulator, #","stream":true"#))
            #expect(events.map(\.sequence_number) == Array(0..<events.count))
            #expect(events.first?.type == "response.created")
            #expect(events.filter { $0.type == "response.output_text.delta" }.compactMap(\.delta).joined() == "www")
            #expect(events.filter { $0.type == "response.reasoning_text.delta" }.count == 2)
            #expect(events.last?.type == "response.incomplete")
            #expect(events.last?.response?.usage?.output_tokens == 5)
            #expect(events.dropLast().allSatisfy { $0.response?.usage == nil })
            #expect(try await simulator.onlyLine().completionTokensSent == 5)
        }
    }

    @Test func `a response that fails midway says so twice and has no usage`() async throws {
        try await withSimulator("fail_after=2") { simulator in
            let answer = try await send(simulator, #","stream":true"#)
            #expect(answer.isComplete)
            #expect(answer.namedEvents.suffix(2).map(\.name) == ["error", "response.failed"])
            #expect(try await simulator.onlyLine().usageReported == nil)
        }
    }

    @Test func `a function is called in fragments that make its arguments`() async throws {
        try await withSimulator("tool_calls=true,text=w,completion_tokens=4") { simulator in
            let tools = #","tools":[{"type":"function","name":"say","parameters":{}}],"stream":true"#
            let events = try events(try await send(simulator, tools))
            let deltas = events.filter { $0.type == "response.function_call_arguments.delta" }.compactMap(\.delta)
            #expect(deltas.joined() == #"{"text":"wwww"}"#)
            #expect(events.last?.type == "response.completed")
            #expect(events.last?.response?.output.map(\.type) == ["function_call"])
        }
    }
}
