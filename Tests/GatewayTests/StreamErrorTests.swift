import Engines
import Metering
import Testing

@testable import Gateway

/// Errors inside streams are whose they are, as those before an answer, in every framing.
@Suite(.timeLimit(.minutes(10))) struct StreamErrorTests {
    private struct Case: Sendable {
        let dialect: String
        let error: [UInt8]
        /// What the client reads of it.
        let shown: String
        var isClients = false
    }

    private static func event(_ text: String) -> [UInt8] { Array(text.utf8) }

    private static let cases: [Case] = [
        Case(
            dialect: "chat",
            error: event(
                #"data: {"error":{"message":"SECRET You exceeded your quota","type":"insufficient_quota"}}"# + "\n\n"),
            shown: #"data: {"error":{"message":"The engine behind this model has no capacity"#),
        Case(
            dialect: "chat",
            error: event(
                #"data: {"error":{"message":"bad value at engine-key","type":"BadRequestError","code":400}}"# + "\n\n"),
            shown: #"data: {"error":{"message":"bad value at [redacted]","type":"BadRequestError","code":400}}"#,
            isClients: true),
        Case(
            dialect: "messages",
            error: event(
                "event: error\ndata: "
                    + #"{"type":"error","error":{"type":"authentication_error","message":"SECRET"}}"# + "\n\n"),
            shown: #"event: error"# + "\n" + #"data: {"type":"error","error":{"type":"api_error","message":"#),
        Case(
            dialect: "converse",
            error: AWSEventFrame.exception(
                named: "throttlingException", payload: event(#"{"message":"SECRET arn:aws:x"}"#)),
            shown: "serviceUnavailableException"),
    ]

    @Test(arguments: cases.indices)
    func `an error inside a stream is told as one before it`(index: Int) async throws {
        let it = Self.cases[index]
        let sample = try #require(DialectSample.all.first { $0.name == it.dialect })
        let engine = try ScriptedEngine { socket, _ in
            socket.send(sample.head)
            for event in sample.events.prefix(2) + [it.error] { socket.send(DialectSample.chunk(event)) }
            socket.send("0\r\n\r\n")
        }
        let gateway = try await TestGateway(engine: engine, kind: sample.kind)
        let answer = try gateway.ask(TestGateway.request(sample.body, path: sample.path))
        let text = String(decoding: answer.body, as: UTF8.self)
        #expect(text.contains(it.shown), "\(text)")
        #expect(!text.contains("SECRET ") && !text.contains(#""SECRET""#) && !text.contains("engine-key"))
        let request = try gateway.record().request
        #expect(request.outcome == (it.isClients ? .clientError : .providerError))
        #expect(request.reason == (it.isClients ? "engine_rejected" : "stream_error"))
        let outcome = it.isClients ? "success" : "failure"
        let isRest = it.shown.contains("capacity") || it.dialect == "converse"
        #expect(
            gateway.metricsText.contains(
                #"tollgate_backend_tries_total{backend="scripted",outcome="\#(isRest ? "cool_down" : outcome)"} 1"#))
        await gateway.stop()
    }
}
