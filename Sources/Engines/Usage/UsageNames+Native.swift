// The dialects outside of OpenAI's family, and what engines count outside of their usage objects.

extension UsageNames {
    /// Anthropic's Messages API: the input excludes caches, the output includes thinking.
    static let anthropic = UsageNames(
        .cacheApart,
        [
            .root: [
                ("input_tokens", .count(.prompt)), ("output_tokens", .count(.completion)),
                ("cache_read_input_tokens", .count(.cached)), ("cache_creation_input_tokens", .count(.cacheWrite)),
                ("cache_creation", .lifetimes), ("output_tokens_details", .object(.outputDetails)),
                ("server_tool_use", .object(.toolCalls)),
            ],
            .outputDetails: [("thinking_tokens", .count(.reasoning)), ("reasoning_tokens", .count(.reasoning))],
            .toolCalls: [("web_search_requests", .count(.searches))],
        ])

    /// Bedrock's Converse API, and Amazon's own models: each cache counter has two spellings.
    static let bedrock = UsageNames(
        .cacheApart,
        [
            .root: [
                ("inputTokens", .count(.prompt)), ("outputTokens", .count(.completion)),
                ("totalTokens", .count(.total)), ("cacheReadInputTokens", .count(.cached)),
                ("cacheReadInputTokenCount", .count(.cached)), ("cacheWriteInputTokens", .count(.cacheWrite)),
                ("cacheWriteInputTokenCount", .count(.cacheWrite)), ("cacheDetails", .lifetimeList),
                ("serverToolUsage", .object(.toolCalls)),
            ],
            .toolCalls: [("webSearchRequests", .count(.searches))],
        ])

    /// What Amazon counts of an invocation, in the last chunk of a stream.
    static let bedrockInvocation = UsageNames(
        .cacheApart,
        [
            .root: [
                ("inputTokenCount", .count(.prompt)), ("outputTokenCount", .count(.completion)),
                ("cacheReadInputTokenCount", .count(.cached)), ("cacheWriteInputTokenCount", .count(.cacheWrite)),
            ]
        ])

    /// `usageMetadata` of Gemini and Vertex, and `usage` of an interaction.
    static let gemini = UsageNames(
        .reasoningApart,
        [
            .root: [
                ("promptTokenCount", .count(.prompt)), ("total_input_tokens", .count(.prompt)),
                ("candidatesTokenCount", .count(.completion)), ("responseTokenCount", .count(.completion)),
                ("total_output_tokens", .count(.completion)),
                ("totalTokenCount", .count(.total)), ("total_tokens", .count(.total)),
                ("thoughtsTokenCount", .count(.reasoning)), ("total_thought_tokens", .count(.reasoning)),
                ("total_reasoning_tokens", .count(.reasoning)),
                ("toolUsePromptTokenCount", .count(.toolPrompt)), ("total_tool_use_tokens", .count(.toolPrompt)),
                ("cachedContentTokenCount", .count(.cached)), ("total_cached_tokens", .count(.cached)),
                ("promptTokensDetails", .modalities(.inputDetails)),
                ("promptTokenDetails", .modalities(.inputDetails)),
                ("input_tokens_by_modality", .modalities(.inputDetails)),
                ("toolUsePromptTokensDetails", .modalities(.inputDetails)),
                ("tool_use_tokens_by_modality", .modalities(.inputDetails)),
                ("cacheTokensDetails", .modalities(.cachedDetails)),
                ("cached_tokens_by_modality", .modalities(.cachedDetails)),
                ("candidatesTokensDetails", .modalities(.outputDetails)),
                ("responseTokensDetails", .modalities(.outputDetails)),
                ("output_tokens_by_modality", .modalities(.outputDetails)),
            ]
        ])

    /// `metrics` of Replicate's predictions.
    static let replicate = UsageNames(
        .inclusive,
        [
            .root: [
                ("input_token_count", .count(.prompt)), ("token_input_count", .count(.prompt)),
                ("output_token_count", .count(.completion)), ("token_output_count", .count(.completion)),
                ("image_count", .count(.images)), ("image_output_count", .count(.images)),
                ("predict_time", .decimal(.computeSeconds)), ("total_time", .decimal(.totalSeconds)),
                ("time_to_first_token", .decimal(.firstTokenSeconds)),
            ]
        ])

    /// llama.cpp's `timings`, which stand beside a usage that may be missing: what was read anew excludes the cache.
    static let llamaTimings = UsageNames(
        .cacheApart,
        [
            .root: [
                ("prompt_n", .count(.prompt)), ("predicted_n", .count(.completion)), ("cache_n", .count(.cached)),
            ]
        ])

    /// Counts in the heads of answers that may have no usage in their bodies (TGI, text-embeddings-inference).
    static let headers: [(name: String, count: UsageCount)] = [
        ("x-prompt-tokens", .prompt), ("x-generated-tokens", .completion), ("x-compute-tokens", .total),
    ]
}
