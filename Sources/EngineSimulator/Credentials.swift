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

    /// Whether a request shows a key. Of an AWS signature only the form is looked at: the key's id, the service, and
    /// that what must be signed is.
    func admits(_ exchange: Exchange, apiKey: String) -> Bool {
        if exchange.header("authorization") == "Bearer \(apiKey)" { return true }
        switch self {
        case .bearer: return false
        case .anthropic: return exchange.header("x-api-key") == apiKey
        case .azure: return exchange.header("api-key") == apiKey
        case .google: return exchange.header("x-goog-api-key") == apiKey || exchange.query("key") == apiKey
        case .aws(let service): return Self.isSigned(exchange, service: service, keyID: apiKey)
        }
    }

    /// `AWS4-HMAC-SHA256 Credential=ID/DATE/REGION/SERVICE/aws4_request, SignedHeaders=…, Signature=…`.
    private static func isSigned(_ exchange: Exchange, service: String, keyID: String) -> Bool {
        guard let header = exchange.header("authorization"), header.hasPrefix("AWS4-HMAC-SHA256 "),
            let moment = exchange.header("x-amz-date"), moment.utf8.count == 16, moment.hasSuffix("Z")
        else { return false }
        var parts: [Substring: Substring] = [:]
        for part in header.dropFirst("AWS4-HMAC-SHA256 ".count).split(separator: ",") {
            let pair = part.drop { $0 == " " }.split(separator: "=", maxSplits: 1)
            if pair.count == 2 { parts[pair[0]] = pair[1] }
        }
        let scope = (parts["Credential"] ?? "").split(separator: "/")
        let signed = (parts["SignedHeaders"] ?? "").split(separator: ";")
        let signature = parts["Signature"] ?? ""
        return scope.count == 5 && scope[0] == keyID && scope[1] == moment.prefix(8) && scope[3] == service
            && scope[4] == "aws4_request" && signed.contains("host") && signed.contains("x-amz-date")
            && signed == signed.sorted() && signature.utf8.count == 64
            && signature.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }
}
