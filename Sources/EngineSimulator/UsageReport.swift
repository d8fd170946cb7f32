/// The usage object of an answer, written as the engine's settings say: truly, or wrong in a chosen way.
struct UsageReport: Sendable {
    let plan: GenerationPlan
    /// Completion tokens so far.
    let completionTokens: Int

    /// Where the object stands; engines give more detail in some places than in others.
    enum Place: Sendable {
        case plainAnswer
        case lastChunk
        case runningChunk
    }

    /// The value of `usage` as JSON.
    func json(in place: Place) -> String {
        if plan.behavior.usage == .null { return "null" }
        let completion = plan.behavior.usage == .negative ? -max(1, completionTokens) : completionTokens
        let total = plan.promptTokens + completion + (plan.behavior.usage == .wrongTotal ? 7 : 0)
        var json =
            "{\"prompt_tokens\":\(plan.promptTokens),\"total_tokens\":\(total),\"completion_tokens\":\(completion)"
        if place != .runningChunk { json += ",\"prompt_tokens_details\":\(promptDetails(in: place))" }
        let details = completionDetails
        // vLLM leaves the key out of a stream's last chunk when it has nothing to say.
        if place != .lastChunk || details != "null" { json += ",\"completion_tokens_details\":\(details)" }
        return json + "}"
    }

    private func promptDetails(in place: Place) -> String {
        let cached = plan.behavior.usage == .cachedOverPrompt ? plan.promptTokens + 11 : plan.cachedTokens
        switch plan.behavior.shape {
        case .vllm:
            let rest = place == .plainAnswer ? ",\"multimodal_tokens\":null" : ""
            return "{\"cached_tokens\":\(cached),\"created_cache_tokens\":\(plan.cacheWriteTokens)\(rest)}"
        case .openai:
            return """
                {"cached_tokens":\(cached),"cache_write_tokens":\(plan.cacheWriteTokens),"audio_tokens":0}
                """
        }
    }

    private var completionDetails: String {
        let reasoning: Int
        if plan.behavior.usage == .reasoningOverCompletion {
            reasoning = completionTokens + 5
        } else {
            reasoning = min(plan.reasoningTokens, completionTokens)
        }
        switch plan.behavior.shape {
        case .vllm: return reasoning > 0 ? "{\"reasoning_tokens\":\(reasoning)}" : "null"
        case .openai:
            return """
                {"reasoning_tokens":\(reasoning),"audio_tokens":0,"accepted_prediction_tokens":0,\
                "rejected_prediction_tokens":0}
                """
        }
    }
}
