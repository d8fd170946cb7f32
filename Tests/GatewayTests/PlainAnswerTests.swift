import Engines
import Identity
import Metering
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(10))) struct PlainAnswerTests {
    @Test func `an answer that spilled from a reserved deployment of Azure is in the standard tier`() async throws {
        let engine = try ScriptedEngine { socket, _ in
            // The header names the deployment that was asked for and was full.
            let header = "x-ms-spillover-from-engine-small: true\r\n"
            let body = Answers.plainBody().replacing(#""service_tier":"default","#, with: "")
            socket.send(Answers.plain(body: body, headers: header))
        }
        let gateway = try await TestGateway(engine: engine, kind: .azure)
        #expect(try gateway.ask(TestGateway.request(TestGateway.chat())).status == 200)
        #expect(try gateway.record().attempts.map(\.tierServed) == ["standard"])
        await gateway.stop()
    }

    @Test func `a plain answer reaches the client byte for byte and is recorded in full`() async throws {
        let gateway = try await TestGateway(engine: ScriptedEngine())
        let answer = try gateway.ask(TestGateway.request(TestGateway.chat()))
        #expect(answer.status == 200)
        #expect(answer.text == Answers.plainBody())
        #expect(answer.isComplete)
        let entry = try gateway.record()
        #expect(answer.header("x-request-id") == entry.request.id.description)
        #expect(entry.request.outcome == .success)
        #expect(entry.request.httpStatus == 200)
        #expect(entry.request.modelRequested == "small")
        #expect(entry.request.tierRequested == "standard")
        #expect(entry.request.operation == .chat)
        #expect(!entry.request.isStream)
        let attempt = entry.attempts[0]
        #expect(attempt.buckets == TokenBuckets(inputUncached: 7, cacheRead: 4, outputVisible: 2, outputReasoning: 1))
        #expect(attempt.usageSource == .engine)
        #expect(attempt.usageComplete)
        #expect(attempt.termination == .complete)
        #expect(attempt.finishReason == "stop")
        #expect(attempt.upstreamStatus == 200)
        #expect(attempt.upstreamID == "chatcmpl-1")
        #expect(attempt.upstreamModel == "engine-small")
        #expect(attempt.modelServed == "engine-model")
        #expect(attempt.priceKey == "price-small")
        #expect(attempt.tierServed == "default")
        #expect(attempt.backend == "scripted")
        #expect(attempt.hardware == "h100x8")
        #expect(attempt.quantisation == "fp8")
        #expect(attempt.isDelivered)
        #expect(attempt.id.uuid.milliseconds == entry.request.id.uuid.milliseconds)
        #expect(String(decoding: attempt.rawUsage, as: UTF8.self).hasPrefix(#"{"prompt_tokens":11"#))
        let marks = entry.request.marks
        let order = [marks.upstreamSent, marks.firstByte, marks.end].compactMap { $0 }
        #expect(order.count == 3)
        #expect(order == order.sorted())
        await gateway.stop()
    }

    private static func failed(_ text: String) -> String {
        #"{"id":"r","output":[{"type":"message","content":[{"type":"output_text","text":"\#(text)"}]}],"#
            + #""usage":{"input_tokens":9,"output_tokens":4,"total_tokens":13},"status":"failed","#
            + #""error":{"code":"server_error","message":"gpu 3 is gone"}}"#
    }

    @Test(arguments: ["", "half"])
    func `a plain response that failed is the engine's failure and costs nothing`(text: String) async throws {
        let engine = try ScriptedEngine { socket, _ in socket.send(Answers.plain(body: Self.failed(text))) }
        let gateway = try await TestGateway(engine: engine, kind: .openAI)
        let body = #"{"model":"small","input":"hello"}"#
        let answer = try gateway.ask(TestGateway.request(body, path: "/v1/responses"))
        #expect(answer.status == 502 && !answer.text.contains("gpu"))
        let entry = try gateway.record()
        #expect(entry.request.outcome == .providerError)
        #expect(entry.attempts[0].termination == .upstreamError)
        #expect(entry.attempts[0].usageSource == .nothing)
        await gateway.stop()
    }

    @Test func `a long plain response that failed costs what of it went out, and is no success`() async throws {
        let body = Self.failed(String(repeating: "word ", count: 300_000))
        let engine = try ScriptedEngine { socket, _ in socket.send(Answers.plain(body: body)) }
        let gateway = try await TestGateway(engine: engine, kind: .openAI)
        let answer = try gateway.ask(
            TestGateway.request(#"{"model":"small","input":"hello"}"#, path: "/v1/responses"))
        #expect(answer.status == 200)
        let entry = try gateway.record()
        #expect(entry.request.outcome == .providerError)
        let attempt = entry.attempts[0]
        #expect(attempt.termination == .upstreamError && attempt.isDelivered)
        #expect(attempt.buckets.inputTotal == 9 && attempt.buckets.outputTotal > 0)
        await gateway.stop()
    }
}
