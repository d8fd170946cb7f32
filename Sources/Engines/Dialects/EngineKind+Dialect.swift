extension EngineKind {
    /// How this system is spoken to.
    public var dialect: any Dialect { EngineKind.dialects[self] ?? OpenAICompatible() }

    /// Made once: a request asks several times.
    private static let dialects = Dictionary(uniqueKeysWithValues: allCases.map { ($0, $0.newDialect) })

    private var newDialect: any Dialect {
        switch self {
        case .openAICompatible: OpenAICompatible()
        case .openAI: OpenAISystem()
        case .anthropic: Anthropic()
        case .vllm: VLLM()
        case .tensorRTLLM: TensorRTLLM()
        case .triton: Triton()
        case .tgi: TGI()
        case .llamaCpp: LlamaCpp()
        case .groq: Groq()
        case .sambaNova: SambaNova()
        case .tenstorrent: Tenstorrent()
        case .sageMaker: SageMaker()
        case .bedrock: Bedrock()
        case .vertex: Vertex()
        case .gemini: Gemini()
        case .azure: Azure()
        case .together: Together()
        case .replicate: Replicate()
        case .rayServe: RayServe()
        case .nim: NIM()
        case .deepSeek: DeepSeek()
        case .xai: XAI()
        case .cerebras: Cerebras()
        case .openRouter: OpenRouter()
        }
    }
}
