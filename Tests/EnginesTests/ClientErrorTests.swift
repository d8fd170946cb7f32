import Identity
import Metering
import TestSupport
import Testing

@testable import Engines

/// Errors that an engine calls its own, or says inside a stream, and that the request made.
@Suite struct ClientErrorTests {
    // MARK: Errors inside answers

    @Test(
        arguments: [
            ("moderation_blocked", "image_generation_user_error"), (nil, "image_generation_user_error"),
            ("1301", nil), ("sensitive_words_detected", nil), ("max_tokens_exceeded", nil), ("audio_too_short", nil),
            (nil, "grammar_error"), ("DataInspectionFailed", nil), ("image_too_small", nil), ("cyber_policy", nil),
        ] as [(String?, String?)])
    func `what a filter stopped, or was asked for wrongly, is the client's inside a stream too`(
        code: String?, type: String?
    ) {
        var facts = AnswerFacts()
        facts.error = EngineErrorText(type: type, code: code, message: "x")
        for kind in [EngineKind.openAI, .openAICompatible, .vllm] {
            #expect(!EngineRefusal(kind: kind, insideAnswer: facts).countsAgainstPromises)
        }
    }

    @Test(arguments: ["server_error", "rate_limit_exceeded", "api_error", "engine_overloaded", "vector_store_timeout"])
    func `what the engine did is its own`(code: String) {
        var facts = AnswerFacts()
        facts.error = EngineErrorText(code: code, message: "x")
        #expect(EngineRefusal(kind: .openAI, insideAnswer: facts).countsAgainstPromises)
    }

    // MARK: llama.cpp

    private func refusal(_ status: Int, _ message: String, _ kind: EngineKind) -> EngineRefusal {
        let body = #"{"error":{"code":\#(status),"message":"\#(message)","type":"server_error"}}"#
        return Array(body.utf8).withUnsafeBytes {
            EngineRefusal(
                kind: kind, status: status, headers: AnswerFixture.Headers(fields: [:]), body: $0,
                now: Timestamp(milliseconds: 0))
        }
    }

    @Test(
        arguments: [
            (500, "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"),
            (500, "tools param requires --jinja flag"), (501, "This server does not support logprobs"),
            (500, "Conversation roles must alternate user/assistant/user/assistant/..."),
            (500, "Failed to initialize samplers: failed to parse grammar"), (500, "Failed to parse input at pos 0"),
            (400, "Only user and assistant roles are supported!"), (500, "System role not supported"),
        ] as [(Int, String)])
    func `what llama.cpp calls its own error is the client's by its words`(status: Int, message: String) {
        for kind in [EngineKind.llamaCpp, .openAICompatible] {
            let refusal = refusal(status, message, kind)
            #expect(!refusal.countsAgainstPromises && refusal.isClients)
        }
        #expect(status == 400 || refusal(status, message, .openAI).countsAgainstPromises)
    }

    @Test(arguments: ["slot unavailable", "context shift failed", "decode failed", "failed to process image"])
    func `what it did itself is its own`(message: String) {
        #expect(refusal(500, message, .llamaCpp).countsAgainstPromises)
    }
}
