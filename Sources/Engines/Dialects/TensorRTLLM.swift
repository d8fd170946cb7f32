internal import Metering

/// TensorRT-LLM's `trtllm-serve`. It refuses any field that it does not know, so nothing else may be added.
struct TensorRTLLM: OpenAIFamilyDialect {
    let surfaces: Set<Surface> = [.chatCompletions, .completions, .embeddings, .responses, .imageGenerations]
}
