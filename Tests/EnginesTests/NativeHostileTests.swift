import Engines
import Metering
import TestSupport
import Testing

/// Streams that are cut short, or in which bits were flipped on the way, must neither end the gateway nor keep it busy,
/// and read the same however they arrive.
@Suite struct NativeHostileTests {
    private static let converse: [UInt8] =
        AWSFixture.event("messageStart", #"{"role":"assistant"}"#)
        + AWSFixture.event("contentBlockDelta", #"{"contentBlockIndex":0,"delta":{"text":"Grüße"}}"#)
        + AWSFixture.event("messageStop", #"{"stopReason":"end_turn"}"#)
        + AWSFixture.event("metadata", #"{"usage":{"inputTokens":14,"outputTokens":6,"totalTokens":20}}"#)

    private static let parts: [UInt8] =
        AWSFixture.event("PayloadPart", "data:{\"token\":{\"te".utf8)
        + AWSFixture.event(
            "PayloadPart", "xt\":\"a\"},\"details\":{\"generated_tokens\":4,\"input_length\":2}}\n\n".utf8)

    private static let invoke: [UInt8] =
        AWSFixture.event("chunk", #"{"bytes":"\#(AWSFixture.base64(#"{"generation":"Hi"}"#))"}"#)
        + AWSFixture.event("chunk", #"{"bytes":"\#(AWSFixture.base64(#"{"generation_token_count":3}"#))"}"#)

    private static let binary: [(Surface, [UInt8])] = [
        (.bedrockConverse, converse), (.sageMakerInvocations, parts), (.bedrockInvoke, invoke),
    ]

    private static let text: [(Surface, [UInt8])] = [
        (
            .messages,
            Array(
                #"""
                event: message_start
                data: {"type":"message_start","message":{"id":"m","usage":{"input_tokens":3,"output_tokens":1}}}

                event: content_block_delta
                data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"a"}}

                event: message_delta
                data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":\#
                {"output_tokens":7,"iterations":[{"type":"message","input_tokens":3,"output_tokens":7},\#
                {"type":"compaction","input_tokens":3,"output_tokens":7}]}}


                """#.utf8)
        ),
        (
            .geminiGenerate,
            Array(
                #"""
                data: {"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}],\#
                "usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2,"totalTokenCount":5,\#
                "promptTokensDetails":[{"modality":"TEXT","tokenCount":3}]}}


                """#.utf8)
        ),
        (.tgiGenerate, Array("data:{\"token\":{\"text\":\"a\"},\"details\":{\"generated_tokens\":4}}\n\n".utf8)),
        (.tritonGenerate, Array("data: {\"text_output\":\"a\",\"num_output_tokens\":[4]}\n\n".utf8)),
        (.replicatePredictions, Array("event: output\ndata: a\n\nevent: done\ndata: {\"reason\":\"x\"}\n\n".utf8)),
    ]

    private static func answer(_ surface: Surface, isBinary: Bool) -> NativeFixture.Answer {
        NativeFixture.Answer(
            surface: surface, isStream: true,
            contentType: isBinary ? NativeFixture.amazonEventStream : NativeFixture.eventStream)
    }

    @Test func `a truncated event stream is read as far as its frames go`() {
        for (surface, bytes) in Self.binary {
            let answer = Self.answer(surface, isBinary: true)
            for count in 0..<bytes.count {
                let cut = Array(bytes.prefix(count))
                let facts = NativeFixture.read([cut], answer).facts
                #expect(facts == NativeFixture.read(cut.map { [$0] }, answer).facts, "\(surface) at \(count)")
                #expect(!facts.isTerminated || surface == .sageMakerInvocations)
            }
        }
    }

    @Test func `any flipped bit of an event stream ends its reading there, in any pieces`() {
        for (surface, bytes) in Self.binary {
            let answer = Self.answer(surface, isBinary: true)
            for bit in 0..<bytes.count * 8 {
                var flipped = bytes
                flipped[bit / 8] ^= 1 << UInt8(bit % 8)
                var generator = SeededGenerator(seed: UInt64(bit))
                let facts = NativeFixture.read([flipped], answer).facts
                #expect(facts.hasError, "\(surface) bit \(bit)")
                #expect(facts.unreadCount == 1, "\(surface) bit \(bit)")
                let cut = NativeFixture.read(Fixture.pieces(of: flipped, using: &generator), answer)
                #expect(cut.facts == facts, "\(surface) bit \(bit)")
                #expect(cut.events.flatMap { $0 } == flipped, "\(surface) bit \(bit)")
            }
        }
    }

    @Test func `broken text of any dialect is read to its end, the same in any pieces`() {
        for (surface, bytes) in Self.text {
            let answer = Self.answer(surface, isBinary: false)
            for seed in propertySeeds {
                var generator = SeededGenerator(seed: seed)
                var broken = bytes
                for _ in 0..<Int.random(in: 1...8, using: &generator) {
                    let index = Int.random(in: 0..<broken.count, using: &generator)
                    switch Int.random(in: 0..<4, using: &generator) {
                    case 0: broken.remove(at: index)
                    case 1: broken.insert(contentsOf: "\":{[".utf8, at: index)
                    case 2: broken.insert(UInt8(ascii: "9"), at: index)
                    default: broken[index] = UInt8.random(in: 0...255, using: &generator)
                    }
                }
                let whole = NativeFixture.read([broken], answer).facts
                let cut = NativeFixture.read(Fixture.pieces(of: broken, using: &generator), answer).facts
                #expect(cut == whole, "\(surface) seed \(seed)")
                _ = NativeFixture.attempts(whole, surface)
                var plain = answer
                plain.contentType = "application/json"
                plain.isStream = false
                _ = NativeFixture.read(Fixture.pieces(of: broken, using: &generator), plain)
            }
        }
    }

    @Test(arguments: ["9223372036854775807", "-9223372036854775808", "99999999999999999999", "1.5", #""7""#, "[1]"])
    func `counts of any size or kind that no answer has stand in no record and end nothing`(count: String) {
        let bodies: [(Surface, String)] = [
            (
                .messages,
                #"{"usage":{"input_tokens":\#(count),"output_tokens":\#(count),"cache_creation_input_tokens":1,"#
                    + #""cache_creation":{"ephemeral_1h_input_tokens":\#(count),"#
                    + #""ephemeral_5m_input_tokens":\#(count)},"#
                    + #""iterations":[{"type":"message","input_tokens":\#(count)},{"input_tokens":\#(count)}]}}"#
            ),
            (
                .geminiGenerate,
                #"{"usageMetadata":{"promptTokenCount":\#(count),"candidatesTokenCount":\#(count),"totalTokenCount":1,"#
                    + #""promptTokensDetails":[{"modality":"AUDIO","tokenCount":\#(count)},"#
                    + #"{"modality":"AUDIO","tokenCount":\#(count)}]}}"#
            ),
            (
                .bedrockConverse,
                #"{"usage":{"inputTokens":\#(count),"outputTokens":\#(count),"cacheDetails":["#
                    + #"{"ttl":"1h","inputTokens":\#(count)},{"ttl":"1h","inputTokens":\#(count)}]}}"#
            ),
            (
                .tritonGenerate,
                #"{"num_input_tokens":[\#(count),\#(count)],"num_output_tokens":[\#(count),\#(count)]}"#
            ),
        ]
        let start = "data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"output_tokens\":\(count)}}}\n\n"
        let text = "data: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"a\"}}\n\n"
        let stream = NativeFixture.read(start + text + text, Self.answer(.messages, isBinary: false))
        let cut = NativeFixture.attempts(stream, .messages, isCut: true).first
        #expect(cut?.usageSource == .estimated && cut?.buckets.outputTotal == 2)
        for (surface, body) in bodies {
            let facts = NativeFixture.read(body, NativeFixture.Answer(surface: surface))
            let attempt = NativeFixture.attempts(facts, surface).first
            #expect(attempt?.contradiction == nil, "\(surface)")
            #expect(attempt?.notes.contains(.usageReading) == true, "\(surface)")
            #expect(attempt?.buckets.isPlausible == true, "\(surface)")
            #expect((0...11).contains(attempt?.buckets.inputTotal ?? -1), "\(surface)")
        }
    }
}
