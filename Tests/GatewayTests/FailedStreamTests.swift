import Engines
import Metering
import TestSupport
import Testing

@testable import Gateway

/// Streams that fail before the model has said anything: they cost nothing, whatever the engine says that it used, and
/// another engine is asked where there is one.
@Suite(.timeLimit(.minutes(10))) struct FailedStreamTests {
    struct Failure: CustomTestStringConvertible, Sendable {
        let name: String
        let kind: EngineKind
        let path: String
        let body: String
        var type = "text/event-stream"
        let events: [[UInt8]]
        var testDescription: String { name }
    }

    private static func sse(_ texts: [String]) -> [[UInt8]] { texts.map { Array("data: \($0)\n\n".utf8) } }

    private static let usage = #"{"id":"c","choices":[],"usage":{"prompt_tokens":28500,"completion_tokens":1}}"#
    private static let role = #"{"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#

    private static let all: [Failure] = [
        Failure(
            name: "chat", kind: .vllm, path: "/v1/chat/completions", body: TestGateway.streamed,
            events: sse([role, #"{"error":{"message":"CUDA out of memory","code":500}}"#, usage, "[DONE]"])),
        Failure(
            name: "a reason alone", kind: .openRouter, path: "/v1/chat/completions", body: TestGateway.streamed,
            events: sse([#"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"error"}]}"#, usage, "[DONE]"])),
        Failure(
            name: "a response", kind: .openAI, path: "/v1/responses",
            body: #"{"model":"small","input":"SECRET-PROMPT","stream":true}"#,
            events: sse([
                #"{"type":"response.created","response":{"id":"r","usage":null}}"#,
                #"{"type":"response.failed","response":{"id":"r","status":"failed","error":{"code":"server_error"},"#
                    + #""usage":{"input_tokens":28500,"output_tokens":1,"total_tokens":28501}}}"#,
            ])),
        Failure(
            name: "a message", kind: .anthropic, path: "/v1/messages",
            body: #"{"model":"small","max_tokens":9,"messages":[{"role":"user","content":"x"}],"stream":true}"#,
            events: sse([
                #"{"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":28500,"output_tokens":1}}}"#,
                #"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            ])),
        Failure(
            name: "Gemini", kind: .gemini, path: "/engines/scripted/v1beta/models/small:streamGenerateContent?alt=sse",
            body: #"{"contents":[{"parts":[{"text":"x"}]}]}"#,
            events: sse([
                #"{"usageMetadata":{"promptTokenCount":28500,"totalTokenCount":28500}}"#,
                #"{"error":{"code":503,"status":"UNAVAILABLE"}}"#,
            ])),
        Failure(
            name: "Large Model Inference", kind: .sageMaker,
            path: "/engines/scripted/endpoints/small/invocations-response-stream", body: #"{"inputs":"x"}"#,
            type: "application/vnd.amazon.eventstream",
            events: [
                AWSFixture.event(
                    "PayloadPart",
                    #"{"token":{"id":-1,"text":"","error_msg":"out of memory"},"generated_text":"","details":{"#
                        + #""finish_reason":"error","generated_tokens":1,"input_length":28500}}"# + "\n")
            ]),
        Failure(
            name: "Converse", kind: .bedrock, path: "/engines/scripted/model/small/converse-stream",
            body: #"{"messages":[{"role":"user","content":[{"text":"x"}]}]}"#,
            type: "application/vnd.amazon.eventstream",
            events: [
                AWSFixture.event("messageStart", #"{"role":"assistant"}"#),
                AWSFixture.exception("modelStreamErrorException", #"{"message":"it broke"}"#),
            ]),
    ]

    private static func send(_ failure: Failure, to socket: Socket) {
        socket.send("HTTP/1.1 200 OK\r\ncontent-type: \(failure.type)\r\ntransfer-encoding: chunked\r\n\r\n")
        for event in failure.events {
            socket.send(DialectSample.chunk(event))
            pause(milliseconds: 5)
        }
        socket.send("0\r\n\r\n")
    }

    /// Each has the engine's key across the end of its first 64 KiB.
    @Test(arguments: [
        "data: {\"error\":{\"message\":\"LONG\"}}\n\n", "event: error\ndata: {\"message\":\"LONG\"}\n\n",
        "event: error\r\ndata: {\"type\":\"error\",\"error\":{\"message\":\"LONG\"}}\r\n\r\n",
        "data:{ \"error\" : \"LONG\"}\n\n", "data: {\"type\":\"error\",\"message\":\"LONG\"}\n\n",
    ])
    func `an error that is too long to be held shows nothing of the engine's key`(event: String) async throws {
        let head = event.utf8.count
        let long =
            String(repeating: "a ", count: (64 * 1024 - head) / 2) + "engine-key "
            + String(repeating: "b ", count: 4000)
        let gateway = try await TestGateway(
            engine: ScriptedEngine { socket, _ in
                socket.send(Answers.streamHead + Answers.chunk(Answers.event(delta: #"{"content":"word"}"#)))
                var rest = Array(event.replacing("LONG", with: long).utf8)[...]
                while !rest.isEmpty {
                    socket.send(DialectSample.chunk(Array(rest.prefix(4096))))
                    rest = rest.dropFirst(4096)
                    pause(milliseconds: 1)
                }
                socket.send("0\r\n\r\n")
            })
        let answer = try gateway.ask(TestGateway.request(TestGateway.streamed))
        #expect(answer.text.contains("word") && answer.text.contains("rror") && answer.text.utf8.count < 4096)
        #expect(!answer.text.contains("engine-k") && !answer.text.contains("a a a"))
        #expect(try gateway.record().request.outcome != .success)
        await gateway.stop()
    }

    @Test(arguments: all)
    func `a stream that fails before any content costs nothing`(failure: Failure) async throws {
        let gateway = try await TestGateway(
            engine: ScriptedEngine { socket, _ in Self.send(failure, to: socket) }, kind: failure.kind)
        let answer = try gateway.ask(TestGateway.request(failure.body, path: failure.path))
        // The client reads that it failed.
        #expect(answer.text.contains("rror"))
        let entry = try gateway.record()
        #expect(entry.request.outcome == .providerError)
        #expect(entry.attempts.map(\.usageSource) == [.nothing])
        #expect(entry.attempts.map(\.buckets) == [TokenBuckets()])
        #expect(entry.attempts.map(\.termination) == [.upstreamError])
        await gateway.stop()
    }

    @Test(arguments: [true, false])
    func `a stream that breaks off or stalls before any content costs nothing`(stalls: Bool) async throws {
        let engine = try ScriptedEngine { socket, _ in
            socket.send(Answers.streamHead + Answers.chunk(Answers.streamEvents()[0]))
            if stalls { _ = socket.isClosedByPeer(within: 5000) } else { socket.reset() }
        }
        let gateway = try await TestGateway(engine: engine, configure: { $0.times.answerIdleMilliseconds = 200 })
        _ = try gateway.ask(TestGateway.request(TestGateway.streamed))
        let attempt = try gateway.record().attempts[0]
        #expect(attempt.usageSource == .nothing && attempt.buckets == TokenBuckets())
        #expect(attempt.termination == (stalls ? .timeout : .upstreamError))
        await gateway.stop()
    }

    @Test func `a client that leaves before the first word pays for its prompt`() async throws {
        let engine = try ScriptedEngine { socket, _ in
            socket.send(Answers.streamHead + Answers.chunk(Answers.streamEvents()[0]))
            _ = socket.isClosedByPeer(within: 5000)
        }
        let gateway = try await TestGateway(engine: engine)
        let client = try gateway.connect()
        client.send(TestGateway.request(TestGateway.streamed))
        pause(milliseconds: 200)
        client.close()
        let attempt = try gateway.record().attempts[0]
        #expect(attempt.termination == .clientAbort && attempt.buckets.inputUncached > 0)
        await gateway.stop()
    }

    @Test func `a failed response's last event reaches the client behind its error`() async throws {
        let events = Self.sse([
            #"{"type":"response.output_text.delta","delta":"SECRET-ANSWER"}"#,
            #"{"type":"error","code":"server_error","message":"m"}"#,
            #"{"type":"response.failed","response":{"id":"r","status":"failed","error":{"code":"server_error"}}}"#,
        ])
        let engine = try ScriptedEngine { socket, _ in
            socket.send(Answers.streamHead)
            for event in events { socket.send(DialectSample.chunk(event)) }
            socket.send("0\r\n\r\n")
        }
        let gateway = try await TestGateway(engine: engine, kind: .openAI)
        let answer = try gateway.ask(
            TestGateway.request(#"{"model":"small","input":"x","stream":true}"#, path: "/v1/responses"))
        #expect(answer.text.contains("response.failed"))
        let entry = try gateway.record()
        #expect(entry.request.outcome == .providerError && entry.attempts[0].contentEvents == 1)
        #expect(entry.attempts[0].buckets.outputTotal == 1)
        await gateway.stop()
    }
}
