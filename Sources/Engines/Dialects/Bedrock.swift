internal import Identity
internal import Metering

/// Amazon Bedrock: the path names the model, requests are signed or carry a bearer key.
struct Bedrock: Dialect {
    func serves(_ surface: Surface) -> Bool {
        surface == .bedrockConverse || surface == .bedrockInvoke || surface == .countTokens
    }

    func nativeCall(method: String, path: Substring) -> NativeCall? {
        guard method == "POST", path.hasPrefix("/model/"), let slash = path.lastIndex(of: "/"),
            let model = PercentEncoding.decoded(path[..<slash].dropFirst("/model/".count)), !model.isEmpty
        else { return nil }
        func call(_ surface: Surface, isStream: Bool = false) -> NativeCall {
            NativeCall(
                surface: surface, model: model, isStream: isStream, prefix: "/model/", suffix: String(path[slash...]))
        }
        switch path[slash...] {
        case "/converse": return call(.bedrockConverse)
        case "/converse-stream": return call(.bedrockConverse, isStream: true)
        case "/invoke": return call(.bedrockInvoke)
        case "/invoke-with-response-stream": return call(.bedrockInvoke, isStream: true)
        case "/count-tokens": return call(.countTokens)
        default: return nil
        }
    }

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
