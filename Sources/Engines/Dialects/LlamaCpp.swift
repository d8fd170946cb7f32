internal import Metering

/// llama.cpp's server.
struct LlamaCpp: OpenAIFamilyDialect {
    let surfaces: Set<Surface> = [
        .chatCompletions, .completions, .embeddings, .responses, .rerank, .messages, .countTokens,
    ]
}
