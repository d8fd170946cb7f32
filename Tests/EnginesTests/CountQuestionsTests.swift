import Metering
import Testing

@testable import Engines

/// What engines are asked when they left something out.
struct CountQuestionsTests {
    private func request(_ body: String, _ surface: Surface = .chatCompletions) throws -> InferenceRequest {
        guard surface == .tgiGenerate else {
            return try Array(body.utf8).withUnsafeBytes { try InferenceRequest(reading: $0, surface: surface) }
        }
        let call = NativeCall(surface: surface, prefix: "/generate")
        return try Array(body.utf8).withUnsafeBytes { try InferenceRequest(reading: $0, native: call) }
    }

    private func questions(
        _ kind: EngineKind, _ body: String, _ surface: Surface = .chatCompletions, basePath: String = "/base",
        asksForPrompt: Bool = true, texts: [(kind: AnswerTextKey.Kind, text: String)] = []
    ) throws -> CountQuestions? {
        let backend = Backend(
            name: "b", isTLS: false, host: "engine", port: 80, basePath: basePath, apiKey: nil, kind: kind)
        let request = try request(body, surface)
        return Array(body.utf8).withUnsafeBytes {
            CountQuestions(
                of: request, body: $0, backend: backend, upstreamModel: "up", asksForPrompt: asksForPrompt,
                texts: texts)
        }
    }

    private func text(_ question: CountQuestions.Question?) -> String? {
        question.map { "\($0.path) \(String(decoding: $0.body, as: UTF8.self))" }
    }

    private static let chat =
        #"{"model":"m","messages":[{"role":"user","content":"hi"}],"tools":[{"a":1}],"tool_choice":"auto"}"#

    @Test func `vLLM is asked once, with the messages as they are and its own name of the model`() throws {
        var questions = try #require(try questions(.vllm, Self.chat, basePath: "/base/v1"))
        #expect(
            text(questions.next) == #"/base/tokenize {"model":"up","messages":[{"role":"user","content":"hi"}],"#
                + #""tools":[{"a":1}]}"#)
        #expect(questions.promptTokens == nil)
        questions.answered(Array(#"{"count":12,"max_model_len":100,"tokens":[1,2,3]}"#.utf8))
        #expect(questions.promptTokens == 12 && questions.next == nil && questions.output == nil)
    }

    @Test func `TGI is asked with the chat, and for what it wrote without the tokens that it puts before`() throws {
        var questions = try #require(try questions(.tgi, Self.chat, texts: [(.visible, "a\"b"), (.reasoning, "c")]))
        #expect(
            text(questions.next) == #"/base/chat_tokenize {"model":"up","messages":[{"role":"user","content":"hi"}],"#
                + #""tools":[{"a":1}],"tool_choice":"auto"}"#)
        questions.answered(
            Array(#"{"tokenize_response":[{"id":1,"stop":0},{"id":2,"stop":3}],"templated_text":"x"}"#.utf8))
        #expect(questions.promptTokens == 2 && questions.output == nil)
        #expect(text(questions.next) == #"/base/tokenize {"inputs":"a\"b"}"#)
        questions.answered(Array(#"[{"id":1,"start":0,"stop":0},{"id":2,"start":0,"stop":3}]"#.utf8))
        #expect(text(questions.next) == #"/base/tokenize {"inputs":"c"}"#)
        questions.answered(Array(#"[{"id":2,"start":0,"stop":1}]"#.utf8))
        #expect(questions.next == nil && questions.output == OwnCounts.Output(visible: 1, reasoning: 1))
    }

    @Test func `llama.cpp is asked for the template's text, then for its tokens`() throws {
        var questions = try #require(try questions(.llamaCpp, Self.chat))
        #expect(
            text(questions.next) == #"/base/apply-template {"messages":[{"role":"user","content":"hi"}],"#
                + #""tools":[{"a":1}],"tool_choice":"auto"}"#)
        questions.answered(Array(#"{"prompt":"<|user|>hi\n"}"#.utf8))
        #expect(
            text(questions.next)
                == #"/base/tokenize {"content":"<|user|>hi\u000a","add_special":true,"parse_special":true}"#
                || text(questions.next)
                    == #"/base/tokenize {"content":"<|user|>hi\n","add_special":true,"parse_special":true}"#
        )
        #expect(questions.promptTokens == nil)
        questions.answered(Array(#"{"tokens":[5,6,7]}"#.utf8))
        #expect(questions.promptTokens == 3)
    }

    @Test func `each prompt of a completion is asked for, and tokens given as numbers are counted as they are`() throws
    {
        var questions = try #require(
            try questions(.vllm, #"{"model":"m","prompt":["a",[1,2],"b"]}"#, .completions))
        #expect(text(questions.next) == #"/base/tokenize {"model":"up","prompt":"a","add_special_tokens":true}"#)
        questions.answered(Array(#"{"count":2}"#.utf8))
        #expect(questions.promptTokens == nil)
        questions.answered(Array(#"{"count":3}"#.utf8))
        #expect(questions.promptTokens == 7)
    }

    @Test func `what TGI's own API was given is asked for as it stands`() throws {
        var questions = try #require(try questions(.tgi, #"{"inputs":"a b"}"#, .tgiGenerate))
        #expect(text(questions.next) == #"/base/tokenize {"inputs":"a b"}"#)
        questions.answered(Array(#"[{"id":1,"stop":0},{"id":2,"stop":1},{"id":3,"stop":3}]"#.utf8))
        #expect(questions.promptTokens == 3)
    }

    @Test func `a question that failed ends them; what was counted before it stays`() throws {
        var questions = try #require(try questions(.vllm, Self.chat, texts: [(.visible, "a")]))
        questions.answered(Array(#"{"count":4}"#.utf8))
        questions.answered(nil)
        #expect(questions.promptTokens == 4 && questions.output == nil && questions.next == nil)
        for answer in [nil, "", "{", "{}", #"{"count":-1}"#, #"{"count":"x"}"#, "null"] {
            var other = try #require(try self.questions(.vllm, Self.chat))
            other.answered(answer.map { Array($0.utf8) })
            #expect(other.promptTokens == nil && other.next == nil)
        }
    }

    @Test func `who cannot be asked is not`() throws {
        #expect(try questions(.openAI, Self.chat) == nil)
        #expect(try questions(.vllm, #"{"model":"m","input":"x"}"#, .responses) == nil)
        #expect(try questions(.vllm, Self.chat, asksForPrompt: false) == nil)
        let many = (0...CountQuestions.promptsMax).map { "\"\($0)\"" }.joined(separator: ",")
        #expect(try questions(.vllm, #"{"model":"m","prompt":[\#(many)]}"#, .completions) == nil)
    }
}
