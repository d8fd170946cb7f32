internal import Identity
internal import Metering

/// Amazon Bedrock: the path names the model, requests are signed or carry a bearer key.
struct Bedrock: Dialect {
    func serves(_ surface: Surface) -> Bool {
        surface == .bedrockConverse || surface == .bedrockInvoke || surface == .countTokens
    }

    func nativeCall(method: String, path: Substring) -> NativeCall? {
        Bedrock.routes.call(method: method, path: path)
    }

    /// Models may be ARNs, which have a slash in them.
    private static let routes = [
        NativeRoute("/model/{models}/converse", .bedrockConverse),
        NativeRoute("/model/{models}/converse-stream", .bedrockConverse, isStream: true),
        NativeRoute("/model/{models}/invoke", .bedrockInvoke),
        NativeRoute("/model/{models}/invoke-with-response-stream", .bedrockInvoke, isStream: true),
        NativeRoute("/model/{models}/count-tokens", .countTokens),
    ]

    /// Latency-optimised models and guardrails have prices of their own, which plans do not know.
    let clientHeaders =
        ClientHeader.common + [
            ClientHeader("x-amzn-bedrock-accept", .passed), ClientHeader("x-amzn-bedrock-content-type", .passed),
            ClientHeader("x-amzn-bedrock-trace", .passed), ClientHeader("x-amzn-bedrock-service-tier", .tier),
            ClientHeader("x-amzn-bedrock-performanceconfig-latency", .only("standard")),
            ClientHeader("x-amzn-bedrock-guardrailidentifier", .refused),
            ClientHeader("x-amzn-bedrock-guardrailversion", .refused),
        ]

    func headers(for target: UpstreamTarget, backend: Backend, content: SignedContent) -> [HeaderField] {
        backend.signature(.bedrock, of: target, content) ?? backend.bearer
    }
}

extension Backend {
    /// The signature of a request, where the backend has credentials to sign with.
    func signature(
        _ service: AWSSignatureV4.Service, of target: UpstreamTarget, _ content: SignedContent
    ) -> [HeaderField]? {
        settings.aws.map { credentials in
            AWSSignatureV4(credentials: credentials, service: service).headerFields(
                method: target.method, host: authority, path: target.path, query: target.query,
                headers: content.headers, body: content.bodyDigest, at: content.date)
        }
    }

    /// The value of the `host` header: an IPv6 address in brackets, a usual port left out.
    private var authority: String {
        let name = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
        return port == (isTLS ? 443 : 80) ? name : "\(name):\(port)"
    }
}
