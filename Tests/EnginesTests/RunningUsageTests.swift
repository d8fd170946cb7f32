import Metering
import TestSupport
import Testing

@testable import Engines

/// Counts in each chunk, which only the gateway asked for: read, and cut out without a byte of the rest changing.
@Suite struct RunningUsageTests {
    private static let choices = #""choices":[{"index":0,"delta":{"content":"word"},"finish_reason":null}]"#
    private static let usage = #""usage":{"prompt_tokens":31,"total_tokens":38,"completion_tokens":7}"#

    /// A chunk with the count somewhere in it, and as the client gets it.
    private static let chunks: [(String, String)] = [
        (#"{"id":"c-9",\#(choices),\#(usage)}"#, #"{"id":"c-9",\#(choices)}"#),
        (#"{\#(usage),\#(choices)}"#, #"{\#(choices)}"#),
        (#"{ \#(usage) , \#(choices) }"#, #"{ \#(choices) }"#),
        (#"{\#(choices), \#(usage), "model":"m"}"#, #"{\#(choices), "model":"m"}"#),
        (#"{\#(choices) , \#(usage) }"#, #"{\#(choices) }"#),
        (#"{\#(choices),"usage":null}"#, #"{\#(choices),"usage":null}"#),
    ]

    @Test(arguments: chunks)
    func `a running count is cut out of its chunk, comma and all`(chunk: String, shown: String) throws {
        let fixture = AnswerFixture(kind: .vllm, isStream: true, counting: .continuous)
        for space in [" ", ""] {
            let reading = try fixture.read("data:\(space)\(chunk)\n\n")
            #expect(String(decoding: reading.shown, as: UTF8.self) == "data:\(space)\(shown)\n\n")
            #expect(reading.kinds == [.content])
        }
    }

    @Test func `what the client asked for itself stays`() throws {
        let body =
            #"{"model":"m","stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":true}}"#
        let fixture = AnswerFixture(kind: .vllm, isStream: true, request: body, counting: .continuous)
        let event = "data: \(Self.chunks[0].0)\n\n"
        #expect(try fixture.read(event).shown == Array(event.utf8))
    }

    @Test func `a count that comes unasked belongs to the answer`() throws {
        let event = "data: \(Self.chunks[0].0)\n\n"
        for kind in [EngineKind.groq, .together, .deepSeek, .openAI] {
            let fixture = AnswerFixture(kind: kind, isStream: true, counting: .continuous)
            #expect(try fixture.read(event).shown == Array(event.utf8), "\(kind)")
        }
        #expect(try AnswerFixture(kind: .vllm, isStream: true).read(event).shown == Array(event.utf8))
    }

    @Test func `trtllm-serve counts in each chunk whenever usage is asked for`() throws {
        let event = "data: \(Self.chunks[0].0)\n\n"
        let silent = AnswerFixture(kind: .tensorRTLLM, isStream: true)
        #expect(try silent.read(event).shown == Array("data: \(Self.chunks[0].1)\n\n".utf8))
        let asked = #"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#
        let curious = AnswerFixture(kind: .tensorRTLLM, isStream: true, request: asked)
        #expect(try curious.read(event).shown == Array(event.utf8))
    }

    @Test func `the chunk with usage alone is not shown to a client that did not ask, and the others lose nothing`()
        throws
    {
        let last = #"{"id":"c-9","choices":[],\#(Self.usage)}"#
        let fixture = AnswerFixture(kind: .vllm, isStream: true, counting: .continuous)
        let reading = try fixture.read("data: \(Self.chunks[0].0)\n\ndata: \(last)\n\ndata: [DONE]\n\n")
        #expect(reading.kinds == [.content, .usageChunk, .terminator])
        #expect(String(decoding: reading.shown, as: UTF8.self) == "data: \(Self.chunks[0].1)\n\ndata: [DONE]\n\n")
        #expect(reading.facts.usage?.completionTokens == 7)
    }

    @Test func `usage ends where members may be added`() throws {
        let asked = #"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#
        let event = "data: {\"id\":\"c-9\",\"choices\":[],\(Self.usage),\"x\":1}\n\n"
        let reading = try AnswerFixture(kind: .vllm, isStream: true, request: asked).read(event)
        let end = try #require(reading.usageEnd)
        #expect(String(decoding: reading.shown[..<end], as: UTF8.self).hasSuffix(#""completion_tokens":7"#))
        let plain = #"{"id":"c-9", \#(Self.usage) ,"choices":[]}"#
        let plainEnd = try #require(try AnswerFixture(kind: .vllm).read(plain).usageEnd)
        #expect(String(plain.utf8.prefix(plainEnd))?.hasSuffix(#""completion_tokens":7"#) == true)
        #expect(try AnswerFixture(kind: .vllm).read(#"{"id":"c-9","usage":null}"#).usageEnd == nil)
    }

    @Test func `a stream that breaks off costs the last count and the events after it`() throws {
        let fixture = AnswerFixture(kind: .vllm, isStream: true, counting: .continuous)
        let word = "data: {\(Self.choices)}\n\n"
        let reading = try fixture.read("data: \(Self.chunks[0].0)\n\n" + word + word)
        let attempt = try fixture.attempts(reading.facts, isCut: true)[0]
        // 31 in; 7 counted and two events after them.
        #expect(attempt.buckets == TokenBuckets(inputUncached: 31, outputVisible: 9))
        #expect(!attempt.usageComplete)
        #expect(attempt.usageSource == .estimated)
    }
}
