import Metering
import TestSupport
import Testing

@testable import Engines

/// A count is one however JSON spells it, and what is none, or is said twice, is noted.
@Suite struct CountSpellingTests {
    private static func usage(_ text: String, _ names: UsageNames = .openAI) -> EngineUsage? {
        Array(text.utf8).withUnsafeBytes { EngineUsage(object: $0, names: names) }
    }

    // MARK: Spellings

    @Test(
        arguments: [
            ("1000", 1000), ("1e3", 1000), ("1E+3", 1000), ("1000.0", 1000), ("1.5e3", 1500), ("12e0", 12),
            ("120e-1", 12), ("0.012e3", 12), ("0e999999999", 0), ("0.0", 0), ("10000e-2", 100),
            ("9223372036854775807", .max), ("9.223372036854775807e18", .max),
        ] as [(String, Int64)])
    func `a whole number is one in any spelling`(text: String, value: Int64) throws {
        let read = try Array(text.utf8).withUnsafeBytes { bytes in
            var scanner = JSONScanner(bytes)
            return try scanner.number()
        }
        #expect(read == value)
        let usage = Self.usage(#"{"prompt_tokens":\#(text),"completion_tokens":2}"#)
        #expect(usage?.promptTokens == value)
        #expect(usage?.contradiction == nil)
    }

    @Test(arguments: [
        "1.5", "15e-1", "1e19", "1e999999999", "1e-3", "9.3e18", "9223372036854775808", "0.1e0", "1.0001e3", "\"12\"",
        "[3]", "true",
    ])
    func `what is no whole number is a contradiction and not silence`(text: String) {
        let usage = Self.usage(#"{"prompt_tokens":\#(text),"completion_tokens":2}"#)
        #expect(usage?.promptTokens == nil)
        #expect(usage?.contradiction != nil)
    }

    @Test(arguments: ["1e", "1e+", "1.", ".5", "01", "1.e3", "--1"])
    func `what is no number is no JSON`(text: String) {
        #expect(Self.usage(#"{"prompt_tokens":\#(text)}"#) == nil)
    }

    @Test(
        arguments: [
            (EngineKind.openAICompatible, Surface.rerank, #"{"meta":{"billed_units":{"input_tokens":1.5}}}"#),
            (.bedrock, .bedrockInvoke, #"{"inputTextTokenCount":"7","results":[{"tokenCount":3,"outputText":"x"}]}"#),
            (.tgi, .tgiGenerate, #"{"generated_text":"a","details":{"generated_tokens":3,"input_length":0.5}}"#),
            (.triton, .tritonGenerate, #"{"text_output":"a","num_input_tokens":[0.5],"num_output_tokens":[3]}"#),
        ] as [(EngineKind, Surface, String)])
    func `no dialect passes over a count that is none`(kind: EngineKind, surface: Surface, text: String) throws {
        let facts =
            kind == .openAICompatible
            ? try AnswerFixture(kind: kind, surface: surface).read(text).facts
            : NativeFixture.read(text, NativeFixture.Answer(surface: surface))
        #expect(facts.usageSaid?.contradiction != nil)
    }

    // MARK: Two names

    @Test(
        arguments: [
            // Nothing decides: the fewer tokens.
            (#"{"prompt_tokens":1000,"completion_tokens":50,"input_tokens":10,"output_tokens":5}"#, 10, 5, true),
            (#"{"input_tokens":10,"output_tokens":5,"prompt_tokens":1000,"completion_tokens":50}"#, 10, 5, true),
            (#"{"prompt_tokens":10,"completion_tokens":50,"input_tokens":1000,"output_tokens":50}"#, 10, 50, true),
            // A total does.
            (
                #"{"prompt_tokens":10,"completion_tokens":5,"input_tokens":1000,"output_tokens":5,"#
                    + #""total_tokens":1005}"#,
                1000, 5, true
            ),
            (
                #"{"prompt_tokens":10,"completion_tokens":5,"input_tokens":10,"output_tokens":50,"total_tokens":60}"#,
                10, 50, true
            ),
            // Neither zero nor what cannot be true is the fewer.
            (#"{"prompt_tokens":10,"completion_tokens":5,"input_tokens":0,"output_tokens":0}"#, 10, 5, false),
            (#"{"prompt_tokens":10,"completion_tokens":5,"input_tokens":-4,"output_tokens":5}"#, 10, 5, true),
            // The same twice, and a cache that one name counts in.
            (#"{"prompt_tokens":10,"completion_tokens":5,"input_tokens":10,"output_tokens":5}"#, 10, 5, false),
            (
                #"{"prompt_tokens":100,"completion_tokens":5,"input_tokens":10,"cache_read_input_tokens":90}"#, 100, 5,
                false
            ),
        ] as [(String, Int64, Int64, Bool)])
    func `two names that disagree are the fewer tokens unless the total says otherwise, and are noted`(
        text: String, input: Int64, output: Int64, isNoted: Bool
    ) throws {
        let usage = try #require(Self.usage(text))
        let reading = usage.buckets()
        #expect(reading.buckets.inputTotal == input)
        #expect(reading.buckets.outputTotal == output)
        #expect((reading.dispute != nil) == isNoted)
    }

    @Test(arguments: [(2, 5), (5, 5), (30, 50), (500, 50)] as [(Int64, Int64)])
    func `the fewer tokens are not fewer than were delivered`(delivered: Int64, output: Int64) throws {
        let text = #"{"prompt_tokens":10,"completion_tokens":50,"output_tokens":5}"#
        let usage = try #require(Self.usage(text))
        #expect(usage.buckets(delivered: delivered).buckets.outputTotal == output)
    }

    // MARK: Predictions

    private static let times = #""started_at":"2026-11-30T10:00:00Z","completed_at":"2026-11-30T10:00:20Z""#
    private static let counts = #""input_token_count":4,"output_token_count":6,"#

    @Test(
        arguments: [
            // Its own times say how long it was.
            (times, counts, "-1.5", 20_000, 6, true), (times, "", "-1.5", 20_000, 0, false),
            // Nobody does: tokens have their price, and alone it waits.
            ("", counts, "-21898701.7", 0, 6, true), ("", counts, "1000000000", 0, 6, true),
            ("", counts, "1.5", 1500, 6, false),
        ] as [(String, String, String, Int64, Int64, Bool)])
    func `a time that cannot be true keeps no tokens from their price`(
        times: String, counts: String, said: String, milliseconds: Int64, output: Int64, isNoted: Bool
    ) {
        let text =
            #"{"id":"x","status":"succeeded","output":"a","metrics":{\#(counts)"predict_time":\#(said)}"#
            + (times.isEmpty ? "}" : ",\(times)}")
        let facts = NativeFixture.read(text, NativeFixture.Answer(surface: .replicatePredictions))
        let attempt = NativeFixture.attempts(facts, .replicatePredictions)[0]
        #expect(attempt.contradiction == nil)
        #expect(attempt.units.computeMilliseconds == milliseconds)
        #expect(attempt.buckets.outputTotal == output)
        #expect(attempt.notes.contains(.usageImplausible) == isNoted)
    }
}
