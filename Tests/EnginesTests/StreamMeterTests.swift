import Engines
import Metering
import TestSupport
import Testing

@Suite struct StreamMeterTests {
    @Test(arguments: ["\n", "\r\n", "\r"], ["data: ", "data:"])
    func `a stream reads the same whatever ends its lines`(lineEnd: String, prefix: String) {
        let stream = Array(Fixture.stream(lineEnd: lineEnd, prefix: prefix).utf8)
        let (events, kinds, facts) = Fixture.read([stream])
        #expect(kinds == [.other, .other, .other, .content, .content, .other, .usageChunk, .terminator])
        #expect(events.joined() == String(decoding: stream, as: UTF8.self))
        #expect(facts.contentEvents == 2)
        #expect(facts.finishReason == "stop")
        #expect(facts.finishedChoices == 1)
        #expect(facts.isTerminated)
        #expect(facts.id == "chatcmpl-77")
        #expect(facts.model == "served-model")
        #expect(
            facts.usage?.buckets()
                == .counted(
                    TokenBuckets(
                        inputUncached: 8, cacheRead: 8, cacheWriteFiveMinutes: 5, outputVisible: 5, outputReasoning: 4))
        )
    }

    @Test func `any way of cutting a stream into reads gives the same events and facts`() {
        for lineEnd in ["\n", "\r\n", "\r"] {
            let stream = Array((Fixture.stream(lineEnd: lineEnd) + "data: \(Fixture.word)").utf8)
            let whole = Fixture.read([stream])
            for seed in propertySeeds {
                var generator = SeededGenerator(seed: seed)
                let cut = Fixture.read(Fixture.pieces(of: stream, using: &generator))
                #expect(cut.events == whole.events, "seed \(seed)")
                #expect(cut.kinds == whole.kinds, "seed \(seed)")
                #expect(cut.facts == whole.facts, "seed \(seed)")
            }
        }
    }

    @Test func `an event's end shows as soon as its last byte is there`() {
        for (lineEnd, isHeldBack) in [("\n", false), ("\r\n", false), ("\r", false)] {
            var splitter = EventStreamSplitter()
            let text = "data: a\(lineEnd)\(lineEnd)"
            let end = Array(text.utf8).withUnsafeBytes { splitter.nextEventEnd(in: $0, from: 0) }
            #expect((end == nil) == isHeldBack, "\(Array(lineEnd.utf8))")
        }
    }

    @Test(arguments: [
        (#"{"role":"assistant"}"#, false), (#"{"role":"assistant","content":""}"#, false),
        (#"{"content":null}"#, false), (#"{"tool_calls":[]}"#, false), (#"{"token_id":5}"#, false),
        (#"{"content":" "}"#, true), (#"{"reasoning_content":"hm"}"#, true), (#"{"reasoning":"hm"}"#, true),
        (#"{"refusal":"no"}"#, true), (#"{"tool_calls":[{"index":0}]}"#, true),
        (#"{"function_call":{"name":"f"}}"#, true),
        (#"{"audio":{"data":"x"}}"#, true), (#"{"\u0063ontent":"x"}"#, true),
    ])
    func `only what the model wrote is content`(delta: String, isContent: Bool) {
        let event = Array("data: \(Fixture.chunk(Fixture.delta(delta)))\n\n".utf8)
        var meter = StreamMeter()
        let kind = event.withUnsafeBytes { meter.read(event: $0) }
        #expect((kind == .content) == isContent)
        #expect(meter.facts.contentEvents == (isContent ? 1 : 0))
    }

    @Test func `a completion's text is content`() {
        let (_, kinds, facts) = Fixture.read([
            Array(
                """
                data: {"id":"cmpl-1","choices":[{"text":"The","index":0,"finish_reason":null}]}

                data: {"id":"cmpl-1","choices":[{"text":"","index":0,"finish_reason":"length"}]}


                """.utf8)
        ])
        #expect(kinds.prefix(2) == [.content, .other])
        #expect(facts.finishReason == "length")
    }

    @Test func `usage on the last chunk with choices is taken and the chunk stays`() {
        let last = Fixture.chunk(
            Fixture.delta(#"{"content":"end"}"#, finish: #""stop""#),
            extra: #","usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}"#)
        let (_, kinds, facts) = Fixture.read([Array("data: \(last)\n\ndata: [DONE]\n\n".utf8)])
        #expect(kinds == [.content, .terminator])
        #expect(facts.usage?.promptTokens == 3)
    }

    @Test func `cumulative usage is the last word on each field, not a sum`() {
        let parts = [
            #"{"prompt_tokens":11,"total_tokens":11,"completion_tokens":0}"#,
            #"{"prompt_tokens":11,"total_tokens":12,"completion_tokens":1,"#
                + #""prompt_tokens_details":{"cached_tokens":6}}"#,
            #"{"prompt_tokens":11,"total_tokens":13,"completion_tokens":2,"prompt_tokens_details":null}"#,
        ]
        let stream = parts.map { "data: \(Fixture.chunk("", extra: #","usage":\#($0)"#))\n\n" }.joined()
        let facts = Fixture.read([Array(stream.utf8)]).facts
        #expect(
            facts.usage?.buckets()
                == .counted(TokenBuckets(inputUncached: 5, cacheRead: 6, outputVisible: 2)))
    }

    @Test func `a usage chunk for each of several choices is added up, one for all is not`() {
        let usage = #","usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}"#
        let event = Array("data: \(Fixture.chunk("", extra: usage))\n\n".utf8)
        func output(_ events: Int, choices: Int64) -> Int64? {
            var meter = StreamMeter(choiceCount: choices)
            for _ in 0..<events { _ = event.withUnsafeBytes { meter.read(event: $0) } }
            guard case .counted(let buckets)? = meter.facts.usage?.buckets() else { return nil }
            #expect(buckets.inputTotal == 5)
            return buckets.outputTotal
        }
        #expect(output(1, choices: 2) == 7)
        #expect(output(2, choices: 2) == 14)
        #expect(output(2, choices: 1) == 7)
    }

    @Test(arguments: [
        #"data:{"error":"Incomplete generation stream","error_type":"incomplete_generation_stream"}"#,
        #"data: {"error":{"message":"m","code":500}}"#,
        "event: error\ndata: {\"message\":\"overloaded\"}",
    ])
    func `an error inside a stream is seen`(event: String) {
        let (_, kinds, facts) = Fixture.read([Array((event + "\n\n").utf8)])
        #expect(kinds == [.error])
        #expect(facts.hasError)
    }

    @Test func `a null error is none`() {
        let facts = Fixture.read([Array("data: \(Fixture.chunk("", extra: #","error":null"#))\n\n".utf8)]).facts
        #expect(!facts.hasError)
    }

    @Test func `data over several lines is one text`() {
        let event = "data: {\"choices\":[{\"delta\":\ndata: {\"content\":\"x\"}}]}\n\n"
        #expect(Fixture.read([Array(event.utf8)]).kinds == [.content])
    }

    @Test func `what is no JSON passes and is counted`() {
        let (_, kinds, facts) = Fixture.read([Array("data: {oops\n\ndata: [DONE]\n\n".utf8)])
        #expect(kinds == [.other, .terminator])
        #expect(facts.unreadCount == 1)
    }

    @Test func `a model that writes usage into its text is not believed`() {
        let delta = Fixture.delta(#"{"content":"\"usage\":{\"prompt_tokens\":999}"}"#)
        let facts = Fixture.read([Array("data: \(Fixture.chunk(delta))\n\n".utf8)]).facts
        #expect(facts.usage == nil)
    }
}
