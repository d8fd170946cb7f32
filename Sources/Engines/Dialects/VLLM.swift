internal import Metering

/// vLLM. Streams can count in each chunk, and streamed transcriptions report usage when the form asks.
struct VLLM: OpenAIFamilyDialect {
    let surfaces: Set<Surface> = [
        .chatCompletions, .completions, .embeddings, .responses, .audioTranscriptions, .rerank, .messages, .countTokens,
    ]
    let question: UsageQuestion = [.streamOptions, .transcription]
}
