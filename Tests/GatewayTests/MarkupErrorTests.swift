import Engines
import Metering
import Testing

@testable import Gateway

/// Errors that engines write as XML reach a client as others do.
@Suite(.timeLimit(.minutes(10))) struct MarkupErrorTests {
    private func ask(_ type: String, _ body: String) async throws -> (answer: HTTPMessage, outcome: RequestOutcome) {
        let head = "HTTP/1.1 400 Bad Request\r\ncontent-type: \(type)\r\ncontent-length: \(body.utf8.count)\r\n\r\n"
        let gateway = try await TestGateway(engine: ScriptedEngine { socket, _ in socket.send(head + body) })
        let answer = try gateway.ask(TestGateway.request(TestGateway.chat()))
        let outcome = try gateway.record().request.outcome
        await gateway.stop()
        return (answer, outcome)
    }

    @Test(arguments: [
        ("application/xml", "<Error><Code>ValidationError</Code><Message>no WORD here</Message></Error>"),
        ("text/xml; charset=utf-8", "<?xml version='1.0'?><e><message>bad (WORD)</message></e>"),
        ("application/soap+xml", "<s:Fault><faultstring>WORD</faultstring></s:Fault>"),
    ])
    func `its words pass without the backend's key, however it is written`(type: String, body: String) async throws {
        for word in ["engine-key", "&#101;ngine-key", "engine%2Dkey"] {
            let (answer, outcome) = try await ask(type, body.replacing("WORD", with: word))
            #expect(answer.status == 400 && outcome == .clientError)
            #expect(answer.text == body.replacing("WORD", with: "[redacted]"))
        }
    }

    @Test(arguments: [("text/html", "<html>no</html>"), ("application/xhtml+xml", "<html>no</html>")])
    func `a page does not pass`(type: String, body: String) async throws {
        let (answer, _) = try await ask(type, body)
        #expect(answer.status == 400 && !answer.text.contains("<html>"))
    }
}
