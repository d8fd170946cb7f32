internal import Metering

/// Vertex AI: Gemini's dialect below a project and a place, which the backend's base path names
/// (`/v1/projects/P/locations/L`).
struct Vertex: Dialect {
    func serves(_ surface: Surface) -> Bool { surface == .geminiGenerate || surface == .chatCompletions }

    /// The client may write the whole path or only what follows the place; the place is the backend's in any case.
    func nativeCall(method: String, path: Substring) -> NativeCall? {
        guard method == "POST", let (_, rest) = Gemini.split(path, after: "/publishers/"),
            let (publisher, model) = Gemini.split(rest, after: "/models/"),
            publisher.dropLast("/models/".count).allSatisfy({ $0.isASCII && ($0.isLetter || $0 == "-") })
        else { return nil }
        return Gemini.call(prefix: "/publishers/" + publisher, modelAndAction: model)
    }

    func target(
        for request: InferenceRequest, upstreamModel: String, backend: Backend, clientQuery: Substring
    ) -> UpstreamTarget {
        let query = Query.removing(["key", "access_token"], from: clientQuery)
        if let call = request.native {
            return call.target(upstreamModel: upstreamModel, backend: backend, query: query[...])
        }
        return OpenAIDialect.target(
            of: request.surface, backend: backend, prefix: "/endpoints/openapi", query: query[...])
    }

    func edits(for request: InferenceRequest, upstreamModel: String, backend: Backend) -> [ByteEdit] {
        request.edits(upstreamModel: upstreamModel, asking: .streamOptions)
    }
}
