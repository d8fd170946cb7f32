extension EngineKind {
    /// Where its health is asked after without costing anything: its own path for that, or its list of models; nil for
    /// services that are paid for, which are asked only where a backend names a path.
    var healthPath: String? {
        switch self {
        case .vllm, .tgi, .llamaCpp, .tensorRTLLM, .tenstorrent: "/health"
        case .triton: "/v2/health/ready"
        case .nim: "/v1/health/ready"
        case .rayServe: "/-/healthz"
        case .openAICompatible: "/v1/models"
        case .openAI, .anthropic, .groq, .sambaNova, .sageMaker, .bedrock, .vertex, .gemini, .azure, .together,
            .replicate, .deepSeek, .xai, .cerebras, .openRouter:
            nil
        }
    }
}

extension Backend {
    /// What `probe` says to ask nothing.
    public static let noProbe = "off"

    /// The path that is asked while requests are kept away from the backend; nil where none is.
    public var probePath: String? {
        if let path = settings.probePath { return path == Backend.noProbe ? nil : path }
        guard let path = kind.healthPath else { return nil }
        return kind == .openAICompatible ? OpenAIDialect.base(self, prefix: "/v1") + "/models" : path
    }
}
