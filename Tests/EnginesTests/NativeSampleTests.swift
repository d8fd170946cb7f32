import Engines
import Metering
import TestSupport
import Testing

/// What the samples of native dialects come to, reckoned by hand before the readers ran. The rules: Anthropic and
/// Bedrock count input without what was read from and written to a cache, and output with thinking; Gemini counts input
/// with what a cache served, and thoughts and tools' prompts beside the rest.
@Suite struct NativeSampleTests {
    struct Expected: Sendable {
        var kind = InferenceKind.primary
        var model: String?
        var tier: String?
        let buckets: TokenBuckets
    }

    struct Sample: Sendable {
        let file: String
        let answer: NativeFixture.Answer
        let inferences: [Expected]
        var finishReason: String?
    }

    private static func anthropic(_ name: String, _ inferences: [Expected], finish: String? = "end_turn") -> Sample {
        let isStream = name.hasSuffix(".sse")
        return Sample(
            file: "anthropic/\(name)",
            answer: NativeFixture.Answer(
                surface: .messages, isStream: isStream,
                contentType: isStream ? NativeFixture.eventStream : "application/json"),
            inferences: inferences, finishReason: finish)
    }

    private static func gemini(_ name: String, _ expected: Expected, finish: String = "STOP") -> Sample {
        let isStream = name.hasSuffix(".sse")
        return Sample(
            file: name,
            answer: NativeFixture.Answer(
                surface: .geminiGenerate, isStream: isStream,
                contentType: isStream ? NativeFixture.eventStream : "application/json"),
            inferences: [expected], finishReason: finish)
    }

    private static let anthropicSamples = [
        // input 12; output 29, no thinking.
        anthropic(
            "messages.json",
            [
                Expected(
                    model: "claude-sonnet-4-5-20250929", tier: "standard",
                    buckets: TokenBuckets(inputUncached: 12, outputVisible: 29))
            ]),
        // Top level 2414/3200 = messages 1051 + 1363 / 35 + 3165. The advisor's 2728/874 are another model's, beside
        // it.
        anthropic(
            "messages.advisor-iterations.json",
            [
                Expected(
                    model: "claude-sonnet-4-6", tier: "standard",
                    buckets: TokenBuckets(inputUncached: 2414, outputVisible: 3200)),
                Expected(
                    kind: .advisor, model: "claude-opus-4-7", tier: "standard",
                    buckets: TokenBuckets(inputUncached: 2728, outputVisible: 874)),
            ]),
        // Top level 412/264 = the fallback's. The try that declined read 408 and wrote nothing.
        anthropic(
            "messages.fallback-iterations.json",
            [
                Expected(
                    kind: .fallback, model: "claude-opus-4-8",
                    buckets: TokenBuckets(inputUncached: 412, outputVisible: 264)),
                Expected(model: "claude-fable-5", buckets: TokenBuckets(inputUncached: 408)),
            ]),
        // The same, streamed: the start says 408/1 of the first model, the delta 412/264 of the second.
        anthropic(
            "messages.stream.fallback-iterations.sse",
            [
                Expected(
                    kind: .fallback, model: "claude-opus-4-8",
                    buckets: TokenBuckets(inputUncached: 412, outputVisible: 264)),
                Expected(model: "claude-fable-5", buckets: TokenBuckets(inputUncached: 408)),
            ]),
        // Start 43/1, delta 61/2: the delta's word is the last.
        anthropic(
            "messages.stream.delta-overrides-input.sse",
            [
                Expected(
                    model: "claude-opus-4-5-20251101", buckets: TokenBuckets(inputUncached: 61, outputVisible: 2))
            ]),
        // Two starts of one id, 17/1 each; the delta says 227 of output: one inference, 17/227.
        anthropic(
            "messages.stream.duplicate-start.sse",
            [
                Expected(
                    model: "claude-3-haiku-20240307", buckets: TokenBuckets(inputUncached: 17, outputVisible: 227))
            ]),
        // 18/1, then 18/5.
        anthropic(
            "messages.stream.refusal.sse",
            [
                Expected(
                    model: "claude-fable-5", tier: "standard",
                    buckets: TokenBuckets(inputUncached: 18, outputVisible: 5))
            ], finish: "refusal"),
        // 12/1, then 12/30.
        anthropic(
            "messages.stream.sse",
            [
                Expected(
                    model: "claude-sonnet-4-5-20250929", tier: "standard",
                    buckets: TokenBuckets(inputUncached: 12, outputVisible: 30))
            ]),
        // 20 uncached, 12,000 read, 3,000 written = 1,000 for five minutes + 2,000 for an hour; output 400, of which
        // 250 are thinking: 150 visible. Served in fast mode.
        anthropic(
            "usage.cache-ttl-split.json",
            [
                Expected(
                    tier: "fast",
                    buckets: TokenBuckets(
                        inputUncached: 20, cacheRead: 12_000, cacheWriteFiveMinutes: 1000, cacheWriteHour: 2000,
                        outputVisible: 150, outputReasoning: 250))
            ], finish: nil),
        anthropic(
            "usage.priority.json",
            [Expected(tier: "priority", buckets: TokenBuckets(inputUncached: 410, outputVisible: 585))], finish: nil),
    ]

    private static let geminiSamples = [
        // 9 + 28 + 244 = 281: thoughts are beside the candidates.
        gemini(
            "google-gemini/generateContent.thoughts.json",
            Expected(
                model: "gemini-3-pro-preview",
                buckets: TokenBuckets(inputUncached: 9, outputVisible: 28, outputReasoning: 244))),
        // 7 + 19 + 32 = 58.
        gemini(
            "google-gemini/interactions.json",
            Expected(
                model: "gemini-2.5-flash", tier: "standard",
                buckets: TokenBuckets(inputUncached: 7, outputVisible: 19, outputReasoning: 32)),
            finish: "completed"),
        // The last chunk: 9 + 23 + 185 = 217.
        gemini(
            "google-gemini/streamGenerateContent.sse",
            Expected(
                model: "gemini-3-pro-preview",
                buckets: TokenBuckets(inputUncached: 9, outputVisible: 23, outputReasoning: 185))),
        // 5 + 13 + 28 = 46.
        gemini(
            "google-vertex/generateContent.provisioned.json",
            Expected(
                model: "gemini-2.5-flash", tier: "provisioned",
                buckets: TokenBuckets(inputUncached: 5, outputVisible: 13, outputReasoning: 28))),
        // Prompt 1290 = 1032 text + 258 image, of which a cache served 1024 text: 8 text left. Tools' prompts 12 are
        // input too: 8 + 12 = 20 text. Output 40, thoughts 100: 1290 + 40 + 12 + 100 = 1442.
        gemini(
            "google-vertex/generateContent.cached-multimodal.json",
            Expected(
                model: "gemini-2.5-pro", tier: "priority",
                buckets: TokenBuckets(
                    inputUncached: 20, inputImage: 258, cacheRead: 1024, outputVisible: 40, outputReasoning: 100))),
    ]

    private static func amazon(
        _ file: String, _ surface: Surface, headers: [String: String] = [:], _ expected: Expected, finish: String?
    ) -> Sample {
        let isStream = file.hasSuffix(".bin")
        return Sample(
            file: file,
            answer: NativeFixture.Answer(
                surface: surface, isStream: isStream,
                contentType: isStream ? NativeFixture.amazonEventStream : "application/json", headers: headers),
            inferences: [expected], finishReason: finish)
    }

    private static let amazonSamples = [
        amazon(
            "aws-bedrock/converse.json", .bedrockConverse,
            Expected(buckets: TokenBuckets(inputUncached: 22, outputVisible: 57)), finish: "end_turn"),
        // Reasoning is among the 78, and nothing says how much of it.
        amazon(
            "aws-bedrock/converse.reasoning.json", .bedrockConverse,
            Expected(buckets: TokenBuckets(inputUncached: 51, outputVisible: 78)), finish: "end_turn"),
        amazon(
            "aws-bedrock/converse-stream.eventstream.bin", .bedrockConverse,
            Expected(buckets: TokenBuckets(inputUncached: 22, outputVisible: 55)), finish: "end_turn"),
        // input_length 7, generated_tokens 2.
        amazon(
            "aws-sagemaker/invocations-response-stream.tgi.eventstream.bin", .sageMakerInvocations,
            Expected(buckets: TokenBuckets(inputUncached: 7, outputVisible: 2)), finish: "length"),
        // 256 generated; the prompt is not said and estimated: 40 bytes of text, a token for four: 10.
        amazon(
            "aws-sagemaker/invocations.lmi.details.json", .sageMakerInvocations,
            Expected(buckets: TokenBuckets(inputUncached: 10, outputVisible: 256)), finish: "length"),
        // The body has no input count, the headers do: 5, and 10 generated.
        amazon(
            "tgi/generate.details.json", .tgiGenerate,
            headers: ["x-prompt-tokens": "5", "x-generated-tokens": "10", "x-queue-time": "3"],
            Expected(buckets: TokenBuckets(inputUncached: 5, outputVisible: 10)), finish: "length"),
    ]

    @Test(
        .enabled(if: WireSampleTests.folder != nil),
        arguments: anthropicSamples + geminiSamples + amazonSamples + [
            // input_length 5, generated_tokens 2.
            Sample(
                file: "tgi/generate_stream.sse",
                answer: NativeFixture.Answer(
                    surface: .tgiGenerate, isStream: true, contentType: NativeFixture.eventStream),
                inferences: [Expected(buckets: TokenBuckets(inputUncached: 5, outputVisible: 2))],
                finishReason: "length"),
            // 18 in, 4 out, 12.683 ms on the hardware.
            Sample(
                file: "replicate/prediction.succeeded.json",
                answer: NativeFixture.Answer(surface: .replicatePredictions),
                inferences: [
                    Expected(
                        model: "meta/meta-llama-3-70b-instruct",
                        buckets: TokenBuckets(inputUncached: 18, outputVisible: 4))
                ], finishReason: "succeeded"),
            // 4.837953 s on the hardware, and no tokens.
            Sample(
                file: "replicate/prediction.no-token-metrics.json",
                answer: NativeFixture.Answer(surface: .replicatePredictions),
                inferences: [Expected(buckets: TokenBuckets())], finishReason: "succeeded"),
        ])
    func `samples come to what was reckoned by hand, in any pieces`(sample: Sample) throws {
        let body = try #require(WireSampleTests.bytes(sample.file))
        let whole = NativeFixture.read([body], sample.answer)
        let attempts = NativeFixture.attempts(whole.facts, sample.answer.surface)
        #expect(attempts.map(\.buckets) == sample.inferences.map(\.buckets), "\(sample.file)")
        #expect(attempts.map(\.kind) == sample.inferences.map(\.kind))
        #expect(attempts.allSatisfy { $0.contradiction == nil })
        #expect(attempts.map(\.tierServed) == sample.inferences.map(\.tier))
        for (attempt, expected) in zip(attempts, sample.inferences) {
            if let model = expected.model { #expect(attempt.modelServed == model) }
        }
        #expect(whole.facts.finishReason == sample.finishReason)
        #expect(whole.facts.unreadCount == 0)
        #expect(!whole.facts.hasError)
        if sample.answer.isStream {
            #expect(whole.facts.isTerminated)
            #expect(whole.facts.finishedChoices == 1)
            // The refusal's stream has no content.
            #expect(whole.kinds.contains(.content) || sample.finishReason == "refusal" || sample.file.contains("sage"))
        }
        for seed in propertySeeds.prefix(20) {
            var generator = SeededGenerator(seed: seed)
            let cut = NativeFixture.read(Fixture.pieces(of: body, using: &generator), sample.answer)
            #expect(cut.facts == whole.facts, "seed \(seed)")
            #expect(cut.kinds == whole.kinds, "seed \(seed)")
        }
    }
}
