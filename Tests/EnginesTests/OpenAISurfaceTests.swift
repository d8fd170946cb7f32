import Metering
import TestSupport
import Testing

@testable import Engines

/// The forms beside completions: responses, pictures, sound, rankings, compound systems.
@Suite struct OpenAISurfaceTests {
    private func event(_ type: String, _ rest: String = "") -> String {
        "event: \(type)\ndata: {\"type\":\"\(type)\",\"sequence_number\":1\(rest)}\n\n"
    }

    private func response(_ status: String, usage: String = "null", extra: String = "") -> String {
        #","response":{"id":"resp_5","object":"response","status":"\#(status)","model":"gpt-q","service_tier":"flex","#
            + #""usage":\#(usage)\#(extra)}"#
    }

    private let usage =
        #"{"input_tokens":80,"input_tokens_details":{"cached_tokens":64},"output_tokens":21,"#
        + #""output_tokens_details":{"reasoning_tokens":13},"total_tokens":101}"#

    @Test func `a response's stream ends with its usage`() throws {
        let text =
            event("response.created", response("in_progress"))
            + event("response.output_item.added", #","item":{"id":"x","type":"message","content":[]}"#)
            + event("response.reasoning_summary_text.delta", #","delta":"hm""#)
            + event("response.output_text.delta", #","delta":"Hello","logprobs":[]"#)
            + event("response.function_call_arguments.delta", #","delta":"{""#)
            + event("response.output_text.delta", #","delta":"""#)
            + event("response.output_text.done", #","text":"Hello""#)
            + event("response.completed", response("completed", usage: usage)) + "data: [DONE]\n\n"
        let fixture = AnswerFixture(kind: .openAI, surface: .responses, isStream: true)
        let reading = try fixture.read(text)
        #expect(
            reading.kinds == [
                .other, .other, .content, .content, .content, .other, .other, .terminator, .terminator,
            ])
        let attempt = try fixture.attempts(reading.facts)[0]
        // 80 in = 64 read + 16; 21 out = 13 reasoning + 8.
        #expect(
            attempt.buckets == TokenBuckets(inputUncached: 16, cacheRead: 64, outputVisible: 8, outputReasoning: 13))
        #expect(attempt.upstreamID == "resp_5")
        #expect(attempt.modelServed == "gpt-q")
        #expect(attempt.tierServed == "flex")
        #expect(attempt.finishReason == "completed")
        #expect(attempt.contentEvents == 3)
        let end = try #require(reading.usageEnd)
        #expect(String(decoding: reading.shown[..<end], as: UTF8.self).hasSuffix(#""total_tokens":101"#))
    }

    @Test func `a response cut short by its limit says why`() throws {
        let text = event(
            "response.incomplete",
            response("incomplete", usage: usage, extra: #","incomplete_details":{"reason":"max_output_tokens"}"#))
        let reading = try AnswerFixture(kind: .openAI, surface: .responses, isStream: true).read(text)
        #expect(reading.kinds == [.terminator])
        #expect(reading.facts.finishReason == "max_output_tokens")
        #expect(!reading.facts.hasError)
    }

    @Test func `a response that fails in the middle is an error with no usage`() throws {
        let text =
            event("response.output_text.delta", #","delta":"Hel""#)
            + event("error", #","code":"server_error","message":"The server had an error.","param":null"#)
            + event(
                "response.failed",
                response("failed", extra: #","error":{"code":"server_error","message":"The server had an error."}"#))
        let fixture = AnswerFixture(kind: .openAI, surface: .responses, isStream: true)
        let reading = try fixture.read(text)
        #expect(reading.kinds == [.content, .error, .terminator])
        #expect(reading.facts.hasError)
        #expect(EngineRefusal(kind: .openAI, insideAnswer: reading.facts).meaning == .unavailable)
        let attempt = try fixture.attempts(reading.facts, isCut: true)[0]
        #expect(attempt.usageSource == .estimated)
        #expect(attempt.buckets.outputVisible == 1)
    }

    @Test func `plain responses that failed are errors`() throws {
        let facts = try AnswerFixture(kind: .openAI, surface: .responses).read(
            #"{"id":"resp_6","status":"failed","error":{"code":"rate_limit_exceeded","message":"Slow"},"usage":null}"#
        ).facts
        #expect(facts.hasError)
        #expect(EngineRefusal(kind: .openAI, insideAnswer: facts).meaning == .upstreamQuota)
    }

    @Test func `pictures are counted where their tokens are not`() throws {
        let fixture = AnswerFixture(
            kind: .together, surface: .imageGenerations, request: #"{"model":"m","prompt":"a cat","n":2}"#)
        let facts = try fixture.read(
            #"{"id":"i","data":[{"index":0,"b64_json":"\#(String(repeating: "A", count: 70_000))"},{"url":"u"}]}"#
        ).facts
        let attempt = try fixture.attempts(facts)[0]
        #expect(attempt.units == UsageUnits(images: 2))
        #expect(attempt.buckets == TokenBuckets())
        #expect(attempt.usageSource == .engine)
        #expect(attempt.usageComplete)
    }

    @Test func `tokens of pictures are pictures although the engine does not split them`() throws {
        let fixture = AnswerFixture(
            kind: .openAI, surface: .imageGenerations, request: #"{"model":"m","prompt":"a cat"}"#)
        let facts = try fixture.read(
            #"{"data":[{"b64_json":"AA"}],"usage":{"input_tokens":9,"input_tokens_details":{"text_tokens":9},"#
                + #""output_tokens":272,"total_tokens":281}}"#
        ).facts
        let attempt = try fixture.attempts(facts)[0]
        #expect(attempt.buckets == TokenBuckets(inputUncached: 9, outputImage: 272))
        #expect(attempt.units.images == 1)
    }

    @Test func `a streamed picture ends with its usage`() throws {
        let fixture = AnswerFixture(
            kind: .openAI, surface: .imageGenerations, isStream: true,
            request: #"{"model":"m","prompt":"a cat","stream":true}"#)
        let reading = try fixture.read(
            event("image_generation.partial_image", #","b64_json":"AAAA","partial_image_index":0"#)
                + event(
                    "image_generation.completed",
                    #","b64_json":"AAAA","usage":{"input_tokens":9,"output_tokens":100,"total_tokens":109}"#))
        #expect(reading.kinds == [.other, .terminator])
        let attempt = try fixture.attempts(reading.facts)[0]
        #expect(attempt.units.images == 1)
        #expect(attempt.buckets == TokenBuckets(inputUncached: 9, outputImage: 100))
    }

    @Test func `a transcription is counted in tokens by kind, or in seconds`() throws {
        var fixture = AnswerFixture(kind: .openAI, surface: .audioTranscriptions)
        fixture.request =
            "--xyz\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nm\r\n--xyz--\r\n"
        let tokens = try fixture.read(
            #"{"text":"Hello there","usage":{"type":"tokens","input_tokens":34,"output_tokens":4,"total_tokens":38,"#
                + #""input_token_details":{"text_tokens":3,"audio_tokens":31}}}"#
        ).facts
        #expect(
            try fixture.attempts(tokens)[0].buckets
                == TokenBuckets(inputUncached: 3, inputAudio: 31, outputVisible: 4))
        let seconds = try fixture.read(#"{"text":"Hello","usage":{"type":"duration","seconds":12}}"#).facts
        let attempt = try fixture.attempts(seconds)[0]
        #expect(attempt.units == UsageUnits(audioMilliseconds: 12_000))
        #expect(attempt.buckets == TokenBuckets())
        #expect(attempt.usageSource == .engine)
        #expect(attempt.contradiction == nil)
        for duration in ["7.25", "\"7.25\""] {
            let verbose = try fixture.read(#"{"task":"transcribe","duration":\#(duration),"text":"x"}"#).facts
            #expect(try fixture.attempts(verbose)[0].units.audioMilliseconds == 7_250)
        }
        let silent = try fixture.attempts(try fixture.read(#"{"text":"Hello"}"#).facts)[0]
        #expect(silent.usageSource == .estimated)
        #expect(!silent.usageComplete)
        #expect(try fixture.read("1\n00:00:00,000 --> 00:00:01,000\nHello \"there\n").facts.usage == nil)
    }

    @Test func `streamed transcriptions and speech end with their usage`() throws {
        let transcript = try AnswerFixture(kind: .openAI, surface: .audioSpeech, isStream: true, request: speech).read(
            event("transcript.text.delta", #","delta":"Hel""#)
                + event(
                    "transcript.text.done",
                    #","text":"Hello","usage":{"type":"tokens","input_tokens":14,"output_tokens":5}"#
                ))
        #expect(transcript.kinds == [.content, .terminator])
        #expect(transcript.facts.usage?.promptTokens == 14)
        let fixture = AnswerFixture(kind: .openAI, surface: .audioSpeech, isStream: true, request: speech)
        let spoken = try fixture.read(
            event("speech.audio.delta", #","audio":"UklG""#)
                + event(
                    "speech.audio.done", #","usage":{"input_tokens":6,"output_tokens":90,"total_tokens":96}"#))
        #expect(spoken.kinds == [.content, .terminator])
        let attempt = try fixture.attempts(spoken.facts)[0]
        #expect(attempt.buckets == TokenBuckets(inputUncached: 6, outputAudio: 90))
        #expect(attempt.units.characters == 9)
    }

    /// Nine characters: the waving hand with its tone is two.
    private let speech = #"{"model":"m","input":"Grü\u00dfe \ud83d\udc4b\ud83c\udffd!","stream_format":"sse"}"#

    @Test func `what is read aloud is counted in characters`() throws {
        let fixture = AnswerFixture(kind: .openAI, surface: .audioSpeech, contentType: "audio/mpeg", request: speech)
        let facts = try fixture.read([[0xFF, 0xFB, 0x90, 0x22, 0x7B, 0x00, 0x5D, 0xFF]]).facts
        let attempt = try fixture.attempts(facts)[0]
        #expect(attempt.units == UsageUnits(characters: 9))
        #expect(attempt.usageSource == .counted)
        #expect(attempt.buckets == TokenBuckets())
    }

    @Test(
        arguments: [
            (#"{"results":[{"index":0,"relevance_score":0.9}],"usage":{"total_tokens":87}}"#, 87, 0),
            (#"{"results":[],"usage":{"prompt_tokens":87,"total_tokens":87}}"#, 87, 0),
            (#"{"results":[],"meta":{"api_version":{"version":"1"},"billed_units":{"search_units":3}}}"#, 0, 3),
            (#"{"results":[],"meta":{"billed_units":{"search_units":1,"input_tokens":87,"output_tokens":0}}}"#, 87, 1),
        ] as [(String, Int64, Int64)])
    func `rankings are counted in tokens or in searches`(answer: String, tokens: Int64, searches: Int64) throws {
        let fixture = AnswerFixture(
            surface: .rerank, request: #"{"model":"m","query":"q","documents":["a",{"text":"b"}]}"#)
        let attempt = try fixture.attempts(try fixture.read(answer).facts)[0]
        #expect(attempt.buckets == TokenBuckets(inputUncached: tokens))
        #expect(attempt.units == UsageUnits(searches: searches))
        #expect(attempt.usageSource == .engine)
        #expect(attempt.usageComplete)
    }

    // MARK: Compound systems

    private func compound(_ models: String, usage: String) -> String {
        #"{"id":"c","model":"groq/compound","choices":[{"finish_reason":"stop","message":{"content":"x"}}],"#
            + #""usage":\#(usage),"usage_breakdown":{"models":[\#(models)]},"service_tier":"on_demand"}"#
    }

    private let parts =
        #"{"model":"llama-a","usage":{"prompt_tokens":400,"completion_tokens":50,"queue_time":0.5}},"#
        + #"{"model":"scout-b","usage":{"prompt_tokens":600,"completion_tokens":25,"total_tokens":625}}"#

    @Test func `the models of a compound system are records of their own, and nothing is counted twice`() throws {
        let fixture = AnswerFixture(kind: .groq)
        // 400 + 600 and 50 + 25 are the whole: nothing is left for the system itself.
        let whole = #"{"prompt_tokens":1000,"completion_tokens":75,"total_tokens":1075}"#
        let attempts = try fixture.attempts(try fixture.read(compound(parts, usage: whole)).facts)
        #expect(
            attempts.map(\.buckets) == [
                TokenBuckets(), TokenBuckets(inputUncached: 400, outputVisible: 50),
                TokenBuckets(inputUncached: 600, outputVisible: 25),
            ])
        #expect(attempts.map(\.kind) == [.primary, .component, .component])
        #expect(attempts.map(\.modelServed) == ["groq/compound", "llama-a", "scout-b"])
        #expect(attempts.map(\.number) == [1, 2, 3])
        #expect(attempts.map(\.priceKey) == ["p", "price of llama-a", "price of scout-b"])
        #expect(attempts.allSatisfy { $0.tierServed == "standard" && $0.contradiction == nil })
        #expect(attempts[1].timings.queue == 500_000)
    }

    @Test func `what a compound system's models leave over is its own`() throws {
        let fixture = AnswerFixture(kind: .groq)
        let whole = #"{"prompt_tokens":1010,"completion_tokens":80,"total_tokens":1090}"#
        let attempts = try fixture.attempts(try fixture.read(compound(parts, usage: whole)).facts)
        #expect(attempts.map(\.buckets.inputTotal) == [10, 400, 600])
        #expect(attempts.map(\.buckets.outputTotal) == [5, 50, 25])
    }

    @Test func `where the answer's usage is one model's, the others are beside it`() throws {
        let fixture = AnswerFixture(kind: .groq)
        let own = #"{"prompt_tokens":600,"completion_tokens":25,"total_tokens":625}"#
        let attempts = try fixture.attempts(try fixture.read(compound(parts, usage: own)).facts)
        #expect(attempts.map(\.buckets.inputTotal) == [600, 400])
        #expect(attempts.map(\.modelServed) == ["groq/compound", "llama-a"])
        let strange = #"{"prompt_tokens":601,"completion_tokens":25,"total_tokens":626}"#
        let smaller = try fixture.attempts(try fixture.read(compound(parts, usage: strange)).facts)
        #expect(smaller.map(\.buckets.inputTotal) == [601])
        #expect(smaller[0].notes == .usageReading)
    }

    @Test(arguments: [32, 33, 600])
    func `more inferences than are recorded are in suspense, not dropped`(count: Int) throws {
        let models = (1...count).map {
            #"{"model":"m-\#($0)","usage":{"prompt_tokens":10,"completion_tokens":1,"total_tokens":11}}"#
        }
        let whole = #"{"prompt_tokens":\#(10 * count),"completion_tokens":\#(count),"total_tokens":\#(11 * count)}"#
        let fixture = AnswerFixture(kind: .groq)
        let answer = compound(models.joined(separator: ","), usage: whole)
        let attempts = try fixture.attempts(try fixture.read(answer).facts)
        #expect(attempts.count == 33)
        #expect((attempts[0].contradiction != nil) == (count > 32))
    }

    @Test func `a stream's breakdown and early stop stand in x_groq`() throws {
        let fixture = AnswerFixture(kind: .groq, isStream: true)
        let last =
            #"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x_groq":{"id":"r","#
            + #""usage":{"prompt_tokens":1000,"completion_tokens":75,"total_tokens":1075},"#
            + #""usage_breakdown":{"models":[\#(parts)]}}}"#
        let facts = try fixture.read("data: \(last)\n\ndata: [DONE]\n\n").facts
        #expect(try fixture.attempts(facts).map(\.buckets.inputTotal) == [0, 400, 600])
        let stopped = #"{"id":"c","choices":[],"x_groq":{"id":"r","error":"over capacity"}}"#
        #expect(try fixture.read("data: \(stopped)\n\n").facts.hasError)
    }

    @Test func `a spilled request at Azure was served by a standard deployment`() throws {
        let answer = #"{"id":"c","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#
        let headers = ["x-ms-deployment-name": "std", "x-ms-spillover-from-my-ptu": "true"]
        let fixture = AnswerFixture(kind: .azure, headers: headers, upstreamModel: "My-PTU")
        #expect(try fixture.attempts(try fixture.read(answer).facts)[0].tierServed == "standard")
        let other = AnswerFixture(kind: .azure, headers: headers, upstreamModel: "other")
        #expect(try other.attempts(try other.read(answer).facts)[0].tierServed == nil)
    }
}
