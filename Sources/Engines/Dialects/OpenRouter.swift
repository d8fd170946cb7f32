internal import Metering

/// OpenRouter. Says what an answer costs, and what it cost at the provider behind it when the key there is ours.
struct OpenRouter: OpenAIFamilyDialect {
    let surfaces: Set<Surface> = [.chatCompletions, .completions, .embeddings, .responses]

    func target(
        for request: InferenceRequest, upstreamModel: String, backend: Backend, query: ForwardedQuery
    ) -> UpstreamTarget {
        let isWhole = backend.basePath.isEmpty && backend.host == "openrouter.ai"
        return OpenAIDialect.target(
            of: request.surface, backend: backend, prefix: isWhole ? "/api/v1" : "/v1", query: query.text)
    }
}
