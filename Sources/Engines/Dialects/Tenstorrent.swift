internal import Metering

/// Tenstorrent's inference server.
struct Tenstorrent: OpenAIFamilyDialect {
    let surfaces: Set<Surface> = [
        .chatCompletions, .completions, .embeddings, .imageGenerations, .audioTranscriptions, .audioSpeech,
    ]
}
