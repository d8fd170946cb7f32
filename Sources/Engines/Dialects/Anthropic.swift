internal import Metering

/// Anthropic's Messages API.
struct Anthropic: Dialect {
    /// The version of the API that answers are read by, whatever the client names.
    static let version = "2023-06-01"

    func serves(_ surface: Surface) -> Bool { surface == .messages || surface == .countTokens }

    let queryMembers = [QueryMember("beta", ["true"])]
    let clientHeaders =
        ClientHeader.common + [
            ClientHeader("anthropic-beta", .members(AnthropicBetas.standard))
        ]

    func headers(for target: UpstreamTarget, backend: Backend, content: SignedContent) -> [HeaderField] {
        let version = HeaderField("anthropic-version", Anthropic.version)
        guard let key = backend.apiKey else { return [version] }
        // Tokens of a login are no API keys.
        return key.hasPrefix("sk-ant-oat") ? backend.bearer + [version] : [HeaderField("x-api-key", key), version]
    }
}
