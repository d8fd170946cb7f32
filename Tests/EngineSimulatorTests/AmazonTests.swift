import EngineSimulator
import FoundationEssentials
import Testing

/// Bedrock's and SageMaker's forms, and their frames.
@Suite(.timeLimit(.minutes(10)))
struct AmazonTests {
    private static let chat =
        #"{"messages":[{"role":"user","content":[{"text":"say two words"}]}],"inferenceConfig":{"maxTokens":5}}"#

    @Test func `converse leaves the cache out of its input tokens`() async throws {
        try await withSimulator("prompt_tokens=100,cached_tokens=30,cache_write_tokens=20,reasoning_tokens=2") {
            simulator in
            let answer = try await RawClient.post(simulator.port, "/model/anthropic.x%3A0/converse", Self.chat)
            let json = try answer.json()
            #expect(json["usage"]["inputTokens"].int == 50)
            #expect(json["usage"]["cacheReadInputTokens"].int == 30)
            #expect(json["usage"]["cacheWriteInputTokenCount"].int == 20)
            #expect(json["usage"]["outputTokens"].int == 5)
            #expect(json["stopReason"].string == "max_tokens")
            #expect(json["output"]["message"]["content"].elements.count == 2)
            #expect(try await simulator.onlyLine().model == "anthropic.x:0")
        }
    }

    @Test func `a converse stream is sound frames and ends with its metadata`() async throws {
        try await withSimulator("text=w,reasoning_tokens=2") { simulator in
            let answer = try await RawClient.post(
                simulator.port, "/model/m/converse-stream",
                Self.chat.dropLast() + #","serviceTier":{"type":"priority"}}"#)
            #expect(answer.headers["content-type"] == "application/vnd.amazon.eventstream")
            let messages = try answer.messages()
            #expect(messages.allSatisfy { $0.isSound })
            #expect(
                messages.map(\.type) == [
                    "messageStart", "contentBlockDelta", "contentBlockDelta", "contentBlockStop",
                    "contentBlockDelta", "contentBlockDelta", "contentBlockDelta", "contentBlockStop", "messageStop",
                    "metadata",
                ])
            let metadata = try JSONProbe(try #require(messages.last).text)
            #expect(metadata["usage"]["outputTokens"].int == 5)
            #expect(metadata["serviceTier"]["type"].string == "priority")
            #expect(try await simulator.onlyLine().completionTokensSent == 5)
        }
    }

    @Test func `a stream that fails is an exception frame, and a broken frame has a wrong checksum`() async throws {
        try await withSimulator { simulator in
            let path = "/model/m/converse-stream"
            let failed = try await RawClient.post(
                simulator.port, path, Self.chat, settings: "fail_after=2,fail_status=429")
            let last = try #require(try failed.messages().last)
            #expect(last.headers[":message-type"] == "exception")
            #expect(last.type == "throttlingException")
            let broken = try await RawClient.post(
                simulator.port, path, Self.chat, settings: "broken_checksum_after=2")
            #expect(try broken.messages().count { !$0.isSound } == 1)
            let cut = try await RawClient.post(
                simulator.port, path, Self.chat, settings: "cut_after=2,cut_inside=true")
            let (messages, left) = try EventStreamReader.read(cut.bytes)
            #expect(messages.count == 3)
            #expect(left > 0)
            let refused = try await RawClient.post(simulator.port, path, Self.chat, settings: "status=429")
            #expect(refused.headers["x-amzn-errortype"] == "ThrottlingException:")
        }
    }

    private static let claude = """
        {"anthropic_version":"bedrock-2023-05-31","max_tokens":5,"messages":[{"role":"user","content":"say two words"}]}
        """

    @Test func `an invoked model answers in its own form, with counts in headers`() async throws {
        try await withSimulator("cached_tokens=1") { simulator in
            let claude = try await RawClient.post(simulator.port, "/model/claude/invoke", Self.claude)
            #expect(try claude.json()["usage"]["output_tokens"].int == 5)
            #expect(claude.headers["x-amzn-bedrock-input-token-count"] == "3")
            #expect(claude.headers["x-amzn-bedrock-output-token-count"] == "5")
            let llama = try await RawClient.post(
                simulator.port, "/model/llama/invoke", #"{"prompt":"say two words","max_gen_len":4}"#)
            #expect(try llama.json()["generation_token_count"].int == 4)
            #expect(try llama.json()["prompt_token_count"].int == 4)
        }
    }

    @Test(arguments: [claude, #"{"prompt":"say two words","max_gen_len":5}"#])
    func `an invoked stream holds the model's events and Bedrock's measures in the last one`(body: String) async throws
    {
        try await withSimulator { simulator in
            let answer = try await RawClient.post(
                simulator.port, "/model/m/invoke-with-response-stream", body)
            let messages = try answer.messages()
            #expect(messages.allSatisfy { $0.isSound && $0.type == "chunk" })
            let inner = try messages.map { message in
                let bytes = try #require(try JSONProbe(message.text)["bytes"].string)
                return try JSONProbe(String(decoding: try #require(Data(base64Encoded: bytes)), as: UTF8.self))
            }
            let metrics = try #require(inner.last)["amazon-bedrock-invocationMetrics"]
            #expect(metrics["inputTokenCount"].int == 4)
            #expect(metrics["outputTokenCount"].int == 5)
            #expect(inner.dropLast().allSatisfy { $0["amazon-bedrock-invocationMetrics"] == .null })
        }
    }

    @Test func `payload parts are cut anywhere and make the container's stream when joined`() async throws {
        try await withSimulator { simulator in
            let asked = #"{"inputs":"say two words","parameters":{"max_new_tokens":40,"details":true}}"#
            let answer = try await RawClient.post(
                simulator.port, "/endpoints/e/invocations-response-stream", asked)
            let messages = try answer.messages()
            #expect(messages.allSatisfy { $0.isSound && $0.type == "PayloadPart" })
            let joined = RawAnswer(joined: messages.flatMap(\.payload))
            let events = try joined.namedEvents.map { try JSONProbe($0.data) }
            #expect(events.count == 40)
            #expect(events.last?["details"]["input_length"].int == 4)
            // Some part ends inside an event, some holds the end of one and the start of the next.
            #expect(messages.contains { !$0.payload.isEmpty && $0.payload.last != UInt8(ascii: "\n") })
            #expect(try await simulator.onlyLine().completionTokensSent == 40)
            let bare = try await RawClient.post(
                simulator.port, "/endpoints/e/invocations", asked, settings: "flavour=lmi")
            #expect(try bare.json()["details"]["generated_tokens"].int == 40)
            #expect(bare.headers["x-prompt-tokens"] == nil)
        }
    }

    @Test func `a container that speaks OpenAI's dialect can stand behind an endpoint`() async throws {
        try await withSimulator("part_bytes=7") { simulator in
            let asked = #"{"messages":[{"role":"user","content":"hi"}],"max_tokens":3"#
            let plain = try await RawClient.post(simulator.port, "/endpoints/e/invocations", asked + "}")
            #expect(try plain.json()["usage"]["completion_tokens"].int == 3)
            let stream = try await RawClient.post(
                simulator.port, "/endpoints/e/invocations-response-stream",
                asked + #","stream":true,"stream_options":{"include_usage":true}}"#)
            let messages = try stream.messages()
            #expect(messages.dropLast().allSatisfy { $0.payload.count == 7 })
            let events = RawAnswer(joined: messages.flatMap(\.payload)).namedEvents.map(\.data)
            #expect(events.last == "[DONE]")
            #expect(try JSONProbe(events[events.count - 2])["usage"]["completion_tokens"].int == 3)
        }
    }

    @Test func `a container's error is told inside a 424, and a broken stream by name`() async throws {
        try await withSimulator { simulator in
            let asked = #"{"inputs":"x"}"#
            let error = try await RawClient.post(
                simulator.port, "/endpoints/e/invocations", asked, settings: "status=424,fail_status=503")
            #expect(try error.json()["OriginalStatusCode"].int == 503)
            let stream = try await RawClient.post(
                simulator.port, "/endpoints/e/invocations-response-stream", asked,
                settings: "fail_after=2,fail_status=424")
            let last = try #require(try stream.messages().last)
            #expect(last.type == "ModelStreamError")
            #expect(try JSONProbe(last.text)["ErrorCode"].string == "StreamBroken")
        }
    }

    /// Signed with botocore 1.44.8 (`botocore.auth.SigV4Auth`).
    @Test(arguments: [("SECRET", 200), ("OTHER", 401)])
    func `a signature is checked where the secret is known`(secret: String, status: Int) async throws {
        try await withSimulator(configuration: .init(apiKey: "AKIA1:\(secret)")) { simulator in
            let answer = try await RawClient.post(
                simulator.port, "/model/claude%3A0/converse?b=2&a=1", Self.chat,
                headers: [
                    "content-type": "application/json", "x-amz-date": "20261125T101112Z",
                    "authorization": "AWS4-HMAC-SHA256 Credential=AKIA1/20261125/eu-central-1/bedrock/aws4_request, "
                        + "SignedHeaders=content-type;host;x-amz-date, "
                        + "Signature=3d092309e47c94c615de66f7e968a1ccbdf9f98c853d173578fdee0bc904ee91",
                ])
            #expect(answer.status == status)
        }
    }

    @Test func `a signature of the right form is let in`() async throws {
        try await withSimulator(configuration: .init(apiKey: "AKIA1")) { simulator in
            func status(_ service: String, key: String = "AKIA1") async throws -> Int {
                let signature = String(repeating: "0a", count: 32)
                let scope = "\(key)/20261125/eu-central-1/\(service)/aws4_request"
                let signed = "content-type;host;x-amz-date"
                let header = "AWS4-HMAC-SHA256 Credential=\(scope), SignedHeaders=\(signed), Signature=\(signature)"
                return try await RawClient.post(
                    simulator.port, "/model/m/converse", Self.chat,
                    headers: ["authorization": header, "x-amz-date": "20261125T101112Z"]
                ).status
            }
            #expect(try await status("bedrock") == 200)
            #expect(try await status("sagemaker") == 401)
            #expect(try await status("bedrock", key: "AKIA2") == 401)
            let bearer = try await RawClient.post(
                simulator.port, "/model/m/converse", Self.chat, headers: ["authorization": "Bearer AKIA1"])
            #expect(bearer.status == 200)
        }
    }
}

extension RawAnswer {
    /// Stands for the stream that some bytes are.
    fileprivate init(joined bytes: [UInt8]) {
        status = 200
        self.bytes = bytes
    }
}
