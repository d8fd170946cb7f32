import Engines
import Metering
import TestSupport
import Testing

/// One stream of each dialect, as its engine would send it, and where in it what happens.
struct DialectSample: CustomTestStringConvertible, Sendable {
    let name: String
    let kind: EngineKind
    let path: String
    var body = "{}"
    var contentType = "text/event-stream"
    let events: [[UInt8]]
    /// The event that shows that the model has finished.
    let finish: Int
    /// The event after which nothing is missing; nil where only the end of the stream says so.
    var terminator: Int?

    var testDescription: String { name }

    var head: String {
        "HTTP/1.1 200 OK\r\ncontent-type: \(contentType)\r\ntransfer-encoding: chunked\r\n\r\n"
    }

    static func chunk(_ event: [UInt8]) -> [UInt8] {
        Array("\(String(event.count, radix: 16))\r\n".utf8) + event + Array("\r\n".utf8)
    }
}

extension DialectSample {
    private static func sse(_ texts: [String]) -> [[UInt8]] { texts.map { Array("data: \($0)\n\n".utf8) } }

    private static func named(_ events: [(String, String)]) -> [[UInt8]] {
        events.map { Array("event: \($0)\ndata: \($1)\n\n".utf8) }
    }

    static let all: [DialectSample] = [
        chat, completions, responses, messages, gemini, geminiArray, converse, invoke, sageMaker, tgi, triton,
    ]

    private static let chat = DialectSample(
        name: "chat", kind: .vllm, path: "/v1/chat/completions", body: TestGateway.streamed,
        events: Answers.streamEvents(tokens: 2).map { Array($0.utf8) }, finish: 3, terminator: 5)

    private static let completions = DialectSample(
        name: "completions", kind: .vllm, path: "/v1/completions",
        body: #"{"model":"small","prompt":"SECRET-PROMPT","stream":true}"#,
        events: sse([
            #"{"id":"c","choices":[{"index":0,"text":"SECRET-ANSWER","finish_reason":null}]}"#,
            #"{"id":"c","choices":[{"index":0,"text":"b","finish_reason":"stop"}]}"#,
            #"{"id":"c","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#,
            "[DONE]",
        ]), finish: 1, terminator: 3)

    private static let responses = DialectSample(
        name: "responses", kind: .openAI, path: "/v1/responses",
        body: #"{"model":"small","input":"SECRET-PROMPT","stream":true,"store":false}"#,
        events: named([
            ("response.created", #"{"type":"response.created","response":{"id":"r","model":"m","usage":null}}"#),
            ("response.output_text.delta", #"{"type":"response.output_text.delta","delta":"SECRET-ANSWER"}"#),
            ("response.output_text.delta", #"{"type":"response.output_text.delta","delta":"b"}"#),
            (
                "response.completed",
                #"{"type":"response.completed","response":{"id":"r","model":"m","status":"completed","usage":{"#
                    + #""input_tokens":3,"output_tokens":2,"total_tokens":5}}}"#
            ),
        ]), finish: 3, terminator: 3)

    private static let messages = DialectSample(
        name: "messages", kind: .anthropic, path: "/v1/messages",
        body: #"{"model":"small","max_tokens":9,"messages":[{"role":"user","content":"SECRET-PROMPT"}],"stream":true}"#,
        events: named([
            (
                "message_start",
                #"{"type":"message_start","message":{"id":"msg_1","model":"m","usage":{"input_tokens":3,"#
                    + #""output_tokens":1}}}"#
            ),
            (
                "content_block_delta",
                #"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"SECRET-ANSWER"}}"#
            ),
            (
                "message_delta",
                #"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}"#
            ),
            ("message_stop", #"{"type":"message_stop"}"#),
        ]), finish: 2, terminator: 3)

    private static let geminiTexts = [
        #"{"candidates":[{"content":{"parts":[{"text":"SECRET-ANSWER"}]}}],"usageMetadata":{"promptTokenCount":3}}"#,
        #"{"candidates":[{"content":{"parts":[{"text":"b"}]},"finishReason":"STOP"}],"usageMetadata":{"#
            + #""promptTokenCount":3,"candidatesTokenCount":2,"totalTokenCount":5}}"#,
    ]

    private static let gemini = DialectSample(
        name: "gemini", kind: .gemini,
        path: "/engines/scripted/v1beta/models/small:streamGenerateContent?alt=sse",
        body: #"{"contents":[{"parts":[{"text":"SECRET-PROMPT"}]}]}"#, events: sse(geminiTexts), finish: 1)

    private static let geminiArray = DialectSample(
        name: "gemini array", kind: .gemini, path: "/engines/scripted/v1beta/models/small:streamGenerateContent",
        body: #"{"contents":[{"parts":[{"text":"SECRET-PROMPT"}]}]}"#, contentType: "application/json",
        events: [Array("[\(geminiTexts[0])".utf8), Array(",\n\(geminiTexts[1])".utf8), Array("]".utf8)], finish: 1)

    private static let converse = DialectSample(
        name: "converse", kind: .bedrock, path: "/engines/scripted/model/small/converse-stream",
        body: #"{"messages":[{"role":"user","content":[{"text":"SECRET-PROMPT"}]}]}"#,
        contentType: "application/vnd.amazon.eventstream",
        events: [
            AWSFixture.event("messageStart", #"{"role":"assistant"}"#),
            AWSFixture.event("contentBlockDelta", #"{"contentBlockIndex":0,"delta":{"text":"SECRET-ANSWER"}}"#),
            AWSFixture.event("messageStop", #"{"stopReason":"end_turn"}"#),
            AWSFixture.event(
                "metadata",
                #"{"metrics":{"latencyMs":9},"usage":{"inputTokens":3,"outputTokens":2,"totalTokens":5}}"#),
        ], finish: 2, terminator: 3)

    private static let invoke = DialectSample(
        name: "invoke", kind: .bedrock, path: "/engines/scripted/model/small/invoke-with-response-stream",
        body: #"{"prompt":"SECRET-PROMPT"}"#, contentType: "application/vnd.amazon.eventstream",
        events: [
            #"{"type":"message_start","message":{"id":"msg_1","model":"m","usage":{"input_tokens":3}}}"#,
            #"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"SECRET-ANSWER"}}"#,
            #"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}"#,
            #"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":3,"outputTokenCount":2,"#
                + #""invocationLatency":9,"firstByteLatency":5}}"#,
        ].map { AWSFixture.event("chunk", #"{"bytes":"\#(AWSFixture.base64($0))"}"#) }, finish: 2, terminator: 3)

    private static let sageMaker = DialectSample(
        name: "sagemaker", kind: .sageMaker, path: "/engines/scripted/endpoints/small/invocations-response-stream",
        body: #"{"inputs":"SECRET-PROMPT"}"#, contentType: "application/vnd.amazon.eventstream",
        events: tgiTexts.map { AWSFixture.event("PayloadPart", "data:\($0)\n\n") }, finish: 1, terminator: 1)

    private static let tgiTexts = [
        #"{"index":1,"token":{"id":1,"text":"SECRET-ANSWER","special":false},"generated_text":null,"details":null}"#,
        #"{"index":2,"token":{"id":2,"text":"b","special":false},"generated_text":"SECRET-ANSWERb","details":{"#
            + #""finish_reason":"length","generated_tokens":2,"input_length":3}}"#,
    ]

    private static let tgi = DialectSample(
        name: "tgi", kind: .tgi, path: "/engines/scripted/generate_stream", body: #"{"inputs":"SECRET-PROMPT"}"#,
        events: tgiTexts.map { Array("data:\($0)\n\n".utf8) }, finish: 1, terminator: 1)

    private static let triton = DialectSample(
        name: "triton", kind: .triton, path: "/engines/scripted/v2/models/small/generate_stream",
        body: #"{"text_input":"SECRET-PROMPT","stream":true}"#,
        events: sse([
            #"{"model_name":"m","model_version":"1","text_output":"SECRET-ANSWER"}"#,
            #"{"model_name":"m","model_version":"1","text_output":"b"}"#,
        ]), finish: 2)
}
