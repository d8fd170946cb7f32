import Engines
import Metering
import TestSupport
import Testing

@Suite struct AnthropicReaderTests {
    private static let plain = NativeFixture.Answer(surface: .messages)
    private static let streamed = NativeFixture.Answer(
        surface: .messages, isStream: true, contentType: NativeFixture.eventStream)

    private static func event(_ type: String, _ members: String) -> String {
        "event: \(type)\ndata: {\"type\":\"\(type)\"\(members.isEmpty ? "" : ",\(members)")}\n\n"
    }

    private static func start(_ id: String, model: String = "claude-a", usage: String) -> String {
        event("message_start", #""message":{"id":"\#(id)","type":"message","model":"\#(model)","usage":\#(usage)}"#)
    }

    private static func text(_ text: String) -> String {
        event("content_block_delta", #""index":0,"delta":{"type":"text_delta","text":"\#(text)"}"#)
    }

    private static func delta(_ usage: String, reason: String = #""end_turn""#) -> String {
        event("message_delta", #""delta":{"stop_reason":\#(reason),"stop_sequence":null},"usage":\#(usage)"#)
    }

    private static let stop = event("message_stop", "")

    private static func buckets(_ facts: AnswerFacts, isCut: Bool = false) -> [TokenBuckets] {
        NativeFixture.attempts(facts, .messages, isCut: isCut).map(\.buckets)
    }

    @Test func `writes to a cache are split by lifetime, and what has none is kept for five minutes`() {
        // 700 written = 100 for five minutes, 250 for an hour, 150 for a day; 200 of no stated lifetime join the first.
        let facts = NativeFixture.read(
            #"{"id":"m","usage":{"input_tokens":3,"cache_read_input_tokens":40,"cache_creation_input_tokens":700,"#
                + #""cache_creation":{"ephemeral_5m_input_tokens":100,"ephemeral_1h_input_tokens":250,"#
                + #""ephemeral_24h_input_tokens":150},"output_tokens":9}}"#, Self.plain)
        #expect(
            Self.buckets(facts) == [
                TokenBuckets(
                    inputUncached: 3, cacheRead: 40, cacheWriteFiveMinutes: 300, cacheWriteHour: 250,
                    cacheWriteLong: 150, outputVisible: 9)
            ])
    }

    @Test func `without a split all that was written is kept for five minutes`() {
        let facts = NativeFixture.read(
            #"{"usage":{"input_tokens":3,"cache_creation_input_tokens":77,"output_tokens":9,"cache_creation":null}}"#,
            Self.plain)
        #expect(
            Self.buckets(facts) == [TokenBuckets(inputUncached: 3, cacheWriteFiveMinutes: 77, outputVisible: 9)])
    }

    @Test func `a split that exceeds its total is cut down to it`() throws {
        let facts = NativeFixture.read(
            #"{"usage":{"input_tokens":3,"cache_creation_input_tokens":10,"output_tokens":9,"#
                + #""cache_creation":{"ephemeral_5m_input_tokens":6,"ephemeral_1h_input_tokens":5}}}"#, Self.plain)
        let attempt = try #require(NativeFixture.attempts(facts, .messages).first)
        #expect(attempt.notes == .usageReading)
        #expect(
            attempt.buckets
                == TokenBuckets(inputUncached: 3, cacheWriteFiveMinutes: 5, cacheWriteHour: 5, outputVisible: 9))
    }

    @Test func `thinking is approximate and never exceeds the output that holds it`() {
        let facts = NativeFixture.read(
            #"{"usage":{"input_tokens":3,"output_tokens":9,"output_tokens_details":{"thinking_tokens":11}}}"#,
            Self.plain)
        #expect(Self.buckets(facts) == [TokenBuckets(inputUncached: 3, outputReasoning: 9)])
    }

    @Test(arguments: [
        (#""service_tier":"priority""#, "priority", ""), (#""service_tier":"standard","speed":"fast""#, "fast", ""),
        (#""service_tier":"standard","inference_geo":"us""#, "standard", "us"),
        (#""service_tier":"standard","inference_geo":"global""#, "standard", ""),
    ])
    func `tier, speed and place are what served`(members: String, tier: String, region: String) throws {
        let facts = NativeFixture.read(#"{"usage":{"input_tokens":1,"output_tokens":1,\#(members)}}"#, Self.plain)
        let attempt = try #require(NativeFixture.attempts(facts, .messages).first)
        #expect(attempt.tierServed == tier)
        #expect(attempt.region == region)
    }

    @Test func `a compaction is priced beside the answer, searches with it`() {
        // Top level 500/60 = two messages 200 + 300 / 20 + 40. The compaction read 9,000 and wrote 310.
        let facts = NativeFixture.read(
            #"{"model":"claude-a","usage":{"input_tokens":500,"output_tokens":60,"#
                + #""server_tool_use":{"web_search_requests":4},"iterations":["#
                + #"{"type":"compaction","input_tokens":9000,"output_tokens":310,"cache_creation_input_tokens":70},"#
                + #"{"type":"message","input_tokens":200,"output_tokens":20},"#
                + #"{"type":"message","input_tokens":300,"output_tokens":40}]}}"#, Self.plain)
        let attempts = NativeFixture.attempts(facts, .messages)
        #expect(
            attempts.map(\.buckets) == [
                TokenBuckets(inputUncached: 500, outputVisible: 60),
                TokenBuckets(inputUncached: 9000, cacheWriteFiveMinutes: 70, outputVisible: 310),
            ])
        #expect(attempts.map(\.kind) == [.primary, .compaction])
        #expect(attempts.map(\.modelServed) == ["claude-a", "claude-a"])
        #expect(attempts.map(\.units.searches) == [4, 0])
    }

    @Test func `two rounds with one advisor are one record, another advisor's is another`() {
        let facts = NativeFixture.read(
            #"{"model":"claude-a","usage":{"input_tokens":10,"output_tokens":5,"iterations":["#
                + #"{"type":"message","input_tokens":10,"output_tokens":5},"#
                + #"{"type":"advisor_message","model":"claude-b","input_tokens":30,"output_tokens":7},"#
                + #"{"type":"advisor_message","model":"claude-c","input_tokens":1,"output_tokens":1},"#
                + #"{"type":"advisor_message","model":"claude-b","input_tokens":40,"output_tokens":8}]}}"#, Self.plain)
        let attempts = NativeFixture.attempts(facts, .messages)
        #expect(attempts.map(\.modelServed) == ["claude-a", "claude-b", "claude-c"])
        // 30 + 40 and 7 + 8.
        #expect(attempts[1].buckets == TokenBuckets(inputUncached: 70, outputVisible: 15))
    }

    @Test func `a top level that counts everything is not counted twice`() {
        // 130/25 = 100 + 30 / 20 + 5, so the advisor's 30/5 are in it already.
        let facts = NativeFixture.read(
            #"{"model":"claude-a","usage":{"input_tokens":130,"output_tokens":25,"iterations":["#
                + #"{"type":"message","input_tokens":100,"output_tokens":20},"#
                + #"{"type":"advisor_message","model":"claude-b","input_tokens":30,"output_tokens":5}]}}"#, Self.plain)
        #expect(
            Self.buckets(facts) == [
                TokenBuckets(inputUncached: 100, outputVisible: 20), TokenBuckets(inputUncached: 30, outputVisible: 5),
            ])
    }

    @Test func `of steps and a top level that they do not add up to the smaller counts`() throws {
        let facts = NativeFixture.read(
            #"{"usage":{"input_tokens":131,"output_tokens":25,"iterations":["#
                + #"{"type":"message","input_tokens":100,"output_tokens":20}]}}"#, Self.plain)
        let attempt = try #require(NativeFixture.attempts(facts, .messages).first)
        #expect(attempt.notes == .usageReading)
        #expect(attempt.buckets == TokenBuckets(inputUncached: 100, outputVisible: 20))
    }

    @Test func `a start with another id begins another record`() {
        // The first inference said 50/1 and three events came: 3. The second said 8/1 and then 8/6.
        let stream =
            Self.start("msg_1", usage: #"{"input_tokens":50,"output_tokens":1,"service_tier":"standard"}"#)
            + Self.text("a") + Self.text("b") + Self.text("c")
            + Self.start("msg_2", model: "claude-b", usage: #"{"input_tokens":8,"output_tokens":1}"#)
            + Self.text("d") + Self.delta(#"{"output_tokens":6}"#) + Self.stop
        let facts = NativeFixture.read(stream, Self.streamed)
        let attempts = NativeFixture.attempts(facts, .messages)
        #expect(
            attempts.map(\.buckets) == [
                TokenBuckets(inputUncached: 8, outputVisible: 6), TokenBuckets(inputUncached: 50, outputVisible: 3),
            ])
        #expect(attempts.map(\.modelServed) == ["claude-b", "claude-a"])
        #expect(attempts.map(\.upstreamID) == ["msg_2", "msg_1"])
        #expect(attempts.map(\.usageComplete) == [true, false])
        #expect(facts.isTerminated)
    }

    @Test func `a start with another id replaces one of which nothing came`() {
        for usage in [#"{"input_tokens":50,"output_tokens":1}"#, #"{"input_tokens":9000,"output_tokens":0}"#] {
            let stream =
                Self.start("msg_1", usage: usage)
                + Self.start("msg_2", usage: #"{"input_tokens":8,"output_tokens":1}"#)
                + Self.text("d") + Self.delta(#"{"output_tokens":6}"#) + Self.stop
            #expect(
                Self.buckets(NativeFixture.read(stream, Self.streamed)) == [
                    TokenBuckets(inputUncached: 8, outputVisible: 6)
                ])
        }
    }

    @Test func `a start that is repeated late does not undo what a delta said`() {
        let start = Self.start("msg_1", usage: #"{"input_tokens":50,"output_tokens":1}"#)
        let facts = NativeFixture.read(
            start + Self.text("a") + Self.delta(#"{"output_tokens":44}"#) + start + Self.stop, Self.streamed)
        #expect(Self.buckets(facts) == [TokenBuckets(inputUncached: 50, outputVisible: 44)])
    }

    @Test func `a stream cut before its first delta costs the events that came`() {
        let start = Self.start("msg_1", usage: #"{"input_tokens":50,"output_tokens":2}"#)
        for events in 0..<5 {
            let facts = NativeFixture.read(
                start + String(repeating: Self.text("x"), count: events), Self.streamed)
            // The start's count stands for the first two events.
            let output = Int64(max(2, events))
            #expect(Self.buckets(facts, isCut: true) == [TokenBuckets(inputUncached: 50, outputVisible: output)])
            #expect(!facts.isTerminated)
        }
    }

    @Test func `a declined try without a model is of the one that the answer says declined`() {
        let facts = NativeFixture.read(
            #"{"model":"claude-b","content":["#
                + #"{"type":"fallback","from":{"model":"claude-a"},"to":{"model":"claude-b"}},"#
                + #"{"type":"text","text":"Hi"}],"usage":{"input_tokens":20,"output_tokens":5,"iterations":["#
                + #"{"type":"message","input_tokens":18,"output_tokens":0},"#
                + #"{"type":"fallback_message","model":"claude-b","input_tokens":20,"output_tokens":5}]}}"#, Self.plain)
        let attempts = NativeFixture.attempts(facts, .messages)
        #expect(attempts.map(\.modelServed) == ["claude-b", "claude-a"])
        #expect(attempts.map(\.kind) == [.fallback, .primary])
        #expect(attempts.map(\.buckets.inputTotal) == [20, 18])
    }

    @Test func `what the declined model had written to its cache is not the fallback's`() {
        // The start is of the model that declined; the fallback wrote 9 for five minutes and read nothing.
        let stream =
            Self.start(
                "msg_1",
                usage: #"{"input_tokens":18,"cache_creation_input_tokens":30,"cache_read_input_tokens":5,"#
                    + #""cache_creation":{"ephemeral_1h_input_tokens":30},"output_tokens":1}"#)
            + Self.delta(
                #"{"input_tokens":20,"cache_creation_input_tokens":9,"cache_read_input_tokens":0,"output_tokens":5,"#
                    + #""iterations":[{"type":"message","model":"claude-a","input_tokens":18,"output_tokens":0,"#
                    + #""cache_creation_input_tokens":30,"cache_read_input_tokens":5,"#
                    + #""cache_creation":{"ephemeral_1h_input_tokens":30}},"#
                    + #"{"type":"fallback_message","model":"claude-b","input_tokens":20,"output_tokens":5,"#
                    + #""cache_creation_input_tokens":9,"cache_read_input_tokens":0}]}"#) + Self.stop
        let attempts = NativeFixture.attempts(NativeFixture.read(stream, Self.streamed), .messages)
        #expect(
            attempts.map(\.buckets) == [
                TokenBuckets(inputUncached: 20, cacheWriteFiveMinutes: 9, outputVisible: 5),
                TokenBuckets(inputUncached: 18, cacheRead: 5, cacheWriteHour: 30),
            ])
    }

    @Test func `another model is priced as itself, known or not, and the answer's own steps as the answer`() {
        let facts = NativeFixture.read(
            #"{"model":"claude-a-20260101","usage":{"input_tokens":10,"output_tokens":5,"iterations":["#
                + #"{"type":"compaction","input_tokens":30,"output_tokens":7},"#
                + #"{"type":"message","input_tokens":10,"output_tokens":5},"#
                + #"{"type":"advisor_message","model":"claude-b","input_tokens":30,"output_tokens":7},"#
                + #"{"type":"advisor_message","model":"claude-c","input_tokens":1,"output_tokens":1}]}}"#, Self.plain)
        var base = AttemptRecord.example
        base.number = 3
        let attempts = facts.attempts(
            completing: base, request: NativeFixture.request(.messages), isCut: false,
            priceKey: { $0 == "claude-b" ? "b-key" : nil }, newID: { base.id })
        #expect(attempts.map(\.priceKey) == [base.priceKey, base.priceKey, "b-key", "claude-c"])
        // Two tries had failed before this one.
        #expect(attempts.map(\.number) == [3, 4, 5, 6])
    }

    @Test func `a stream cut after another model took over is that model's`() {
        let facts = NativeFixture.read(
            Self.start("msg_1", usage: #"{"input_tokens":18,"output_tokens":1}"#)
                + Self.event(
                    "content_block_start",
                    #""content_block":{"type":"fallback","from":{"model":"claude-a"},"to":{"model":"claude-b"}}"#)
                + Self.text("a") + Self.text("b"), Self.streamed)
        let attempts = NativeFixture.attempts(facts, .messages, isCut: true)
        #expect(attempts.map(\.modelServed) == ["claude-b"])
        #expect(attempts.map(\.kind) == [.fallback])
        #expect(attempts.map(\.buckets) == [TokenBuckets(inputUncached: 18, outputVisible: 2)])
    }

    @Test func `only what the model wrote is content`() {
        let block = #""index":0,"content_block":"#
        let events = [
            (Self.event("content_block_start", block + #"{"type":"text","text":""}"#), false),
            (Self.event("content_block_start", block + #"{"type":"tool_use","id":"t","name":"f","input":{}}"#), true),
            (Self.event("content_block_delta", #""delta":{"type":"input_json_delta","partial_json":"{"}"#), true),
            (Self.event("content_block_delta", #""delta":{"type":"input_json_delta","partial_json":""}"#), false),
            (Self.event("content_block_delta", #""delta":{"type":"thinking_delta","thinking":"hm"}"#), true),
            (Self.event("content_block_delta", #""delta":{"type":"signature_delta","signature":"abc"}"#), false),
            (Self.event("ping", ""), false),
        ]
        for (event, isContent) in events {
            let (facts, kinds, _) = NativeFixture.read([Array(event.utf8)], Self.streamed)
            #expect((kinds == [.content]) == isContent, "\(event)")
            #expect(facts.unreadCount == 0)
        }
    }

    @Test func `an error inside a stream is seen, and what was counted stays`() {
        let (facts, kinds, _) = NativeFixture.read(
            [
                Array(
                    (Self.start("msg_1", usage: #"{"input_tokens":50,"output_tokens":1}"#) + Self.text("a")
                        + Self.event("error", #""error":{"type":"overloaded_error","message":"Overloaded"}"#)).utf8)
            ], Self.streamed)
        #expect(kinds == [.other, .content, .error])
        #expect(facts.error?.type == "overloaded_error")
        #expect(Self.buckets(facts, isCut: true) == [TokenBuckets(inputUncached: 50, outputVisible: 1)])
    }

    @Test func `counting tokens makes nothing`() {
        let facts = NativeFixture.read(#"{"input_tokens":2095}"#, NativeFixture.Answer(surface: .countTokens))
        let attempts = NativeFixture.attempts(facts, .countTokens)
        #expect(attempts.map(\.buckets) == [TokenBuckets()])
        #expect(attempts.allSatisfy { $0.usageComplete })
    }
}
