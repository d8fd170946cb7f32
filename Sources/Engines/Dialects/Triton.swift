internal import Identity
internal import Metering

/// Triton's `generate` extension. It reports no usage; TensorRT-LLM's and vLLM's models in it do when they are asked by
/// two inputs of theirs, which others take for parameters and ignore.
struct Triton: Dialect {
    func serves(_ surface: Surface) -> Bool { surface == .tritonGenerate }

    func nativeCall(method: String, path: Substring) -> NativeCall? {
        guard method == "POST", path.hasPrefix("/v2/models/"), let slash = path.lastIndex(of: "/") else { return nil }
        let isStream = path[slash...] == "/generate_stream"
        guard isStream || path[slash...] == "/generate" else { return nil }
        let parts = path[..<slash].dropFirst("/v2/models/".count).split(
            separator: "/", omittingEmptySubsequences: false)
        guard let first = parts.first, let model = PercentEncoding.decoded(first), !model.isEmpty else { return nil }
        guard parts.count == 1 || parts.count == 3 && parts[1] == "versions" else { return nil }
        let version = parts.count == 3 ? "/versions/" + parts[2] : ""
        return NativeCall(
            surface: .tritonGenerate, model: model, isStream: isStream, prefix: "/v2/models/",
            suffix: version + path[slash...])
    }

    func edits(for request: InferenceRequest, upstreamModel: String, backend: Backend) -> [ByteEdit] {
        request.edits(upstreamModel: upstreamModel, asking: .tokenCounts)
    }
}
