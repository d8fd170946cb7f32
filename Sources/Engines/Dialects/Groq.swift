internal import Metering

/// Groq. Each stream ends with usage, unasked.
struct Groq: OpenAIFamilyDialect {
    let surfaces: Set<Surface> = [.chatCompletions, .responses, .audioTranscriptions, .audioSpeech, .files, .batches]
    let prefix = "/openai/v1"
    let question: UsageQuestion = []
}
