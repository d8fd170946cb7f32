internal import Metering

/// Ray Serve, as Anyscale runs it: vLLM behind its own router.
struct RayServe: OpenAIFamilyDialect {
    let surfaces: Set<Surface> = [.chatCompletions, .completions, .embeddings, .audioTranscriptions]
    let question: UsageQuestion = [.streamOptions, .transcription]
}
