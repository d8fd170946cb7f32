internal import Identity
internal import Metering

/// Amazon SageMaker endpoints, on Inferentia2 or otherwise: the path names the endpoint, the body is its container's.
struct SageMaker: Dialect {
    func serves(_ surface: Surface) -> Bool { surface == .sageMakerInvocations }

    func nativeCall(method: String, path: Substring) -> NativeCall? {
        guard method == "POST", path.hasPrefix("/endpoints/"), let slash = path.lastIndex(of: "/"),
            let endpoint = PercentEncoding.decoded(path[..<slash].dropFirst("/endpoints/".count)), !endpoint.isEmpty
        else { return nil }
        let isStream = path[slash...] == "/invocations-response-stream"
        guard isStream || path[slash...] == "/invocations" else { return nil }
        return NativeCall(
            surface: .sageMakerInvocations, model: endpoint, isStream: isStream, prefix: "/endpoints/",
            suffix: String(path[slash...]))
    }

    func headers(for target: UpstreamTarget, backend: Backend, content: SignedContent) -> [HeaderField] {
        backend.signature(.sageMaker, of: target, content) ?? backend.bearer
    }

    /// The container is asked as its dialect has it: TGI by `details`, the others by `stream_options`. What they add to
    /// a stream stays in it, for the frames around it carry checksums.
    func edits(for request: InferenceRequest, upstreamModel: String, backend: Backend) -> [ByteEdit] {
        request.edits(upstreamModel: upstreamModel, asking: [.streamOptions, .details])
    }
}
