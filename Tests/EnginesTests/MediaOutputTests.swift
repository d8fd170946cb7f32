import Metering
import Testing

@testable import Engines

/// Pictures and sound that a model makes cost what they come to where the engine does not say it.
@Suite struct MediaOutputTests {
    /// 30,000 bytes: 300 tokens.
    private static let picture = "iVBORw0KGgo" + String(repeating: "A", count: 39_989)
    /// 30,000 bytes: 30 tokens.
    private static let sound = String(repeating: "QUJD", count: 10_000)

    private func record(
        _ surface: Surface, isStream: Bool, isCut: Bool = false, _ text: String
    ) throws -> AttemptRecord {
        switch surface {
        case .chatCompletions, .responses:
            let fixture = AnswerFixture(
                surface: surface, isStream: isStream,
                request: #"{"model":"m","stream":\#(isStream),"input":"hello","messages":[]}"#)
            return try fixture.attempts(try fixture.read(text).facts, isCut: isCut)[0]
        default:
            let facts = NativeFixture.read(
                text,
                NativeFixture.Answer(
                    surface: surface, isStream: isStream,
                    contentType: isStream ? NativeFixture.eventStream : "application/json"))
            return NativeFixture.attempts(facts, surface, isCut: isCut)[0]
        }
    }

    private static let pictures: [(Surface, String)] = [
        (.chatCompletions, #"{"images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,PICTURE"}}]}"#),
        (.chatCompletions, #"{"content":[{"type":"image_url","image_url":{"url":"PICTURE"}}]}"#),
        (.chatCompletions, #"{"images":["PICTURE"]}"#), (.chatCompletions, #"{"images":[{"b64_json":"PICTURE"}]}"#),
        (.geminiGenerate, #"{"inlineData":{"mimeType":"image/png","data":"PICTURE"}}"#),
        (.geminiGenerate, #"{"inline_data":{"data":"PICTURE","mime_type":"image/png"}}"#),
    ]

    @Test(arguments: pictures) func `a picture without usage is a picture and its tokens`(
        surface: Surface, content: String
    ) throws {
        let content = content.replacing("PICTURE", with: Self.picture)
        let isChat = surface == .chatCompletions
        let plain =
            isChat
            ? #"{"choices":[{"index":0,"message":\#(content),"finish_reason":"stop"}]}"#
            : #"{"candidates":[{"content":{"parts":[\#(content)]},"finishReason":"STOP"}]}"#
        let event =
            isChat
            ? #"{"choices":[{"index":0,"delta":\#(content)}]}"#
            : #"{"candidates":[{"content":{"parts":[\#(content)]}}]}"#
        let records = [
            try record(surface, isStream: false, plain),
            try record(surface, isStream: true, isCut: true, "data: \(event)\n\n"),
        ]
        for record in records {
            #expect(record.units.images == 1)
            #expect((295...305).contains(record.buckets.outputImage), "\(record.buckets)")
            #expect(record.buckets.outputVisible <= 1)
            #expect(record.usageSource == .estimated && !record.usageComplete)
        }
    }

    @Test func `pictures after the engine's last count are added to it`() throws {
        let usage = #","usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}"#
        let text =
            #"data: {"choices":[{"index":0,"delta":{"content":"a b"}}]\#(usage)}"# + "\n\n"
            + #"data: {"choices":[{"index":0,"delta":{"images":[{"image_url":{"url":"\#(Self.picture)"}}]}}]}"# + "\n\n"
        let record = try record(.chatCompletions, isStream: true, isCut: true, text)
        #expect(record.buckets.inputTotal == 5)
        #expect(record.buckets.outputVisible == 3)
        #expect((295...305).contains(record.buckets.outputImage))
        let usageMetadata =
            #""usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":2,"totalTokenCount":7}"#
        let gemini =
            #"data: {"candidates":[{"content":{"parts":[{"text":"a b"}]}}],\#(usageMetadata)}"# + "\n\n"
            + #"data: {"candidates":[{"content":{"parts":[{"inlineData":{"data":"\#(Self.picture)"}}]}}]}"# + "\n\n"
        let other = try self.record(.geminiGenerate, isStream: true, isCut: true, gemini)
        #expect((295...305).contains(other.buckets.outputImage), "\(other.buckets)")
    }

    @Test func `what the engine counts of pictures is believed, and pictures are units all the same`() throws {
        let usage =
            #""usage":{"prompt_tokens":5,"completion_tokens":1290,"total_tokens":1295,"#
            + #""completion_tokens_details":{"image_tokens":1290}}"#
        let text =
            #"{"choices":[{"index":0,"message":{"content":"","images":[{"image_url":{"url":"\#(Self.picture)"}}]},"#
            + #""finish_reason":"stop"}],\#(usage)}"#
        let record = try record(.chatCompletions, isStream: false, text)
        #expect(record.buckets == TokenBuckets(inputUncached: 5, outputImage: 1290))
        #expect(record.units.images == 1 && record.usageSource == .engine)
    }

    @Test(arguments: [
        (Surface.chatCompletions, #"{"choices":[{"index":0,"delta":{"audio":{"id":"a","data":"SOUND"}}}]}"#),
        (.responses, #"{"type":"response.output_audio.delta","delta":"SOUND"}"#),
        (.geminiGenerate, #"{"candidates":[{"content":{"parts":[{"inlineData":{"data":"SOUND"}}]}}]}"#),
    ])
    func `sound in the pieces of a stream is output`(surface: Surface, event: String) throws {
        let text = String(repeating: "data: \(event.replacing("SOUND", with: Self.sound))\n\n", count: 3)
        let record = try record(surface, isStream: true, isCut: true, text)
        #expect(record.buckets.outputAudio == 90, "\(record.buckets)")
        #expect(record.units.images == 0)
    }

    @Test(arguments: [("audio", 0, 30), ("image", 300, 0)])
    func `pictures and sound of an interaction are output`(type: String, image: Int64, sound: Int64) throws {
        for delta in [#"{"type":"\#(type)","data":"DATA"}"#, #"{"data":"DATA","type":"\#(type)"}"#] {
            let event = #"{"event_type":"content.delta","delta":\#(delta)}"#.replacing("DATA", with: Self.sound)
            let record = try record(.geminiGenerate, isStream: true, isCut: true, "data: \(event)\n\n")
            #expect(record.buckets.outputImage == image && record.buckets.outputAudio == sound, "\(record.buckets)")
            #expect(record.buckets.outputReasoning == 0)
        }
    }

    @Test func `sound of a plain answer is output`() throws {
        let text =
            #"{"choices":[{"index":0,"message":{"audio":{"data":"\#(Self.sound)","transcript":"abcdefgh"}},"#
            + #""finish_reason":"stop"}]}"#
        let record = try record(.chatCompletions, isStream: false, text)
        #expect(record.buckets.outputAudio == 30 && record.buckets.outputVisible == 2)
    }

    // MARK: Tools

    private static let toolUsage =
        #""tool_usage":{"image_gen":{"input_tokens":20,"input_tokens_details":{"text_tokens":8,"image_tokens":12},"#
        + #""output_tokens":272,"output_tokens_details":{"image_tokens":272,"text_tokens":0},"total_tokens":292},"#
        + #""web_search":{"num_requests":2}}"#
    private static let usage = #""usage":{"input_tokens":9,"output_tokens":4,"total_tokens":13}"#

    @Test(arguments: [true, false]) func `what a picture tool used is a record beside the answer's`(
        isStream: Bool
    ) throws {
        let response = #"{"id":"r","status":"completed","output":[],\#(Self.usage),\#(Self.toolUsage)}"#
        let text = isStream ? "data: {\"type\":\"response.completed\",\"response\":\(response)}\n\n" : response
        let fixture = AnswerFixture(kind: .openAI, surface: .responses, isStream: isStream)
        let attempts = try fixture.attempts(try fixture.read(text).facts)
        #expect(attempts.count == 2)
        #expect(attempts[0].buckets == TokenBuckets(inputUncached: 9, outputVisible: 4))
        #expect(attempts[0].units.searches == 2)
        #expect(attempts[1].buckets == TokenBuckets(inputUncached: 8, inputImage: 12, outputImage: 272))
        #expect(attempts[1].kind == .component && attempts[1].priceKey == attempts[0].priceKey)
    }

    @Test(
        arguments: [
            (#"{"image_generation":{"output_tokens":100}}"#, TokenBuckets(outputImage: 100)),
            (#"{"image_gen":{"total_tokens":70}}"#, TokenBuckets(outputImage: 70)),
            (
                #"{"tts":{"input_tokens":3,"output_tokens":7,"output_tokens_details":{"audio_tokens":7}}}"#,
                TokenBuckets(inputUncached: 3, outputAudio: 7)
            ),
            (#"{"image_gen":{"input_tokens":0,"output_tokens":0}}"#, nil), (#"{"image_gen":null,"x":7}"#, nil),
        ] as [(String, TokenBuckets?)])
    func `tools' usage is read in any shape`(usage: String, expected: TokenBuckets?) throws {
        let fixture = AnswerFixture(kind: .openAI, surface: .responses)
        let text = #"{"id":"r","status":"completed","output":[],\#(Self.usage),"tool_usage":\#(usage)}"#
        let attempts = try fixture.attempts(try fixture.read(text).facts)
        #expect(attempts.dropFirst().first?.buckets == expected)
    }
}
