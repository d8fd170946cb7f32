import Metering
import TestSupport
import Testing

@testable import Engines

/// What a response that was left comes to, beside what its client had of it.
@Suite struct LaterWorkTests {
    private func facts(_ document: String) throws -> AnswerFacts {
        try AnswerFixture(surface: .responses).read(document).facts
    }

    private func attempt(_ output: Int64) -> AttemptRecord {
        var attempt = AttemptRecord.example
        attempt.buckets = TokenBuckets(inputUncached: 100, outputVisible: output)
        attempt.usageSource = .engine
        return attempt
    }

    @Test(
        arguments: [
            ("completed", 4619, 500, true), ("completed", 490, 500, true), ("completed", 1, 500, false),
            ("completed", 0, 3, true), ("cancelled", 1, 500, false), ("cancelled", 495, 500, false),
            ("cancelled", 501, 500, true), ("cancelled", 500, 500, false),
        ] as [(String, Int64, Int64, Bool)])
    func `never fewer tokens are billed than were delivered`(
        status: String, said: Int64, delivered: Int64, replaces: Bool
    ) throws {
        let facts = try facts(
            #"{"id":"r","object":"response","status":"\#(status)","output":[],"#
                + #""usage":{"input_tokens":1,"output_tokens":\#(said)}}"#
        )
        #expect(facts.replaces([attempt(delivered)], by: [attempt(said)]) == replaces)
        #expect(facts.replaces([attempt(delivered), attempt(0)], by: [attempt(said - 1), attempt(1)]) == replaces)
    }

    @Test func `a request as its record tells it asks for what the client asked for`() throws {
        let body =
            #"{"model":"m","input":"abcd","service_tier":"flex","tools":[{"type":"image_generation","model":"p"}]}"#
        let whole = try Array(body.utf8).withUnsafeBytes { try InferenceRequest(reading: $0, surface: .responses) }
        let kept = whole.ofLaterWork
        let resumed = InferenceRequest(of: .responses, model: "m", tier: "flex", pictureModel: "p")
        for request in [kept, resumed] {
            #expect(request.model == "m" && request.serviceTier == "flex" && request.pictureModel == "p")
        }
        #expect(kept.input.estimatedBytes == whole.input.estimatedBytes)
    }
}
