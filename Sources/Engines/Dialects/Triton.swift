internal import Identity
internal import Metering

/// Triton's `generate` extension. It reports no usage; TensorRT-LLM's and vLLM's models in it do when they are asked by
/// two inputs of theirs, which others take for parameters and ignore. A version of a model is another model: one that
/// the catalogue has under a name such as `m/versions/3`.
struct Triton: Dialect {
    func serves(_ surface: Surface) -> Bool { surface == .tritonGenerate }

    func nativeCall(method: String, path: Substring) -> NativeCall? {
        Triton.routes.call(method: method, path: path, unencoded: "/")
    }

    private static let routes = [
        NativeRoute("/v2/models/{model}/generate", .tritonGenerate),
        NativeRoute("/v2/models/{model}/generate_stream", .tritonGenerate, isStream: true),
        NativeRoute("/v2/models/{model}/versions/{model}/generate", .tritonGenerate),
        NativeRoute("/v2/models/{model}/versions/{model}/generate_stream", .tritonGenerate, isStream: true),
    ]

    func edits(for request: InferenceRequest, upstreamModel: String, backend: Backend) -> [ByteEdit] {
        request.edits(upstreamModel: upstreamModel, asking: .tokenCounts)
    }
}
