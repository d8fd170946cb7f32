/// The `usage` of OpenAI's chat and text completions, and what engines of each flavour put beside it.
struct OpenAIUsage: Sendable {
    let plan: GenerationPlan
    /// Completion tokens so far.
    let completionTokens: Int
    /// Milliseconds since 1970.
    let startedMilliseconds: Int

    /// Where the object stands; engines give more detail in some places than in others.
    enum Place: Sendable {
        case plainAnswer
        case lastChunk
        case runningChunk
    }

    private var counts: ReportedCounts { ReportedCounts(plan, completionTokens: completionTokens) }
    private var flavour: Behavior.Flavour { plan.behavior.flavour }
    private var times: EngineTimes { EngineTimes(plan) }

    /// The value of `usage` as JSON.
    func json(in place: Place) -> String {
        if plan.behavior.usage == .null { return "null" }
        let counts = counts
        // xAI counts reasoning apart from the completion; the total holds both.
        let completion = flavour == .xai ? counts.visible : counts.completion
        var json = "{\"prompt_tokens\":\(counts.text(counts.prompt)),\"total_tokens\":\(counts.text(counts.total)),"
        json += "\"completion_tokens\":\(counts.text(completion))"
        guard place != .runningChunk else { return json + "}" }
        return json + details(counts, in: place) + extras(counts) + "}"
    }

    /// Members of the answer, not of its usage, that say more about it: each with a comma before it.
    var beside: String {
        guard plan.behavior.usage != .missing else { return "" }
        switch flavour {
        case .cerebras:
            return ",\"time_info\":{\"queue_time\":0.000012,\"prompt_time\":\(times.prefill),"
                + "\"completion_time\":\(times.decode),\"total_time\":\(times.total),\"created\":\(created)}"
        case .llamaCpp:
            let counts = counts
            return ",\"timings\":{\"cache_n\":\(counts.cached),\"prompt_n\":\(counts.prompt - counts.cached),"
                + "\"prompt_ms\":\(times.prefillMilliseconds),\"predicted_n\":\(counts.completion),"
                + "\"predicted_ms\":\(times.decodeMilliseconds)}"
        case .vllm, .ray, .nim, .triton:
            guard plan.behavior.tellsTimes else { return "" }
            guard plan.choices == 1 else { return ",\"metrics\":null" }
            return ",\"metrics\":{\"time_to_first_token_ms\":\(times.prefillMilliseconds),"
                + "\"generation_time_ms\":\(times.decodeMilliseconds),\"queue_time_ms\":0.25,\"mean_itl_ms\":"
                + "\(JSONText.milliseconds(plan.behavior.decodeMicroseconds)),\"tokens_per_second\":\(times.perSecond)}"
        default: return ""
        }
    }

    private var created: String { JSONText.milliseconds(startedMilliseconds) }

    // MARK: Details

    private func details(_ counts: ReportedCounts, in place: Place) -> String {
        let cached = counts.text(counts.cached)
        switch flavour {
        case .vllm, .ray, .nim, .triton: return vllmDetails(counts, in: place)
        case .openai, .cohere, .vertex, .gemini:
            return ",\"prompt_tokens_details\":{\"cached_tokens\":\(cached),\"cache_write_tokens\":"
                + "\(counts.text(counts.cacheWrites)),\"audio_tokens\":\(counts.promptAudio),"
                + "\"image_tokens\":\(counts.promptImage)}" + completionDetails(counts)
        case .azure, .tenstorrent, .deepseek, .cerebras, .openrouter:
            return ",\"prompt_tokens_details\":{\"cached_tokens\":\(cached),\"audio_tokens\":\(counts.promptAudio)}"
                + completionDetails(counts)
        case .xai:
            return ",\"prompt_tokens_details\":{\"text_tokens\":\(counts.prompt),\"audio_tokens\":0,"
                + "\"image_tokens\":0,\"cached_tokens\":\(cached)}" + completionDetails(counts)
        case .trtllm, .llamaCpp: return ",\"prompt_tokens_details\":{\"cached_tokens\":\(cached)}"
        case .groq:
            let read = counts.cached > 0 ? ",\"prompt_tokens_details\":{\"cached_tokens\":\(cached)}" : ""
            let thought = ",\"completion_tokens_details\":{\"reasoning_tokens\":\(counts.text(counts.reasoning))}"
            return read + (counts.reasoning > 0 ? thought : "")
        case .tgi, .lmi, .sambanova, .together: return ""
        }
    }

    private func vllmDetails(_ counts: ReportedCounts, in place: Place) -> String {
        let rest = place == .plainAnswer ? ",\"multimodal_tokens\":null" : ""
        var json = ",\"prompt_tokens_details\":{\"cached_tokens\":\(counts.text(counts.cached)),"
        json += "\"created_cache_tokens\":\(counts.text(counts.cacheWrites))\(rest)}"
        if counts.reasoning > 0 {
            json += ",\"completion_tokens_details\":{\"reasoning_tokens\":\(counts.text(counts.reasoning))}"
        } else if place == .plainAnswer {
            // vLLM leaves the key out of a stream's last chunk when it has nothing to say.
            json += ",\"completion_tokens_details\":null"
        }
        return json
    }

    private func completionDetails(_ counts: ReportedCounts) -> String {
        ",\"completion_tokens_details\":{\"reasoning_tokens\":\(counts.text(counts.reasoning)),\"audio_tokens\":0,"
            + "\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}"
    }

    private func extras(_ counts: ReportedCounts) -> String {
        switch flavour {
        case .groq:
            return ",\"queue_time\":0.000125,\"prompt_time\":\(times.prefill),\"completion_time\":\(times.decode),"
                + "\"total_time\":\(times.total)"
        case .sambanova:
            return ",\"time_to_first_token\":\(times.prefill),\"total_latency\":\(times.total),"
                + "\"completion_tokens_per_sec\":\(times.perSecond),\"start_time\":\(created),"
                + "\"is_last_response\":true,\"stop_reason\":\"\(plan.finishReason)\""
        case .tenstorrent: return ",\"ttft_ms\":\(times.prefillMilliseconds),\"tps\":\(times.perSecond)"
        case .together: return ",\"cached_tokens\":\(counts.text(counts.cached))"
        case .deepseek:
            return ",\"prompt_cache_hit_tokens\":\(counts.text(counts.cached)),"
                + "\"prompt_cache_miss_tokens\":\(counts.text(counts.prompt - counts.cached))"
        case .xai: return ",\"num_sources_used\":0,\"cost_in_usd_ticks\":\(counts.total * 1000)"
        case .openrouter:
            let cost = JSONText.seconds(counts.total * 3)
            return ",\"cost\":\(cost),\"is_byok\":false,\"cost_details\":{\"upstream_inference_cost\":\(cost)}"
        default: return ""
        }
    }
}

/// An engine's own times, as answers tell them.
struct EngineTimes: Sendable {
    private let prefillMicroseconds: Int
    private let decodeMicroseconds: Int
    private let tokens: Int

    /// - Parameter tokens: of all choices; nil for all that the plan has.
    init(_ plan: GenerationPlan, tokens: Int? = nil) {
        self.tokens = tokens ?? plan.completionTokens
        prefillMicroseconds = plan.firstTokenAt
        decodeMicroseconds = max(0, self.tokens / plan.choices - 1) * plan.behavior.decodeMicroseconds
    }

    /// Seconds.
    var prefill: String { JSONText.seconds(prefillMicroseconds) }
    var decode: String { JSONText.seconds(decodeMicroseconds) }
    var total: String { JSONText.seconds(prefillMicroseconds + decodeMicroseconds) }
    var prefillMilliseconds: String { JSONText.milliseconds(prefillMicroseconds) }
    var decodeMilliseconds: String { JSONText.milliseconds(decodeMicroseconds) }
    /// Whole milliseconds of all.
    var totalMilliseconds: Int { (prefillMicroseconds + decodeMicroseconds) / 1000 }
    var firstTokenMilliseconds: Int { prefillMicroseconds / 1000 }
    var generationMilliseconds: Int { decodeMicroseconds / 1000 }
    /// Tokens in a second, with a fraction.
    var perSecond: String {
        JSONText.milliseconds(tokens * 1_000_000_000 / max(1, prefillMicroseconds + decodeMicroseconds))
    }
}
