internal import Metering

/// Any server that speaks OpenAI's dialect. Running counts are asked for only where its backend says so.
struct OpenAICompatible: OpenAIFamilyDialect {
    let surfaces: Set<Surface> = [
        .chatCompletions, .completions, .embeddings, .responses, .imageGenerations, .audioTranscriptions, .audioSpeech,
        .rerank, .files, .batches,
    ]
}
