import Metering
import Testing

@testable import Engines

/// How the body of a stream is cut is told by its first bytes, whatever came before them and however they are cut.
@Suite struct AnswerBeginningTests {
    /// One byte at a time.
    private func framing(_ text: String, contentType: String = "") -> AnswerFraming {
        var look = AnswerBeginning(contentType: contentType)
        for byte in Array(text.utf8) {
            if let framing = withUnsafeBytes(of: byte, { look.take($0) }) { return framing }
        }
        return look.framingAtEnd
    }

    @Test(
        arguments: [
            ("data: {}\n\n", .serverSentEvents), ("data:{}", .serverSentEvents), (": ping\n\n", .serverSentEvents),
            ("event: message_start\ndata: {}\n\n", .serverSentEvents), ("id: 1\ndata: {}", .serverSentEvents),
            ("retry: 5\n", .serverSentEvents), ("\r\n\r\ndata: x", .serverSentEvents),
            ("\u{FEFF}data: x", .serverSentEvents), ("data\n\n", .serverSentEvents), ("", .serverSentEvents),
            ("{}\n{}\n", .jsonArray), ("{\"a\":\"}{\"}\n \n{}", .jsonArray), ("[{}", .jsonArray),
            ("{\"a\":[{}]}{", .jsonArray), ("\u{1E}{}\n", .jsonArray), ("{},\n{}", .jsonArray),
            ("{\"a\":{\"b\":1}}\n", .plain), ("{\"a\":", .plain), ("{}\ntrailing", .plain), ("Hello", .plain),
            ("database", .plain), ("datum: x", .plain), ("<html>", .plain), ("eve", .plain), ("\u{FEFF}Hi", .plain),
            ("\0\0\u{1}", .awsEventStream),
        ] as [(String, AnswerFraming)])
    func `a body is what it begins as`(text: String, expected: AnswerFraming) {
        #expect(framing(text) == expected)
    }

    @Test(arguments: ["application/x-ndjson", "application/jsonl", "application/stream+json"])
    func `a list that says that it is one need not show its second element`(type: String) {
        #expect(framing("{", contentType: type) == .jsonArray)
    }

    @Test func `only streams that were asked for are looked at, and events are known by their type`() throws {
        func decides(
            _ body: String, _ type: String, on surface: Surface = .chatCompletions, status: Int = 200
        ) throws -> Bool {
            let request = try Array(body.utf8).withUnsafeBytes { try InferenceRequest(reading: $0, surface: surface) }
            return AnswerBeginning.decides(request, status: status, contentType: type)
        }
        let stream = #"{"model":"m","messages":[],"input":"x","stream":true}"#
        #expect(try decides(stream, "application/json"))
        #expect(try !decides(stream, "text/event-stream; charset=utf-8"))
        #expect(try !decides(stream, "application/json", status: 400))
        #expect(try !decides(#"{"model":"m","messages":[]}"#, "application/json"))
        #expect(try !decides(stream, "audio/mpeg", on: .audioSpeech))
        let transcript = #"{"model":"m","file":"UklGRg","stream":true,"response_format":"#
        for format in ["text", "srt", "vtt"] {
            #expect(try !decides(transcript + "\"\(format)\"}", "text/plain", on: .audioTranscriptions))
        }
        #expect(try decides(transcript + #""json"}"#, "text/plain", on: .audioTranscriptions))
    }

    @Test(arguments: ["application/json", "text/plain", "", "text/html"])
    func `a document in a stream's place is read as one`(type: String) throws {
        let fixture = AnswerFixture(isStream: true, contentType: type)
        let text =
            #"{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"#
            + #""completion_tokens":5}}"#
        let attempt = try fixture.attempts(try fixture.read(text).facts)[0]
        #expect(attempt.buckets.inputTotal == 7 && attempt.buckets.outputTotal == 5 && attempt.usageSource == .engine)
    }

    @Test(arguments: ["1\n00:00:00,000 --> 00:00:01,000\nHello\n", "data: {\"usage\":{\"prompt_tokens\":1}}\n\n", "{}"])
    func `a transcript that is text is nobody's word but the client's`(text: String) throws {
        for type in ["text/plain", "", "application/x-subrip"] {
            let fixture = AnswerFixture(
                surface: .audioTranscriptions, isStream: true, contentType: type,
                request: #"{"model":"m","file":"UklGRg","stream":true,"response_format":"srt"}"#)
            let facts = try fixture.read(text).facts
            #expect(facts.usage == nil && !facts.hasError)
        }
    }

    @Test func `text in a stream's place costs its bytes`() throws {
        let fixture = AnswerFixture(isStream: true, contentType: "text/html")
        let attempt = try fixture.attempts(try fixture.read(String(repeating: "word ", count: 400)).facts)[0]
        #expect(attempt.buckets.outputTotal == 500)
    }

    @Test(arguments: ["application/json", "text/plain", ""])
    func `other dialects are read by their bodies as well`(type: String) {
        let events =
            #"data: {"type":"message_start","message":{"usage":{"input_tokens":40,"output_tokens":1}}}"# + "\n\n"
            + #"data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"hi"}}"# + "\n\n"
            + #"data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":30}}"#
            + "\n\n" + #"data: {"type":"message_stop"}"# + "\n\n"
        let lines = events.replacing("data: ", with: "").replacing("\n\n", with: "\n")
        for text in [events, lines] {
            let facts = NativeFixture.read(
                text, NativeFixture.Answer(surface: .messages, isStream: true, contentType: type))
            #expect(facts.usage?.promptTokens == 40 && facts.usage?.completionTokens == 30 && facts.isTerminated)
        }
    }
}
