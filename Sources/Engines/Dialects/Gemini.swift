internal import Identity
internal import Metering

/// Google's Gemini API: the path names the model and whether the answer is a stream.
struct Gemini: Dialect {
    func serves(_ surface: Surface) -> Bool {
        switch surface {
        case .geminiGenerate, .chatCompletions, .embeddings: true
        default: false
        }
    }

    func nativeCall(method: String, path: Substring) -> NativeCall? {
        guard method == "POST" else { return nil }
        if path == "/v1beta/interactions" || path == "/v1/interactions" {
            return NativeCall(surface: .geminiGenerate, prefix: String(path))
        }
        guard let (version, rest) = Gemini.split(path, after: "/models/") else { return nil }
        return Gemini.call(prefix: version, modelAndAction: rest)
    }

    func target(
        for request: InferenceRequest, upstreamModel: String, backend: Backend, clientQuery: Substring
    ) -> UpstreamTarget {
        let query = Query.removing(["key", "access_token"], from: clientQuery)
        if let call = request.native {
            return call.target(upstreamModel: upstreamModel, backend: backend, query: query[...])
        }
        return OpenAIDialect.target(
            of: request.surface, backend: backend, prefix: "/v1beta/openai", query: query[...])
    }

    func headers(for target: UpstreamTarget, backend: Backend, content: SignedContent) -> [HeaderField] {
        guard let key = backend.apiKey else { return [] }
        return target.path.contains("/openai/") ? backend.bearer : [HeaderField("x-goog-api-key", key)]
    }

    func edits(for request: InferenceRequest, upstreamModel: String, backend: Backend) -> [ByteEdit] {
        request.edits(upstreamModel: upstreamModel, asking: .streamOptions)
    }

    /// `MODEL:ACTION`, for the actions that make something or count.
    static func call(prefix: Substring, modelAndAction: Substring) -> NativeCall? {
        guard let colon = modelAndAction.lastIndex(of: ":"),
            let model = PercentEncoding.decoded(modelAndAction[..<colon]), !model.isEmpty
        else { return nil }
        let action = modelAndAction[colon...]
        let surface: Surface
        switch action {
        case ":generateContent", ":streamGenerateContent": surface = .geminiGenerate
        case ":countTokens": surface = .countTokens
        default: return nil
        }
        return NativeCall(
            surface: surface, model: model, isStream: action == ":streamGenerateContent", prefix: String(prefix),
            suffix: String(action))
    }

    /// The path up to and with `marker`, and what comes after it.
    static func split(_ path: Substring, after marker: String) -> (Substring, Substring)? {
        guard let range = path.firstRange(of: marker) else { return nil }
        return (path[..<range.upperBound], path[range.upperBound...])
    }
}
