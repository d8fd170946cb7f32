import Metering
import Testing

@testable import Engines

/// The models by which tools of a request make pictures.
@Suite struct PictureToolTests {
    private func read(_ tools: String, _ surface: Surface = .responses) throws -> InferenceRequest {
        try Array(#"{"model":"m","input":"i","messages":[],"tools":[\#(tools)]}"#.utf8).withUnsafeBytes {
            try InferenceRequest(reading: $0, surface: surface)
        }
    }

    @Test(arguments: [
        #"{"type":"image_generation","model":"cheap"},{"type":"image_generation","model":"dear"}"#,
        #"{"type":"image_generation","model":"cheap"},{"type":"image_generation"}"#,
        #"{"type":"image_generation"},{"type":"function","name":"f"},{"type":"image_generation","model":"dear"}"#,
        #"{"type":"image_generation","model":"cheap","model":"dear"}"#,
        #"{"model":"dear","type":"image_generation","model":"cheap"}"#,
        #"{"type":"namespace","tools":[{"type":"image_generation","model":"a"}]},"#
            + #"{"type":"image_generation","model":"b"}"#,
    ])
    func `tools of several models are refused`(tools: String) throws {
        let error = #expect(throws: RequestError.self) { try read(tools) }
        #expect(error?.code == "several_picture_models")
    }

    @Test(
        arguments: [
            (#"{"type":"image_generation","model":"a"},{"type":"image_generation","model":"a"}"#, "a"),
            (#"{"type":"image_generation"},{"type":"image_generation"}"#, nil),
            (#"{"type":"image_generation","model":null}"#, nil),
            (#"{"type":"image_generation","model":"a","model":"\u0061"}"#, "a"),
            (#"{"type":"web_search","model":"x"},{"type":"image_generation","model":"a"}"#, "a"),
        ] as [(String, String?)])
    func `tools of one model are of that`(tools: String, model: String?) throws {
        #expect(try read(tools).pictureModel == model)
    }

    @Test(arguments: [("known", "price of known"), ("other", "other"), (nil, "main")] as [(String?, String)])
    func `pictures are priced by the model that makes them, though nobody know its price`(
        model: String?, priceKey: String
    ) throws {
        let request = InferenceRequest(of: .responses, model: "m", pictureModel: model)
        let facts = try AnswerFixture(surface: .responses).read(
            #"{"id":"r","status":"completed","output":[],"usage":{"input_tokens":1,"output_tokens":1},"#
                + #""tool_usage":{"image_gen":{"input_tokens":2,"output_tokens":3}}}"#
        ).facts
        var base = AttemptRecord.example
        base.priceKey = "main"
        let attempts = facts.attempts(
            completing: base, request: request, isCut: false, priceKey: { $0 == "known" ? "price of known" : nil },
            newID: { base.id })
        #expect(attempts.map(\.priceKey) == ["main", priceKey])
    }
}
