import EngineSimulator
import FoundationEssentials
import Testing

/// TGI's, Triton's and Google's own forms.
@Suite(.timeLimit(.minutes(10)))
struct NativeTests {
    @Test func `tgi counts the prompt in a header and the answer in the body, when details are asked for`() async throws
    {
        try await withSimulator("text=w") { simulator in
            let asked = #"{"inputs":"say two words","parameters":{"max_new_tokens":5,"details":true}}"#
            let answer = try await RawClient.post(simulator.port, "/generate", asked)
            #expect(answer.headers["x-prompt-tokens"] == "4")
            #expect(answer.headers["x-generated-tokens"] == "5")
            #expect(try answer.json()["generated_text"].string == "wwwww")
            #expect(try answer.json()["details"]["generated_tokens"].int == 5)
            let bare = try await RawClient.post(simulator.port, "/", #"{"inputs":"say two words"}"#).json()
            #expect(bare[0]["generated_text"].string != nil)
            #expect(bare[0]["details"] == .null)
            let several = try await RawClient.post(
                simulator.port, "/generate",
                #"{"inputs":"x","parameters":{"max_new_tokens":5,"details":true,"best_of":3}}"#
            ).json()
            #expect(several["details"]["best_of_sequences"].elements.count == 2)
            #expect(simulator.requests().last?.completionTokensProduced == 15)
        }
    }

    @Test func `a tgi stream has an event a token, no space, no end mark, and counts in its last event`() async throws {
        try await withSimulator("text=w,tokens_per_chunk=2") { simulator in
            let asked = #"{"inputs":"say two words","parameters":{"max_new_tokens":5,"details":true}}"#
            let answer = try await RawClient.post(simulator.port, "/generate_stream", asked)
            #expect(answer.body.hasPrefix("data:{"))
            let events = try answer.namedEvents.map { try JSONProbe($0.data) }
            #expect(events.map { $0["index"].int } == [1, 2, 3, 4, 5])
            #expect(events.dropLast().allSatisfy { $0["details"] == .null })
            #expect(events.last?["details"]["input_length"].int == 4)
            #expect(events.last?["details"]["generated_tokens"].int == 5)
            let refused = try await RawClient.post(
                simulator.port, "/generate_stream", #"{"inputs":"x","parameters":{"best_of":2}}"#)
            #expect(refused.status == 422)
            #expect(try refused.json()["error_type"].string == "validation")
            let failed = try await RawClient.post(
                simulator.port, "/generate_stream", asked, settings: "fail_after=2,fail_status=424")
            #expect(try JSONProbe(try #require(failed.namedEvents.last?.data))["error_type"].string == "generation")
        }
    }

    @Test(arguments: [("vllm", [1, 1, 1]), ("trtllm", [1, 2, 3])])
    func `triton counts only when asked, by event or all so far`(flavour: String, counts: [Int]) async throws {
        try await withSimulator("flavour=\(flavour)") { simulator in
            let asked = """
                {"id":"7","text_input":"say two words","parameters":{"max_tokens":3,"return_num_input_tokens":true,\
                "return_num_output_tokens":true}}
                """
            let plain = try await RawClient.post(simulator.port, "/v2/models/mine/generate", asked).json()
            #expect(plain["id"].string == "7")
            #expect(plain["num_input_tokens"].int == 4)
            #expect(plain["num_output_tokens"].int == 3)
            let stream = try await RawClient.post(
                simulator.port, "/v2/models/mine/versions/2/generate_stream", asked)
            let events = try stream.events.map { try JSONProbe($0) }
            #expect(events.map { $0["num_output_tokens"].int } == counts)
            #expect(events[0]["model_version"].string == "2")
            let bare = try await RawClient.post(
                simulator.port, "/v2/models/mine/generate", #"{"text_input":"x","max_tokens":2}"#
            ).json()
            #expect(bare["num_output_tokens"] == .null)
            #expect(simulator.requests().map(\.model) == ["mine", "mine", "mine"])
            #expect(simulator.requests().map(\.completionTokensSent) == [3, 3, 2])
        }
    }

    private static let contents =
        #"{"contents":[{"role":"user","parts":[{"text":"say two words"}]}],"generationConfig":{"maxOutputTokens":5}}"#

    @Test func `gemini's total holds thoughts that its candidates leave out`() async throws {
        try await withSimulator("reasoning_tokens=2,cached_tokens=1") { simulator in
            let path = "/v1beta/models/gem:generateContent"
            let answer = try await RawClient.post(simulator.port, path, Self.contents)
            let usage = try answer.json()["usageMetadata"]
            #expect(usage["promptTokenCount"].int == 4)
            #expect(usage["candidatesTokenCount"].int == 3)
            #expect(usage["thoughtsTokenCount"].int == 2)
            #expect(usage["totalTokenCount"].int == 9)
            #expect(usage["cachedContentTokenCount"].int == 1)
            #expect(answer.headers["x-gemini-service-tier"] == "standard")
            let inside = try await RawClient.post(simulator.port, path, Self.contents, settings: "thoughts_inside=true")
            #expect(try inside.json()["usageMetadata"]["candidatesTokenCount"].int == 5)
            #expect(simulator.requests().map(\.model) == ["gem", "gem"])
        }
    }

    @Test func `a gemini stream is events with alt=sse and an array without`() async throws {
        try await withSimulator("text=w") { simulator in
            let path = "/v1/projects/p/locations/eu/publishers/google/models/gem:streamGenerateContent"
            let events = try await RawClient.post(
                simulator.port, path + "?alt=sse", Self.contents,
                headers: ["x-vertex-ai-llm-shared-request-type": "flex"]
            ).events.map { try JSONProbe($0) }
            let array = try await RawClient.post(simulator.port, path, Self.contents)
            #expect(array.headers["content-type"] == "application/json; charset=UTF-8")
            let elements = try array.json().elements
            for chunks in [events, elements] {
                #expect(chunks.count == 6)
                // Vertex's first chunk names the traffic only.
                #expect(chunks[0]["usageMetadata"]["promptTokenCount"] == .null)
                #expect(chunks.last?["usageMetadata"]["candidatesTokenCount"].int == 5)
                #expect(chunks.last?["candidates"][0]["finishReason"].string == "MAX_TOKENS")
                let texts = chunks.compactMap { $0["candidates"][0]["content"]["parts"][0]["text"].string }
                #expect(texts.joined() == "wwwww")
            }
            #expect(events[0]["usageMetadata"]["trafficType"].string == "ON_DEMAND_FLEX")
            #expect(simulator.requests().map(\.completionTokensSent) == [5, 5])
        }
    }

    @Test func `google says in the body after how long to come again`() async throws {
        try await withSimulator("status=429,retry_after=34,retry_hint=body") { simulator in
            let answer = try await RawClient.post(
                simulator.port, "/v1beta/models/gem:generateContent", Self.contents)
            let error = try answer.json()["error"]
            #expect(error["status"].string == "RESOURCE_EXHAUSTED")
            #expect(error["details"][0]["retryDelay"].string == "34.5s")
            let counted = try await RawClient.post(simulator.port, "/v1beta/models/gem:countTokens", Self.contents)
            #expect(try counted.json()["totalTokens"].int == 4)
        }
    }
}
