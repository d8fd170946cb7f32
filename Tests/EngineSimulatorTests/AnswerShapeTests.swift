import EngineSimulator
import Testing

@Suite(.timeLimit(.minutes(10)))
struct AnswerShapeTests {
    @Test func `a plain chat has content, finish reason and a usage that adds up`() async throws {
        try await withSimulator { simulator in
            let answer = try await simulator.chat(#""max_tokens":6"#)
            #expect(answer.status == 200)
            #expect(answer.isComplete)
            let chat = try Answer(answer.body)
            #expect(chat.object == "chat.completion")
            #expect(chat.choices?.first?.message?.content?.isEmpty == false)
            #expect(chat.choices?.first?.finish_reason == "length")
            let usage = try #require(chat.usage)
            #expect(usage.prompt_tokens == 6)
            #expect(usage.completion_tokens == 6)
            #expect(usage.total_tokens == 12)
        }
    }

    @Test func `a stream sends role, one token a chunk, then done, and no usage unasked`() async throws {
        try await withSimulator { simulator in
            let answer = try await simulator.chat(#""max_tokens":5,"stream":true"#)
            #expect(answer.headers["content-type"] == "text/event-stream; charset=utf-8")
            #expect(answer.isComplete)
            #expect(answer.events.last == "[DONE]")
            let chunks = try answer.chunks()
            #expect(chunks.count == 6)
            #expect(chunks.first?.choices?.first?.delta?.role == "assistant")
            #expect(chunks.last?.choices?.first?.finish_reason == "length")
            #expect(chunks.allSatisfy { $0.usage == nil && $0.choices?.count == 1 })
            #expect(!answer.body.contains("usage\":"))
        }
    }

    @Test func `a stream that was asked for usage ends with a chunk without choices`() async throws {
        try await withSimulator { simulator in
            let answer = try await simulator.chat(
                #""max_tokens":5,"stream":true,"stream_options":{"include_usage":true}"#
            )
            let chunks = try answer.chunks()
            #expect(chunks.dropLast().allSatisfy { $0.usage == nil })
            #expect(chunks.last?.choices?.isEmpty == true)
            #expect(chunks.last?.usage?.completion_tokens == 5)
        }
    }

    @Test func `continuous usage counts up with the tokens`() async throws {
        try await withSimulator { simulator in
            let answer = try await simulator.chat(
                #""max_tokens":3,"stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":true}"#
            )
            #expect(try answer.chunks().map { $0.usage?.completion_tokens } == [0, 1, 2, 3, 3])
        }
    }

    @Test func `the openai shape has null usage on its chunks and a chunk of its own for the finish`() async throws {
        try await withSimulator("shape=openai,cached_tokens=2,cache_write_tokens=3,reasoning_tokens=1") { simulator in
            let answer = try await simulator.chat(
                #""max_tokens":2,"stream":true,"stream_options":{"include_usage":true}"#
            )
            #expect(answer.events.filter { $0.contains("\"usage\":null") }.count == 4)
            let chunks = try answer.chunks()
            #expect(chunks.map { $0.choices?.first?.finish_reason } == [nil, nil, nil, "length", nil])
            let usage = try #require(chunks.last?.usage)
            #expect(usage.prompt_tokens_details?.cached_tokens == 2)
            #expect(usage.prompt_tokens_details?.cache_write_tokens == 3)
            #expect(usage.completion_tokens_details?.reasoning_tokens == 1)
        }
    }

    @Test func `several tokens come in a chunk and several choices in a stream`() async throws {
        try await withSimulator("tokens_per_chunk=4") { simulator in
            let answer = try await simulator.chat(
                #""max_tokens":10,"n":2,"stream":true,"stream_options":{"include_usage":true}"#
            )
            let chunks = try answer.chunks()
            for choice in 0..<2 {
                let own = chunks.compactMap { $0.choices?.first { $0.index == choice } }
                #expect(own.count == 1 + 3)
                #expect(own.last?.finish_reason == "length")
            }
            #expect(chunks.last?.usage?.completion_tokens == 20)
        }
    }

    @Test func `plain and streamed answers to equal prompts have equal texts, every time`() async throws {
        try await withSimulator { simulator in
            let plain = try Answer(try await simulator.chat().body).choices?.first?.message?.content
            let again = try Answer(try await simulator.chat().body).choices?.first?.message?.content
            let streamed = try await simulator.chat(#""stream":true"#).chunks()
                .compactMap { $0.choices?.first?.delta?.content }.joined()
            #expect(plain == streamed)
            #expect(plain == again)
            let other = try Answer(try await simulator.chat(prompt: "Another.").body).choices?.first?.message?.content
            #expect(plain != other)
        }
    }

    @Test func `reasoning comes first and apart`() async throws {
        try await withSimulator("reasoning_tokens=3,text=w,tokens_per_chunk=2") { simulator in
            let plain = try Answer(try await simulator.chat(#""max_tokens":5"#).body)
            #expect(plain.choices?.first?.message?.reasoning == "www")
            #expect(plain.choices?.first?.message?.content == "ww")
            #expect(plain.usage?.completion_tokens_details?.reasoning_tokens == 3)
            let deltas = try await simulator.chat(#""max_tokens":5,"stream":true"#).chunks()
                .compactMap { $0.choices?.first?.delta }
            #expect(deltas.compactMap(\.reasoning).joined() == "www")
            #expect(deltas.compactMap(\.content).joined() == "ww")
        }
    }

    @Test func `text completions take several prompts, plain and streamed`() async throws {
        try await withSimulator { simulator in
            let body = #"{"model":"m","prompt":["one two","three"],"max_tokens":3"#
            let plain = try await RawClient.send(
                port: simulator.port, "POST", "/v1/completions", body: body + "}"
            )
            let answer = try Answer(plain.body)
            #expect(answer.object == "text_completion")
            #expect(answer.choices?.count == 2)
            #expect(answer.usage?.prompt_tokens == 5)
            #expect(answer.usage?.completion_tokens == 6)
            let streamed = try await RawClient.send(
                port: simulator.port, "POST", "/v1/completions", body: body + #","stream":true}"#
            )
            #expect(try streamed.tokenCount() == 6)
            #expect(streamed.events.last == "[DONE]")
        }
    }

    @Test func `embeddings say the same numbers as text and in base64`() async throws {
        try await withSimulator { simulator in
            let body = #"{"model":"m","input":["one two","three"],"dimensions":3"#
            let floats = try await RawClient.send(
                port: simulator.port, "POST", "/v1/embeddings", body: body + "}"
            )
            let packed = try await RawClient.send(
                port: simulator.port, "POST", "/v1/embeddings", body: body + #","encoding_format":"base64"}"#
            )
            #expect(try Embeddings(floats.body).values == Embeddings(packed.body).values)
            #expect(try Embeddings(floats.body).values.map(\.count) == [3, 3])
            #expect(try Answer(floats.body).usage?.total_tokens == 5)
        }
    }

    @Test func `the tier is echoed, auto is default, and another can serve`() async throws {
        try await withSimulator { simulator in
            func tier(_ more: String, settings: String = "") async throws -> String? {
                try Answer(try await simulator.chat(more, settings: settings).body).service_tier
            }
            #expect(try await tier("") == nil)
            #expect(try await tier(#""service_tier":"priority""#) == "priority")
            #expect(try await tier(#""service_tier":"auto""#) == "default")
            #expect(try await tier(#""service_tier":"priority""#, settings: "serve_tier=default") == "default")
            let stream = try await simulator.chat(#""service_tier":"flex","stream":true"#).chunks()
            #expect(stream.allSatisfy { $0.service_tier == "flex" })
        }
    }

    @Test func `models, health and tokenize answer`() async throws {
        try await withSimulator { simulator in
            let models = try await RawClient.send(port: simulator.port, "GET", "/v1/models")
            #expect(models.body.contains("sim-large"))
            #expect(try await RawClient.send(port: simulator.port, "GET", "/health").status == 200)
            let tokens = try await RawClient.send(
                port: simulator.port, "POST", "/tokenize", body: #"{"model":"m","prompt":"one two"}"#
            )
            #expect(tokens.body.hasPrefix(#"{"count":3,"#))
            #expect(try await RawClient.send(port: simulator.port, "GET", "/v1/nothing").status == 404)
            #expect(try await RawClient.send(port: simulator.port, "GET", "/v1/completions").status == 405)
        }
    }
}
