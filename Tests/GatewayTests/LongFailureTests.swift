import Engines
import Metering
import NIOCore
import Testing

@testable import Gateway

/// A response's last word that it failed, longer than what is held of an event, and what counts as a first word.
@Suite(.timeLimit(.minutes(10))) struct LongFailureTests {
    /// Each repeats what came, as OpenAI does, before or behind the error; the engine's key lies across 64 KiB.
    @Test(arguments: [
        #"{"type":"response.failed","response":{"id":"resp_1","status":"failed","instructions":"LONG","#
            + #""error":{"code":"server_error","message":"engine-key"},"usage":USAGE}}"#,
        #"{"type":"response.failed","response":{"id":"resp_1","error":{"code":"server_error","message":"LONG"},"#
            + #""status":"failed","usage":USAGE}}"#,
        #"{"type":"response.failed","sequence_number":9,"response":{"output":[{"type":"message","#
            + #""content":[{"text":"LONG"}]}],"id":"resp_1","error":{"message":"LONG"},"usage":USAGE}}"#,
    ])
    func `a response that failed at length shows nothing of the engine's key`(document: String) async throws {
        let long =
            String(repeating: "a ", count: 32 * 1024 - 60) + "engine-key " + String(repeating: "b ", count: 40_000)
        let event =
            "event: response.failed\ndata: "
            + document.replacing("LONG", with: long).replacing(
                "USAGE", with: #"{"input_tokens":100,"output_tokens":7,"total_tokens":107}"#) + "\n\n"
        let gateway = try await TestGateway(
            engine: ScriptedEngine { socket, _ in
                let delta =
                    #"data: {"type":"response.output_text.delta","output_index":0,"delta":"word"}"# + "\n\n"
                socket.send(Answers.streamHead + Answers.chunk(delta))
                var rest = Array(event.utf8)[...]
                while !rest.isEmpty {
                    socket.send(DialectSample.chunk(Array(rest.prefix(8192))))
                    rest = rest.dropFirst(8192)
                }
                socket.send("0\r\n\r\n")
            })
        let answer = try gateway.ask(
            TestGateway.request(#"{"model":"small","stream":true,"input":"a"}"#, path: "/v1/responses"))
        #expect(answer.isComplete && answer.text.contains("word"))
        #expect(answer.text.contains(#""type":"response.failed""#) && answer.text.contains(#""status":"failed""#))
        #expect(!answer.text.contains("engine-k") && !answer.text.contains("a a a"))
        let entry = try gateway.record()
        #expect(entry.request.outcome == .providerError && entry.attempts[0].termination == .upstreamError)
        #expect(entry.attempts[0].buckets.outputTotal == 7)
        await gateway.stop()
    }

    private struct Head: HeaderLookup {
        let type: String
        func first(_ name: String) -> String? { name == "content-type" ? type : nil }
    }

    private func signals(_ pieces: [String], _ type: String) throws -> [StreamSignals] {
        let request = try Array(TestGateway.streamed.utf8).withUnsafeBytes {
            try InferenceRequest(reading: $0, surface: .chatCompletions)
        }
        let backend = Backend(name: "test", isTLS: false, host: "127.0.0.1", port: 1, basePath: "", apiKey: nil)
        let relay = StreamRelay(
            meter: AnswerMeter(
                request: request, backend: backend, status: 200, headers: Head(type: type),
                beginning: type.contains("json") ? .jsonArray : nil),
            keepsUsageChunk: true, heldEventBytes: 100, readEventBytes: 1000)
        var output = ByteBuffer()
        var held = ByteBuffer()
        return pieces.map { relay.take(ByteBuffer(string: $0), output: &output, held: &held) }
    }

    @Test(arguments: [
        ["[", "]"], ["[]", "\n"], ["[[]", ","], ["[", "[", "]", "[],"], [" [", "\n", "]"],
    ])
    func `brackets around documents are no word`(pieces: [String]) throws {
        let found = try signals(pieces, "application/json").reduce(into: StreamSignals()) { $0.formUnion($1) }
        #expect(!found.contains(.word))
    }

    @Test(arguments: [
        (["[", #"{"choices":[]}"#], "application/json"), ([#"{"a":1}"#], "application/x-ndjson"),
        (["data: {}\n\n"], "text/event-stream"),
        ([": x\n\n", "data: {\"choices\":[]}\n\n"], "text/event-stream"),
    ])
    func `a document is one`(pieces: [String], type: String) throws {
        let found = try signals(pieces, type)
        #expect(found.last?.contains(.word) == true && found.dropLast().allSatisfy { !$0.contains(.word) })
    }
}
