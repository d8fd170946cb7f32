internal import Identity
internal import Metering

/// Amazon SageMaker endpoints, on Inferentia2 or otherwise: the path names the endpoint, the body is its container's.
struct SageMaker: Dialect {
    func serves(_ surface: Surface) -> Bool { surface == .sageMakerInvocations }

    func nativeCall(method: String, path: Substring) -> NativeCall? {
        SageMaker.routes.call(method: method, path: path)
    }

    private static let routes = [
        NativeRoute("/endpoints/{models}/invocations", .sageMakerInvocations),
        NativeRoute("/endpoints/{models}/invocations-response-stream", .sageMakerInvocations, isStream: true),
    ]

    /// What chooses another model, variant or container than the endpoint's own is not what the plan sells.
    let clientHeaders =
        ClientHeader.common + [
            ClientHeader("x-amzn-sagemaker-accept", .passed),
            ClientHeader("x-amzn-sagemaker-target-model", .refused),
            ClientHeader("x-amzn-sagemaker-target-variant", .refused),
            ClientHeader("x-amzn-sagemaker-target-container-hostname", .refused),
            ClientHeader("x-amzn-sagemaker-inference-component", .refused),
        ]

    func headers(for target: UpstreamTarget, backend: Backend, content: SignedContent) -> [HeaderField] {
        backend.signature(.sageMaker, of: target, content) ?? backend.bearer
    }

    /// The container is asked as its dialect has it: TGI by `details`, the others by `stream_options`. What they add to
    /// a stream stays in it, for the frames around it carry checksums.
    func edits(for request: InferenceRequest, upstreamModel: String, backend: Backend) -> [ByteEdit] {
        request.edits(upstreamModel: upstreamModel, asking: [.streamOptions, .details])
    }
}
