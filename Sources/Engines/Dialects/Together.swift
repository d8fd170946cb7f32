internal import Metering

/// Together. Usage rides on the last chunk with choices, unasked.
struct Together: OpenAIFamilyDialect {
    let surfaces: Set<Surface> = [
        .chatCompletions, .completions, .embeddings, .imageGenerations, .audioTranscriptions, .audioSpeech, .rerank,
        .files, .batches,
    ]
    let question: UsageQuestion = []
}
