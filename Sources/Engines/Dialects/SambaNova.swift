internal import Metering

/// SambaNova Cloud.
struct SambaNova: OpenAIFamilyDialect {
    let surfaces: Set<Surface> = [
        .chatCompletions, .completions, .embeddings, .responses, .audioTranscriptions, .messages,
    ]
}
