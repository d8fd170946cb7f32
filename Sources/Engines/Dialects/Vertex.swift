internal import Metering

/// Vertex AI: Gemini's dialect below a project and a place, which the backend's base path names
/// (`/v1/projects/P/locations/L`). Models of Anthropic's speak their own dialect there.
struct Vertex: Dialect {
    func serves(_ surface: Surface) -> Bool {
        surface == .geminiGenerate || surface == .geminiEmbed || surface == .chatCompletions
    }

    /// The client may write the whole path or only what follows the place; the place is the backend's in any case.
    func nativeCall(method: String, path: Substring) -> NativeCall? {
        Vertex.routes.call(method: method, path: path)?.below("/publishers/")
    }

    private static let routes: [NativeRoute] = {
        var routes: [NativeRoute] = []
        for version in ["", "/v1", "/v1beta1"] {
            for place in ["", "/projects/{place}/locations/{place}"] {
                routes += Gemini.actions(of: "\(version)\(place)/publishers/{id}/models/{models}")
                routes.append(
                    NativeRoute("\(version)\(place)/publishers/google/models/{models}:predict", .geminiEmbed))
                routes += messages(of: "\(version)\(place)/publishers/anthropic/models/{models}")
            }
        }
        return routes
    }()

    /// The body is a message's, without its model. Whether the answer is a stream the body decides, whatever the path
    /// says.
    private static func messages(of path: String) -> [NativeRoute] {
        [
            NativeRoute(path + ":rawPredict", .messages),
            NativeRoute(path + ":streamRawPredict", .messages, isStream: true),
        ]
    }

    let queryMembers = QueryMember.google

    /// The tier of a request is asked for by two headers.
    let clientHeaders =
        ClientHeader.google + [
            ClientHeader("x-vertex-ai-llm-shared-request-type", .tier),
            ClientHeader("x-vertex-ai-llm-request-type", .only("shared")),
            ClientHeader("anthropic-beta", .members(AnthropicBetas.standard)),
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
