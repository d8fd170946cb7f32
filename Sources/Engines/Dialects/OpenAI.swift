internal import Metering

/// OpenAI itself. Usage of streams has to be asked for; responses, pictures and sound report theirs unasked.
struct OpenAISystem: OpenAIFamilyDialect {
    let surfaces: Set<Surface> = [
        .chatCompletions, .completions, .embeddings, .responses, .imageGenerations, .audioTranscriptions, .audioSpeech,
        .files, .batches,
    ]
}
