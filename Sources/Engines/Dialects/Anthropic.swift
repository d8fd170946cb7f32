internal import Metering

/// Anthropic's Messages API.
struct Anthropic: Dialect {
    /// The version of the API that is meant when the client names none.
    static let version = "2023-06-01"

    func serves(_ surface: Surface) -> Bool { surface == .messages || surface == .countTokens }

    func headers(for target: UpstreamTarget, backend: Backend, content: SignedContent) -> [HeaderField] {
        let version = HeaderField("anthropic-version", Anthropic.version, isDefault: true)
        guard let key = backend.apiKey else { return [version] }
        // Tokens of a login are no API keys.
        return key.hasPrefix("sk-ant-oat") ? backend.bearer + [version] : [HeaderField("x-api-key", key), version]
    }
}
