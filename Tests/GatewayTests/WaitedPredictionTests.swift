import Engines
import Identity
import Metering
import Testing

@testable import Gateway

/// A prediction that failed costs the same whether its client waited for it or asked after it.
@Suite(.timeLimit(.minutes(10))) struct WaitedPredictionTests {
    private static let path = "/engines/scripted/v1/predictions"

    private static func document(_ status: String, _ rest: String = "") -> String {
        #"{"id":"p1","model":"small","status":"\#(status)"\#(rest)}"#
    }

    /// What became of it: its own code broke, with a time and without one, and the platform broke.
    private static let ends: [(rest: String, milliseconds: Int64, isShown: Bool)] = [
        (#","error":"ValueError: bad input","metrics":{"predict_time":2.5}"#, 2500, true),
        (#","error":"CUDA out of memory","metrics":{"predict_time":7}"#, 7000, true),
        (#","error":"AssertionError","metrics":{}"#, 0, true),
        (#","error":"Prediction interrupted; please retry (code: PA)","metrics":{"predict_time":3}"#, 0, false),
    ]

    private func run(_ end: String, isWaitedFor: Bool) async throws -> (answer: HTTPMessage, entry: UsageEntry) {
        let failed = Self.document("failed", end)
        let engine = try ScriptedEngine { socket, request in
            let isReceipt = request.startLine.hasPrefix("POST") && !isWaitedFor
            socket.send(
                Answers.plain(
                    status: request.startLine.hasPrefix("POST") ? "201 Created" : "200 OK",
                    body: isReceipt ? Self.document("starting") : failed))
        }
        let gateway = try await TestGateway(
            engine: engine,
            snapshot: TestGateway.snapshot(port: engine.port, kind: .replicate, sealingSecret: [1, 2, 3]))
        let answer = try gateway.ask(
            TestGateway.request(
                #"{"version":"small","input":{"prompt":"a"}}"#, path: Self.path, headers: "prefer: wait\r\n"))
        let entry = try gateway.record()
        await gateway.stop()
        return (answer, entry)
    }

    @Test(arguments: ends.indices)
    func `one rule for both`(index: Int) async throws {
        let end = Self.ends[index]
        let waited = try await run(end.rest, isWaitedFor: true)
        let asked = try await run(end.rest, isWaitedFor: false)
        #expect((waited.answer.status == 201) == end.isShown, "\(waited.answer.text)")
        #expect(waited.answer.text.contains(#""status":"failed""#) == end.isShown)
        for entry in [waited.entry, asked.entry] {
            #expect(entry.attempts.map(\.units.computeMilliseconds) == [end.milliseconds])
            #expect(entry.attempts[0].contradiction == nil)
            #expect(entry.request.outcome == (end.isShown ? .clientError : .providerError))
        }
        #expect(!end.isShown || waited.entry.request.reason == asked.entry.request.reason)
    }

    @Test func `what such a prediction says is shown without the backend's names`() async throws {
        let words = #","error":"cannot reach engine-key","metrics":{"predict_time":2.5}"#
        let waited = try await run(words, isWaitedFor: true)
        #expect(waited.answer.status == 201 && waited.answer.text.contains("[redacted]"))
        #expect(waited.entry.attempts[0].units.computeMilliseconds == 2500)
    }
}
