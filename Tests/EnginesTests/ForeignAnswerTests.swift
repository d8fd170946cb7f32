import Metering
import Testing

@testable import Engines

/// Answers in forms that only some engines have, and what no engine's number can be.
@Suite struct ForeignAnswerTests {
    private func chat(_ text: String, isStream: Bool = false, request: String? = nil) throws -> AttemptRecord {
        let fixture = AnswerFixture(isStream: isStream, request: request)
        return try fixture.attempts(try fixture.read(text).facts)[0]
    }

    private func events(_ events: [String]) -> String { events.map { "data: \($0)\n\n" }.joined() }

    // MARK: Whole messages in a stream

    @Test func `a message in the place of a delta counts once where it is repeated`() throws {
        let texts = (1...20).map { String(repeating: "word ", count: 10 * $0) }
        let repeated = events(texts.map { #"{"choices":[{"index":0,"message":{"content":"\#($0)"}}]}"# })
        #expect(try chat(repeated, isStream: true).buckets.outputTotal == 250)
        let last = repeated + events([#"{"choices":[{"index":0,"message":{"content":"\#(texts[19])"}}]}"#])
        #expect(try chat(last, isStream: true).buckets.outputTotal == 250)
    }

    @Test func `and as often as it comes where it is sent in pieces`() throws {
        let piece = #"{"choices":[{"index":0,"message":{"role":"assistant","content":"word word word word "}}]}"#
        #expect(try chat(events(Array(repeating: piece, count: 40)), isStream: true).buckets.outputTotal == 200)
    }

    // MARK: Errors with the status of a success

    @Test(arguments: [
        #"{"base_resp":{"status_code":1002,"status_msg":"rate limit"},"choices":null}"#,
        #"{"id":"x","choices":[],"base_resp":{"status_code":1008,"status_msg":"balance"}}"#,
        #"{"error_code":336003,"error_msg":"no"}"#, #"{"error_code":18,"error_msg":"limit","id":"as-1"}"#,
    ])
    func `an error of MiniMax's or Baidu's is one`(answer: String) throws {
        #expect(try AnswerFixture().read(answer).facts.isNothingButError)
        #expect(try AnswerFixture(isStream: true).read(events([answer])).facts.hasError)
    }

    @Test(arguments: [
        #"{"base_resp":{"status_code":0,"status_msg":""},"choices":[{"message":{"content":"hi"}}]}"#,
        #"{"error_code":0,"choices":[{"message":{"content":"hi"}}]}"#, #"{"choices":[{"message":{"content":"hi"}}]}"#,
    ])
    func `a status of zero is none`(answer: String) throws {
        #expect(try !AnswerFixture().read(answer).facts.hasError)
        #expect(try !AnswerFixture(isStream: true).read(events([answer])).facts.hasError)
    }

    // MARK: Searches that only citations show

    private static let search = #"{"model":"m","messages":[],"tools":[{"type":"openrouter:web_search"}]}"#
    private static let citation = #"[{"type":"url_citation","url_citation":{"url":"https://a.io"}}]"#

    @Test func `a search whose pages are cited is one`() throws {
        let plain = #"{"choices":[{"message":{"content":"a","annotations":\#(Self.citation)}}]}"#
        let delta = #"{"choices":[{"index":0,"delta":{"content":"a","annotations":\#(Self.citation)}}]}"#
        #expect(try chat(plain, request: Self.search).units.searches == 1)
        #expect(
            try chat(
                events([delta, delta]), isStream: true,
                request: Self.search.replacing("[],", with: #"[],"stream":true,"#)
            ).units.searches == 1)
        #expect(try chat(plain).units.searches == 0)
    }

    // MARK: llama.cpp's cache

    @Test(
        arguments: [
            (#""timings":{"cache_n":950,"prompt_n":50,"predicted_n":5}"#, 950),
            (#""timings":{"cache_n":0,"prompt_n":1000,"predicted_n":5}"#, 0),
            (#""timings":{"cache_n":950,"prompt_n":20,"predicted_n":5}"#, 0), (#""timings":{"predicted_n":5}"#, 0),
        ] as [(String, Int64)])
    func `what came from the cache is taken from the timings where they add up`(timings: String, cached: Int64) throws {
        let answer =
            #"{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1000,"#
            + #""completion_tokens":5,"total_tokens":1005},\#(timings)}"#
        let fixture = AnswerFixture(kind: .llamaCpp)
        let buckets = try fixture.attempts(try fixture.read(answer).facts)[0].buckets
        #expect(buckets.cacheRead == cached && buckets.inputTotal == 1000)
    }

    // MARK: Anthropic's pause behind a compaction

    private static let compaction =
        #""usage":{"input_tokens":0,"output_tokens":0,"iterations":[{"type":"compaction","input_tokens":90000,"#
        + #""output_tokens":3000}]}"#

    @Test(arguments: [0, 95, 90_000])
    func `an answer that is a compaction costs the compaction alone`(start: Int) throws {
        let text = String(repeating: "word ", count: 320)
        let stream = events([
            #"{"type":"message_start","message":{"usage":{"input_tokens":\#(start),"output_tokens":0}}}"#,
            #"{"type":"content_block_start","content_block":{"type":"compaction"}}"#,
            #"{"type":"content_block_delta","delta":{"type":"compaction_delta","content":"\#(text)"}}"#,
            #"{"type":"message_delta","delta":{"stop_reason":"compaction"},\#(Self.compaction)}"#,
            #"{"type":"message_stop"}"#,
        ])
        let facts = NativeFixture.read(
            stream,
            NativeFixture.Answer(surface: .messages, isStream: true, contentType: NativeFixture.eventStream))
        let attempts = NativeFixture.attempts(facts, .messages)
        #expect(attempts.map(\.buckets.inputTotal) == [0, 90_000])
        #expect(attempts.map(\.buckets.outputTotal) == [0, 3000])
        let plain =
            #"{"content":[{"type":"compaction","content":"\#(text)"}],"stop_reason":"compaction",\#(Self.compaction)}"#
        let whole = NativeFixture.attempts(
            NativeFixture.read(plain, NativeFixture.Answer(surface: .messages)), .messages)
        #expect(whole.map(\.buckets.inputTotal) == [0, 90_000] && whole.map(\.buckets.outputTotal) == [0, 3000])
    }

    // MARK: Predictions

    private static let times = #""started_at":"2026-11-30T10:00:00Z","completed_at":"2026-11-30T10:00:20Z""#

    @Test(
        arguments: [
            ("20.1", times, 20_100), ("1000000000", times, 20_000), ("21.9", times, 21_900), ("300", times, 20_000),
            ("5", "", 5000), ("3600", "", 3_600_000),
        ] as [(String, String, Int64)])
    func `a prediction ran no longer than from its start to its end`(
        said: String, times: String, milliseconds: Int64
    ) {
        let text =
            #"{"id":"x","status":"succeeded","output":"a","metrics":{"predict_time":\#(said)}"#
            + (times.isEmpty ? "}" : ",\(times)}")
        let facts = NativeFixture.read(text, NativeFixture.Answer(surface: .replicatePredictions))
        #expect(facts.units.computeMilliseconds == milliseconds)
    }

    @Test func `a prediction of more than a day waits for somebody to look`() {
        let text = #"{"id":"x","status":"succeeded","output":"a","metrics":{"predict_time":1000000000}}"#
        let facts = NativeFixture.read(text, NativeFixture.Answer(surface: .replicatePredictions))
        #expect(NativeFixture.attempts(facts, .replicatePredictions)[0].contradiction != nil)
    }

    // MARK: Pictures

    @Test(arguments: [
        "AAAAIGZ0eXBhdmlmAAAAAA", "AAAAIGZ0eXBoZWljAAAAAA", "Qk02AAAAAAAAADYAAAA", "SUkqAAgAAAAQAAAB",
        "PHN2ZyB4bWxucz0i",
        "AAAAIGZ0eXBtaWYxAAAAAA",
    ])
    func `pictures of any format are pictures`(data: String) {
        let text = #"{"candidates":[{"content":{"parts":[{"inlineData":{"data":"\#(data)"}}]}}]}"#
        #expect(NativeFixture.read(text, NativeFixture.Answer(surface: .geminiGenerate)).written.media.pictures == 1)
    }

    @Test(arguments: ["AAAAIGZ0eXBNNEEgAAAAAA", "AAAAIGZ0eXBpc29tAAAAAA", "UklGRiQAAABXQVZFZm10", "SUQzBAAAAAAAI1RT"])
    func `sound is none`(data: String) {
        let text = #"{"candidates":[{"content":{"parts":[{"inlineData":{"data":"\#(data)"}}]}}]}"#
        #expect(NativeFixture.read(text, NativeFixture.Answer(surface: .geminiGenerate)).written.media.pictures == 0)
    }
}
