import Metering
import TestSupport
import Testing

@testable import Engines

/// Work is read by its backend's rules, whoever looked at it.
@Suite struct ReadingRulesTests {
    private static let quirks: [UsageQuirks] = [[], .thoughtsInTotal, .inputExcludesCache]

    private func backend(_ quirks: UsageQuirks, _ kind: EngineKind = .vllm) -> Backend {
        var settings = BackendSettings()
        settings.usageQuirks = quirks
        return Backend(
            name: "b", isTLS: false, host: "h", port: 80, basePath: "", apiKey: nil, kind: kind, settings: settings)
    }

    @Test(arguments: quirks)
    func `what a client saw of its work is read as the answer to what it asked for`(quirks: UsageQuirks) throws {
        let document =
            #"{"id":"r","status":"completed","output":[],"usage":{"input_tokens":30,"output_tokens":50,"#
            + #""total_tokens":700}}"#
        let backend = backend(quirks)
        let request = InferenceRequest(of: .responses, model: "m", tier: "priority")
        let own = Self.read(document, request, backend)
        let seen = AnswerFacts(seenIn: Self.read(document, InferenceRequest(of: .responses, model: ""), backend))
        #expect(seen.read(asAnswerTo: request, by: backend).rules == own.rules)
        var kept = AnswerFacts()
        kept.keep(seen: seen)
        #expect(kept.read(asAnswerTo: request, by: backend).rules == own.rules)
        let base = AttemptRecord.example
        func attempts(_ facts: AnswerFacts) -> [AttemptRecord] {
            facts.attempts(completing: base, request: request, isCut: false, priceKey: { $0 }, newID: { base.id })
        }
        #expect(
            attempts(seen.read(asAnswerTo: request, by: backend)).map(\.buckets) == attempts(own).map(\.buckets))
    }

    private static func read(_ document: String, _ request: InferenceRequest, _ backend: Backend) -> AnswerFacts {
        let meter = AnswerMeter(
            request: request, backend: backend, status: 200,
            headers: AnswerFixture.Headers(fields: ["content-type": "application/json"]))
        Array(document.utf8).withUnsafeBytes { meter.read(piece: $0) }
        meter.finish()
        return meter.facts
    }

    @Test(
        arguments: [
            (
                Surface.geminiGenerate,
                #"{"error":{"code":500,"message":"internal","details":[{"x":"LONG"}]}}"#, StreamEvent.error
            ),
            (.geminiGenerate, #"{"candidates":[{"content":{"parts":[{"text":"LONG"}]}}]}"#, .content),
            (.tgiGenerate, #"{"error":"LONG","error_type":"generation"}"#, .error),
        ] as [(Surface, String, StreamEvent)])
    func `an event that is too long to be kept means what a short one does`(
        surface: Surface, document: String, meaning: StreamEvent
    ) {
        let request = NativeFixture.request(surface, isStream: true)
        let meter = AnswerMeter(
            request: request, backend: backend([], surface == .tgiGenerate ? .tgi : .gemini), status: 200,
            headers: AnswerFixture.Headers(fields: ["content-type": NativeFixture.eventStream]))
        let text = "data: " + document.replacing("LONG", with: String(repeating: "x", count: 1000)) + "\n\n"
        for start in stride(from: 0, to: text.utf8.count, by: 100) {
            Array(text.utf8.dropFirst(start).prefix(100)).withUnsafeBytes { meter.read(longEventPiece: $0) }
        }
        #expect(meter.finishLongEvent() == meaning)
    }
}
