/// Which system a backend is: decides paths, credentials, how usage is asked for and read, and what errors mean.
public enum EngineKind: String, CaseIterable, Hashable, Sendable {
    /// Any server that speaks OpenAI's dialect and nothing beside it.
    case openAICompatible = "openai-compatible"
    case openAI = "openai"
    case anthropic
    case vllm
    /// TensorRT-LLM's `trtllm-serve`.
    case tensorRTLLM = "trtllm-serve"
    case triton
    case tgi
    case llamaCpp = "llama.cpp"
    case groq
    case sambaNova = "sambanova"
    case tenstorrent
    /// Amazon SageMaker endpoints, on Inferentia2 or otherwise.
    case sageMaker = "sagemaker"
    case bedrock
    case vertex
    case gemini
    case azure
    case together
    case replicate
    /// Ray Serve, as Anyscale runs it.
    case rayServe = "ray-serve"
    case nim
    case deepSeek = "deepseek"
    case xai
    case cerebras
    case openRouter = "openrouter"
}
