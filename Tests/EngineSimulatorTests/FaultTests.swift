import EngineSimulator
import Testing

@Suite(.timeLimit(.minutes(10)))
struct FaultTests {
    @Test(arguments: [400, 429, 500, 503])
    func `an error before the start has its status and an error body`(status: Int) async throws {
        try await withSimulator { simulator in
            let answer = try await simulator.chat(settings: "status=\(status),retry_after=7,error_message=busy")
            #expect(answer.status == status)
            #expect(answer.headers["retry-after"] == "7")
            let error = try #require(try Answer(answer.body).error)
            #expect(error.code == status)
            #expect(error.message == "busy")
            let line = try await simulator.onlyLine()
            #expect(line.outcome == .failed)
            #expect(line.status == status)
            #expect(line.completionTokensProduced == 0)
        }
    }

    @Test func `an error midway is an error event after so many tokens`() async throws {
        try await withSimulator { simulator in
            let answer = try await simulator.chat(#""max_tokens":9,"stream":true"#, settings: "fail_after=3")
            #expect(answer.isComplete)
            #expect(try answer.tokenCount() == 3)
            #expect(try answer.chunks().last?.error?.code == 500)
            #expect(!answer.body.contains("[DONE]"))
            let line = try await simulator.onlyLine()
            #expect(line.outcome == .failed)
            #expect(line.completionTokensSent == 3)
        }
    }

    @Test func `a cut stream ends after so many tokens without the last chunk`() async throws {
        try await withSimulator { simulator in
            let answer = try await simulator.chat(#""max_tokens":9,"stream":true"#, settings: "cut_after=4")
            #expect(!answer.isComplete)
            #expect(try answer.tokenCount() == 4)
            #expect(try await simulator.onlyLine().outcome == .cut)
        }
    }

    @Test(arguments: [false, true])
    func `a cut plain answer is shorter than announced`(chunked: Bool) async throws {
        try await withSimulator("chunked=\(chunked)") { simulator in
            let answer = try await simulator.chat(#""max_tokens":9"#, settings: "cut_after=4")
            #expect(answer.status == 200)
            #expect(!answer.isComplete)
            let line = try await simulator.onlyLine()
            #expect(line.outcome == .cut)
            #expect(line.completionTokensProduced == 4)
            #expect(line.completionTokensSent == 0)
        }
    }

    @Test(arguments: [
        ("cut_before_usage", false, false), ("cut_before_done", true, false), ("cut_before_end", true, true),
    ])
    func `an answer can be cut after its finish reason`(ending: String, usage: Bool, done: Bool) async throws {
        try await withSimulator { simulator in
            let answer = try await simulator.chat(
                #""max_tokens":3,"stream":true,"stream_options":{"include_usage":true}"#, settings: "ending=\(ending)"
            )
            #expect(!answer.isComplete)
            #expect(try answer.chunks().contains { $0.choices?.first?.finish_reason == "length" })
            #expect(try answer.chunks().contains { $0.usage != nil } == usage)
            #expect(answer.body.contains("[DONE]") == done)
            let line = try await simulator.onlyLine()
            #expect(line.outcome == .cut)
            #expect((line.usageReported != nil) == usage)
        }
    }

    @Test func `a stall is silence, then the rest when it has an end`() async throws {
        try await withSimulator { simulator in
            let start = ContinuousClock.now
            let answer = try await simulator.chat(
                #""max_tokens":5,"stream":true"#, settings: "stall_after=2,stall_ms=120"
            )
            #expect(ContinuousClock.now - start >= .milliseconds(120))
            #expect(try answer.tokenCount() == 5)
            #expect(answer.isComplete)
        }
    }

    @Test(
        arguments: [
            ("missing", nil), ("null", nil), ("wrong_total", 7), ("cached_over_prompt", 0), ("negative", 0),
        ] as [(String, Int?)])
    func `usage can be missing, null or contradict itself`(kind: String, excess: Int?) async throws {
        try await withSimulator("usage=\(kind)") { simulator in
            for stream in [false, true] {
                let more = stream ? #","stream":true,"stream_options":{"include_usage":true}"# : ""
                let answer = try await simulator.chat(#""max_tokens":3"# + more)
                let read = stream ? try answer.chunks() : [try Answer(answer.body)]
                #expect(answer.isComplete)
                #expect(answer.body.contains("\"usage\":null") == (kind == "null"))
                let usage = read.compactMap(\.usage).last
                #expect(usage.map { $0.total_tokens - $0.prompt_tokens - $0.completion_tokens } == excess)
                if kind == "cached_over_prompt" {
                    let usage = try #require(usage)
                    #expect(try #require(usage.prompt_tokens_details?.cached_tokens) > usage.prompt_tokens)
                }
                if kind == "negative" { #expect(try #require(usage).completion_tokens < 0) }
            }
        }
    }

    @Test func `a huge event, comments and split writes change nothing that is said`() async throws {
        try await withSimulator { simulator in
            let asked = #""max_tokens":6,"stream":true"#
            let calm = try await simulator.chat(asked).chunks().map { $0.choices?.first?.delta?.content }
            let odd = try await simulator.chat(asked, settings: "padding_bytes=200000,comments=true,split_bytes=1000")
            #expect(odd.isComplete)
            #expect(odd.body.utf8.count > 1_200_000)
            #expect(odd.body.contains(": keep-alive"))
            let said = odd.body.split(separator: "\n").filter { $0.hasPrefix("data: {") }
                .compactMap { try? Answer(String($0.dropFirst(6))).choices?.first?.delta?.content }
            #expect(said == calm.compactMap { $0 })
        }
    }

    @Test func `bad requests get the engine's errors`() async throws {
        var configuration = SimulatedEngine.Configuration(apiKey: "sk-right")
        configuration.servesUnlistedModels = false
        try await withSimulator(configuration: configuration) { simulator in
            let start = #"{"model":"sim-large","messages":[{"role":"user","content":"hi"}]"#
            let expectations = [
                (start + "}", "sk-right", 200),
                (start + "}", "sk-wrong", 401),
                (start, "sk-right", 400),
                (start + #","max_tokens":0}"#, "sk-right", 400),
                (start + #","stream_options":{"include_usage":true}}"#, "sk-right", 400),
                (#"{"model":"sim-large","messages":[]}"#, "sk-right", 400),
                (#"{"model":"other","messages":[{"role":"user","content":"hi"}]}"#, "sk-right", 404),
            ]
            for (body, key, status) in expectations {
                let answer = try await RawClient.send(
                    port: simulator.port, "POST", "/v1/chat/completions",
                    headers: ["authorization": "Bearer \(key)"], body: body
                )
                #expect(answer.status == status, "\(body)")
            }
        }
    }
}
