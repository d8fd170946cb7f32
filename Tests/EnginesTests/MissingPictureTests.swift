import Metering
import TestSupport
import Testing

@testable import Engines

/// Pictures that did not come, and pictures of which no usage speaks.
@Suite struct MissingPictureTests {
    private static let picture = #"{"url":"https://x.io/a.png"}"#

    @Test(
        arguments: [
            (#"{"data":[]}"#, 0), (#"{"data":[null,null]}"#, 0), (#"{"data":[\#(picture)]}"#, 1),
            (#"{"data":[\#(picture),{"error":{"code":"InputTextRisk"}}]}"#, 1),
            (#"{"data":[{"error":{"code":"a"}},{"error":{"code":"b"}}]}"#, 0),
            (#"{"data":[\#(picture),null,{"b64_json":"x","error":null}]}"#, 2), (#"{"data":[],"images":["x"]}"#, 1),
            // Where no place shows pictures, those that were asked for.
            (#"{"created":1}"#, 3), (#"{"result":"ok"}"#, 3), (#"{"data":null}"#, 3), (#"{"data":{}}"#, 3),
        ] as [(String, Int64)])
    func `pictures that came are billed, not those that were asked for`(answer: String, pictures: Int64) throws {
        let fixture = AnswerFixture(surface: .imageGenerations, request: #"{"model":"m","prompt":"p","n":3}"#)
        let attempt = try fixture.attempts(try fixture.read(answer).facts)[0]
        #expect(attempt.units.images == pictures)
        #expect(attempt.contradiction == nil)
    }

    private func attempts(_ rest: String, inTokens: Bool) throws -> [AttemptRecord] {
        let facts = try AnswerFixture(surface: .responses).read(
            #"{"id":"r","status":"completed","output":[{"type":"image_generation_call","result":"\#(Self.base64)"}],"#
                + #""usage":{"input_tokens":10,"output_tokens":2,"total_tokens":12}\#(rest)}"#
        ).facts
        var request = InferenceRequest(of: .responses, model: "m")
        request.countsPicturesInTokens = inTokens
        let base = AttemptRecord.example
        return facts.attempts(
            completing: base, request: request, isCut: false, priceKey: { $0 }, newID: { base.id })
    }

    // 16,000 bytes of Base64 are 12,000 of a picture: 120 tokens.
    private static let base64 = "iVBORw0K" + String(repeating: "A", count: 15_992)

    @Test func `a picture without usage of its own is tokens by its size where the plan sells tokens alone`() throws {
        let found = try attempts("", inTokens: true)
        #expect(found.map(\.buckets) == [TokenBuckets(inputUncached: 10, outputVisible: 2, outputImage: 120)])
        #expect(found[0].usageSource == .estimated && found[0].units.images == 1)
    }

    @Test func `where the plan sells pictures, or usage speaks of them, nothing is added`() throws {
        #expect(try attempts("", inTokens: false)[0].buckets.outputImage == 0)
        let usage = #","tool_usage":{"image_gen":{"input_tokens":2,"output_tokens":300}}"#
        let both = try attempts(usage, inTokens: true)
        #expect(both.map(\.buckets.outputImage) == [0, 300])
    }
}
