internal import Metering

/// DeepSeek. Tells what its cache served and what not, which together are the prompt.
struct DeepSeek: OpenAIFamilyDialect {
    let surfaces: Set<Surface> = [.chatCompletions, .completions]

    func target(
        for request: InferenceRequest, upstreamModel: String, backend: Backend, query: ForwardedQuery
    ) -> UpstreamTarget {
        // Completions (with a suffix to fill in) are served only there.
        let prefix = request.surface == .completions ? "/beta" : "/v1"
        return OpenAIDialect.target(of: request.surface, backend: backend, prefix: prefix, query: query.text)
    }
}
