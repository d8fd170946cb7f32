internal import Identity
internal import Metering

/// Google's Gemini API: the path names the model and whether the answer is a stream.
struct Gemini: Dialect {
    func serves(_ surface: Surface) -> Bool {
        switch surface {
        case .geminiGenerate, .geminiEmbed, .chatCompletions, .embeddings: true
        default: false
        }
    }

    func nativeCall(method: String, path: Substring) -> NativeCall? {
        Gemini.routes.call(method: method, path: path)
    }

    private static let routes =
        [
            NativeRoute("/v1beta/interactions", .geminiGenerate), NativeRoute("/v1/interactions", .geminiGenerate),
        ] + ["", "/v1", "/v1beta", "/v1alpha"].flatMap { actions(of: $0 + "/models/{models}") }

    /// What can be asked of a model: `path` names it.
    static func actions(of path: String) -> [NativeRoute] {
        [
            NativeRoute(path + ":generateContent", .geminiGenerate),
            NativeRoute(path + ":streamGenerateContent", .geminiGenerate, isStream: true),
            NativeRoute(path + ":countTokens", .countTokens),
            NativeRoute(path + ":embedContent", .geminiEmbed),
            NativeRoute(path + ":batchEmbedContents", .geminiEmbed),
        ]
    }

    let queryMembers = QueryMember.google

    let clientHeaders = ClientHeader.google

    func target(
        for request: InferenceRequest, upstreamModel: String, backend: Backend, query: ForwardedQuery
    ) -> UpstreamTarget {
        if let call = request.native {
            return call.target(upstreamModel: upstreamModel, backend: backend, query: query)
        }
        return OpenAIDialect.target(
            of: request.surface, backend: backend, prefix: "/v1beta/openai", query: query.text)
    }

    func headers(for target: UpstreamTarget, backend: Backend, content: SignedContent) -> [HeaderField] {
        guard let key = backend.apiKey else { return [] }
        return target.path.contains("/openai/") ? backend.bearer : [HeaderField("x-goog-api-key", key)]
    }

    func edits(for request: InferenceRequest, upstreamModel: String, backend: Backend) -> [ByteEdit] {
        request.edits(upstreamModel: upstreamModel, asking: .streamOptions)
    }
}
