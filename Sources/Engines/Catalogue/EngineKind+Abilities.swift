// What a catalogue may ask of each kind of backend; a setting that would do nothing is refused when it is applied.

extension EngineKind {
    /// Whether requests to it can be signed with AWS Signature Version 4.
    public var takesAWSCredentials: Bool { self == .bedrock || self == .sageMaker }

    /// Whether it can put a running count into each chunk of a stream (vLLM's `continuous_usage_stats`, and servers
    /// that took over its request schema).
    public var takesContinuousCounts: Bool {
        switch self {
        case .vllm, .tensorRTLLM, .rayServe, .nim, .tenstorrent, .openAICompatible: true
        case .openAI, .anthropic, .triton, .tgi, .llamaCpp, .groq, .sambaNova, .sageMaker, .bedrock, .vertex,
            .gemini, .azure, .together, .replicate, .deepSeek, .xai, .cerebras, .openRouter:
            false
        }
    }

    /// Whether its models that reason show nothing of it, or a summary.
    public var hidesReasoning: Bool {
        switch self {
        case .openAI, .azure, .xai, .openRouter, .anthropic, .gemini, .vertex, .bedrock: true
        case .openAICompatible, .vllm, .tensorRTLLM, .triton, .tgi, .llamaCpp, .groq, .sambaNova, .tenstorrent,
            .sageMaker, .together, .replicate, .rayServe, .nim, .deepSeek, .cerebras:
            false
        }
    }

    /// Whether what stands behind it may be such a service: nobody knows before an answer has shown its reasoning.
    public var mayHideReasoning: Bool { hidesReasoning || self == .openAICompatible }

    /// Whether each of its chunks counts all that was thought so far, and none comes before the first of it is over.
    public var countsThoughtsInChunks: Bool { self == .gemini || self == .vertex }

    /// Whether it may serve a request in that tier, although it does not say so. The others serve as ever.
    public func mayServe(tier: String) -> Bool {
        switch self {
        // It has nothing slower and cheaper than its base tier.
        case .anthropic: tier != "flex"
        default: hasTiers
        }
    }

    /// Whether it may serve a request in another tier than its base one.
    private var hasTiers: Bool {
        switch self {
        case .openAI, .azure, .groq, .openRouter, .anthropic, .gemini, .vertex, .bedrock, .cerebras, .xai,
            .openAICompatible:
            true
        case .vllm, .tensorRTLLM, .triton, .tgi, .llamaCpp, .sambaNova, .tenstorrent, .sageMaker, .together,
            .replicate, .rayServe, .nim, .deepSeek:
            false
        }
    }

    /// Whether a search that the request itself turns on (`web_search_options`, the plugin `web`) is made for each
    /// answer.
    public var searchesWhenAsked: Bool {
        switch self {
        case .openAI, .azure, .openRouter, .openAICompatible: true
        case .anthropic, .vllm, .tensorRTLLM, .triton, .tgi, .llamaCpp, .groq, .sambaNova, .tenstorrent, .sageMaker,
            .bedrock, .vertex, .gemini, .together, .replicate, .rayServe, .nim, .deepSeek, .xai, .cerebras:
            false
        }
    }

    /// Whether it tells how many tokens a prompt has without running it: vLLM's `/tokenize`, TGI's `/chat_tokenize`,
    /// llama.cpp's `/apply-template` and `/tokenize`.
    public var answersCountQuestions: Bool { self == .vllm || self == .tgi || self == .llamaCpp }

    /// Where its own metrics usually stand: a path on its own port, or `:PORT/PATH`; nil for services that show none.
    ///
    /// `trtllm-serve` has them at `/prometheus/metrics`: its `/metrics` is JSON, and reading that takes it away from
    /// whoever reads it next. Triton and Ray serve theirs on ports of their own.
    public var metricsPath: String? {
        switch self {
        case .vllm, .tgi, .llamaCpp, .tenstorrent, .openAICompatible: "/metrics"
        case .tensorRTLLM: "/prometheus/metrics"
        case .triton: ":8002/metrics"
        case .nim: "/v1/metrics"
        case .rayServe: ":8080/metrics"
        case .openAI, .anthropic, .groq, .sambaNova, .sageMaker, .bedrock, .vertex, .gemini, .azure, .together,
            .replicate, .deepSeek, .xai, .cerebras, .openRouter:
            nil
        }
    }
}
