import Engines
import Identity
import Metering
import TestSupport
import Testing

/// TGI's own API, Triton's generate extension and Replicate's predictions.
@Suite struct NativeEngineReaderTests {
    private static func streamed(_ surface: Surface) -> NativeFixture.Answer {
        NativeFixture.Answer(surface: surface, isStream: true, contentType: NativeFixture.eventStream)
    }

    private static func attempt(_ facts: AnswerFacts, _ surface: Surface, isCut: Bool = false) throws -> AttemptRecord {
        try #require(NativeFixture.attempts(facts, surface, isCut: isCut).first)
    }

    // MARK: TGI

    private static let timed = [
        "x-prompt-tokens": "33", "x-generated-tokens": "12", "x-total-time": "700", "x-queue-time": "40",
        "x-inference-time": "650",
    ]

    @Test func `the sequences that were not chosen were generated, too`() throws {
        // The best has 12, the others 9 and 14: 35. The prompt was read once: 33.
        let body =
            #"{"generated_text":"a","details":{"finish_reason":"length","generated_tokens":12,"prefill":[],"#
            + #""tokens":[{"id":1,"text":"a"}],"best_of_sequences":["#
            + #"{"generated_text":"b","generated_tokens":9,"finish_reason":"eos_token"},"#
            + #"{"generated_text":"c","generated_tokens":14,"finish_reason":"length"}]}}"#
        for text in [body, "[\(body)]"] {
            let facts = NativeFixture.read(text, NativeFixture.Answer(surface: .tgiGenerate, headers: Self.timed))
            let attempt = try Self.attempt(facts, .tgiGenerate)
            #expect(attempt.buckets == TokenBuckets(inputUncached: 33, outputVisible: 35))
            #expect(attempt.finishReason == "length")
            #expect(attempt.timings == EngineTimings(queue: 40_000, decode: 650_000, total: 700_000))
        }
    }

    @Test func `an answer without details is counted by its headers`() throws {
        let facts = NativeFixture.read(
            #"{"generated_text":"abc"}"#, NativeFixture.Answer(surface: .tgiGenerate, headers: Self.timed))
        #expect(
            try Self.attempt(facts, .tgiGenerate).buckets == TokenBuckets(inputUncached: 33, outputVisible: 12))
    }

    @Test func `a prompt whose tokens are listed has as many`() throws {
        let facts = NativeFixture.read(
            #"{"generated_text":"abc","details":{"generated_tokens":2,"#
                + #""prefill":[{"id":1,"text":"x"},{"id":2,"text":"y"},{"id":3,"text":"z"}]}}"#,
            NativeFixture.Answer(surface: .tgiGenerate))
        #expect(try Self.attempt(facts, .tgiGenerate).buckets == TokenBuckets(inputUncached: 3, outputVisible: 2))
    }

    @Test func `a stream without details is counted by its events`() throws {
        let token = #"data:{"token":{"id":1,"text":"a","special":false},"generated_text":null,"details":null}"#
        let last = #"data:{"token":{"id":2,"text":"b","special":false},"generated_text":"aab","details":null}"#
        let (facts, kinds, _) = NativeFixture.read(
            [Array("\(token)\n\n\(token)\n\n\(last)\n\n".utf8)], Self.streamed(.tgiGenerate))
        #expect(kinds == [.content, .content, .terminator])
        #expect(facts.isTerminated)
        let attempt = try Self.attempt(facts, .tgiGenerate)
        #expect(attempt.buckets == TokenBuckets(inputUncached: 10, outputVisible: 3))
        #expect(attempt.usageSource == .estimated)
    }

    @Test func `an error inside a stream is seen with its type`() {
        let (facts, kinds, _) = NativeFixture.read(
            [Array(#"data:{"error":"Request failed during generation","error_type":"generation"}"#.utf8) + [10, 10]],
            Self.streamed(.tgiGenerate))
        #expect(kinds == [.error])
        #expect(facts.error?.type == "generation")
        #expect(!facts.isTerminated)
    }

    // MARK: Triton

    @Test(arguments: [(#"7"#, #"23"#), ("[7]", "[23]"), ("[7]", "[20,3]")])
    func `Triton's tensors are counts, with or without brackets`(input: String, output: String) throws {
        let facts = NativeFixture.read(
            #"{"id":"9","model_name":"m","model_version":"1","text_output":"Hi","num_input_tokens":\#(input),"#
                + #""num_output_tokens":\#(output)}"#, NativeFixture.Answer(surface: .tritonGenerate))
        let attempt = try Self.attempt(facts, .tritonGenerate)
        #expect(attempt.buckets == TokenBuckets(inputUncached: 7, outputVisible: 23))
        #expect(attempt.modelServed == "m")
    }

    @Test(
        arguments: [
            // Of new tokens: 1 + 1 + 2 + 1 = 5.
            (["1", "1", "2", "1"], Int64(5)),
            // The last event has no text, and no new token: 3 + 4 + 0 = 7.
            (["3", "4", "0"], 7),
            // So far.
            (["1", "2", "3", "4"], 4), (["2", "5", "9"], 9),
            // With the last event only.
            ([nil, nil, "8"], 8),
        ] as [([String?], Int64)])
    func `counts in a stream are of new tokens, or so far`(counts: [String?], total: Int64) throws {
        var text = ""
        for count in counts {
            let output = count == "0" ? "" : "Hi"
            let members = count.map { #","num_input_tokens":6,"num_output_tokens":\#($0)"# } ?? ""
            text += "data: {\"model_name\":\"m\",\"text_output\":\"\(output)\"\(members)}\n\n"
        }
        let facts = NativeFixture.read(text, Self.streamed(.tritonGenerate))
        #expect(
            try Self.attempt(facts, .tritonGenerate).buckets
                == TokenBuckets(inputUncached: 6, outputVisible: total))
        #expect(facts.isTerminated)
        #expect(facts.finishedChoices == 1)
    }

    @Test func `an error object with status 200 is an error`() throws {
        let plain = NativeFixture.read(
            #"{"error":"failed to allocate"}"#, NativeFixture.Answer(surface: .tritonGenerate))
        #expect(plain.error?.message == "failed to allocate")
        let stream = "data: {\"text_output\":\"a\"}\n\ndata: {\"error\":\"broke\"}\n\n"
        let (facts, kinds, _) = NativeFixture.read([Array(stream.utf8)], Self.streamed(.tritonGenerate))
        #expect(kinds == [.content, .error])
        #expect(!facts.isTerminated)
        let attempt = try Self.attempt(facts, .tritonGenerate, isCut: true)
        #expect(attempt.buckets == TokenBuckets(inputUncached: 10, outputVisible: 1))
    }

    // MARK: Replicate

    private static func prediction(_ status: String, _ metrics: String) -> String {
        #"{"id":"p1","model":"o/n","status":"\#(status)","output":["a","b"],"error":null,"metrics":\#(metrics)}"#
    }

    private static let predictions = NativeFixture.Answer(surface: .replicatePredictions, status: 201)

    @Test func `a prediction's metrics are tokens and time`() throws {
        let facts = NativeFixture.read(
            Self.prediction(
                "succeeded",
                #"{"input_token_count":210,"output_token_count":55,"predict_time":2.7459,"total_time":3.1,"#
                    + #""time_to_first_token":0.25,"tokens_per_second":20.1}"#), Self.predictions)
        let attempt = try Self.attempt(facts, .replicatePredictions)
        #expect(attempt.buckets == TokenBuckets(inputUncached: 210, outputVisible: 55))
        #expect(attempt.units == UsageUnits(computeMilliseconds: 2745))
        #expect(attempt.timings == EngineTimings(firstToken: 250_000, total: 3_100_000))
        #expect(attempt.finishReason == "succeeded")
    }

    @Test(arguments: [("canceled", false), ("failed", true)])
    func `a prediction that did not succeed still costs its time`(status: String, isError: Bool) throws {
        let facts = NativeFixture.read(Self.prediction(status, #"{"predict_time":1.5}"#), Self.predictions)
        let attempt = try Self.attempt(facts, .replicatePredictions)
        #expect(attempt.units.computeMilliseconds == 1500)
        #expect(facts.hasError == isError)
        #expect(attempt.finishReason == status)
    }

    @Test(arguments: ["starting", "processing"])
    func `a prediction that runs has no end yet`(status: String) {
        let facts = NativeFixture.read(Self.prediction(status, "{}"), Self.predictions)
        #expect(facts.finishReason == nil)
        #expect(facts.units.isEmpty)
        #expect(facts.usage == nil)
    }

    @Test func `a time that is negative contradicts itself, and stands in no record`() throws {
        let facts = NativeFixture.read(
            Self.prediction("succeeded", #"{"predict_time":-21898701.7}"#), Self.predictions)
        let attempt = try Self.attempt(facts, .replicatePredictions)
        #expect(attempt.contradiction != nil)
        #expect(attempt.units == UsageUnits())
    }

    @Test(arguments: [
        ("{}", "succeeded", false), (#"{"reason":"canceled"}"#, "canceled", false),
        (#"{"reason":"error"}"#, "error", true),
    ])
    func `a stream ends with done, which says why`(data: String, reason: String, isError: Bool) {
        let text = """
            event: output
            id: 1:0
            data: Once upon

            event: logs
            data: loading

            event: output
            data:  a time
            data: there was

            event: done
            data: \(data)


            """
        let (facts, kinds, _) = NativeFixture.read([Array(text.utf8)], Self.streamed(.replicatePredictions))
        #expect(kinds == [.content, .other, .content, .terminator])
        #expect(facts.finishReason == reason)
        #expect(facts.hasError == isError)
        #expect(facts.isTerminated)
        #expect(facts.unreadCount == 0)
    }

    @Test func `a prediction that was only begun is asked for again, and settled by its end`() throws {
        let begun = NativeFixture.read(Self.prediction("starting", "{}"), Self.predictions)
        #expect(!begun.hasEndedLater)
        let target = NativeFixture.backend.target(ofWork: try #require(begun.id), surface: .replicatePredictions)
        #expect(target == UpstreamTarget(method: "GET", path: "/v1/predictions/p1"))
        let facts = NativeFixture.read(
            Self.prediction("succeeded", #"{"predict_time":0.5,"input_token_count":4,"output_token_count":6}"#),
            Self.predictions)
        #expect(facts.hasEndedLater)
        let attempt = try Self.attempt(facts, .replicatePredictions)
        #expect(attempt.buckets == TokenBuckets(inputUncached: 4, outputVisible: 6))
        #expect(attempt.units.computeMilliseconds == 500)
        #expect(attempt.finishReason == "succeeded")
    }

    @Test(arguments: ["../../account?x=1", "", "p1/cancel", "p%2f1", "p1?x", ".", "..", "p\n1"])
    func `an id that is no id is not asked for`(id: String) {
        #expect(NativeFixture.backend.target(ofWork: id, surface: .replicatePredictions) == nil)
        #expect(NativeFixture.backend.target(ofWork: id, surface: .responses) == nil)
    }

    @Test(arguments: ["resp_a.b1", "resp a2", "résumé:1", "a=b+c~d@e"])
    func `any other id is, with its letters escaped`(id: String) {
        let path = "/v1/responses/" + PercentEncoding.encoded(id)
        #expect(NativeFixture.backend.target(ofWork: id, surface: .responses)?.path == path)
    }
}
