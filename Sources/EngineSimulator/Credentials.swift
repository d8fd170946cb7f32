/// How a dialect's requests say who they come from.
enum CredentialScheme: Sendable {
    /// `Authorization: Bearer`.
    case bearer
    /// Anthropic's `x-api-key`, or a bearer token; vLLM takes the latter only.
    case anthropic
    /// Azure's `api-key`, or a bearer token.
    case azure
    /// Google's `x-goog-api-key`, `key` of the query, or a bearer token.
    case google
    /// AWS Signature Version 4 for this service, or a bearer token.
    case aws(service: String)

    /// Whether a request shows a key. For AWS the key is an id and, after a colon, its secret; without a secret only
    /// the form of a signature is looked at.
    func admits(_ exchange: Exchange, apiKey: String) -> Bool {
        if exchange.header("authorization") == "Bearer \(apiKey)" { return true }
        switch self {
        case .bearer: return false
        case .anthropic: return exchange.header("x-api-key") == apiKey
        case .azure: return exchange.header("api-key") == apiKey
        case .google: return exchange.header("x-goog-api-key") == apiKey || exchange.query("key") == apiKey
        case .aws(let service):
            let parts = apiKey.split(separator: ":", maxSplits: 1)
            guard let signature = SignatureV4(exchange), let id = parts.first,
                signature.isFor(service: service, keyID: id)
            else { return false }
            return parts.count < 2 || signature.isRight(for: exchange, secret: parts[1])
        }
    }
}
