import Metering
import TestSupport
import Testing

@testable import Engines

/// Events with pictures in them are longer than any that are kept; their usage counts all the same.
@Suite struct LongEventTests {
    private static let picture = String(repeating: "iVBORw0KGgo", count: 3000)

    private static func read(
        _ event: String, _ surface: Surface, isArray: Bool = false, using generator: inout SeededGenerator
    ) -> (AnswerFacts, StreamEvent) {
        let meter = AnswerMeter(
            request: NativeFixture.request(surface, isStream: true), backend: NativeFixture.backend, status: 200,
            headers: NativeFixture.Headers(
                fields: ["content-type": isArray ? "application/json" : NativeFixture.eventStream]))
        for piece in Fixture.pieces(of: Array(event.utf8), using: &generator) {
            piece.withUnsafeBytes { meter.read(longEventPiece: $0) }
        }
        let meaning = meter.finishLongEvent()
        meter.finish()
        return (meter.facts, meaning)
    }

    /// Prompt 9, a picture of 1,290 tokens: 1,299.
    private static let gemini =
        #"{"candidates":[{"content":{"parts":[{"text":"{\"usageMetadata\":{\"promptTokenCount\":1}}"},"#
        + #"{"inlineData":{"mimeType":"image/png","data":"\#(picture)"}}]},"finishReason":"STOP"}],"#
        + #""usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":1290,"totalTokenCount":1299,"#
        + #""candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":1290}]},"modelVersion":"gemini-image"}"#

    @Test(arguments: [("data: \(gemini)\r\n\r\n", false), (",\n\(gemini)", true)])
    func `a picture in Gemini's stream is counted`(event: String, isArray: Bool) throws {
        for seed in propertySeeds.prefix(20) {
            var generator = SeededGenerator(seed: seed)
            let (facts, meaning) = Self.read(event, .geminiGenerate, isArray: isArray, using: &generator)
            #expect(meaning == .content)
            let attempt = try #require(NativeFixture.attempts(facts, .geminiGenerate).first)
            #expect(attempt.buckets == TokenBuckets(inputUncached: 9, outputImage: 1290), "seed \(seed)")
            #expect(facts.contentEvents == 1)
            #expect(facts.uncountedEvents == 0)
            #expect(facts.isTerminated)
            #expect(facts.unreadCount == 0)
        }
    }

    @Test func `a picture in a stream of OpenAI's is counted`() throws {
        let event =
            "event: image_generation.completed\ndata: "
            + #"{"type":"image_generation.completed","b64_json":"\#(Self.picture)","usage":{"total_tokens":60,"#
            + #""input_tokens":20,"output_tokens":40}}"# + "\n\n"
        var generator = SeededGenerator(seed: 4)
        let (facts, _) = Self.read(event, .imageGenerations, using: &generator)
        #expect(facts.usage?.promptTokens == 20)
        #expect(facts.usage?.completionTokens == 40)
        #expect(facts.uncountedEvents == 0)
    }

    @Test func `a long event without usage is one event with content`() {
        let event = #"data: {"type":"content_block_delta","delta":{"text":"\#(Self.picture)"}}"# + "\n\n"
        var generator = SeededGenerator(seed: 5)
        let (facts, meaning) = Self.read(event, .messages, using: &generator)
        #expect(meaning == .content)
        #expect(facts.contentEvents == 1)
        #expect(facts.uncountedEvents == 1)
        #expect(facts.usage == nil)
    }

    private static let item =
        #"{"id":"ig_1","type":"image_generation_call","status":"completed","result":"\#(picture)"}"#
    private static let usage = #""usage":{"input_tokens":9,"output_tokens":4,"total_tokens":13}"#

    private func read(_ events: [String], isCut: Bool = false) throws -> ([StreamEvent], [AttemptRecord], AnswerFacts) {
        let fixture = AnswerFixture(kind: .openAI, surface: .responses, isStream: true)
        let meter = AnswerMeter(
            request: try fixture.inferenceRequest(), backend: fixture.backend, status: 200,
            headers: AnswerFixture.Headers(fields: ["content-type": NativeFixture.eventStream]))
        var generator = SeededGenerator(seed: 6)
        var meanings: [StreamEvent] = []
        for event in events {
            for piece in Fixture.pieces(of: Array("data: \(event)\n\n".utf8), using: &generator) {
                piece.withUnsafeBytes { meter.read(longEventPiece: $0) }
            }
            meanings.append(meter.finishLongEvent())
        }
        meter.finish()
        return (meanings, try fixture.attempts(meter.facts, isCut: isCut), meter.facts)
    }

    @Test func `a response's end keeps its usage and is the end, however long a picture makes it`() throws {
        let done = #"{"type":"response.output_item.done","output_index":0,"item":\#(Self.item)}"#
        let tools = #""tool_usage":{"image_gen":{"output_tokens":272}}"#
        let end =
            #"{"type":"response.completed","response":{"id":"r","status":"completed","output":[\#(Self.item)],"#
            + #"\#(Self.usage),\#(tools)}}"#
        for events in [[done, end], [end]] {
            let (meanings, attempts, facts) = try read(events)
            #expect(meanings.last == .terminator && facts.isTerminated)
            #expect(facts.finishReason == "completed" && facts.finishedChoices == 1)
            #expect(attempts[0].buckets == TokenBuckets(inputUncached: 9, outputVisible: 4))
            #expect(attempts[0].units.images == 1 && attempts[0].usageSource == .engine)
            #expect(attempts[1].buckets == TokenBuckets(outputImage: 272))
        }
    }

    @Test func `a picture that was whole before the stream was left is one`() throws {
        let partial = #"{"type":"response.image_generation_call.partial_image","partial_image_b64":"\#(Self.picture)"}"#
        let done = #"{"type":"response.output_item.done","output_index":0,"item":\#(Self.item)}"#
        #expect(try read([partial], isCut: true).1[0].units.images == 1)
        let (_, attempts, _) = try read([partial, done], isCut: true)
        #expect(attempts[0].units.images == 1 && attempts[0].buckets.outputImage > 0)
    }

    @Test func `a response that failed says so in a long event as well`() throws {
        let end =
            #"{"type":"response.failed","response":{"id":"r","status":"failed","error":{"code":"server_error"},"#
            + #""output":[\#(Self.item)]}}"#
        let (meanings, _, facts) = try read([end])
        #expect(meanings == [.terminator] && facts.endsInFailure && facts.hasError)
        #expect(EngineRefusal(kind: .openAI, insideAnswer: facts).meaning == .unavailable)
    }

    @Test func `long pictures end a stream of pictures`() throws {
        let event = #"data: {"type":"image_generation.completed","b64_json":"\#(Self.picture)"}"# + "\n\n"
        var generator = SeededGenerator(seed: 7)
        let (facts, meaning) = Self.read(event, .imageGenerations, using: &generator)
        #expect(meaning == .terminator && facts.isTerminated && facts.items == 1)
    }
}
