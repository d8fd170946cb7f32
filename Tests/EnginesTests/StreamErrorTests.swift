import Metering
import TestSupport
import Testing

@testable import Engines

/// Errors inside streams that began well, in each engine's way of saying them: seen, no content, and nothing counted.
@Suite struct StreamErrorTests {
    /// What a stream said before it failed, and how it failed.
    struct Failure: CustomTestStringConvertible, Sendable {
        let name: String
        var kind = EngineKind.vllm
        var beginning: [String] = []
        let error: String
        var testDescription: String { name }
    }

    private static let role = #"data: {"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#

    private static let chat: [Failure] = [
        Failure(name: "an error object", beginning: [role], error: #"data: {"error":{"message":"m","code":500}}"#),
        Failure(name: "an error text", error: #"data: {"error":"CUDA out of memory"}"#),
        Failure(
            name: "vLLM, nested", beginning: [role],
            error: #"data: {"error":{"object":"error","message":"m","type":"InternalServerError","code":500}}"#),
        Failure(
            name: "vLLM, older",
            error: #"data: {"object":"error","message":"m","type":"InternalServerError","param":null,"code":500}"#),
        Failure(
            name: "TGI", kind: .tgi, beginning: [role],
            error: #"data: {"error":{"message":"Request failed during generation","http_status_code":422}}"#),
        Failure(
            name: "llama.cpp", kind: .llamaCpp,
            error: #"data: {"error":{"code":500,"message":"context shift","type":"server_error"}}"#),
        Failure(name: "llama.cpp, older", kind: .llamaCpp, error: #"error: {"code":500,"message":"m","type":"x"}"#),
        Failure(name: "Groq", kind: .groq, error: "event: error\ndata: {\"error\":{\"message\":\"m\"}}"),
        Failure(
            name: "Groq, beside the answer", kind: .groq,
            error: #"data: {"id":"c","choices":[],"x_groq":{"id":"r","error":"over_capacity"}}"#),
        Failure(
            name: "OpenRouter, in the choice", kind: .openRouter,
            error: #"data: {"id":"c","choices":[{"index":0,"delta":{"content":""},"finish_reason":"error","#
                + #""error":{"code":502,"message":"Provider disconnected"}}]}"#),
        Failure(
            name: "OpenRouter, beside it", kind: .openRouter,
            error: #"data: {"id":"c","error":{"code":"server_error","message":"m"},"choices":[{"index":0,"#
                + #""delta":{"content":""},"finish_reason":"error"}]}"#),
        Failure(
            name: "a reason alone", beginning: [role],
            error: #"data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"error"}]}"#),
        Failure(name: "no JSON", error: "event: error\ndata: upstream timeout"),
    ]

    @Test(arguments: chat)
    func `chat completions`(failure: Failure) throws {
        var fixture = AnswerFixture(kind: failure.kind, isStream: true)
        fixture.counting = .final
        let usage =
            #"data: {"id":"c","choices":[],"usage":{"prompt_tokens":19,"completion_tokens":3,"total_tokens":22}}"#
        let stream = (failure.beginning + [failure.error, usage]).map { $0 + "\n\n" }.joined()
        let reading = try fixture.read(stream)
        #expect(reading.kinds == failure.beginning.map { _ in .other } + [.error, .usageChunk])
        #expect(reading.facts.hasError && reading.facts.contentEvents == 0)
        #expect(!reading.facts.endsInFailure)
    }

    @Test(arguments: [
        #"data: {"id":"c","choices":[],"error":null}"#, #"data: {"id":"c","choices":[],"error":""}"#,
        #"data: {"object":"chat.completion.chunk","choices":[]}"#, ": error: none",
        #"data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop","error":null}]}"#,
    ])
    func `what is no error is none`(event: String) throws {
        let reading = try AnswerFixture(isStream: true).read(event + "\n\n")
        #expect(reading.kinds.allSatisfy { $0 != .error } && !reading.facts.hasError)
    }

    private static let native: [(Surface, String, [String], String)] = [
        (
            .messages, "text/event-stream", [#"data: {"type":"message_start","message":{"usage":{"input_tokens":9}}}"#],
            "event: error\ndata: " + #"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#
        ),
        (.tgiGenerate, "text/event-stream", [], #"data:{"error":"Request failed","error_type":"generation"}"#),
        (
            .tgiGenerate, "text/event-stream", [],
            #"data:{"token":{"id":-1,"text":"","error_msg":"out of memory"},"details":{"finish_reason":"error","#
                + #""generated_tokens":1},"generated_text":""}"#
        ),
        (.tritonGenerate, "text/event-stream", [], #"data: {"error":"Model failed"}"#),
        (.geminiGenerate, "text/event-stream", [], #"data: {"error":{"code":503,"status":"UNAVAILABLE"}}"#),
        (.geminiGenerate, "text/event-stream", [], #"data: [{"error":{"code":503,"status":"UNAVAILABLE"}}]"#),
        (.geminiGenerate, "application/json", [], #"[{"error":{"code":503,"status":"UNAVAILABLE"}}]"#),
        (.geminiGenerate, "application/json", [], #"{"error":{"code":503,"details":[{"reason":"x"}]}}"#),
        (
            .geminiGenerate, "text/event-stream", [],
            #"data: {"interaction":{"id":"i","status":"failed","usage":{"total_tokens":4}}}"#
        ),
        (.replicatePredictions, "text/event-stream", [], "event: error\ndata: {\"detail\":\"it broke\"}"),
    ]

    @Test(arguments: native)
    func `native dialects`(surface: Surface, type: String, beginning: [String], error: String) {
        let text = (beginning + [error]).joined(separator: "\n\n") + (type == "application/json" ? "" : "\n\n")
        let answer = NativeFixture.Answer(surface: surface, isStream: true, contentType: type)
        let (facts, kinds, _) = NativeFixture.read([Array(text.utf8)], answer)
        #expect(kinds.contains(.error) && !kinds.contains(.content) && !kinds.contains(.terminator))
        #expect(facts.hasError && facts.contentEvents == 0 && !facts.isTerminated)
    }

    @Test func `frames that say that the stream failed`() {
        for (type, name) in [
            ("exception", "modelStreamErrorException"), ("exception", "throttlingException"),
            ("exception", "InternalStreamFailure"), ("error", "ModelStreamError"),
        ] {
            for surface in [Surface.bedrockConverse, .bedrockInvoke, .sageMakerInvocations] {
                let headers =
                    AWSFixture.header(type == "error" ? ":error-code" : ":exception-type", name)
                    + AWSFixture.header(":message-type", type)
                let frame = AWSFixture.frame(headers: headers, payload: Array(#"{"message":"it broke"}"#.utf8))
                let answer = NativeFixture.Answer(
                    surface: surface, isStream: true, contentType: NativeFixture.amazonEventStream)
                let (facts, kinds, _) = NativeFixture.read([frame], answer)
                #expect(kinds == [.error] && facts.contentEvents == 0)
            }
        }
    }

    @Test func `a container's error and its end in one frame are an error`() {
        let text = "data: {\"error\":\"Request failed\",\"code\":424}\n\ndata: [DONE]\n\n"
        let answer = NativeFixture.Answer(
            surface: .sageMakerInvocations, isStream: true, contentType: NativeFixture.amazonEventStream)
        let (facts, kinds, _) = NativeFixture.read([AWSFixture.event("PayloadPart", Array(text.utf8))], answer)
        #expect(kinds == [.error] && facts.hasError)
    }

    @Test func `a token of Large Model Inference that is only an error is no output`() throws {
        let text = """
            {"token":{"id":5,"text":"Hello","log_prob":-1.5}}
            {"token":{"id":-1,"text":"","error_msg":"out of memory"},"generated_text":"Hello","details":{\
            "finish_reason":"error","generated_tokens":2,"input_length":19}}

            """
        let answer = NativeFixture.Answer(
            surface: .sageMakerInvocations, isStream: true, contentType: NativeFixture.amazonEventStream)
        let (facts, kinds, _) = NativeFixture.read([AWSFixture.event("PayloadPart", Array(text.utf8))], answer)
        #expect(kinds == [.error] && facts.contentEvents == 1)
        let attempt = try #require(NativeFixture.attempts(facts, .sageMakerInvocations, isCut: true).first)
        #expect(attempt.buckets == TokenBuckets(inputUncached: 19, outputVisible: 1))
    }

    @Test func `a response that failed says so with its last event`() throws {
        var fixture = AnswerFixture(surface: .responses, isStream: true)
        fixture.request = #"{"model":"m","stream":true,"input":"x"}"#
        let reading = try fixture.read(
            """
            event: error
            data: {"type":"error","code":"server_error","message":"m"}

            event: response.failed
            data: {"type":"response.failed","response":{"id":"r","status":"failed","error":{"code":"server_error"}}}


            """)
        #expect(reading.kinds == [.error, .terminator] && reading.facts.endsInFailure)
    }

    @Test(arguments: [
        (
            Surface.chatCompletions,
            #"{"choices":[{"finish_reason":"error","message":{"content":""},"error":{"code":502}}]}"#
        ),
        (.chatCompletions, #"{"object":"error","message":"m","code":500}"#),
        (.chatCompletions, #"{"choices":[{"finish_reason":"error","message":{"content":null}}]}"#),
        (.responses, #"{"status":"failed","error":{"code":"server_error"},"output":[]}"#),
        (.tgiGenerate, #"{"generated_text":"","details":{"finish_reason":"error","generated_tokens":1}}"#),
    ])
    func `a plain answer that is an error costs nothing, whatever usage it holds`(surface: Surface, answer: String) {
        let usage = #","usage":{"prompt_tokens":19,"completion_tokens":0,"input_tokens":19,"output_tokens":0}}"#
        let native = NativeFixture.Answer(surface: surface)
        let facts = NativeFixture.read(String(answer.dropLast()) + usage, native)
        #expect(facts.isNothingButError)
        let delivered = answer.replacing(#""content":""#, with: #""content":"x"#)
        if delivered != answer { #expect(!NativeFixture.read(delivered, native).isNothingButError) }
    }
}
