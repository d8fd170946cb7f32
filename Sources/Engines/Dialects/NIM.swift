internal import Metering

/// NVIDIA NIM: vLLM or TensorRT-LLM in NVIDIA's container.
struct NIM: OpenAIFamilyDialect {
    let surfaces: Set<Surface> = [.chatCompletions, .completions, .embeddings, .responses, .messages, .countTokens]
}
