internal import Metering

/// Vertex AI: Gemini's dialect below a project and a place, which the backend's base path names
/// (`/v1/projects/P/locations/L`).
struct Vertex: Dialect {
    func serves(_ surface: Surface) -> Bool { surface == .geminiGenerate || surface == .chatCompletions }

    /// The client may write the whole path or only what follows the place; the place is the backend's in any case.
    func nativeCall(method: String, path: Substring) -> NativeCall? {
        Vertex.routes.call(method: method, path: path)?.below("/publishers/")
    }

    private static let routes = ["", "/v1", "/v1beta1"].flatMap { version in
        ["", "/projects/{place}/locations/{place}"].flatMap { place in
            Gemini.actions(of: version + place + "/publishers/{id}/models/{models}")
        }
    }

    let queryMembers = QueryMember.google

    /// The tier of a request is asked for by two headers.
    let clientHeaders =
        ClientHeader.google + [
            ClientHeader("x-vertex-ai-llm-shared-request-type", .tier),
            ClientHeader("x-vertex-ai-llm-request-type", .only("shared")),
        ]

    func target(
        for request: InferenceRequest, upstreamModel: String, backend: Backend, query: ForwardedQuery
    ) -> UpstreamTarget {
        if let call = request.native {
            return call.target(upstreamModel: upstreamModel, backend: backend, query: query)
        }
        return OpenAIDialect.target(
            of: request.surface, backend: backend, prefix: "/endpoints/openapi", query: query.text)
    }

    func edits(for request: InferenceRequest, upstreamModel: String, backend: Backend) -> [ByteEdit] {
        request.edits(upstreamModel: upstreamModel, asking: .streamOptions)
    }
}
