import Engines
import Metering
import TestSupport
import Testing

/// What an engine that is broken, or not what it says it is, must not be able to do: end the gateway, or make an answer
/// that was received free.
@Suite struct HostileAnswerTests {
    private static let cutEscapes = [#"\u"#, #"\u1"#, #"\u12"#, #"\u123"#, #"\ud83d"#, #"\ud83d\u"#, #"\ud83d\ude0"#]

    @Test(arguments: cutEscapes)
    func `an escape that stops too early is read as far as it goes`(escape: String) {
        let facts = Fixture.readPlain(
            #"{"id":"\#(escape)","model":"m\#(escape)","\#(escape)":1,"choices":[{"finish_reason":"\#(escape)"}],"#
                + #""usage":{"prompt_tokens":3,"completion_tokens":4}}"#)
        #expect(facts.model?.first == "m")
        #expect(facts.usage?.completionTokens == 4)
    }

    @Test(arguments: [Int64.max, 5_000_000_000_000, -1, Int64.min + 1])
    func `counts of any size that no answer has are estimated instead`(count: Int64) {
        let usage =
            #"{"completion_tokens":\#(count),"prompt_tokens_details":{"cached_tokens":\#(count),"#
            + #""cache_write_tokens":\#(count)},"completion_tokens_details":{"reasoning_tokens":\#(count)}}"#
        for text in [usage, usage.replacing("completion_tokens\":", with: "other\":", maxReplacements: 1)] {
            var attempt = AttemptRecord.example
            Fixture.readPlain(#"{"usage":\#(text)}"#)
                .fill(&attempt, operation: .chat, promptTextBytes: 8, isCut: false)
            #expect(attempt.contradiction == nil)
            #expect(attempt.usageSource == .estimated)
            #expect(attempt.notes.contains(.usageReading))
            #expect(attempt.buckets == TokenBuckets(inputUncached: 2))
        }
    }

    @Test func `bytes of any kind are read to their end`() {
        let valid = Array(
            (#"{"id":"c\u0031","model":"m\ud83d\ude00","error":null,"choices":[{"message":{"content":"a\\\"b"},"#
                + #""finish_reason":"stop"}],"usage":{"prompt_tokens":2,"completion_tokens":3}}"#).utf8)
        for seed in propertySeeds {
            var generator = SeededGenerator(seed: seed)
            var bytes = valid
            for _ in 0..<Int.random(in: 1...12, using: &generator) {
                let index = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes.remove(at: index)
                case 1: bytes.insert(UInt8(ascii: "\""), at: index)
                case 2: bytes.insert(UInt8(ascii: "\\"), at: index)
                default: bytes[index] = UInt8.random(in: 0...255, using: &generator)
                }
            }
            _ = Fixture.readPlain(Fixture.pieces(of: bytes, using: &generator))
            _ = Fixture.read(Fixture.pieces(of: Array("data: ".utf8) + bytes + [10, 10], using: &generator))
        }
    }

    /// Some engines send a usage object at the start, with the prompt counted and the output still zero.
    @Test func `a stream cut after an early usage costs what came, not what the engine had said by then`() {
        let early = Fixture.chunk(
            Fixture.delta(#"{"role":"assistant"}"#),
            extra: #","usage":{"prompt_tokens":21,"completion_tokens":0,"total_tokens":21}"#)
        let stream = ([early] + Array(repeating: Fixture.word, count: 5)).map { "data: \($0)\n\n" }.joined()
        let facts = Fixture.read([Array(stream.utf8)]).facts
        var attempt = AttemptRecord.example
        facts.fill(&attempt, operation: .chat, promptTextBytes: 8, isCut: true)
        #expect(attempt.buckets == TokenBuckets(inputUncached: 21, outputVisible: 5))
        #expect(attempt.usageSource == .estimated)
        #expect(!attempt.usageComplete)
    }

    @Test func `a stream cut after a running usage costs what the engine counted`() {
        let running = Fixture.chunk(
            Fixture.delta(#"{"content":"two tokens"}"#),
            extra: #","usage":{"prompt_tokens":21,"completion_tokens":2,"total_tokens":23}"#)
        let facts = Fixture.read([Array("data: \(running)\n\n".utf8)]).facts
        var attempt = AttemptRecord.example
        facts.fill(&attempt, operation: .chat, promptTextBytes: 8, isCut: true)
        #expect(attempt.buckets == TokenBuckets(inputUncached: 21, outputVisible: 2))
        #expect(attempt.usageSource == .engine)
        #expect(!attempt.usageComplete)
    }

    /// Found by fuzzing: the place in one event was taken for a place in the next, which was shorter.
    @Test func `a comment after usage has no usage of its own`() {
        let request = NativeFixture.request(.messages, isStream: true)
        let backend = Backend(
            name: "b", isTLS: false, host: "h", port: 80, basePath: "", apiKey: nil, kind: .anthropic)
        let meter = AnswerMeter(
            request: request, backend: backend, status: 200,
            headers: NativeFixture.Headers(fields: ["content-type": NativeFixture.eventStream]))
        let usage = "event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":3}}\n\n"
        Array(usage.utf8).withUnsafeBytes { _ = meter.read(event: $0) }
        #expect(meter.usageEnd != nil)
        Array(": ping\n\n".utf8).withUnsafeBytes { _ = meter.read(event: $0) }
        #expect(meter.usageEnd == nil)
    }
}
