import Identity
import Metering
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(10))) struct StreamTests {
    @Test func `a stream passes byte for byte, without the usage chunk that only the gateway asked for`() async throws {
        let engine = try ScriptedEngine { socket, _ in socket.send(Answers.stream()) }
        let gateway = try await TestGateway(engine: engine)
        let answer = try gateway.ask(TestGateway.request(TestGateway.streamed))
        #expect(answer.status == 200)
        #expect(answer.isComplete)
        #expect(answer.text == Answers.streamEvents(usage: nil).joined())
        let entry = try gateway.record()
        #expect(entry.request.outcome == .success)
        #expect(entry.request.isStream)
        let attempt = entry.attempts[0]
        #expect(attempt.buckets == TokenBuckets(inputUncached: 7, cacheRead: 4, outputVisible: 2, outputReasoning: 1))
        #expect(attempt.contentEvents == 3)
        #expect(attempt.termination == .complete)
        #expect(attempt.usageSource == .engine)
        #expect(attempt.marks.firstToken != nil)
        #expect(engine.requests[0].text.contains(#""stream_options":{"include_usage":true}"#))
        await gateway.stop()
    }

    @Test func `a client that asks for the usage chunk gets it`() async throws {
        let engine = try ScriptedEngine { socket, _ in socket.send(Answers.stream()) }
        let gateway = try await TestGateway(engine: engine)
        let body = TestGateway.chat(#","stream":true,"stream_options":{"include_usage":true}"#)
        let answer = try gateway.ask(TestGateway.request(body))
        #expect(answer.text == Answers.streamEvents().joined())
        await gateway.stop()
    }
}
