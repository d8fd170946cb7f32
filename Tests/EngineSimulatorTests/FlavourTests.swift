import FoundationEssentials
import Testing

@testable import EngineSimulator

/// What each flavour of OpenAI's family puts beside the usage, and where the usage is.
@Suite(.timeLimit(.minutes(10)))
struct FlavourTests {
    private static let streamed = #""max_tokens":3,"stream":true,"stream_options":{"include_usage":true}"#

    @Test(arguments: Behavior.Flavour.allCases)
    func `plain and streamed usage agree with the book in every flavour`(flavour: Behavior.Flavour) async throws {
        try await withSimulator("flavour=\(flavour.rawValue),cached_tokens=2,reasoning_tokens=1") { simulator in
            let plain = try await simulator.chat(#""max_tokens":3"#)
            let usage = try #require(try Answer(plain.body).usage)
            let produced = flavour == .xai ? 2 : 3
            #expect(usage.prompt_tokens == 6)
            #expect(usage.completion_tokens == produced)
            #expect(usage.total_tokens == 9)
            let stream = try await simulator.chat(Self.streamed)
            #expect(stream.isComplete)
            #expect(try stream.chunks().compactMap(\.usage).last?.completion_tokens == produced)
            #expect(stream.events.last == "[DONE]")
            for line in simulator.requests() {
                #expect(line.completionTokensProduced == 3)
                #expect(line.completionTokensSent == 3)
                #expect(line.reasoningTokens == 1)
                #expect(line.usageReported != nil)
            }
        }
    }

    @Test(arguments: ["groq", "together", "deepseek", "cerebras", "xai"])
    func `usage rides on a chunk with choices, unasked`(flavour: String) async throws {
        try await withSimulator("flavour=\(flavour)") { simulator in
            let chunks = try await simulator.chat(#""max_tokens":3,"stream":true"#).chunks()
            let last = try #require(chunks.last)
            #expect(last.choices?.first?.finish_reason == "length")
            #expect(last.usage?.completion_tokens == 3)
            #expect(chunks.dropLast().allSatisfy { $0.usage == nil })
        }
    }

    @Test func `azure begins with a chunk without choices that is not the usage`() async throws {
        try await withSimulator { simulator in
            let answer = try await RawClient.send(
                port: simulator.port, "POST", "/openai/deployments/my%2Ddeployment/chat/completions?api-version=1",
                body: #"{"messages":[{"role":"user","content":"hi"}],\#(Self.streamed)}"#)
            let chunks = try answer.chunks()
            #expect(chunks.first?.choices?.isEmpty == true)
            #expect(chunks.first?.usage == nil)
            #expect(chunks.last?.usage?.completion_tokens == 3)
            #expect(answer.headers["x-ms-deployment-name"] == "my-deployment")
            #expect(try await simulator.onlyLine().model == "my-deployment")
        }
    }

    @Test func `groq's paths answer as groq, and its members are there`() async throws {
        try await withSimulator("inner=components") { simulator in
            let answer = try await RawClient.send(
                port: simulator.port, "POST", "/openai/v1/chat/completions",
                body: #"{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":3}"#)
            for member in [#""x_groq":{"id":"req_"#, #""completion_time":"#, #""usage_breakdown":{"models":["#] {
                #expect(answer.body.contains(member), "\(member)")
            }
            let line = try await simulator.onlyLine()
            #expect(line.inner.count == 2)
            #expect(line.inner[0].contains(#""prompt_tokens":5"#))
        }
    }

    @Test func `each flavour says what only it says`() async throws {
        let members = [
            "cerebras": #""time_info":{"#, "deepseek": #""prompt_cache_miss_tokens":6"#, "openrouter": #""cost":"#,
            "xai": #""cost_in_usd_ticks":"#, "sambanova": #""time_to_first_token":"#, "tenstorrent": #""ttft_ms":"#,
            "llama.cpp": #""timings":{"#, "together": #""cached_tokens":0}"#,
        ]
        try await withSimulator { simulator in
            for (flavour, member) in members {
                let answer = try await simulator.chat(#""max_tokens":3"#, settings: "flavour=\(flavour)")
                #expect(answer.body.contains(member), "\(flavour): \(answer.body)")
            }
        }
    }

    @Test func `llama.cpp counts each choice of a stream for itself, the prompt in each`() async throws {
        try await withSimulator("flavour=llama.cpp") { simulator in
            let usage = try await simulator.chat(Self.streamed + #","n":2"#).chunks().compactMap(\.usage)
            #expect(usage.map(\.completion_tokens) == [3, 3])
            #expect(usage.map(\.prompt_tokens) == [6, 6])
            #expect(try await simulator.onlyLine().completionTokensProduced == 6)
        }
    }

    @Test func `TensorRT-LLM refuses what it does not know`() async throws {
        try await withSimulator("flavour=trtllm") { simulator in
            let options = #""stream":true,"stream_options":{"include_usage":true,"chunk_obfuscation":true}"#
            let refused = try await [simulator.chat(options), simulator.chat(#""cache_salt":"x""#)]
            #expect(refused.map(\.status) == [400, 400])
            #expect(try await simulator.chat(#""stream":true,"stream_options":{"include_usage":true}"#).status == 200)
        }
    }

    @Test func `a tool is called with the text as its argument, plain and streamed`() async throws {
        struct Call: Decodable { var text: String }
        try await withSimulator("text=w,tool_calls=true") { simulator in
            let tools = #""max_tokens":9,"tools":[{"type":"function","function":{"name":"say","parameters":{}}}]"#
            let plain = try await simulator.chat(tools)
            #expect(plain.body.contains(#""finish_reason":"tool_calls""#) || plain.body.contains(#""length""#))
            #expect(plain.body.contains(#""arguments":"{\"text\":\"wwwwwwwww\"}""#))
            let stream = try await simulator.chat(tools + #","stream":true"#)
            let fragments = stream.body.split(separator: #""arguments":""#).dropFirst().map { rest in
                rest.prefix { $0 != "}" }.description
            }
            #expect(fragments.count == 9)
            #expect(stream.body.contains(#""name":"say""#))
        }
    }
}
