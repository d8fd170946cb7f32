import Metering
import Testing

@testable import Gateway

/// When a stream's first token came that the client made wait: the engine's first word, of the try that answered.
@Suite(.timeLimit(.minutes(10))) struct FirstTokenTests {
    private static let body = TestGateway.chat(#","stream":true,"reasoning_effort":"low""#)

    @Test(arguments: [
        ": ping\n\n", "event: ping\ndata: {\"type\":\"ping\"}\n\n", Answers.event(delta: #"{"role":"assistant"}"#),
    ])
    func `it is of the engine that answered, not of one that failed before`(beginning: String) async throws {
        let first = try ScriptedEngine { socket, _ in
            socket.send(Answers.streamHead + Answers.chunk(beginning))
            pause(milliseconds: 20)
            socket.close()
        }
        let second = try ScriptedEngine { socket, _ in socket.send(Answers.stream()) }
        let gateway = try await TestGateway(
            engine: first, snapshot: FallbackTests.snapshot([first.port, second.port]))
        let answer = try gateway.ask(TestGateway.request(Self.body))
        #expect(answer.status == 200 && answer.text.contains("SECRET-ANSWER"))
        let entry = try gateway.record()
        let sent = try #require(entry.attempts.last?.marks.upstreamSent)
        #expect(entry.attempts.count == 2 && entry.request.marks.firstToken.map { $0 >= sent } == true)
        await gateway.stop()
        second.close()
    }

    @Test(arguments: [
        [": ping\n\n"], [": one\n\n", ": two\n\n"], ["event: ping\ndata: {\"type\":\"ping\"}\n\n"],
        [": ping\n\n", "data: {\"error\":{\"message\":\"no\",\"code\":500}}\n\n"],
    ])
    func `signs of life and errors are no words`(events: [String]) async throws {
        let engine = try ScriptedEngine { socket, _ in socket.send(Answers.stream(events)) }
        let gateway = try await TestGateway(engine: engine)
        _ = try gateway.ask(TestGateway.request(Self.body))
        #expect(try gateway.record().request.marks.firstToken == nil)
        await gateway.stop()
    }
}
