import Metering
import TestSupport
import Testing

@testable import Engines

/// Tokens that a stream names one by one are delivered, whether their text is or not.
@Suite struct NamedTokenTests {
    private func chunk(_ members: String, delta: String = #"{"content":""}"#) -> String {
        #"data: {"id":"c","choices":[{"index":0,"delta":\#(delta)\#(members),"finish_reason":null}]}"# + "\n\n"
    }

    private func attempt(_ stream: String, surface: Surface = .chatCompletions) throws -> AttemptRecord {
        let fixture = AnswerFixture(surface: surface, isStream: true)
        return try fixture.attempts(try fixture.read(stream).facts, isCut: true)[0]
    }

    @Test(
        arguments: [
            (#","token_ids":[17]"#, 1), (#","token_ids":[17,18,19]"#, 3),
            (#","logprobs":{"content":[{"token":"a","logprob":-1,"bytes":[97],"top_logprobs":[{"token":"b"}]}]}"#, 1),
            (#","logprobs":{"content":[{"token":"a"},{"token":"b"}],"refusal":null}"#, 2),
            (#","token_ids":[1,2],"logprobs":{"content":[{"token":"a"},{"token":"b"}]}"#, 2),
            (#","logprobs":{"tokens":["a","b"],"token_logprobs":[-1,-2],"top_logprobs":[]}"#, 2),
            (#","token_ids":null,"logprobs":null"#, 0), (#","token_ids":[],"logprobs":{"content":[]}"#, 0),
        ] as [(String, Int64)])
    func `a chunk without text has the tokens that it names`(members: String, tokens: Int64) throws {
        let stream = String(repeating: chunk(members), count: 100)
        #expect(try attempt(stream).buckets.outputTotal == 100 * tokens)
    }

    @Test(arguments: [1, 2, 5])
    func `text beside them is counted once`(tokens: Int) throws {
        let ids = Array(repeating: "7", count: tokens).joined(separator: ",")
        let text = String(repeating: "word", count: tokens)
        let stream = String(
            repeating: chunk(#","token_ids":[\#(ids)]"#, delta: #"{"content":"\#(text)"}"#), count: 50)
        #expect(try attempt(stream).buckets.outputTotal == Int64(50 * tokens))
    }

    @Test func `tokens that are named make no count of the engine's too small`() throws {
        let usage = #"data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":300}}"# + "\n\n"
        let stream = String(repeating: chunk(#","token_ids":[1,2,3]"#, delta: #"{"content":"abc"}"#), count: 100)
        let fixture = AnswerFixture(isStream: true)
        let attempt = try fixture.attempts(try fixture.read(stream + usage + "data: [DONE]\n\n").facts)[0]
        #expect(attempt.buckets.outputTotal == 300 && attempt.usageSource == .engine && attempt.notes.isEmpty)
    }

    @Test func `a count of the text is not whole where tokens had none`() throws {
        for members in ["", #","token_ids":[17]"#] {
            let fixture = AnswerFixture(isStream: true)
            let request = try fixture.inferenceRequest()
            let meter = AnswerMeter(
                request: request, backend: fixture.backend, status: 200,
                headers: AnswerFixture.Headers(fields: ["content-type": "text/event-stream"]))
            meter.beginText(of: request)
            let text = chunk("", delta: #"{"content":"one"}"#)
            for event in [text] + Array(repeating: chunk(members), count: 100) {
                _ = Array(event.utf8).withUnsafeBytes { meter.read(event: $0) }
            }
            meter.finish()
            #expect(meter.isTextWhole == members.isEmpty)
        }
    }

    @Test func `of several choices each has its own`() throws {
        let stream =
            #"data: {"choices":[{"index":0,"delta":{},"token_ids":[1,2]},{"index":1,"delta":{},"token_ids":[3]}]}"#
            + "\n\n"
        #expect(try attempt(String(repeating: stream, count: 20)).buckets.outputTotal == 60)
    }

    // MARK: Embeddings

    @Test(
        arguments: [
            ([:], 2), (["metadata": #"{"usage":{"prompt_tokens":7,"total_tokens":7}}"#], 7),
            (["metadata": #"{"id":"e","model":"m","usage":{"total_tokens":9}}"#], 9), (["metadata": "{broken"], 2),
            (["metadata": "none"], 2),
        ] as [([String: String], Int64)])
    func `numbers that come as bytes are no output`(headers: [String: String], input: Int64) throws {
        for type in ["application/octet-stream", "application/x-custom"] {
            let fixture = AnswerFixture(
                surface: .embeddings, contentType: type, headers: headers,
                request: #"{"model":"m","input":"hello you"}"#)
            let bytes = (0..<12_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            let attempt = try fixture.attempts(try fixture.read([bytes]).facts)[0]
            #expect(attempt.buckets.outputTotal == 0 && attempt.contradiction == nil)
            #expect((input...input + 1).contains(attempt.buckets.inputTotal), "\(attempt.buckets)")
        }
    }

    @Test func `nor is an embedding that nobody can read`() throws {
        let fixture = AnswerFixture(surface: .embeddings)
        let attempt = try fixture.attempts(try fixture.read("no JSON at all").facts)[0]
        #expect(attempt.buckets.outputTotal == 0 && attempt.buckets.inputTotal > 0)
    }
}
