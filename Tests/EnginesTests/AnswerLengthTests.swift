import Metering
import Testing

@testable import Engines

/// What lengthens or multiplies an answer: the largest meaning that some engine gives it is reserved.
@Suite struct AnswerLengthTests {
    private func read(_ members: String, _ surface: Surface = .chatCompletions) throws -> InferenceRequest {
        try Array("{\"model\":\"m\",\(members)}".utf8).withUnsafeBytes {
            try InferenceRequest(reading: $0, surface: surface)
        }
    }

    private func read(_ body: String, _ kind: EngineKind, _ path: String) throws -> InferenceRequest {
        let call = try #require(kind.dialect.nativeCall(method: "POST", path: path[...]))
        return try Array(body.utf8).withUnsafeBytes { try InferenceRequest(reading: $0, native: call) }
    }

    @Test(
        arguments: [
            (#""max_tokens":1,"max_completion_tokens":3000"#, 3000),
            (#""max_completion_tokens":10,"max_tokens":7"#, 10),
            (#""max_tokens":1,"n_predict":3000"#, 3000), (#""max_tokens":5,"max_new_tokens":50"#, 50),
            (#""max_tokens":5,"min_tokens":900"#, 900), (#""max_tokens":5,"min_length":90"#, 90),
            (#""max_tokens":null,"max_completion_tokens":9"#, 9), (#""max_tokens":12.0"#, 12),
            (#""max_tokens":-1"#, nil), (#""max_tokens":0"#, nil), (#""max_tokens":7,"n_predict":-1"#, nil),
            (#""max_tokens":7,"max_completion_tokens":-2"#, nil), (#""max_tokens":null"#, nil),
            (#""n_predict":3"#, nil), (#""max_new_tokens":3"#, nil), (#""min_tokens":3"#, nil),
            (#""temperature":0"#, nil),
        ] as [(String, Int64?)])
    func `the largest limit counts, and one that some engine takes for none is none`(members: String, tokens: Int64?)
        throws
    {
        #expect(try read(members).outputTokensMax == tokens, "\(members)")
    }

    @Test(arguments: [
        #""max_tokens":"100""#, #""max_tokens":1.5"#, #""max_tokens":1e3"#, #""max_tokens":true"#, #""max_tokens":[5]"#,
        #""max_tokens":99999999999999999999"#, #""n":0"#, #""n":-1"#, #""n":"3""#, #""best_of":0"#, #""n_cmpl":2.5"#,
        #""n":1025"#, #""num_return_sequences":-2"#, #""max_completion_tokens":"-1""#, #""n_predict":"∞""#,
    ])
    func `a value that engines read differently is refused`(members: String) {
        #expect(throws: RequestError.self, "\(members)") { try read(members) }
    }

    @Test(
        arguments: [
            (#""n":3"#, 3), (#""n":1,"best_of":5"#, 5), (#""n_cmpl":16"#, 16), (#""n":2,"n_cmpl":4,"best_of":3"#, 4),
            (#""num_return_sequences":7"#, 7), (#""n":null"#, 1), (#""num_beams":4"#, 4),
        ] as [(String, Int64)])
    func `choices are as many as the largest of their names says`(members: String, choices: Int64) throws {
        #expect(try read(members).choiceCount == choices)
        #expect(try read(members + #","prompt":["a","b"]"#, .completions).choiceCount == 2 * choices)
    }

    @Test func `a limit that an engine does not know limits nothing there`() throws {
        let both = try read(#""max_tokens":5,"max_completion_tokens":9"#)
        #expect(both.outputTokensMax(on: [.openAI, .vllm, .deepSeek, .llamaCpp]) == 9)
        let newer = try read(#""max_completion_tokens":9"#)
        #expect(newer.outputTokensMax(on: [.openAI, .vllm]) == 9)
        #expect(newer.outputTokensMax(on: [.vllm, .deepSeek]) == nil)
        #expect(newer.outputTokensMax(on: [.llamaCpp]) == nil)
        let llama = try read(#""n_predict":9"#)
        #expect(llama.outputTokensMax(on: [.llamaCpp]) == 9)
        #expect(llama.outputTokensMax(on: [.llamaCpp, .vllm]) == nil)
        #expect(both.outputTokensMax(on: []) == nil)
    }

    @Test func `every dialect has its own words`() throws {
        #expect(try read(#""max_output_tokens":7,"max_tokens":9"#, .responses).outputTokensMax == 9)
        #expect(try read(#""max_tokens":9"#, .responses).outputTokensMax == nil)
        let thinking = try read(#""max_tokens":7,"thinking":{"type":"enabled","budget_tokens":4000}"#, .messages)
        #expect(thinking.outputTokensMax == 4000)
        let gemini = try read(
            #"{"contents":[],"generationConfig":{"maxOutputTokens":5,"candidateCount":3},"#
                + #""generation_config":{"max_output_tokens":8}}"#,
            .gemini, "/v1beta/models/g:generateContent")
        #expect(gemini.outputTokensMax == 8)
        #expect(gemini.choiceCount == 3)
        let converse = try read(
            #"{"messages":[],"inferenceConfig":{"maxTokens":5},"additionalModelRequestFields":{"max_tokens":80}}"#,
            .bedrock, "/model/m/converse")
        #expect(converse.outputTokensMax == 80)
        let triton = try read(#"{"text_input":"a","max_tokens":5,"beam_width":4}"#, .triton, "/v2/models/m/generate")
        #expect(triton.outputTokensMax == 5)
        #expect(triton.choiceCount == 4)
        let prediction = try read(
            #"{"version":"v","input":{"prompt":"a","max_new_tokens":5}}"#, .replicate, "/v1/predictions")
        #expect(prediction.outputTokensMax == nil)
    }

    @Test(
        arguments: [
            (#"{"inputs":"a","parameters":{"max_new_tokens":5}}"#, 5), (#"{"inputs":"a","max_tokens":5}"#, nil),
            (#"{"messages":[],"max_tokens":5}"#, 5), (#"{"messages":[],"parameters":{"max_new_tokens":5}}"#, nil),
        ] as [(String, Int64?)])
    func `of a container's forms only the one that it reads has a limit`(body: String, tokens: Int64?) throws {
        #expect(try read(body, .sageMaker, "/endpoints/e/invocations").outputTokensMax == tokens)
    }
}
