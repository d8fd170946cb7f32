internal import Identity
internal import Metering

/// Azure OpenAI: with an API version the older way, where the path names the deployment, else OpenAI's own paths, where
/// the body does.
struct Azure: OpenAIFamilyDialect {
    let surfaces: Set<Surface> = [
        .chatCompletions, .completions, .embeddings, .responses, .imageGenerations, .audioTranscriptions, .audioSpeech,
        .files, .batches,
    ]
    let prefix = "/openai/v1"

    func target(
        for request: InferenceRequest, upstreamModel: String, backend: Backend, query: ForwardedQuery
    ) -> UpstreamTarget {
        guard let version = backend.settings.apiVersion else {
            return OpenAIDialect.target(of: request.surface, backend: backend, prefix: prefix, query: query.text)
        }
        let versioned =
            (query.text.isEmpty ? "" : query.text + "&") + "api-version=" + PercentEncoding.encoded(version)
        if Azure.versionsOfNewPaths.contains(version) {
            return OpenAIDialect.target(of: request.surface, backend: backend, prefix: prefix, query: versioned)
        }
        let base = OpenAIDialect.base(backend, prefix: "/openai")
        switch request.surface {
        // These know no deployments in their paths.
        case .responses, .files, .batches:
            return UpstreamTarget(path: base + OpenAIDialect.name(of: request.surface), query: versioned)
        default:
            let deployment = PercentEncoding.encoded(upstreamModel)
            return UpstreamTarget(
                path: base + "/deployments/" + deployment + OpenAIDialect.name(of: request.surface), query: versioned)
        }
    }

    func headers(for target: UpstreamTarget, backend: Backend, content: SignedContent) -> [HeaderField] {
        guard let key = backend.apiKey else { return [] }
        // Microsoft Entra's tokens are JSON Web Tokens; keys never look like one.
        let isToken = key.hasPrefix("eyJ") && key.filter { $0 == "." }.count == 2
        return isToken ? backend.bearer : [HeaderField("api-key", key)]
    }

    /// Versions by which the newer paths are asked for.
    private static let versionsOfNewPaths: Set<String> = ["preview", "latest", "v1"]
}
