import Engines
import Metering
import Testing

@testable import Gateway

/// Answers that were too long to be held whole and say at their end that they failed.
@Suite(.timeLimit(.minutes(10))) struct HeldTailTests {
    @Test(arguments: [
        #""error":{"message":"the key engine-key is bad","code":400}"#,
        #""error":{"message":"the key engine\u002dkey is bad","type":"invalid_request_error"}"#,
        #""object":"error","error":"no access with engine-key""#,
    ])
    func `an error at the end of a long answer shows nothing of the engine's key`(error: String) async throws {
        let beginning = #"{"padding":""# + String(repeating: "a", count: 1_200_000) + #"","#
        let end = error + "}"
        let engine = try ScriptedEngine { socket, _ in
            socket.send(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: "
                    + "\(beginning.utf8.count + end.utf8.count)\r\n\r\n" + beginning)
            pause(milliseconds: 300)
            socket.send(end)
        }
        let gateway = try await TestGateway(engine: engine)
        let answer = try gateway.ask(TestGateway.request(TestGateway.chat()))
        #expect(
            answer.text.hasPrefix(#"{"padding":"aaa"#) && answer.body.count == beginning.utf8.count + end.utf8.count)
        #expect(!answer.text.contains("engine-key") && !answer.text.contains(#"engine\u002dkey"#))
        #expect(try gateway.record().attempts[0].buckets.outputTotal == 0)
        await gateway.stop()
    }
}
