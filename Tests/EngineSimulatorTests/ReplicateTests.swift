import EngineSimulator
import Testing

@Suite(.timeLimit(.minutes(10)))
struct ReplicateTests {
    private static let path = "/v1/models/meta/llama/predictions"
    private static let body = #"{"input":{"prompt":"say two words","max_tokens":5}}"#

    private func create(
        _ simulator: RunningSimulator, headers: [String: String] = [:], settings: String = ""
    ) async throws -> RawAnswer {
        try await RawClient.post(simulator.port, Self.path, Self.body, headers: headers, settings: settings)
    }

    private func show(_ simulator: RunningSimulator, _ prediction: JSONProbe) async throws -> JSONProbe {
        let id = prediction["id"].string ?? ""
        return try await RawClient.send(port: simulator.port, "GET", "/v1/predictions/\(id)").json()
    }

    @Test func `a prediction is starting when it is created and has its metrics when it is over`() async throws {
        try await withSimulator("text=w") { simulator in
            let answer = try await create(simulator)
            #expect(answer.status == 201)
            let created = try answer.json()
            #expect(created["status"].string == "starting")
            #expect(created["metrics"] == .null)
            for _ in 0..<3 {
                let over = try await show(simulator, created)
                #expect(over["status"].string == "succeeded")
                #expect(over["output"].elements.count == 5)
                #expect(over["metrics"]["input_token_count"].int == 4)
                #expect(over["metrics"]["output_token_count"].int == 5)
            }
            let line = try await simulator.onlyLine()
            #expect(line.model == "meta/llama")
            #expect(line.outcome == .complete)
            #expect(line.completionTokensProduced == 5)
        }
    }

    @Test func `who prefers to wait gets the prediction when it is over`() async throws {
        try await withSimulator("decode_ms=3") { simulator in
            let over = try await create(simulator, headers: ["prefer": "wait=5"]).json()
            #expect(over["status"].string == "succeeded")
            #expect(over["metrics"]["output_token_count"].int == 5)
            let line = try await simulator.onlyLine()
            #expect(line.completionTokensSent == 5)
            #expect(line.computeMilliseconds == 12)
        }
    }

    @Test func `a canceled prediction has cost the time until then`() async throws {
        try await withSimulator("decode_ms=60000") { simulator in
            let created = try await create(simulator).json()
            let id = try #require(created["id"].string)
            #expect(try await show(simulator, created)["status"].string == "processing")
            let canceled = try await RawClient.send(port: simulator.port, "POST", "/v1/predictions/\(id)/cancel").json()
            #expect(canceled["status"].string == "canceled")
            let tokens = try #require(canceled["metrics"]["output_token_count"].int)
            #expect(tokens < 5)
            let line = try await simulator.onlyLine()
            #expect(line.outcome == .clientGone)
            #expect(line.completionTokensProduced == tokens)
            let stream = try await RawClient.send(port: simulator.port, "GET", "/v1/streams/none")
            #expect(stream.status == 404)
            #expect(stream.headers["content-type"] == "application/problem+json")
        }
    }

    @Test func `a prediction's stream has its outputs, lines and all, and no usage`() async throws {
        try await withSimulator { simulator in
            let body = #"{"input":{"prompt":"say two words","max_tokens":40}}"#
            let created = try await RawClient.post(simulator.port, Self.path, body).json()
            let id = try #require(created["id"].string)
            let stream = try await RawClient.send(port: simulator.port, "GET", "/v1/streams/\(id)")
            #expect(stream.namedEvents.count == 41)
            #expect(stream.namedEvents.last?.name == "done")
            #expect(stream.namedEvents.last?.data == "{}")
            let output = try await show(simulator, created)["output"].elements.compactMap(\.string).joined()
            #expect(stream.namedEvents.dropLast().map(\.data).joined() == output)
            #expect(simulator.requests().count == 1)
        }
    }

    @Test func `time can be negative, and tokens uncounted`() async throws {
        try await withSimulator { simulator in
            let negative = try await create(
                simulator, headers: ["prefer": "wait"], settings: "usage=negative,decode_ms=2"
            )
            #expect(negative.body.contains(#""predict_time":-0.008000"#))
            let missing = try await create(simulator, headers: ["prefer": "wait"], settings: "usage=missing").json()
            #expect(missing["metrics"]["output_token_count"] == .null)
            #expect(missing["metrics"]["predict_time"] != .null)
        }
    }
}
