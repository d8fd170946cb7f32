import Engines
import Metering
import Testing

@testable import Gateway

/// Anthropic's models on Vertex AI, asked in their own dialect.
@Suite(.timeLimit(.minutes(10))) struct VertexMessageTests {
    private let body =
        #"{"anthropic_version":"vertex-2023-10-16","max_tokens":64,"messages":[{"role":"user","content":"Hello"}]}"#
    private let plain =
        #"{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[{"type":"text","#
        + #""text":"Hello"}],"stop_reason":"end_turn","usage":{"input_tokens":300,"output_tokens":12}}"#

    @Test(arguments: ["rawPredict", "streamRawPredict"])
    func `a plain answer is metered whatever the path says`(action: String) async throws {
        let gateway = try await TestGateway(
            engine: ScriptedEngine { [plain] socket, _ in socket.send(Answers.plain(body: plain)) }, kind: .vertex)
        let path = "/engines/scripted/publishers/anthropic/models/small:\(action)"
        let answer = try gateway.ask(TestGateway.request(body, path: path))
        #expect(answer.status == 200 && answer.text == plain)
        #expect(gateway.engine.requests[0].text.contains("Hello"))
        let attempt = try gateway.record().attempts[0]
        #expect(attempt.buckets == TokenBuckets(inputUncached: 300, outputVisible: 12))
        #expect(attempt.usageSource == .engine && attempt.termination == .complete)
        await gateway.stop()
    }

    @Test func `a stream is metered by its last usage`() async throws {
        let events = [
            #"{"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":3,"output_tokens":1}}}"#,
            #"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"SECRET-ANSWER"}}"#,
            #"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}"#,
            #"{"type":"message_stop"}"#,
        ]
        let gateway = try await TestGateway(
            engine: ScriptedEngine { socket, _ in socket.send(Answers.stream(events.map { "data: \($0)\n\n" })) },
            kind: .vertex)
        let path = "/engines/scripted/publishers/anthropic/models/small:streamRawPredict"
        let answer = try gateway.ask(TestGateway.request(body, path: path))
        #expect(answer.isComplete && answer.text.contains("message_stop"))
        let attempt = try gateway.record().attempts[0]
        #expect(attempt.buckets == TokenBuckets(inputUncached: 3, outputVisible: 2))
        #expect(attempt.termination == .complete)
        await gateway.stop()
    }
}
